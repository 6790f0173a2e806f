"""What can be said of the GPUs that a workload holds, and what cannot: one rule after another. docs/methods.md."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from costlab.config.accelerator import builtin
from costlab.config.mig import USABLE, MigProfile, mig_profiles
from costlab.core import sketch
from costlab.core.arrays import Floats
from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.signals import SIGNALS, Signal
from costlab.domain.units import GIB
from costlab.jobs.rightsizing.held import Held, Seen
from costlab.jobs.rightsizing.schedules import RUN_TO_THEIR_END, saved, schedule_of, whole_days

IDLE = 0.01  # the engine's 99th percentile below which nobody works: that of gpu-pruner
_IDLE_HOURS = 24.0
_LEAST_HOURS, _LEAST_SAMPLES = 24.0, 100
_NEAR_FLOOR = 1.5  # times the least power of the model: above, something else than the engine works
_PARKED = 0.25  # of the memory: more than a bare context takes
_LOW, _EVEN = 0.5, 0.5  # mean engine activity that asks why; least of a rank's against the busiest's
_AT_LIMIT, _THROTTLED = 0.95, 0.25  # of the CPU limit, of the periods
_FLAT, _ALL_OF_IT = (
    0.98,
    0.85,
)  # from the first hour on, of the memory: an allocator took it, whatever it needs
_ROOM = 1.10  # of memory above the most that was seen
_SHARING = 0.5  # compute and memory below which two fit
_BY_ENGINE, _UNKNOWN = 0.99, 0.01  # of the observed time
_SEEN = 0.9  # of the time that it was there, to say that it was idle every night


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a workload's GPUs. saved: money of the window; None = nothing is promised."""

    action: Action
    reason: Reason
    evidence: Evidence
    saved: float | None = None
    proposed: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def judged(held: Held) -> Verdict:
    """The one thing to say of a workload's GPUs: what frees most comes first, and what cannot be known stays unsaid."""
    return next(verdict for rule in _RULES if (verdict := rule(held)) is not None)


def exporter_line(signal: Signal) -> str:
    """The line of the DCGM exporter's file of counters that makes it expose a signal.

    >>> exporter_line(Signal.GPU_SM_ACTIVE)
    'DCGM_FI_PROF_SM_ACTIVE, gauge, Share of time in which a streaming multiprocessor had work, over all of them.'
    """
    dcgm = next(entry for entry in builtin() if entry.name == "dcgm")
    return f"{dcgm.names(signal)[0]}, {SIGNALS[signal].kind}, {SIGNALS[signal].doc}"


def by_engine(seen: Seen) -> bool:
    """Whether it was the engine-active ratio that told how busy they were: utilisation counts a single kernel as all."""
    return bool(seen.figures["engine_s"].sum() >= _BY_ENGINE * seen.figures["observed_s"].sum())


def total(amounts: Floats) -> float | None:
    """The sum; None where a price is not known."""
    return _or_none(float(amounts.sum()))


def facts_of(facts: Mapping[str, object], missing: Sequence[Signal] = ()) -> dict[str, str]:
    """Facts as text; what is not known is left out, and fields that are missing come with the exporter's lines."""
    told = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in facts.items()
            if value is not None and value == value}  # noqa: PLR0124 - NaN is not itself  # fmt: skip
    if missing:
        lines = [exporter_line(signal) for signal in missing]
        told["missing_fields"] = ", ".join(line.partition(",")[0] for line in lines)
        told["exporter_lines"] = "\n".join(lines)
    return told


def _unobserved(held: Held) -> Verdict | None:
    if len(held.seen) and held.seen.figures["observed_s"].any():
        return None
    return _refused(Action.SMALLER, Reason.NOT_OBSERVED, Signal.GPU_ENGINE_ACTIVE)


def _shared(held: Held) -> Verdict | None:
    """What several do on one GPU at once cannot be told apart, by time slicing or MPS."""
    return _refused(Action.SMALLER, Reason.SHARED_GPU) if held.shared else None


def _too_short(held: Held) -> Verdict | None:
    hours = _hours(held.seen)
    samples = int(held.seen.figures["busy_samples"].sum())
    if hours >= _LEAST_HOURS and samples >= _LEAST_SAMPLES:
        return None
    return _refused(Action.SMALLER, Reason.TOO_LITTLE_DATA, hours_observed=hours, samples=samples)


def _idle(held: Held) -> Verdict | None:
    """Nothing has run for a day or longer, up to now: released, or a model that is parked in the memory."""
    seen = held.seen
    busy = {int(day) for day in seen.day[~(seen.figures["busy_p99"] < IDLE)]}
    streak = [int(day) for day in held.day if int(day) > max(busy, default=-1)]
    since = np.isin(seen.day, streak)
    if not since.any():
        return None
    still = seen.of(np.flatnonzero(since))
    hours = _hours(still)
    if hours < _IDLE_HOURS or (len(streak) < len(held.day) and held.workload_class in RUN_TO_THEIR_END):
        return None
    unused, cost = (money[np.isin(held.day, streak)] for money in (held.unused, held.cost))
    watts, floor = _weighted(still, "power_mean_watts"), float(np.fmax.reduce(still.floor_watts))
    memory = _memory_share(still)
    facts: dict[str, object] = {"hours_idle": hours, "cost_so_far": total(cost), "power_watts": watts,
                                "idle_floor_watts": floor, "memory_share": memory, "busy_max": _most(still, "busy_max")}  # fmt: skip
    parked = memory >= _PARKED
    action = Action.MEMORY_ONLY if parked else Action.IDLE
    missing = [] if by_engine(seen) else [Signal.GPU_ENGINE_ACTIVE]
    if np.isnan(watts):
        missing.append(Signal.GPU_POWER)
    if missing or (not parked and watts > _NEAR_FLOOR * floor):
        return Verdict(
            action, Reason.ADVISED, Evidence.INDICATED, proposed=0.0, facts=facts_of(facts, missing)
        )
    return Verdict(action, Reason.ADVISED, Evidence.MEASURED, total(unused), 0.0, facts_of(facts))


def _fewer(held: Held) -> Verdict | None:
    """Of several GPUs of each pod some never do anything, or are not even named as the pod's."""
    if held.pieces < 2 or "_mig_" in held.resource:
        return None
    seen = held.seen
    groups = list(_pods(seen))
    idle = [(group.figures["busy_p99"] < IDLE) for group in groups]
    used = max(int((~each).sum()) for each in idle)
    told = max(len(group) for group in groups)
    asked = int(held.pieces)
    if 0 < used < told and all(each.any() for each in idle):
        share = (asked - used) / asked if told == asked else (told - used) / asked
        money = total(np.minimum(held.cost * share, held.unused)) if by_engine(seen) else None
        missing = [] if by_engine(seen) else [Signal.GPU_ENGINE_ACTIVE]
        evidence = Evidence.MEASURED if by_engine(seen) else Evidence.INDICATED
        facts = {"gpus_asked": asked, "gpus_used": used}
        return Verdict(
            Action.FEWER, Reason.ADVISED, evidence, money, asked - asked * share, facts_of(facts, missing)
        )
    if told < asked:
        # Of the rest nobody told anything, and that is not idleness.
        facts = {"gpus_asked": asked, "gpus_named": told}
        return Verdict(Action.FEWER, Reason.NOT_OBSERVED, Evidence.INDICATED, facts=facts_of(facts))
    return None


def _part_time(held: Held) -> Verdict | None:
    """Idle every night, or over every weekend."""
    if held.workload_class in RUN_TO_THEIR_END or held.coverage < _SEEN:
        return None
    seen, days = held.seen, np.unique(held.seen.day)
    hourly = np.array([np.fmax.reduce(seen.hourly[seen.day == day]) for day in days])
    days = days[whole_days(hourly)]
    weekday = np.array([date.fromordinal(day).weekday() for day in days.tolist()], np.int64)
    schedule = schedule_of(hourly[whole_days(hourly)] < IDLE, weekday)
    if schedule is None:
        return None
    if not by_engine(seen):
        facts = facts_of(schedule.facts, [Signal.GPU_ENGINE_ACTIVE])
        return Verdict(Action.PART_TIME, Reason.ADVISED, Evidence.INDICATED, facts=facts)
    at = np.isin(held.day, days)
    money = _or_none(saved(schedule, weekday, held.cost[at], held.unused[at]))
    return Verdict(Action.PART_TIME, Reason.ADVISED, Evidence.MEASURED, money, facts=schedule.facts)


def _by_utilisation_alone(held: Held) -> Verdict | None:
    """It tells idle from not idle, and nothing of size."""
    if by_engine(held.seen):
        return None
    fields = (Signal.GPU_ENGINE_ACTIVE, Signal.GPU_SM_ACTIVE)
    return _refused(Action.MIG, Reason.MISSING_METRIC, *fields, busy_mean=_mean(held.seen))


def _imbalance(held: Held) -> Verdict | None:
    """In most of its pods one GPU does less than half of what the busiest does: it waits, or the work is ill divided."""
    groups = [group.figures["busy_mean"] for group in _pods(held.seen) if len(group) > 1]
    uneven = [each.min() < _EVEN * each.max() for each in groups]
    if not groups or 2 * sum(uneven) <= len(groups):
        return None
    facts = {
        "busy_least": float(np.mean([each.min() for each in groups])),
        "busy_most": float(np.mean([each.max() for each in groups])),
    }
    return Verdict(Action.IMBALANCE, Reason.ADVISED, Evidence.MEASURED, facts=facts_of(facts))


def _starved(held: Held) -> Verdict | None:
    """The GPU is busy less than half of the time while the CPU is at its limit: more CPU first, or a better loader."""
    mean = _mean(held.seen)
    if mean >= _LOW or not (held.cpu_pressed >= _AT_LIMIT or held.throttled >= _THROTTLED):
        return None
    facts = {"busy_mean": mean, "cpu_p95_of_limit": held.cpu_pressed, "cpu_throttled": held.throttled}
    return Verdict(Action.STARVED, Reason.ADVISED, Evidence.MEASURED, facts=facts_of(facts))


def _beyond_usual(held: Held) -> Verdict | None:
    """At least twice the GPUs that are usual for its class, and busy less than half of the time."""
    mean = _mean(held.seen)
    if held.usual is None or held.pieces < 2 * held.usual or mean >= _LOW:
        return None
    facts = {"gpus_asked": held.pieces, "usual_of_class": held.usual, "busy_mean": mean}
    return Verdict(Action.SMALLER, Reason.ADVISED, Evidence.INDICATED, facts=facts_of(facts))


def _several(held: Held) -> Verdict | None:
    """Instances have neither NVLink nor peer access: a job of several GPUs is not for them."""
    if held.pieces <= 1 and _devices_at_once(held.seen) <= 1:
        return None
    if _most(held.seen, "sm_active_p95") >= _LOW:
        return _near_enough(held)
    return _refused(Action.MIG, Reason.SEVERAL_GPUS, **_measured(held.seen))


def _unmeasured(held: Held) -> Verdict | None:
    """What a size needs beside the engine's activity."""
    needed = {
        Signal.GPU_SM_ACTIVE: "sm_active_p95",
        Signal.GPU_MEMORY_USED: "memory_max_bytes",
        Signal.GPU_MEMORY_FREE: "memory_total_bytes",
    }
    # While they were not told of they may have been higher.
    missing = [signal for signal, figure in needed.items() if _unknown_share(held.seen, figure) > _UNKNOWN]
    return _refused(Action.MIG, Reason.MISSING_METRIC, *missing, **_measured(held.seen)) if missing else None


def _unfinished(held: Held) -> Verdict | None:
    """A job that never ran from beginning to end may need most at its end."""
    if held.workload_class not in RUN_TO_THEIR_END or held.full_runs:
        return None
    return _refused(Action.MIG, Reason.NO_FULL_RUN, **_measured(held.seen))


def _preallocated(held: Held) -> Verdict | None:
    """Nearly all memory from the first hour on: an allocator took it, whatever is needed."""
    seen = held.seen
    most = _most(seen, "memory_max_bytes")
    first = float(np.fmin.reduce(seen.figures["memory_first_hour_bytes"]))
    if most <= _ALL_OF_IT * _most(seen, "memory_total_bytes") or first < _FLAT * most:
        return None
    return _refused(Action.MIG, Reason.NEED_UNKNOWN, **_measured(seen))


def _sliced(held: Held) -> Verdict | None:
    """The smallest MIG profile that holds its memory and its SM activity."""
    seen = held.seen
    if any(seen.mig_profile):
        return None
    whole = _most(seen, "memory_total_bytes")
    share = _most(seen, "memory_max_bytes") / whole
    profile = smallest(mig_profiles(seen.model[-1], whole), _most(seen, "sm_active_p95"), share)
    if profile is None or profile.per_gpu == 1:
        return None
    facts = _measured(seen) | {
        "mig_profile": profile.name,
        "per_gpu": profile.per_gpu,
        "compute_share": profile.compute_share,
        "condition": "only if others take the slices that it frees",
        "speed": "not measured on a slice",
    }
    money = total(np.minimum(held.cost * (1 - 1 / profile.per_gpu), held.unused))
    return Verdict(Action.MIG, Reason.ADVISED, Evidence.MEASURED, money, 1.0, facts_of(facts))


def _shareable(held: Held) -> Verdict | None:
    """Two like it would fit on a GPU that has no MIG."""
    seen = held.seen
    whole = _most(seen, "memory_total_bytes")
    low = _most(seen, "sm_active_p95") <= _SHARING and _most(seen, "memory_max_bytes") <= _SHARING * whole
    if any(seen.mig_profile) or mig_profiles(seen.model[-1], whole) or not low:
        return None
    facts = facts_of(_measured(seen) | {"model": seen.model[-1]})
    return Verdict(Action.TIME_SLICING, Reason.ADVISED, Evidence.INDICATED, facts=facts)


def _near_enough(held: Held) -> Verdict:
    facts = facts_of(_measured(held.seen))
    return Verdict(Action.MIG, Reason.NEAR_ENOUGH, Evidence.MEASURED, facts=facts)


# What frees most first; what cannot be known before what would need it.
_RULES: tuple[Callable[[Held], Verdict | None], ...] = (
    _unobserved, _shared, _too_short, _idle, _fewer, _part_time, _by_utilisation_alone, _imbalance, _starved,
    _beyond_usual, _several, _unmeasured, _unfinished, _preallocated, _sliced, _shareable, _near_enough,
)  # fmt: skip


def smallest(profiles: Sequence[MigProfile], sm_active: float, memory_share: float) -> MigProfile | None:
    """The profile of which a GPU holds most that has this much of the compute, and of the memory with room to spare."""
    fits = [
        one
        for one in profiles
        if sm_active <= one.compute_share
        and _ROOM * memory_share <= (1.0 if one.whole else USABLE * one.memory_share)
    ]
    return max(fits, key=lambda one: (one.per_gpu, -one.compute_share), default=None)


def _measured(seen: Seen) -> dict[str, object]:
    return {
        "busy_mean": _mean(seen),
        "busy_p95": _rank(seen, 95),
        "sm_active_p95": _most(seen, "sm_active_p95"),
        "memory_max_gib": _most(seen, "memory_max_bytes") / GIB,
        # Low tensor activity is no fault where the memory's interface is what works: so does a model that generates text.
        "tensor_active_mean": _weighted(seen, "tensor_active_mean"),
        "dram_active_mean": _weighted(seen, "dram_active_mean"),
    }


def _unknown_share(seen: Seen, figure: str) -> float:
    lasted = seen.figures["observed_s"]
    return float(lasted[np.isnan(seen.figures[figure])].sum() / lasted.sum())


def _most(seen: Seen, figure: str) -> float:
    return float(np.fmax.reduce(seen.figures[figure], initial=np.nan))


def _refused(action: Action, reason: Reason, *missing: Signal, **facts: object) -> Verdict:
    return Verdict(action, reason, Evidence.REFUSED, facts=facts_of(facts, missing))


def _hours(seen: Seen) -> float:
    """How long they were observed: on each day as long as one of its devices, on average."""
    days, day = np.unique(seen.day, return_inverse=True)
    devices = [len(np.unique(seen.gpu[day == number])) for number in range(len(days))]
    return float((np.bincount(day, seen.figures["observed_s"]) / devices).sum()) / 3600


def _pods(seen: Seen) -> Iterator[Seen]:
    """The devices of each pod on each day."""
    _, place = np.unique(np.column_stack([seen.day, seen.container]), axis=0, return_inverse=True)
    for number in range(int(place.max(initial=-1)) + 1):
        yield seen.of(np.flatnonzero(place.ravel() == number))


def _devices_at_once(seen: Seen) -> int:
    return max((len(group) for group in _pods(seen)), default=0)


def _weighted(seen: Seen, figure: str) -> float:
    values, weights = seen.figures[figure], seen.figures["observed_s"]
    known = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")


def _mean(seen: Seen) -> float:
    return _weighted(seen, "busy_mean")


def _rank(seen: Seen, percent: int) -> float:
    """A percentile of the busy ratio over all days, out of the merged sketches."""
    buckets, weights = (np.concatenate([one[i] for one in seen.sketches]) for i in (0, 1))
    return sketch.nearest_rank(*sketch.merged(buckets, weights), percent)


def _memory_share(seen: Seen) -> float:
    used, total = seen.figures["memory_max_bytes"], seen.figures["memory_total_bytes"]
    known = total > 0
    return float((used[known] / total[known]).max()) if known.any() else float("nan")


def _or_none(amount: float) -> float | None:
    return None if np.isnan(amount) else amount

"""When workloads could be scaled down: at night and over the weekend, by every hour of their past days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.config.advising import Silence
from costlab.core.arrays import Floats, Ints
from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.held import KEYS, MONTH_HOURS, beside
from costlab.jobs.rightsizing.silences import Silenced, silenced
from costlab.store.schema import conform, empty

HOURS, WEEK = 24, 7
SATURDAY = 5
RUN_TO_THEIR_END = frozenset({"training", "batch"})
LEAST_DAYS = 14
_NIGHTS = 5  # observed working days before nights are told of
_WEEKENDS = 2  # whole weekends before weekends are
_LEAST_HOURS = 6  # of a night: below, starting again costs more than it gives
_QUIET = 0.05  # of the most that was ever used
_NEXT_TO_NOTHING = 0.1  # of the request

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to scale down, by the local clock: on working days from hour `down` to hour `up`, and on `weekends`.

    off: bool (7, 24), every hour of the week, from Monday on, in which it is down. days: how many it rests on.
    """

    off: Flags
    down: int | None
    up: int | None
    weekends: bool
    days: int

    @property
    def words(self) -> str:
        """When, as a person would write it down."""
        nights = "" if self.down is None else f"{self.down:02}:00 to {self.up:02}:00"
        if not self.weekends:
            return nights
        return f"{nights}, and all of Saturday and Sunday" if nights else "all of Saturday and Sunday"

    @property
    def facts(self) -> Mapping[str, str]:
        """As a row of advice tells them."""
        return {
            "down": self.words,
            "weekly_hours_down": str(int(self.off.sum())),
            "days_looked_at": str(self.days),
        }

    def hours_off(self, weekday: Ints) -> Ints:
        """How many hours each of these days (int64 (days,), 0 = Monday) would have been down."""
        hours: Ints = self.off.sum(axis=1)[weekday]
        return hours


@dataclass(frozen=True, slots=True)
class Worked:
    """A workload that holds no GPU, over the days that it ran on; the container of its key is empty.

    key: namespace, kind and name of the workload, container. day: int64 (days,), ordinals. hourly_max: (days, 24), cores
    of the busiest of its replicas by hour of the local clock, NaN = not observed. gaps: bool (days, 24), where it was
    there and not observed. cpu_request: cores of a replica; None = none set. cost, unused: float64 (days,), of its CPU
    and memory; NaN = no price known. pods: how many there were at a time, on average. coverage: observed / occupied time.
    autoscaled: a HorizontalPodAutoscaler sets its replicas. labels: of its pods, those that silence advice, by column.
    """

    key: tuple[str, str, str, str]
    team: str
    workload_class: str
    day: Ints
    hourly_max: Floats
    gaps: Flags
    cpu_request: float | None
    cost: Floats
    unused: Floats
    pods: float
    coverage: float
    autoscaled: bool
    labels: Mapping[str, Any]


def schedule_advice(
    worked: Iterable[Worked], silence: Sequence[Silence], cluster: str, day: Day, currency: str
) -> pa.Table:
    """Rows of `advice` for those that could be down at night or over the weekend, and why it is not advised to some.

    Their money is a fact (`monthly_saving`) and no saving to be added to the others: a smaller request saves some of it too.
    """
    rows = [row for one in worked if (row := _row(one, silence, day)) is not None]
    if not rows:
        return empty("advice")
    nothing = (
        "proposed_request",
        "current_limit",
        "proposed_limit",
        "violation_rate",
        "promised_rate",
        "monthly_saving_gross",
        "monthly_saving_net",
    )
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["monthly_cost"] = pa.array(columns["monthly_cost"], pa.int64())
    columns["current_request"] = pa.array(columns["current_request"], pa.float64())
    common = {"cluster": cluster, "date": day.date, "currency": currency, "resource": Resource.CPU.value,
              "action": Action.SCHEDULE.value, "policy": "schedule"}  # fmt: skip
    return conform("advice", common | dict.fromkeys(nothing) | columns)


def schedule_of(idle: Flags, weekday: Ints) -> Schedule | None:
    """The hours of the week in which a workload never did anything; None where these are too few, or seen too seldom.

    idle: bool (days, 24), by the local clock: the hour was observed, and nothing went on. weekday: int64 (days,), 0 =
    Monday. Nights are those hours of every working day, of at least five, and at least six in a row; weekends need two
    whole ones. An hour that was not observed is not idle.
    """
    if idle.all():
        return None  # then it is idle, and has no schedule
    working = weekday < SATURDAY
    nights = _night(np.all(idle[working], axis=0)) if working.sum() >= _NIGHTS else np.zeros(HOURS, bool)
    weekends = bool(
        idle[~working].all() and all((weekday == day).sum() >= _WEEKENDS for day in (SATURDAY, SATURDAY + 1))
    )
    if not nights.any() and not weekends:
        return None
    off = np.zeros((WEEK, HOURS), bool)
    off[:SATURDAY] = nights
    # A night of the weekend is one like the others, unless somebody was there.
    off[SATURDAY:] = True if weekends else nights & np.all(idle[~working], axis=0) & bool((~working).any())
    down, up = _edges(nights)
    return Schedule(off, down, up, weekends, len(weekday))


def whole_days(hourly_max: NDArray[Any]) -> Flags:
    """Which of the days (days, 24) count: the first and the last do not where some of their hours were not observed.

    On those it may not have been there yet, or no more.
    """
    counts = np.ones(len(hourly_max), bool)
    for edge in (0, -1):
        if len(hourly_max):
            counts[edge] &= not np.isnan(hourly_max[edge]).any()
    return counts


def idle_hours(hourly_max: Floats, request: float | None = None) -> Flags:
    """In which hours a workload used next to nothing of CPU: at most 5 % of its most, and 10 % of its request if it has one.

    hourly_max: (days, 24), cores, by the local clock; NaN = not observed, which is not idle.
    """
    if np.isnan(hourly_max).all():
        return np.zeros(hourly_max.shape, bool)
    below = _QUIET * float(np.nanmax(hourly_max))
    if request:
        below = min(below, _NEXT_TO_NOTHING * request)
    idle: Flags = hourly_max <= below  # NaN is not
    return idle


def ever_idle(hourly_max: NDArray[np.float32], there: Flags, weekday: Ints, request: Floats) -> Flags:
    """Which of many workloads may have a schedule, bool (workloads,): those without need not be looked at one by one.

    hourly_max: (workloads, days, 24), NaN = not observed, and may have been idle. there: bool (workloads, days).
    weekday: int64 (days,). request: float64 (workloads,), cores, NaN = none set.
    """
    most = np.fmax.reduce(hourly_max, axis=(1, 2), initial=0.0).astype(np.float64)
    below = np.fmin(_QUIET * most, np.where(request > 0, _NEXT_TO_NOTHING * request, np.inf))
    # A day that is not whole may not count.
    seen = there & ~np.isnan(hourly_max).any(axis=2)
    busy = (hourly_max > below[:, None, None]) & seen[:, :, None]
    working = weekday < SATURDAY
    nights = (~busy[:, working].any(axis=1)).sum(axis=1) >= _LEAST_HOURS
    found: Flags = nights | ~busy[:, ~working].any(axis=(1, 2))
    return found


def saved(schedule: Schedule, weekday: Ints, cost: Floats, unused: Floats) -> float:
    """What the schedule would have saved on past days: their cost by the hour, never more than what was not used.

    weekday: int64 (days,). cost, unused: float64 (days,), of the whole day; NaN = no price known.
    """
    return float(np.minimum(cost * schedule.hours_off(weekday) / HOURS, unused).sum())


def _night(idle: Flags) -> Flags:
    """The longest row of idle hours, around midnight or not; none where it is short."""
    night = np.zeros(HOURS, bool)
    if idle.all() or not idle.any():
        return idle.copy()
    first = int(np.flatnonzero(~idle)[0])
    best, run = (0, 0), 0
    for step in range(1, HOURS + 1):
        run = run + 1 if idle[(first + step) % HOURS] else 0
        best = max(best, (run, first + step), key=lambda one: one[0])
    length, last = best
    if length >= _LEAST_HOURS:
        night[[(last - back) % HOURS for back in range(length)]] = True
    return night


def _edges(night: Flags) -> tuple[int | None, int | None]:
    """At which hour it begins, and at which it is over."""
    if night.all():
        return 0, HOURS
    if not night.any():
        return None, None
    begins = np.flatnonzero(night & ~np.roll(night, 1))
    ends = np.flatnonzero(night & ~np.roll(night, -1))
    return int(begins[0]), (int(ends[0]) + 1) % HOURS


def _row(one: Worked, silence: Sequence[Silence], on: Day) -> dict[str, Any] | None:
    if one.workload_class in RUN_TO_THEIR_END:
        return None
    whole = whole_days(one.hourly_max)
    weekday = np.array([date.fromordinal(day).weekday() for day in one.day[whole].tolist()], np.int64)
    idle = idle_hours(one.hourly_max, one.cpu_request)[whole]
    schedule, reason = schedule_of(idle, weekday), Reason.ADVISED
    if schedule is None:  # were what was not observed idle, would there be one?
        schedule, reason = schedule_of(idle | one.gaps[whole], weekday), Reason.NOT_OBSERVED
    if schedule is None:
        return None
    told = _silenced(one, silence, on.date)
    facts: dict[str, str] = {**schedule.facts, "timezone": on.timezone}
    if told:
        reason, facts = told.reason, facts | told.facts
    elif one.autoscaled:
        reason = Reason.HPA_MANAGED
    elif schedule.days < LEAST_DAYS:
        reason, facts = Reason.TOO_LITTLE_DATA, facts | {"days_needed": str(LEAST_DAYS)}
    elif reason is Reason.NOT_OBSERVED:
        facts["hours_not_observed"] = str(int(one.gaps[whole].sum()))

    advised, hours = reason is Reason.ADVISED, float(HOURS * len(one.day))
    cost, money = float(one.cost.sum()), saved(schedule, weekday, one.cost[whole], one.unused[whole])
    return {
        **dict(zip(KEYS, one.key, strict=True)),
        "team": one.team,
        "class": one.workload_class,
        "replicas": one.pods,
        "current_request": one.cpu_request,
        "reason": reason.value,
        "evidence": (Evidence.MEASURED if advised else Evidence.REFUSED).value,
        "evidence_days": len(one.day),
        "coverage": one.coverage,
        "monthly_cost": None if np.isnan(cost) else int(np.floor(cost * MONTH_HOURS / hours * 1e6)),
        "facts": facts | (beside(money, hours) if advised else {}),
    }


def _silenced(one: Worked, silence: Sequence[Silence], today: date) -> Silenced | None:
    """Whether somebody said that nothing is to be advised of its CPU."""
    return silenced({**one.labels, **dict(zip(KEYS, one.key, strict=True))}, Resource.CPU, today, silence)

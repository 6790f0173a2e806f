"""One day of one cluster: extract, compute, or both at once."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from costlab.config.section import format_duration
from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import Busy, ConfigError, ExitCode, NoDay, ReconcileError, WorseDay
from costlab.domain.time import Day, instant
from costlab.jobs.billing import billed_nodes
from costlab.jobs.charges import charge_day
from costlab.jobs.commit import check, commit, facts_in, findings_table, refuse_worse
from costlab.jobs.facts import OBSERVED, Facts, observe_day
from costlab.jobs.observed import usage_in
from costlab.jobs.outcome import Outcome
from costlab.jobs.pricing import machines_in, nodes_table
from costlab.jobs.processors import processors
from costlab.jobs.profiles import profile_day
from costlab.jobs.quotas.demand import demand_day
from costlab.jobs.storage import priced_volumes
from costlab.sources import Source
from costlab.store.lake import DayState, Lake
from costlab.store.rows import DayRows, RowRoom, Rows, StoredRows
from costlab.store.runs import Run

Step = Callable[[str], None]


def _silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The tables of a day with prices and charges, and how far it has come with them."""

    tables: Mapping[str, Rows]
    state: DayState


@dataclass(frozen=True, slots=True)
class Ready:
    """A day that is ready to be committed: its tables, and what was observed."""

    priced: Priced
    facts: Facts


@dataclass(frozen=True, slots=True)
class Held:
    """What a day is measured against: its `runs` row, None without one, and the bills that were imported of it."""

    run: Run | None
    bills: pa.Table

    @classmethod
    def of(cls, lake: Lake, cluster: str, day: Day) -> "Held":
        """As the lake tells it. Raises LakeError."""
        return cls(lake.run(cluster, day), lake.read("bills", cluster, day))


def extract_day(
    source: Source, lake: Lake, settings: Settings, cluster: str, day: Day, *, force: str | None = None,
    step: Step = _silent,
) -> Outcome:  # fmt: skip
    """Read a day into the lake; `compute_day` then charges it. Raises SourceError, WorseDay and what the lake raises."""
    with settling(source, force), lake.observing(cluster, day) as room_of:
        facts = observe_day(source, settings, cluster, day, step, room_of=room_of)
        step("commit")
        return _keep(facts, lake, settings, cluster, day, force)


def _keep(facts: Facts, lake: Lake, settings: Settings, cluster: str, day: Day, force: str | None) -> Outcome:
    """Commit a day that was observed, without charges where it has none yet."""
    committed = lake.run(cluster, day)
    refuse_worse(committed, cluster, day, facts, settings, force)
    tables: Mapping[str, Rows] = {
        **facts.tables,
        "findings": findings_table(list(facts.findings), cluster, day),
    }
    if committed and committed["status"] != DayState.EXTRACTED.value:
        # A day that readers see is charged again at once: they never find it without its charges.
        priced = price(facts, settings, cluster, day, lake.read("bills", cluster, day))
        tables, state = priced.tables, priced.state
    else:
        state = DayState.EXTRACTED
    changed = commit(lake, cluster, day, tables, facts, settings, state, force)
    return _outcome(facts, cluster, day, state, changed=changed)


def compute_day(lake: Lake, settings: Settings, cluster: str, day: Day) -> Outcome:
    """Charge a day that was extracted, with today's prices and owners. Raises ConfigError when it was not."""
    return put_computed(computed(lake, settings, cluster, day), lake, settings, cluster, day)


def computed(lake: Lake, settings: Settings, cluster: str, day: Day) -> Ready:
    """A day that was extracted with today's charges; of its tables those that they change. Raises what `compute_day` does."""
    facts = facts_in(lake, cluster, day)
    if facts is None:
        raise ConfigError(
            f"{day} of cluster {cluster} is not in the lake, or not as a whole",
            f"read it first: costlab extract --date {day}",
        )
    priced = price(facts, settings, cluster, day, lake.read("bills", cluster, day))
    made = {
        name: rows
        for name, rows in priced.tables.items()
        if name in ("nodes", "volumes") or name not in OBSERVED
    }
    return Ready(replace(priced, tables=made), replace(facts, tables={}))


def put_computed(ready: Ready, lake: Lake, settings: Settings, cluster: str, day: Day) -> Outcome:
    """Commit a day that was charged again. Raises what the lake raises."""
    facts, priced = ready.facts, ready.priced
    changed = commit(lake, cluster, day, priced.tables, facts, settings, priced.state)
    return _outcome(facts, cluster, day, priced.state, changed=changed)


def measure_day(
    source: Source, lake: Lake, settings: Settings, cluster: str, day: Day, *, force: str | None = None,
    step: Step = _silent,
) -> Outcome:  # fmt: skip
    """Read and charge a day, and commit it whole: what does not reconcile leaves the lake as it was."""
    with settling(source, force), lake.observing(cluster, day) as room_of:
        held = Held.of(lake, cluster, day)
        ready = ready_day(source, held, settings, cluster, day, room_of, force=force, step=step)
        return put_day(ready, lake, settings, cluster, day, force, step)


def ready_day(
    source: Source, held: Held, settings: Settings, cluster: str, day: Day, room_of: Callable[[str], RowRoom],
    *, force: str | None = None, step: Step = _silent,
) -> Ready:  # fmt: skip
    """A day as it is to be committed; the lake is neither read nor written. Raises SourceError and ReconcileError."""
    facts = observe_day(source, settings, cluster, day, step, room_of=room_of)
    return _charged(facts, held, settings, cluster, day, force, step)


def put_day(
    ready: Ready, lake: Lake, settings: Settings, cluster: str, day: Day, force: str | None = None,
    step: Step = _silent,
) -> Outcome:  # fmt: skip
    """Commit a day whole. Raises what the lake raises."""
    facts, priced = ready.facts, ready.priced
    step("commit")
    changed = commit(lake, cluster, day, priced.tables, facts, settings, priced.state, force)
    return _outcome(facts, cluster, day, priced.state, changed=changed)


def settle_day(
    facts: Facts, lake: Lake, settings: Settings, cluster: str, day: Day, force: str | None = None,
    step: Step = _silent,
) -> Outcome:  # fmt: skip
    """Charge a day that was observed, and commit it whole. Raises WorseDay, ReconcileError and what the lake raises."""
    ready = _charged(facts, Held.of(lake, cluster, day), settings, cluster, day, force, step)
    return put_day(ready, lake, settings, cluster, day, force, step)


def _charged(
    facts: Facts, held: Held, settings: Settings, cluster: str, day: Day, force: str | None, step: Step
) -> Ready:
    refuse_worse(held.run, cluster, day, facts, settings, force)
    step("charge")
    return Ready(price(facts, settings, cluster, day, held.bills), facts)


def price(facts: Facts, settings: Settings, cluster: str, day: Day, bills: pa.Table | None = None) -> Priced:
    """The day's tables with prices and charges, checked; those in memory. `bills`: what was imported of the day.

    Raises ReconcileError when they do not add up.
    """
    tables = {name: rows for name, rows in facts.tables.items() if isinstance(rows, pa.Table)}
    billed = billed_nodes(tables["nodes"], bills, cluster, day) if bills is not None else {}
    tables["nodes"] = nodes_table(machines_in(tables["nodes"]), settings, cluster, day, billed)
    tables["volumes"] = priced_volumes(tables["volumes"], settings)
    usage = usage_in(facts.tables, day)
    # At the same time: each has parts in which the other would leave processors idle.
    with ThreadPoolExecutor(1) as beside:
        profiles = beside.submit(profile_day, tables["containers"], usage, cluster, day)
        if processors() == 1:  # where there are no others
            wait([profiles])
        charges, remarks = charge_day(tables, facts.tables["gpu_usage"], usage, settings, cluster, day)
    tables |= {
        "charges": charges,
        "profiles": profiles.result(),
        "demand": demand_day(tables, usage, settings, cluster, day),
        "findings": findings_table([*facts.findings, *remarks], cluster, day),
    }
    check(tables)
    enough = facts.coverage >= settings.quality.min_coverage
    return Priced(tables | _stored(facts.tables), DayState.COMPLETE if enough else DayState.INCOMPLETE)


def _stored(tables: Mapping[str, DayRows]) -> dict[str, Rows]:
    return {name: rows for name, rows in tables.items() if isinstance(rows, StoredRows)}


def refuse_open(
    day: Day, settings: Settings, cluster: Cluster, now_ms: int, ahead_s: float | None = None
) -> None:
    """Raise Busy while the day is not over, or samples of it may still come.

    ahead_s: how far the clock of the cluster's Prometheus is ahead of ours; the day is then judged by that one.
    """
    closed_ms, now_ms = closes_ms(day, settings, cluster), now_ms + round(1000 * (ahead_s or 0.0))
    if now_ms < closed_ms:
        over = now_ms >= day.window.end_ms
        what = f"{day} is over, but samples of it may still come" if over else f"{day} is not over yet"
        when = f"run it again after {instant(closed_ms):%Y-%m-%d %H:%M} UTC"
        if ahead_s is None:
            settle = format_duration(cluster.prometheus.settle_ms)
            raise Busy(what, f"{when}; prometheus.settle of {cluster.id} is {settle}")
        raise Busy(
            f"{what} by the clock of {cluster.id}'s Prometheus, which is {ahead_s:+.0f} s from ours",
            f"{when} by that clock; let NTP keep both machines' time",
        )


def closes_ms(day: Day, settings: Settings, cluster: Cluster) -> int:
    """From when on a day can be measured: its samples have come, and those that its last ones need.

    A scrape is there at once; remote write that was cut off, and the window for samples out of order, take longer.
    """
    return day.window.end_ms + max(cluster.prometheus.settle_ms, settings.billing.max_gap_ms)


@contextmanager
def settling(source: Source, force: str | None) -> Iterator[None]:
    """Let the source forget the day once it is in the lake.

    Also before it is forced, and when what it gave was refused: what was fetched may be what was wrong.
    """
    if force:
        source.settled()
    try:
        yield
    except (NoDay, WorseDay, ReconcileError):
        source.settled()
        raise
    source.settled()


def _outcome(facts: Facts, cluster: str, day: Day, state: DayState, *, changed: bool) -> Outcome:
    what = "committed" if changed else "unchanged, nothing committed"
    line = f"{cluster} {day}: {state}, coverage {facts.coverage:.1%}, {sum(facts.samples.values()):,} samples, {what}"
    return Outcome(line, ExitCode.INCOMPLETE if state is DayState.INCOMPLETE else ExitCode.DONE)

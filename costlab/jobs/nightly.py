"""The main job: measure every day that is missing, and write its report."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import CostlabError, ExitCode, ReconcileError, SourceError
from costlab.domain.time import Day, day_of, days_between, milliseconds
from costlab.jobs.measure import measure_day, refuse_open
from costlab.jobs.outcome import Outcome
from costlab.jobs.report import write_report
from costlab.sources import Source
from costlab.store.lake import READABLE, Lake

# How far back a night looks by itself; --since reaches further.
CATCH_UP_DAYS = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """What the night was asked to do: one day, the days since one, or (both None) what is missing."""

    date: Day | None = None
    since: Day | None = None
    force: str | None = None


def nightly(
    settings: Settings,
    asked: Asked,
    *,
    now: datetime,
    source_of: Callable[[Cluster, Day], Source],
    say: Callable[[str], None],
    step: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Measure the days that are due in every cluster, and report them; one cluster's failure does not stop the others.

    Raises the first error after every cluster had its turn.
    """
    lake = Lake.create(settings.lake, settings.timezone)
    worst, faults = Outcome("nothing was due", ExitCode.DONE), list[CostlabError]()
    with lake.locked():
        for cluster in settings.chosen():
            for day in due(lake, settings, cluster.id, asked, now):
                try:
                    refuse_open(day, settings, cluster, milliseconds(now))
                    outcome = measure_day(
                        source_of(cluster, day), lake, settings, cluster.id, day, force=asked.force, step=step
                    )
                    write_report(lake, settings, cluster.id, day, settings.report.out)
                except CostlabError as fault:
                    say(f"{cluster.id} {day}: {fault.message}")
                    faults.append(fault)
                    if isinstance(fault, SourceError | ReconcileError):
                        continue  # that day's own fault: the next may be sound
                    break
                say(outcome.line)
                worst = outcome if outcome.exit_code >= worst.exit_code else worst
    if faults:
        raise faults[0]
    return worst


def due(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days to measure, oldest first: the one asked for, else those up to yesterday that are not whole.

    They begin at `asked.since`; without it at the lake's first day, but a week back at most, and in a new lake with
    yesterday. A reason to force measures whole days anew.
    """
    if asked.date:
        return (asked.date,)
    yesterday = day_of(now, settings.timezone).previous
    held = lake.days(cluster)
    first = asked.since or yesterday
    if held and not asked.since:
        first = max(Day(min(held), settings.timezone), _back(yesterday, CATCH_UP_DAYS - 1))
    whole = {day for day, state in held.items() if state in READABLE and not asked.force}
    return tuple(day for day in days_between(first, yesterday) if day.date not in whole)


def _back(day: Day, count: int) -> Day:
    for _ in range(count):
        day = day.previous
    return day

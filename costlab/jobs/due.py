"""Which days a night has to do: those that are missing, that may be told more of, and that have no report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from costlab.config.settings import Settings
from costlab.domain.time import Day, day_of, days_between
from costlab.jobs.report import reported
from costlab.store.lake import READABLE, DayState, Lake

# How far back a night looks by itself; --since reaches further.
CATCH_UP_DAYS = 7
# How many of the last days a night reads again by itself where they are incomplete: a cluster that always is costs
# Prometheus so many days more, and what was cut off for longer than that is asked for by --since.
LATE_DAYS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """What the night was asked to do: one day, the days since one, or (both None) what is missing."""

    date: Day | None = None
    since: Day | None = None
    force: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A day to measure and report, or only to report; again: it is in the lake, and stays there whatever comes of it.

    follows: it is whole and was told of; to be told anew where this night changes a day before it, on which its advice rests.
    """

    day: Day
    measured: bool = False
    again: bool = False
    follows: bool = False

    @property
    def reads(self) -> bool:
        """Whether it fails without its source."""
        return not (self.measured or self.again)


def tasks_of(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Task, ...]:
    """What a night does in a cluster, the oldest day first."""
    again = late(lake, settings, cluster, asked, now)
    tasks = [Task(day) for day in due(lake, settings, cluster, asked, now)]
    tasks += [Task(day, again=True) for day in again]
    tasks += [
        Task(day, measured=True)
        for day in unreported(lake, settings, cluster, asked, now)
        if day not in again
    ]
    tasks += following(lake, cluster, asked, now, tasks)
    return tuple(sorted(tasks, key=lambda task: task.day.date))


def following(
    lake: Lake, cluster: str, asked: Asked, now: datetime, tasks: Sequence[Task]
) -> tuple[Task, ...]:
    """The whole days of the last week that come after one that may change.

    What was advised before that stays as it was given; of much older days usage may be gone, of which advice is made.
    """
    reading = [task.day.date for task in tasks if not task.measured]
    if asked.date or not reading:
        return ()
    yesterday = day_of(now, lake.timezone).previous
    held, taken = lake.days(cluster), {task.day for task in tasks}
    return tuple(
        Task(day, measured=True, follows=True)
        for day in days_between(back(yesterday, CATCH_UP_DAYS - 1), yesterday)
        if day.date > min(reading) and day not in taken and held.get(day.date) in READABLE
    )


def due(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days to measure, oldest first: the one asked for, else those up to yesterday that are not whole.

    They begin at `asked.since`; without it at the lake's first day, but a week back at most, and in a new lake with
    yesterday. A reason to force measures whole days anew.
    """
    if asked.date:
        return (asked.date,)
    held = lake.days(cluster)
    whole = {day for day, state in held.items() if state in (*READABLE, DayState.PRUNED) and not asked.force}
    days = _within_reach(held, settings, asked, now)
    # A day that the calendar left out has no hours: Samoa had no 30 December 2011.
    return tuple(day for day in days if day.date not in whole and day.window.duration_ms)


def unreported(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days within the same reach that are whole and have no report, oldest first: a night broke off before it.

    Those whose reports are not kept any more are none of them.
    """
    if asked.date or asked.force:
        return ()
    held, out = lake.days(cluster), settings.report.out
    whole = {day for day, state in held.items() if state in READABLE}
    days, kept = (
        _within_reach(held, settings, asked, now),
        settings.report.kept_since(day_of(now, settings.timezone).date),
    )
    whole = {day for day in whole if day >= kept}
    return tuple(day for day in days if day.date in whole and not reported(out, cluster, day))


def late(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days to read again, oldest first: those that are incomplete, for their samples may have come since.

    They are among the last three, or within the reach of `asked.since`.
    """
    if asked.date or asked.force:
        return ()
    held = lake.days(cluster)
    days = _within_reach(held, settings, asked, now)
    last = days if asked.since else days[-LATE_DAYS:]
    return tuple(day for day in last if held.get(day.date) is DayState.INCOMPLETE)


def _within_reach(
    held: Mapping[date, DayState], settings: Settings, asked: Asked, now: datetime
) -> tuple[Day, ...]:
    yesterday = day_of(now, settings.timezone).previous
    first = asked.since or yesterday
    if held and not asked.since:
        first = max(Day(min(held), settings.timezone), back(yesterday, CATCH_UP_DAYS - 1))
    return days_between(first, yesterday)


def back(day: Day, count: int) -> Day:
    """The day so many before."""
    for _ in range(count):
        day = day.previous
    return day

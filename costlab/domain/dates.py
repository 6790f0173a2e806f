"""Runs of calendar days, and dates and windows as people type them: yesterday, -2d, 7d, 2026-11, 2026-W47, last-week."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from costlab.domain.errors import ConfigError
from costlab.domain.time import Day, day_of

_DAYS_AGO = re.compile(r"-([0-9]{1,5})d")
_LAST_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ONE_DAY = timedelta(days=1)
_FIRST = date(1970, 1, 1)  # of Unix, whose time samples have; the last of the calendar has no end


@dataclass(frozen=True, slots=True, order=True)
class Dates:
    """The calendar days with start <= day < end, in the lake's time zone."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"dates cannot end ({self.end}) before they start ({self.start})")

    def __len__(self) -> int:
        return (self.end - self.start).days

    @property
    def name(self) -> str | None:
        """2026-W47 for an ISO week from Monday to Sunday, 2026-11 for a calendar month; None for any other days."""
        if self == week_of(self.start):
            year, week, _ = self.start.isocalendar()
            return f"{year:04}-W{week:02}"
        return self.start.isoformat()[:7] if self == month_of(self.start) else None

    @property
    def before(self) -> "Dates":
        """The month before a month; else as many days as these, just before them. Raises OverflowError before the year 1."""
        if self == month_of(self.start):
            return month_of(self.start - _ONE_DAY)
        return Dates(self.start - (self.end - self.start), self.start)


def week_of(day: date) -> Dates:
    """The ISO week, from Monday on, that a day is in."""
    monday = day - timedelta(days=day.weekday())
    return Dates(monday, monday + 7 * _ONE_DAY)


def whole_weeks(days: Iterable[date]) -> list[Dates]:
    """The ISO weeks of which every day is among these, the earliest first.

    >>> [week.name for week in whole_weeks(date(2026, 11, day) for day in range(1, 17))]
    ['2026-W45', '2026-W46']
    """
    there = set(days)
    weeks = sorted({week_of(day) for day in there})
    return [week for week in weeks if all(week.start + n * _ONE_DAY in there for n in range(len(week)))]


def month_of(day: date) -> Dates:
    """The calendar month that a day is in."""
    first = day.replace(day=1)
    return Dates(first, (first + timedelta(days=31)).replace(day=1))


def named_window(name: str) -> Dates | None:
    """The days of a week or month by the name that `Dates.name` gives; None where it is the name of none.

    >>> named_window("2026-11") == month_of(date(2026, 11, 5)), named_window("2026-W54")
    (True, None)
    """
    try:
        if month := _MONTH.fullmatch(name):
            return month_of(date(int(month[1]), int(month[2]), 1))
        if week := _WEEK.fullmatch(name):
            return week_of(date.fromisocalendar(int(week[1]), int(week[2]), 1))
    except (ValueError, OverflowError):  # the 13th month, the 54th week, the last days of the year 9999
        pass
    return None


def parse_day(text: str, now: datetime, timezone: str) -> Day:
    """The day that a text names at an aware instant, in the lake's time zone; raises ConfigError.

    >>> from datetime import UTC
    >>> str(parse_day("-2d", datetime(2026, 11, 22, 23, 30, tzinfo=UTC), "Europe/Berlin"))
    '2026-11-21'
    """
    day = _named_day(text, now, timezone)
    if not _FIRST <= day.date < date.max:
        raise ConfigError(f"no cluster has had a {day}", "name a day since 1970")
    return day


def _named_day(text: str, now: datetime, timezone: str) -> Day:
    """The same, also where no cluster can have had it: as a window's end it is one."""
    today = day_of(now, timezone).date
    word = text.strip()
    try:
        if word in ("today", "yesterday"):
            return Day(today - timedelta(days=word == "yesterday"), timezone)
        if ago := _DAYS_AGO.fullmatch(word):
            return Day(today - timedelta(days=int(ago[1])), timezone)
        if _DATE.fullmatch(word):
            return Day(date.fromisoformat(word), timezone)
    except (ValueError, OverflowError):  # the 31st of November; before the year 1
        pass
    raise ConfigError(f"{text!r} is not a date", "write yesterday, today, -2d or 2026-11-22")


def parse_window(text: str, now: datetime, timezone: str) -> Dates:
    """The days that a text names: the last whole ones, a month, an ISO week, from..to (end exclusive), or a single day.

    >>> from datetime import UTC
    >>> parse_window("7d", datetime(2026, 11, 22, tzinfo=UTC), "UTC")
    Dates(start=datetime.date(2026, 11, 15), end=datetime.date(2026, 11, 22))

    Raises ConfigError for anything else, and for a window without a day.
    """
    today = day_of(now, timezone).date
    word = text.strip()
    try:
        if last := _LAST_DAYS.fullmatch(word):
            return Dates(today - timedelta(days=int(last[1])), today)
        if named := named_window(word):
            return named
        if word in ("this-week", "last-week"):
            return week_of(today - 7 * _ONE_DAY * (word == "last-week"))
        if word in ("this-month", "last-month"):
            this = month_of(today)
            return this if word == "this-month" else this.before
    except (ValueError, OverflowError):
        raise _no_window(text) from None
    first_text, dots, end_text = word.partition("..")
    try:
        start = _named_day(first_text, now, timezone)
        end = _named_day(end_text, now, timezone).date if dots else start.date + timedelta(days=1)
    except (ConfigError, OverflowError):
        raise _no_window(text) from None
    if end <= start.date:
        raise ConfigError(
            f"the window {text!r} holds no day", "its end is exclusive: 2026-11-01..2026-11-08 are 7 days"
        )
    return Dates(start.date, end)


def windows_of(days: Iterable[date]) -> list[str]:
    """Rising days as the fewest windows without a day between: what `parse_window` reads.

    >>> windows_of([date(2026, 11, 3), date(2026, 11, 7), date(2026, 11, 8)])
    ['2026-11-03', '2026-11-07..2026-11-09']
    """
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == _ONE_DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return [f"{run[0]}..{run[-1] + _ONE_DAY}" if len(run) > 1 else f"{run[0]}" for run in runs]


def _no_window(text: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is not a window",
        "write 7d, 2026-11, 2026-W47, last-week, last-month, 2026-11-01..2026-11-08 or yesterday",
    )

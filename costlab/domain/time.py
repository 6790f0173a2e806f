"""Time as costlab counts it: UTC milliseconds, half-open windows, calendar days of the lake's zone."""

import datetime as dt
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
_QUARTER_MS = HOUR_MS // 4  # every zone's offset from UTC is a whole number of them


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The instants t with start_ms <= t < end_ms, in milliseconds since the epoch, UTC."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.end_ms < self.start_ms:
            raise ValueError(f"a window cannot end ({self.end_ms}) before it starts ({self.start_ms})")

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms

    @property
    def hours(self) -> float:
        """Length in hours."""
        return self.duration_ms / HOUR_MS

    @property
    def start(self) -> datetime:
        """The first instant, aware, UTC."""
        return instant(self.start_ms)

    @property
    def end(self) -> datetime:
        """The first instant after the window, aware, UTC."""
        return instant(self.end_ms)

    def widen(self, before_ms: int, after_ms: int) -> "Window":
        """The window with a margin on each side."""
        return Window(self.start_ms - before_ms, self.end_ms + after_ms)

    def split(self, length_ms: int) -> tuple["Window", ...]:
        """Consecutive windows of at most `length_ms` that cover this one exactly."""
        starts = range(self.start_ms, self.end_ms, length_ms)
        return tuple(Window(start, min(start + length_ms, self.end_ms)) for start in starts)


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """A calendar day in the lake's time zone: 23, 24 or 25 hours long (or 23.5, where clocks move by half)."""

    date: dt.date
    timezone: str = "UTC"

    @property
    def window(self) -> Window:
        """From local midnight to the next local midnight."""
        return Window(self._midnight(self.date), self._midnight(self.date + timedelta(days=1)))

    @property
    def hours(self) -> tuple[tuple[int, int], ...]:
        """When the local clock begins to show another hour, in milliseconds since midnight, and which, 0 to 23.

        An hour that is there twice, where clocks go back, is one of two hours; where they go forward one is missing.
        """
        zone, window = ZoneInfo(self.timezone), self.window
        found: list[tuple[int, int]] = []
        for quarter in window.split(_QUARTER_MS):
            hour = quarter.start.astimezone(zone).hour
            if not found or hour != found[-1][1]:
                found.append((quarter.start_ms - window.start_ms, hour))
        return tuple(found)

    @property
    def previous(self) -> "Day":
        """The calendar day before."""
        return Day(self.date - timedelta(days=1), self.timezone)

    @property
    def next(self) -> "Day":
        """The calendar day after."""
        return Day(self.date + timedelta(days=1), self.timezone)

    def __str__(self) -> str:
        return self.date.isoformat()

    def _midnight(self, day: dt.date) -> int:
        local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.timezone))
        return milliseconds(local)


def day_of(moment: datetime, timezone: str = "UTC") -> Day:
    """The lake's day that holds an aware instant."""
    return Day(moment.astimezone(ZoneInfo(timezone)).date(), timezone)


def days_between(first: Day, last: Day) -> tuple[Day, ...]:
    """All days from `first` to `last`, both included; empty when `last` is earlier."""
    count = (last.date - first.date).days + 1
    return tuple(Day(first.date + timedelta(days=offset), first.timezone) for offset in range(count))


def instant(at_ms: int) -> datetime:
    """The aware UTC datetime of epoch milliseconds, exact."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def milliseconds(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime, exact; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

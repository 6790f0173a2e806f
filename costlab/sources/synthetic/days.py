"""The story's days, counted from the last: day 0 is the last one, day -1 the one before."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from costlab.domain.time import Window
from costlab.sources.synthetic.shapes import DAY_S


@dataclass(frozen=True, slots=True)
class Calendar:
    """`length` days up to `last`, in UTC; samples begin a day earlier and end a day later, for margins."""

    last: date
    length: int

    @property
    def days(self) -> range:
        """Every day that has samples, and so a daily rhythm."""
        return range(-self.length, 2)

    @property
    def beginning_s(self) -> int:
        """Long-lived things began here: three days before the first sample."""
        return self.at(-self.length - 3, "06:00")

    @property
    def end_s(self) -> int:
        """Nothing outlives this instant."""
        return self.at(2, "00:00")

    @property
    def history(self) -> Window:
        """When the exporters were scraped."""
        return Window(self.at(-self.length, "00:00") * 1000, self.end_s * 1000)

    def at(self, day: int, clock: str) -> int:
        """Epoch seconds of a time such as 13:04 on a day of the story."""
        hours, minutes = clock.split(":")
        midnight = datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC)
        return int(midnight.timestamp()) + day * DAY_S + int(hours) * 3600 + int(minutes) * 60

    def weekend(self, day: int) -> bool:
        """Whether it is a Saturday or Sunday."""
        return (self.at(day, "00:00") // DAY_S + 3) % 7 >= 5

    def date_of(self, day: int) -> date:
        """The calendar date of a day of the story."""
        return self.last + timedelta(days=day)

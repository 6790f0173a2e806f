"""A run of calendar days, as questions name them."""

from dataclasses import dataclass
from datetime import date


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

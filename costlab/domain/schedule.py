"""Schedules in five fields, as cron, Kubernetes and Airflow all take them."""

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of each month, in a leap year
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    said: str = ""  # beside the limits

    def values(self, text: str) -> set[int]:
        """The times that it names; raises ValueError with what is wrong."""
        found: set[int] = set()
        for part in text.split(","):
            parts = _PART.fullmatch(part)
            # cron does not know 5/15, which others read as 5-59/15.
            if not parts or (parts["first"] and parts["step"] and not parts["last"]):
                raise ValueError(f"{part or text!r} is no {self.name}")
            first = self._value(parts["first"]) if parts["first"] else self.low
            last = self._value(parts["last"]) if parts["last"] else first if parts["first"] else self.high
            if last < first:
                raise ValueError(f"{part} ends before it begins")
            step = int(parts["step"] or 1)
            if not 0 < step <= self.high:
                raise ValueError(f"{part} is no step of the {self.name}")
            found.update(range(first, last + 1, step))
        return found

    def _value(self, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise ValueError(f"{text} is no {self.name} ({self.low}-{self.high}{self.said})")
        return int(text)


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS, "; Sunday is 0"),  # 7 is Sunday to cron, and refused by Kubernetes
)


def schedule_faults(schedule: str) -> list[str]:
    """What is wrong with a schedule such as `30 1 * * mon-fri`; nothing where it is taken, and comes at some time."""
    texts = schedule.split(" ")
    if len(texts) != len(_FIELDS):
        return ["it needs five fields: minute, hour, day of the month, month, day of the week"]
    faults, values = [], []
    for field, text in zip(_FIELDS, texts, strict=True):
        try:
            values.append(field.values(text))
        except ValueError as error:
            faults.append(str(error))
    # Where a weekday is named as well, either of the two days is enough.
    if not faults and texts[4] == "*" and min(values[2]) > max(_LONGEST[month - 1] for month in values[3]):
        return ["no such month has that day, so it never comes"]
    return faults

"""What the doctor writes down: one line a thing that was looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """OK, worth a look, or in the way of a night."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was found, and how to mend it (empty when all is well)."""

    status: Status
    subject: str
    text: str
    mend: str = ""

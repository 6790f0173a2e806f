"""Something a person should know: found while a day was measured, never hidden in a number."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to the truth of the day's figures."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the `findings` table.

    `amount` is the money concerned in the lake's currency, None where it does not apply.
    """

    rule: str
    severity: Severity
    subject: str
    message: str
    amount: Decimal | None = None

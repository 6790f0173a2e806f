"""What a team owes in a window, as its statement tells it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from costlab.domain.dates import Dates
from costlab.render.cells import Row


class Seen(Protocol):
    """How much of a window is in the lake."""

    @property
    def complete_days(self) -> int:
        """Days that are complete, over all clusters."""

    @property
    def days(self) -> int:
        """Days that there could be."""

    @property
    def coverage(self) -> float | None:
        """Observed / occupied time of the containers; None without any."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a team owes: its own charges, its part of idle capacity, and of other shared cost (what it gives away is negative)."""

    own: Decimal
    idle: Decimal
    shared: Decimal

    @property
    def total(self) -> Decimal:
        """What `costlab cost` tells of the team."""
        return self.own + self.idle + self.shared

    @property
    def parts(self) -> dict[str, Decimal]:
        """Each of them by name, the total last."""
        return {"own": self.own, "idle": self.idle, "shared": self.shared, "total": self.total}


@dataclass(frozen=True, slots=True)
class Period:
    """A window's bill with its rows, as `costlab cost` gives them; owed: the team's row."""

    window: Dates
    quality: Seen
    bill: Bill
    resources: list[Row]
    workloads: list[Row]
    volumes: list[Row]
    owed: Row = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the lake has a day of it."""
        return self.quality.complete_days > 0 or bool(self.resources)

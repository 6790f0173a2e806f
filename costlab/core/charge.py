"""What each container on a node owes for one resource of it, and what nobody used. docs/methods.md, "Charges"."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from costlab.core import kernels
from costlab.core.grid import Grid
from costlab.core.kernels import Floats, Ints

_FAR = np.int64(2**62)


class Rule(Enum):
    """(bill by request, bill by usage, usage is a share of the request)."""

    MAX = (True, True, False)
    REQUEST = (True, False, False)
    USAGE = (False, True, False)
    SHARE = (True, False, True)


@dataclass(frozen=True, slots=True)
class Levels:
    """A node's capacity, allocatable part and unit price of one resource while they are constant.

    start_ms, end_ms: int64 (n,). capacity, allocatable: float64 (n,), NaN = not known.
    price: float64 (n,), per value-hour, NaN = no price known.
    """

    start_ms: Ints
    end_ms: Ints
    capacity: Floats
    allocatable: Floats
    price: Floats

    @property
    def bounded(self) -> bool:
        """Whether the capacity is known: only then can bills be scaled, and idle and system be told."""
        return len(self.capacity) > 0 and not bool(np.isnan(self.capacity).any())

    @property
    def amount(self) -> float:
        """The node's price: capacity × unit price × hours; NaN when either is not known."""
        hours = (self.end_ms - self.start_ms) / 3_600_000
        return float(np.sum(self.capacity * self.price * hours))

    @property
    def there(self) -> tuple[Ints, Ints]:
        """When the node has any of the resource: start_ms, end_ms, both int64 (m,), apart from each other and ordered."""
        some = np.flatnonzero(self.capacity > 0)
        some = some[np.argsort(self.start_ms[some], kind="stable")]
        start_ms, end_ms = self.start_ms[some], self.end_ms[some]
        parted = start_ms[1:] > end_ms[:-1]
        return start_ms[np.append(True, parted)[: len(some)]], end_ms[np.append(parted, True)[: len(some)]]

    @property
    def unbounded(self) -> "Levels":
        """The same prices, capacity unknown: what was asked for while there was nothing is worth that, and not scaled."""
        some = self.capacity > 0
        known = some if some.any() else np.ones(len(some), bool)
        nothing = np.full(np.count_nonzero(known), np.nan)
        return Levels(self.start_ms[known], self.end_ms[known], nothing, nothing, self.price[known])


@dataclass(frozen=True, slots=True)
class Claims:
    """What `rows` containers ask of one resource, and what they were seen to use.

    asked_*: intervals of occupancy with the request in force (0 where none is set); row: int64, the container.
    used_*: observed intervals, within the occupancy of their row.
    """

    rows: int
    asked_row: Ints
    asked_start_ms: Ints
    asked_end_ms: Ints
    asked: Floats
    used_row: Ints
    used_start_ms: Ints
    used_end_ms: Ints
    used: Floats

    def within(self, start_ms: Ints, end_ms: Ints) -> "Claims":
        """What lies within any of these spans, int64 (m,), which are apart from each other."""
        asked, asked_start_ms, asked_end_ms = _cut(self.asked_start_ms, self.asked_end_ms, start_ms, end_ms)
        used, used_start_ms, used_end_ms = _cut(self.used_start_ms, self.used_end_ms, start_ms, end_ms)
        return Claims(
            self.rows,
            self.asked_row[asked], asked_start_ms, asked_end_ms, self.asked[asked],
            self.used_row[used], used_start_ms, used_end_ms, self.used[used],
        )  # fmt: skip

    def beyond(self, start_ms: Ints, end_ms: Ints) -> "Claims":
        """What lies outside all of these spans, int64 (m,), which are apart from each other and ordered."""
        return self.within(np.append(-_FAR, end_ms), np.append(start_ms, _FAR))


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of one resource of one node on the day; quantities in value-hours, amounts in currency.

    parts_quantity, parts_amount: float64 (rows, 3): used, unused, unobserved. The scalars are what no row owes.
    occupied_s, observed_s, requested, used: float64 (rows,); `used` is NaN where nothing was observed.
    """

    parts_quantity: Floats
    parts_amount: Floats
    requested: Floats
    used: Floats
    occupied_s: Floats
    observed_s: Floats
    idle_quantity: float
    idle_amount: float
    system_quantity: float
    system_amount: float
    contended_cells: int


def bill_node(grid: Grid, levels: Levels, claims: Claims, rule: Rule) -> Bill:
    """Split a node's price of one resource over its containers, idle and system, cell by cell."""
    occupied_s, requested = grid.spread(
        claims.asked_start_ms, claims.asked_end_ms, claims.asked, claims.asked_row, claims.rows
    )
    observed_s, used = grid.spread(
        claims.used_start_ms, claims.used_end_ms, claims.used, claims.used_row, claims.rows
    )
    capacity, allocatable, price = _cells(grid, levels)
    quantity, amount = kernels.bill(
        occupied_s, requested, observed_s, used, capacity, allocatable, price, (*rule.value, levels.bounded)
    )
    seen_s = observed_s.sum(axis=1)
    consumed = used.sum(axis=1) / 3600.0
    if rule is Rule.SHARE:
        share = np.divide(used, observed_s, out=np.zeros_like(used), where=observed_s > 0)
        consumed = (share * requested).sum(axis=1) / 3600.0
    return Bill(
        parts_quantity=quantity[:-1],
        parts_amount=amount[:-1],
        requested=requested.sum(axis=1) / 3600.0,
        used=np.where(seen_s > 0, consumed, np.nan),
        occupied_s=occupied_s.sum(axis=1),
        observed_s=seen_s,
        idle_quantity=float(quantity[-1, 0]),
        idle_amount=float(amount[-1, 0]),
        system_quantity=float(quantity[-1, 1]),
        system_amount=float(amount[-1, 1]),
        contended_cells=int(quantity[-1, 2]),
    )


def _cells(grid: Grid, levels: Levels) -> tuple[Floats, Floats, Floats]:
    """Capacity and allocatable (value × seconds) and price (per value-hour) of each cell.

    Where the price changes within a cell it is weighted by capacity, so that Σ capacity × price is exact.
    """
    start_ms, end_ms = levels.start_ms, levels.end_ms
    known = np.nan_to_num(levels.capacity)
    free = np.where(np.isnan(levels.allocatable), known, levels.allocatable)
    capacity, allocatable = grid.level(start_ms, end_ms, known), grid.level(start_ms, end_ms, free)
    weight = known if levels.bounded else np.ones(len(known))
    weighted = grid.level(start_ms, end_ms, weight * np.nan_to_num(levels.price))
    total = grid.level(start_ms, end_ms, weight)
    unpriced = grid.level(start_ms, end_ms, np.isnan(levels.price).astype(np.float64)) > 0
    price = np.divide(weighted, total, out=np.zeros(grid.cells), where=total > 0)
    price[unpriced] = np.nan
    if not levels.bounded and 0 < np.count_nonzero(total) < grid.cells:
        # A pod may outlive what is known of its node's price: the nearest one holds.
        there = np.flatnonzero(total > 0)
        price = price[there[np.abs(np.arange(grid.cells)[:, None] - there).argmin(axis=1)]]
    return capacity, allocatable, price


def _cut(start_ms: Ints, end_ms: Ints, from_ms: Ints, to_ms: Ints) -> tuple[Ints, Ints, Ints]:
    """The parts of some intervals within some spans: index of the interval, start and end."""
    low = np.maximum(start_ms, from_ms[:, None])
    high = np.minimum(end_ms, to_ms[:, None])
    span, index = np.nonzero(low < high)
    return index, low[span, index], high[span, index]

"""What each container on a node owes for one resource of it, and what nobody used. docs/methods.md, "Charges"."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.grid import Grid
from costlab.core.kernels import billing
from costlab.domain.time import HOUR_MS

_FAR = np.int64(2**62)
ALWAYS = np.array([[-_FAR, _FAR]])


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
    def there(self) -> Ints:
        """When the node has any of the resource: int64 (m, 2), spans apart from each other and ordered."""
        some = np.flatnonzero(self.capacity > 0)
        some = some[np.argsort(self.start_ms[some], kind="stable")]
        start_ms, end_ms = self.start_ms[some], self.end_ms[some]
        parted = start_ms[1:] > end_ms[:-1]
        first, last = np.append(True, parted)[: len(some)], np.append(parted, True)[: len(some)]
        return np.column_stack([start_ms[first], end_ms[last]])

    @property
    def unbounded(self) -> "Levels":
        """The same prices, capacity unknown: what was asked for while there was nothing is worth that, and not scaled."""
        some = self.capacity > 0
        known = some if some.any() else np.ones(len(some), bool)
        nothing = np.full(np.count_nonzero(known), np.nan)
        return Levels(self.start_ms[known], self.end_ms[known], nothing, nothing, self.price[known])


@dataclass(frozen=True, slots=True)
class Claims:
    """What containers ask of one resource of a node, and what they were seen to use.

    asked_*: stretches of occupancy with the request in force (0 where none is set), container by container, of which
        each owns asked_offsets[i]:asked_offsets[i + 1], at least one; float64 values.
    used_*: observed stretches, int32 since used_zero_ms; in 1 / `unit`, float32, NaN = not observed. seen: int64
        (containers, 2), where those of each container stand among them; (-1, -1) for one that is known to have used
        nothing.
    """

    asked_offsets: Ints
    asked_start_ms: Ints
    asked_end_ms: Ints
    asked: Floats
    seen: Ints
    used_zero_ms: int
    used_start_ms: Brief
    used_end_ms: Brief
    used: Singles
    unit: float = 1.0

    def lie_within(self, spans: Ints) -> bool:
        """Whether all of the occupancy lies within these spans, int64 (m, 2), which are apart from each other."""
        return bool(np.all(self._inside_ms(spans) == self.asked_end_ms - self.asked_start_ms))

    def touch(self, spans: Ints) -> NDArray[np.bool_]:
        """Which containers occupied anything within these spans: bool (containers,)."""
        inside = self._inside_ms(spans) > 0
        return np.logical_or.reduceat(inside, self.asked_offsets[:-1]) if len(inside) else inside

    def _inside_ms(self, spans: Ints) -> Ints:
        low = np.maximum(self.asked_start_ms[:, None], spans[:, 0])
        high = np.minimum(self.asked_end_ms[:, None], spans[:, 1])
        inside_ms: Ints = np.maximum(high - low, 0).sum(axis=1)
        return inside_ms

    def of(self, chosen: Ints) -> "Claims":
        """Those of some of the containers."""
        sizes = np.diff(self.asked_offsets)[chosen]
        offsets = np.append(0, np.cumsum(sizes))
        row = np.repeat(self.asked_offsets[chosen] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return replace(
            self,
            asked_offsets=offsets,
            asked_start_ms=self.asked_start_ms[row],
            asked_end_ms=self.asked_end_ms[row],
            asked=self.asked[row],
            seen=self.seen[chosen],
        )


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of one resource of one node on the day; quantities in value-hours, amounts in currency.

    parts_quantity, parts_amount: float64 (containers, 3): used, unused, unobserved. The scalars are what none owes.
    occupied_s, observed_s, requested, used: float64 (containers,); `used` is NaN where nothing was observed.
    scaled_away: what was asked for beyond the capacity, at its price.
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
    scaled_away: float


def bill_node(grid: Grid, levels: Levels, claims: Claims, rule: Rule, there: Ints = ALWAYS) -> Bill:
    """Split a node's price of one resource over its containers, idle and system, cell by cell.

    there: int64 (m, 2), spans apart from each other and ordered, outside of which claims do not count.
    """
    quantity, amount, sums = billing.bill(
        claims.asked_offsets, claims.asked_start_ms, claims.asked_end_ms, claims.asked,
        claims.seen, claims.used_zero_ms, claims.used_start_ms, claims.used_end_ms, claims.used, claims.unit,
        there, grid.start_ms, grid.cell_ms, *_cells(grid, levels), (*rule.value, levels.bounded),
    )  # fmt: skip
    return Bill(
        parts_quantity=quantity[:-1],
        parts_amount=amount[:-1],
        requested=sums[:, 1] / HOUR_MS,
        used=np.where(sums[:, 2] > 0, sums[:, 3] / HOUR_MS, np.nan),
        occupied_s=sums[:, 0] / 1000.0,
        observed_s=sums[:, 2] / 1000.0,
        idle_quantity=float(quantity[-1, 0]),
        idle_amount=float(amount[-1, 0]),
        system_quantity=float(quantity[-1, 1]),
        system_amount=float(amount[-1, 1]),
        contended_cells=int(quantity[-1, 2]),
        scaled_away=float(amount[-1, 2]),
    )


def between(spans: Ints) -> Ints:
    """What lies before, between and behind spans that are apart from each other and ordered: int64 (m + 1, 2)."""
    return np.column_stack([np.append(-_FAR, spans[:, 1]), np.append(spans[:, 0], _FAR)])


def _cells(grid: Grid, levels: Levels) -> tuple[Floats, Floats, Floats]:
    """Capacity and allocatable (value × milliseconds) and price (per value-hour) of each cell.

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

"""The grid that a day is billed on: equal cells, and levels (capacity, price) averaged over them."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.kernels import spreading


@dataclass(frozen=True, slots=True)
class Grid:
    """`cells` cells of `cell_ms` milliseconds each, from `start_ms` on."""

    start_ms: int
    cell_ms: int
    cells: int

    @property
    def end_ms(self) -> int:
        """The end of the last cell."""
        return self.start_ms + self.cells * self.cell_ms

    def level(self, start_ms: Ints, end_ms: Ints, values: Floats) -> Floats:
        """Value × milliseconds of one quantity per cell, 0 where it is not in force: float64 (cells,)."""
        weighted = np.zeros(self.cells)
        spreading.spread(
            0, start_ms, end_ms, values, 1.0, 0, len(values),
            self.start_ms, self.end_ms, self.start_ms, self.cell_ms, np.zeros(self.cells), weighted,
        )  # fmt: skip
        return weighted


def grid_of(start_ms: int, end_ms: int, cell_ms: int) -> Grid:
    """The grid over a day; raises ValueError when the day is no whole number of cells."""
    if (end_ms - start_ms) % cell_ms:
        raise ValueError(f"{end_ms - start_ms} ms are no whole number of cells of {cell_ms} ms")
    return Grid(start_ms, cell_ms, (end_ms - start_ms) // cell_ms)

"""Histograms that forget: what was used counts half as much for each half-life that has passed since."""

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from costlab.core.arrays import Floats


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where a histogram's buckets begin: at first × (growthⁿ − 1) / (growth − 1), or at first × n if growth is 1."""

    first: float
    growth: float
    count: int

    @classmethod
    def linear(cls, most: float, width: float) -> "Buckets":
        """All as wide, and as many as it takes for the last to begin at `most` or above."""
        return cls(width, 1.0, ceil(most / width) + 1)

    @classmethod
    def exponential(cls, most: float, first: float, growth: float) -> "Buckets":
        """The first this wide, each of the others `growth` times as wide as the one before; the last begins at `most`."""
        return cls(first, growth, ceil(log(most * (growth - 1) / first + 1) / log(growth)) + 1)

    @property
    def scheme(self) -> tuple[float, float, int]:
        """As the loops take it."""
        return self.first, self.growth, self.count

    @property
    def starts(self) -> Floats:
        """Where each bucket begins, float64 (count,)."""
        n = np.arange(self.count)
        if self.growth == 1.0:
            return np.asarray(self.first * n, np.float64)
        return np.asarray(self.first * (self.growth**n - 1) / (self.growth - 1), np.float64)

    @property
    def ends(self) -> Floats:
        """Where each bucket ends, float64 (count,); the last has no end, and its start stands for it."""
        return np.append(self.starts[1:], self.starts[-1])

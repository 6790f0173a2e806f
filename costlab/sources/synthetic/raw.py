"""A series as an exporter's metric has it, before it becomes a signal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RawSeries:
    """Samples under one label set, `__name__` among the labels and none of them empty.

    at_ms: int64 (n,), epoch milliseconds, strictly increasing. values: float64 (n,).
    """

    labels: dict[str, str]
    at_ms: NDArray[np.int64]
    values: NDArray[np.float64]

"""Where samples come from: a real Prometheus, or the synthetic cluster of the demo."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from costlab.domain.signals import Series, Signal
from costlab.domain.time import Window


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What answered, for `runs`: the product, its version, and the way samples were read out of it."""

    product: str
    version: str
    engine: str


class Source(Protocol):
    """Gives the raw samples of any signal in any window."""

    warnings: list[str]
    """Harmless remarks collected while reading, each once."""

    def fetch(self, signal: Signal, window: Window) -> Series:
        """All samples with window.start_ms <= t < window.end_ms; raises SourceError."""
        ...

    def info(self) -> SourceInfo:
        """What answers; raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class RawSeries:
    """Samples under one label set as an exporter's metric has them, before they become a signal.

    labels: with `__name__`, none of them empty.
    at_ms: int64 (n,), epoch milliseconds, strictly increasing. values: float64 (n,), in the exporter's unit.
    """

    labels: dict[str, str]
    at_ms: NDArray[np.int64]
    values: NDArray[np.float64]

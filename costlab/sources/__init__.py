"""Where samples come from: a real Prometheus, or the synthetic cluster of the demo."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of some series as they came over the wire, as a structure of arrays.

    labels: map<string, string> (series,), with `__name__`, none of them empty. A series may go on in a later batch.
    offsets: int64 (series + 1,); the samples of series i are offsets[i]:offsets[i + 1].
    at_ms: int64 (samples,), epoch milliseconds, strictly increasing within a series.
    values: float64 (samples,), bit for bit as they were stored; a stale marker keeps its bits.
    """

    labels: pa.MapArray
    offsets: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    values: NDArray[np.float64]


class Part(Protocol):
    """Takes what one request brings; kept as a whole or dropped as a whole."""

    def add(self, batch: Batch) -> None:
        """Take a batch; may wait until earlier ones are written."""
        ...

    def keep(self) -> None:
        """The request came to its end: what was added stands."""
        ...

    def drop(self) -> None:
        """The request failed: what was added never was."""
        ...


class Sink(Protocol):
    """Where the samples of a signal go; parts may be open at the same time, from several threads."""

    def part(self) -> Part:
        """Room for what one request brings."""
        ...

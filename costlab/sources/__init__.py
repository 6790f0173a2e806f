"""Where samples come from: a real Prometheus, or the synthetic cluster of the demo."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.domain.signals import Series, Signal
from costlab.domain.time import Window


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What answered, for `runs`: the product, its version, the way samples were read out of it, and its limits."""

    product: str
    version: str
    engine: str
    limits: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Gives the raw samples of any signal in any window."""

    @property
    def warnings(self) -> list[str]:
        """Harmless remarks of what was fetched, each once."""
        ...

    def ahead_s(self) -> float:
        """How far its clock is ahead of this machine's; raises SourceError."""
        ...

    def fetch(self, signal: Signal, window: Window) -> Series:
        """All samples with window.start_ms <= t < window.end_ms; raises SourceError."""
        ...

    def info(self) -> SourceInfo:
        """What answers; raises SourceError."""
        ...

    def settled(self) -> None:
        """What was fetched is in the lake: what was kept to go on from after an interruption may go."""
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

    def series(self) -> list[RawSeries]:
        """The same, one object a series; those without samples are left out."""
        bounds = zip(
            self.labels.to_pylist(), self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True
        )
        return [
            RawSeries(dict(labels), self.at_ms[low:high], self.values[low:high])
            for labels, low, high in bounds
            if low < high
        ]


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


class Stream(Protocol):
    """A source too large for memory: reads signals into sinks, and makes sense of them apart from that."""

    @property
    def warnings(self) -> list[str]:
        """Harmless remarks of itself, and of what it made sense of, each once; not those that `done` is told."""
        ...

    def ahead_s(self) -> float:
        """How far its clock is ahead of this machine's; raises SourceError."""
        ...

    def asks(self, signal: Signal, window: Window) -> str:
        """The question as a text: what was fetched by the same one need not be fetched again."""
        ...

    def read(
        self,
        signals: Sequence[Signal],
        window: Window,
        sink_of: Callable[[Signal], Sink],
        done: Callable[[Signal, Sequence[str]], None],
    ) -> None:
        """Put all samples of the signals in the window into their sinks; `done` when one is there as a whole.

        It is told the remarks that were made while the signal was read, and that its samples alone do not show.
        Raises SourceError when any of them cannot be read; those that were done stay so.
        """
        ...

    def series(self, signal: Signal, raw: Sequence[RawSeries]) -> Series:
        """The signal that these series of exporters carry."""
        ...

    def info(self) -> SourceInfo:
        """What answers; raises SourceError."""
        ...

"""Where samples come from: a real Prometheus, or the synthetic cluster of the demo."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What answered, for `runs`: the product, its version, the way samples were read out of it, and its limits."""

    product: str
    version: str
    engine: str
    limits: Mapping[str, str] = field(default_factory=dict)


class Shelf(Protocol):
    """The series of one signal in a window, in their order, to be taken out some at a time."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many samples each series has at most: some may turn out not to count."""
        ...

    def take(self, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], Series]:
        """Those of `which`, ascending places on the shelf, that have samples, and the series themselves, as a whole.

        Raises LakeError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A shelf of series that are in memory."""

    series: Series

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many samples each series has."""
        return np.diff(self.series.offsets)

    def take(self, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], Series]:
        """Those of `which`, and the series themselves."""
        everything = len(which) == len(self.series)
        return which, self.series if everything else self.series.take(which)


class Source(Protocol):
    """Gives the raw samples of any signal in any window."""

    @property
    def warnings(self) -> list[str]:
        """Harmless remarks of what was fetched, each once."""
        ...

    def ahead_s(self) -> float:
        """How far its clock is ahead of this machine's; raises SourceError."""
        ...

    def shelf(self, signal: Signal, window: Window) -> Shelf:
        """All samples with window.start_ms <= t < window.end_ms; raises SourceError, and LakeError."""
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
            label_sets(self.labels), self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True
        )
        return [
            RawSeries(labels, self.at_ms[low:high], self.values[low:high])
            for labels, low, high in bounds
            if low < high
        ]


def label_sets(labels: pa.MapArray) -> list[dict[str, str]]:
    """Each set of labels; equal texts are one object, else those of 100,000 series take 200 MB."""
    names, values = (side.dictionary_encode() for side in (labels.keys, labels.items))
    texts = [side.dictionary.to_pylist() for side in (names, values)]
    pairs = list(
        zip(
            [texts[0][place] for place in names.indices.to_pylist()],
            [texts[1][place] for place in values.indices.to_pylist()],
            strict=True,
        )
    )
    begins = labels.offsets.to_pylist()
    return [dict(pairs[low:high]) for low, high in zip(begins[:-1], begins[1:], strict=True)]


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


class Shape(Protocol):
    """The series of a signal by their labels: which of those that exporters have make up each, before any sample is read."""

    @property
    def members(self) -> NDArray[np.int64]:
        """Places of exporters' series in the order in which their samples are wanted, series by series."""
        ...

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many samples the members of each series have together."""
        ...

    def series(
        self, which: NDArray[np.int64], at_ms: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], Series]:
        """Those of `which` that have samples that count, and the series; `values` is changed.

        at_ms, values: the samples of their members, one after the other.
        """
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

    def shape(self, signal: Signal, labels: Sequence[Labels], lengths: NDArray[np.int64]) -> Shape:
        """The signal that these series of exporters carry; lengths: their numbers of samples, none of them 0."""
        ...

    def info(self) -> SourceInfo:
        """What answers; raises SourceError."""
        ...

"""What an engine reads, as one mapping: the same however the samples were parted."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from costlab.domain.time import Window
from costlab.sources import Batch, RawSeries
from costlab.sources.prometheus.engine import Engine
from costlab.sources.prometheus.selector import Selector

Labels = frozenset[tuple[str, str]]
Samples = dict[Labels, tuple[NDArray[np.int64], NDArray[np.float64]]]


def read(engine: Engine, selector: Selector, window: Window) -> Samples:
    """All samples by labels; each batch is held to what `Batch` promises."""
    parts: dict[Labels, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for batch in engine.read(selector, window):
        for labels, at_ms, values in entries(batch):
            assert len(at_ms)
            assert (np.diff(at_ms) > 0).all()
            assert window.start_ms <= at_ms[0] <= at_ms[-1] < window.end_ms
            parts.setdefault(labels, []).append((at_ms, values))
    return {labels: _together(found) for labels, found in parts.items()}


def entries(batch: Batch) -> Iterator[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]:
    """The batch series by series."""
    assert len(batch.labels) == len(batch.offsets) - 1
    assert batch.offsets[0] == 0
    assert batch.offsets[-1] == len(batch.at_ms) == len(batch.values)
    assert [str(part.dtype) for part in (batch.offsets, batch.at_ms, batch.values)] == [
        "int64",
        "int64",
        "float64",
    ]
    for pairs, first, end in zip(
        batch.labels.to_pylist(), batch.offsets[:-1], batch.offsets[1:], strict=True
    ):
        assert len(dict(pairs)) == len(pairs)
        assert all(value for _, value in pairs)
        yield frozenset(pairs), batch.at_ms[first:end], batch.values[first:end]


def as_samples(family: Iterable[RawSeries]) -> Samples:
    """The same mapping of series that were made up."""
    return {frozenset(series.labels.items()): (series.at_ms, series.values) for series in family}


def _together(
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    parts.sort(key=lambda part: int(part[0][0]))
    return np.concatenate([at_ms for at_ms, _ in parts]), np.concatenate([values for _, values in parts])

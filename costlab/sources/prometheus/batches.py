"""Batches out of label objects and arrays, and cut to the window that was asked for."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from costlab.domain.errors import SourceRefused
from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.answer import Server, distinct

_PORTION = 20_000  # label sets that are Python objects at the same time: each takes about 1 KB


def label_maps(objects: Iterable[bytes]) -> pa.MapArray:
    """The labels of each compact JSON object, without the empty ones.

    Raises ValueError for what is no object of distinct names with texts as values.
    """
    rest = iter(objects)
    parts = [_label_maps(islice(rest, _PORTION))]
    while len(parts[-1]) == _PORTION:
        parts.append(_label_maps(islice(rest, _PORTION)))
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


def maps_of(names: Sequence[str], values: Sequence[str], offsets: Sequence[int]) -> pa.MapArray:
    """map<string, string> (series,); the pairs of series i are offsets[i]:offsets[i + 1]. ValueError for no texts."""
    if not set(map(type, values)) <= {str}:
        raise ValueError("a label that is no text")
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(names, pa.string()), pa.array(values, pa.string())
    )


def label_digests(labels: pa.MapArray) -> set[int]:
    """A number for each label set, the same for the same values in the same order, in this process alone.

    0.5 µs a series: as Python objects, labels would take longer than their samples.
    """
    values = labels.items
    if not len(values):
        return set()
    _, ends, text = values.buffers()
    bounds = np.frombuffer(ends, np.int32)[values.offset :][np.asarray(labels.offsets)].tolist()
    everything = memoryview(text or b"")
    return {hash(bytes(everything[begin:end])) for begin, end in pairwise(bounds)}


def joined(batches: Sequence[Batch]) -> Batch:
    """All series, one batch after the other."""
    if len(batches) == 1:
        return batches[0]
    counts = np.concatenate([np.diff(batch.offsets) for batch in batches])
    return Batch(
        pa.concat_arrays([batch.labels for batch in batches]),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.concatenate([batch.at_ms for batch in batches]),
        np.concatenate([batch.values for batch in batches]),
    )


def cut(batch: Batch, window: Window, server: Server, late_ms: int = 0, early_ms: int = 1) -> Batch:
    """The samples in the window; series without any are left out.

    Raises SourceRefused for one that was not asked for: more than `early_ms` before the window, or `late_ms` after it.
    """
    at_ms = batch.at_ms
    inside = (at_ms >= window.start_ms) & (at_ms < window.end_ms)
    if not inside.all():
        near = (at_ms >= window.start_ms - early_ms) & (at_ms < window.end_ms + late_ms)
        if not near.all():
            series = int(np.searchsorted(batch.offsets, np.argmin(near), "right")) - 1
            labels = dict(batch.labels[series].as_py())
            raise malformed(
                server, f"a sample lies outside of the window asked for: {server.quoted(labels, 120)}"
            )
    return _kept(batch, inside)


def _label_maps(objects: Iterable[bytes]) -> pa.MapArray:
    names: list[str] = []
    values: list[str] = []
    offsets = [0]
    for text in objects:
        labels = orjson.loads(text)
        # A colon between quotes is counted once a pair at least. Where texts have more, every name is looked at.
        if text.count(b'":"') != len(labels) and _has_a_name_twice(text):
            raise ValueError("a label twice")
        if "" in labels.values():
            labels = {name: value for name, value in labels.items() if value != ""}
        names += labels
        values += labels.values()
        offsets.append(len(names))
    return maps_of(names, values, offsets)


def _has_a_name_twice(text: bytes) -> bool:
    try:
        json.loads(text, object_pairs_hook=distinct)
    except KeyError:
        return True
    return False


def _kept(batch: Batch, samples: NDArray[np.bool_]) -> Batch:
    """The batch with only these samples, and only the series that have some."""
    labels, offsets, at_ms, values = batch.labels, batch.offsets, batch.at_ms, batch.values
    if not samples.all():
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(samples)])[offsets]
        at_ms, values = at_ms[samples], values[samples]
    counts = np.diff(offsets)
    if not counts.all():
        labels = labels.filter(pa.array(counts > 0))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[counts > 0])])
    return Batch(labels, offsets, at_ms, values)


def malformed(server: Server, fault: str) -> SourceRefused:
    """The error for an answer that Prometheus itself would not give."""
    return SourceRefused(
        f"{server.host}: {fault}", "something between costlab and Prometheus changes answers"
    )

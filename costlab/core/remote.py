"""What remote read answers, as columns: arrays around the kernels of frames, messages and chunks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from costlab.core import chunks, frames, messages
from costlab.domain.time import Window

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Offsets = NDArray[np.int32]
Floats = NDArray[np.float64]

MARGIN = chunks.MARGIN
BATCH = 2**18  # samples, more or less: 4 MiB of times and values

_FRAMES = 4096
_FRAME_FAULTS = {
    frames.ABSURD: f"a frame of more than {frames.LARGEST_FRAME // 2**20} MiB",
    frames.DAMAGED: "a frame's checksum is wrong",
}
_MESSAGE_FAULTS = {
    messages.MALFORMED: "a message does not end where it should",
    messages.BAD_CHUNK: "a chunk is of an unknown kind, or has more samples than bits",
    messages.NAMELESS: "a label has no name",
    messages.LABEL_TWICE: "a label stands twice in a series",
    messages.MANY_LABELS: f"a series has more than {messages.MOST_LABELS} labels, not sorted",
    messages.NO_ROOM: "there are more results than queries",
}
_SAMPLE_FAULTS = {
    chunks.TORN: "a chunk's samples go on behind its end",
    chunks.ABSURD: "a chunk's value has more than 64 bits",
}


class Malformed(ValueError):
    """The bytes are not what Prometheus sends: `reason`, and the `place` in them."""

    def __init__(self, reason: str, place: int) -> None:
        super().__init__(f"{reason}, at byte {place}")
        self.reason = reason
        self.place = place


class Damaged(Malformed):
    """They are not what was sent."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Strings in a row: text i is text[ends[i]:ends[i + 1]]; uint8, and int32 (n + 1,)."""

    text: Bytes
    ends: Offsets


@dataclass(frozen=True, slots=True)
class Columns:
    """Series with at least one sample each, as a structure of arrays.

    pairs: int32 (series + 1,); series i has the labels pairs[i]:pairs[i + 1], none of them empty.
    offsets: int64 (series + 1,); series i has the samples offsets[i]:offsets[i + 1].
    at_ms: int64 (samples,), strictly increasing within a series. samples: float64 (samples,), bit for bit.
    """

    names: Texts
    values: Texts
    pairs: Offsets
    offsets: Ints
    at_ms: Ints
    samples: Floats


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Labels that are not read, such as those that a server adds to all of its series."""

    text: Bytes
    places: Offsets

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "LeftOut":
        """Leaves out what has just this name and this value."""
        texts = [text.encode() for pair in labels.items() for text in pair]
        ends = np.array([0, *accumulate(map(len, texts))], np.int32)
        places = np.stack([ends[:-1], ends[1:]], axis=1).reshape(-1, 4)
        return cls(np.frombuffer(bytearray(b"".join(texts)), np.uint8), np.ascontiguousarray(places))


@dataclass(frozen=True, slots=True)
class Found:
    """Where series are in some messages; the columns are read out of the same bytes, while they stand.

    labels, pairs, items, item_offsets: as `messages.find` has them. histograms: how many were passed over.
    """

    data: Bytes
    chunked: bool
    labels: Offsets
    pairs: Offsets
    items: Ints
    item_offsets: Ints
    histograms: int

    def columns(self, window: Window, batch: int = BATCH) -> Iterator[Columns]:
        """The samples in the window, about `batch` at a time; a series may go on in the next. Raises Malformed."""
        before = np.concatenate([[0], np.cumsum(self.items[:, 2])])
        first = 0
        while first < len(self.items):
            last = max(first + 1, int(np.searchsorted(before, before[first] + batch)))
            read = self._read(window, first, min(last, len(self.items)))
            if len(read.at_ms):
                yield read
            first = last

    def _read(self, window: Window, first: int, last: int) -> Columns:
        """The samples of some items, and the labels of their series."""
        items = self.items[first:last]
        room = int(items[:, 2].sum())
        times, bits = np.empty(room, np.uint64), np.empty(room, np.uint64)
        kept = np.empty(len(items), np.int64)
        decode = chunks.decode if self.chunked else messages.read_samples
        # Times go round at 64 bits: compiled without a word, as plain Python with a warning.
        with np.errstate(over="ignore"):
            fault, place = decode(self.data, items, window.start_ms, window.end_ms, times, bits, kept)
        if fault:
            raise Malformed((_SAMPLE_FAULTS if self.chunked else _MESSAGE_FAULTS)[fault], place)
        begins = self.item_offsets
        low, high = np.searchsorted(begins, first, "right") - 1, np.searchsorted(begins, last)
        offsets = np.concatenate([[0], np.cumsum(kept)])[
            np.minimum(np.maximum(begins[low : high + 1], first), last) - first
        ]
        seen = np.diff(offsets) > 0
        offsets, at_ms, values = _in_order(
            np.concatenate([[0], offsets[1:][seen]]),
            times[: offsets[-1]].view(np.int64),
            bits[: offsets[-1]].view(np.float64),
        )
        sizes = np.diff(self.pairs[low : high + 1])
        labels = self.labels[self.pairs[low] : self.pairs[high]][np.repeat(seen, sizes)]
        pairs = np.concatenate([[0], np.cumsum(sizes[seen])]).astype(np.int32)
        names, texts = _texts(self.data, labels[:, :2]), _texts(self.data, labels[:, 2:])
        return Columns(names, texts, pairs, offsets, at_ms, values)


class Unchunking:
    """Undoes HTTP's chunked transfer coding, however the bytes are portioned."""

    def __init__(self) -> None:
        self._state = np.zeros(3, np.int64)

    @property
    def done(self) -> bool:
        """Whether the last chunk has come."""
        return bool(self._state[0] == frames.DONE)

    def take(self, raw: Bytes, end: int, into: Bytes, at: int) -> int:
        """Copy what raw[:end] carries to `into`, from place `at` on; the place after it. Raises Malformed."""
        at = frames.unchunk(raw, end, into, at, self._state)
        if self._state[0] == frames.GARBLED:
            raise Malformed("the transfer coding is wrong", at)
        return at


def cut(data: Bytes, begin: int, end: int, *, checked: bool = True) -> tuple[Ints, int]:
    """Payloads of the whole frames in data[begin:end], int64 (n, 2), at most 4,096, and where the next frame begins.

    Raises Malformed for a frame that no Prometheus makes, and Damaged for one whose checksum is wrong.
    """
    spans = np.empty((_FRAMES, 2), np.int64)
    fault, place, count = frames.cut_frames(data, begin, end, spans, checked)
    if fault and not count:
        raise (Damaged if fault == frames.DAMAGED else Malformed)(_FRAME_FAULTS[fault], place)
    return spans[:count], place


def find(data: Bytes, spans: Ints, left_out: LeftOut, *, chunked: bool = True) -> Found:
    """The series in the messages at `spans`, as `cut` or `results` found them; raises Malformed."""
    counts = np.zeros(5, np.int64)
    fault, place = messages.survey(data, spans, chunked, counts)
    if fault:
        raise Malformed(_MESSAGE_FAULTS[fault], place)
    labels = np.empty((counts[messages.LABELS], 4), np.int32)
    pairs = np.zeros(counts[messages.SERIES] + 1, np.int32)
    items = np.empty((counts[messages.ITEMS], 3), np.int64)
    item_offsets = np.zeros(len(pairs), np.int64)
    apart = left_out.text, left_out.places
    fault, place, series = messages.find(data, spans, chunked, apart, labels, pairs, items, item_offsets)
    if fault:
        raise Malformed(_MESSAGE_FAULTS[fault], place)
    histograms = int(counts[messages.HISTOGRAMS])
    return Found(data, chunked, labels, pairs[: series + 1], items, item_offsets[: series + 1], histograms)


def result(data: Bytes) -> Ints:
    """The results in a message of samples, one at most, as `find` wants them; raises Malformed."""
    spans = np.empty((1, 2), np.int64)
    fault, place, count = messages.find_results(data, len(data), spans)
    if fault:
        raise Malformed(_MESSAGE_FAULTS[fault], place)
    return spans[:count]


def _texts(data: Bytes, places: Offsets) -> Texts:
    places = np.ascontiguousarray(places)
    text = np.empty(int((places[:, 1] - places[:, 0]).sum()), np.uint8)
    ends = np.empty(len(places) + 1, np.int32)
    messages.gather(data, places, text, ends)
    return Texts(text, ends)


def _in_order(offsets: Ints, at_ms: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
    """The series with each instant once, in the order of time.

    Chunks of a series may overlap where a back end holds them twice. Of several samples at one instant the largest
    counts, and a NaN only where there is nothing else, as for series that replicas scraped; of those that are alike
    the one with the higher bits, so that the order of chunks does not matter.
    """
    rising = at_ms[1:] > at_ms[:-1]
    rising[offsets[1:-1] - 1] = True
    if rising.all():
        return offsets, at_ms, values
    series = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    none = np.isnan(values)
    order = np.lexsort((values.view(np.uint64), np.where(none, 0.0, values), ~none, at_ms, series))
    series, at_ms, values = series[order], at_ms[order], values[order]
    last = np.ones(len(series), np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (at_ms[1:] != at_ms[:-1])
    counts = np.bincount(series[last], minlength=len(offsets) - 1)
    return np.concatenate([[0], np.cumsum(counts)]), at_ms[last], values[last]

"""Remote read's answers, walked where they lie: from protobuf messages to the places of labels and samples.

    frame's payload (ChunkedReadResponse)  1: series {1: label, 2: chunk {3: encoding, 4: data}}
    QueryResult                            1: series {1: label, 2: sample {1: value, 2: time}, 4: histogram}
    label                                  1: name, 2: value

Fields of other numbers or wire types are passed over, as protobuf has it. Every length is held against what encloses
it: nothing outside of a span is read, whatever is in there.
"""

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import bare_kernel

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Offsets = NDArray[np.int32]
Words = NDArray[np.uint64]

SOUND, MALFORMED, BAD_CHUNK, NAMELESS, LABEL_TWICE, MANY_LABELS, NO_ROOM = range(7)
SERIES, LABELS, ITEMS, SAMPLES, HISTOGRAMS = range(5)
MOST_LABELS = 256  # of a series whose labels are not sorted: to look for doubles takes the square of it

# A field's number, shifted by 3 bits, and its wire type.
_VARINT_2, _VARINT_3, _FIXED64_1 = 0x10, 0x18, 0x09
_BYTES_1, _BYTES_2, _BYTES_4 = 0x0A, 0x12, 0x22
_XOR, _HISTOGRAM, _FLOAT_HISTOGRAM = 1, 2, 3


@bare_kernel
def survey(data: Bytes, spans: Ints, chunked: bool, counts: Ints) -> tuple[int, int]:
    """Counts what the messages at `spans`, int64 (n, 2), hold; returns what is wrong, and where.

    chunked: samples stand in chunks. counts: int64 (5,): series, labels, items as `find` has them, samples, histograms.
    """
    for span in range(len(spans)):
        at, end = spans[span, 0], spans[span, 1]
        while at < end:
            tag, begin, then = _field(data, at, end)
            if then < 0:
                return MALFORMED, at
            if tag == _BYTES_1:
                fault, place = _survey_series(data, begin, then, chunked, counts)
                if fault != SOUND:
                    return fault, place
            at = then
    return SOUND, 0


@bare_kernel
def _survey_series(data: Bytes, at: int, end: int, chunked: bool, counts: Ints) -> tuple[int, int]:
    counts[SERIES] += 1
    while at < end:
        tag, begin, then = _field(data, at, end)
        if then < 0:
            return MALFORMED, at
        if tag == _BYTES_1:
            counts[LABELS] += 1
        elif tag == _BYTES_2 and chunked:
            encoding, _, _, number = _chunk(data, begin, then)
            if encoding == _XOR and number >= 0:
                counts[ITEMS] += number > 0
                counts[SAMPLES] += number
            elif encoding == _HISTOGRAM or encoding == _FLOAT_HISTOGRAM:
                counts[HISTOGRAMS] += 1
            else:
                return BAD_CHUNK, at
        elif tag == _BYTES_2:
            counts[SAMPLES] += 1
        elif tag == _BYTES_4 and not chunked:
            counts[HISTOGRAMS] += 1
        at = then
    counts[ITEMS] += not chunked
    return SOUND, at


@bare_kernel
def find_results(data: Bytes, end: int, spans: Ints) -> tuple[int, int, int]:
    """Writes where the QueryResults of a ReadResponse are, data[:end]; returns what is wrong, where, and how many."""
    at = count = 0
    while at < end:
        tag, begin, then = _field(data, at, end)
        if then < 0:
            return MALFORMED, at, count
        if tag == _BYTES_1:
            if count == len(spans):
                return NO_ROOM, at, count
            spans[count, 0], spans[count, 1] = begin, then
            count += 1
        at = then
    return SOUND, 0, count


@bare_kernel
def find(
    data: Bytes,
    spans: Ints,
    chunked: bool,
    apart: tuple[Bytes, Offsets],
    labels: Offsets,
    pairs: Offsets,
    items: Ints,
    item_offsets: Ints,
) -> tuple[int, int, int]:
    """Says where labels and samples of what was surveyed are; returns what is wrong, where, and how many series.

    labels: int32 (labels, 4), where each name begins and ends, and its value; series i has pairs[i]:pairs[i + 1].
    items: int64 (items, 3), where each chunk (or else: series) begins and ends, and how many samples it has;
        series i has item_offsets[i]:item_offsets[i + 1].
    apart: a text, and labels in it as above, that are left out; so are those whose value is empty.
    A series that goes on in the next message is one series.
    """
    series = pair = item = 0
    for span in range(len(spans)):
        at, end = spans[span, 0], spans[span, 1]
        while at < end:
            tag, begin, then = _field(data, at, end)
            if then < 0:
                return MALFORMED, at, series
            if tag == _BYTES_1:
                if series + 1 == len(pairs):
                    return NO_ROOM, at, series
                first = pair
                fault, pair = _find_labels(data, begin, then, apart, labels, pair)
                if fault != SOUND:
                    return fault, at, series
                if series > 0 and _same_labels(data, labels, pairs[series - 1], first, pair):
                    pair = first
                else:
                    series += 1
                item = _find_items(data, begin, then, chunked, items, item)
                pairs[series], item_offsets[series] = pair, item
            at = then
    return SOUND, 0, series


@bare_kernel
def _find_labels(
    data: Bytes, at: int, end: int, apart: tuple[Bytes, Offsets], labels: Offsets, pair: int
) -> tuple[int, int]:
    """Writes the labels of one series from place `pair` on; returns what is wrong, and the place after the last."""
    text, set_apart = apart
    first, ordered = pair, True
    while at < end:
        tag, begin, then = _field(data, at, end)
        if then < 0:
            return MALFORMED, pair
        at = then
        if tag != _BYTES_1:
            continue
        if pair == len(labels):
            return NO_ROOM, pair
        n0, n1, v0, v1 = _label(data, begin, then)
        if n0 < 0:
            return MALFORMED, pair
        kept = v0 < v1
        for other in range(len(set_apart)):
            same = _compare(data, n0, n1, text, set_apart[other, 0], set_apart[other, 1]) == 0
            if same and _compare(data, v0, v1, text, set_apart[other, 2], set_apart[other, 3]) == 0:
                kept = False
        if not kept:
            continue
        if n0 == n1:
            return NAMELESS, pair
        labels[pair, 0], labels[pair, 1], labels[pair, 2], labels[pair, 3] = n0, n1, v0, v1
        if pair > first and _compare(data, labels[pair - 1, 0], labels[pair - 1, 1], data, n0, n1) >= 0:
            ordered = False
        pair += 1
    return (SOUND if ordered else _doubled(data, labels, first, pair)), pair


@bare_kernel
def _doubled(data: Bytes, labels: Offsets, first: int, after: int) -> int:
    """Whether a name stands twice among labels that are not sorted, as a fault."""
    if after - first > MOST_LABELS:
        return MANY_LABELS
    for one in range(first, after):
        for other in range(first, one):
            a0, a1, b0, b1 = labels[one, 0], labels[one, 1], labels[other, 0], labels[other, 1]
            if _compare(data, a0, a1, data, b0, b1) == 0:
                return LABEL_TWICE
    return SOUND


@bare_kernel
def _same_labels(data: Bytes, labels: Offsets, before: int, first: int, after: int) -> bool:
    """Whether labels[first:after] are those of the series before, labels[before:first]."""
    if after - first != first - before:
        return False
    # From behind: the last labels, pods and the like, differ most.
    for back in range(1, after - first + 1):
        one, other = after - back, first - back
        for side in range(2, -1, -2):
            a0, a1 = labels[one, side], labels[one, side + 1]
            b0, b1 = labels[other, side], labels[other, side + 1]
            if _compare(data, a0, a1, data, b0, b1) != 0:
                return False
    return True


@bare_kernel
def _find_items(data: Bytes, at: int, end: int, chunked: bool, items: Ints, item: int) -> int:
    """Writes the chunks with samples of one series, or else the series itself; returns the place after the last."""
    series, samples = at, 0
    while 0 <= at < end:
        tag, begin, then = _field(data, at, end)
        if tag == _BYTES_2 and then >= 0:
            samples += 1
            if chunked:
                encoding, first, last, number = _chunk(data, begin, then)
                if encoding == _XOR and number > 0 and item < len(items):
                    items[item, 0], items[item, 1], items[item, 2] = first, last, number
                    item += 1
        at = then
    if not chunked and item < len(items):
        items[item, 0], items[item, 1], items[item, 2] = series, end, samples
        item += 1
    return item


@bare_kernel
def gather(data: Bytes, places: Offsets, text: Bytes, ends: Offsets) -> None:
    """Copies the texts at `places`, int32 (n, 2), one after the other; text i then is text[ends[i]:ends[i + 1]]."""
    at = 0
    ends[0] = 0
    for i in range(len(places)):
        for place in range(places[i, 0], places[i, 1]):
            text[at] = data[place]
            at += 1
        ends[i + 1] = at


@bare_kernel
def read_samples(
    data: Bytes, series: Ints, start_ms: int, end_ms: int, at_ms: Words, values: Words, kept: Ints
) -> tuple[int, int]:
    """Writes the samples with start_ms <= t < end_ms one series after the other; returns what is wrong, and where.

    series: as `find` has them. The rest is as in `chunks.decode`.
    """
    start, span = np.uint64(np.int64(start_ms)), np.uint64(end_ms - start_ms)
    count = 0
    for i in range(len(series)):
        at, end, number = series[i, 0], series[i, 1], series[i, 2]
        if count + number > min(len(at_ms), len(values)):
            return NO_ROOM, at
        before = count
        while at < end:
            tag, begin, then = _field(data, at, end)
            if then < 0:
                return MALFORMED, at
            if tag == _BYTES_2:
                time, value, place = _sample(data, begin, then)
                if place < 0:
                    return MALFORMED, begin
                at_ms[count], values[count] = time, value
                if time - start < span:
                    count += 1
            at = then
        kept[i] = count - before
    return SOUND, 0


@bare_kernel
def _label(data: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Where the name begins and ends, and the value; -1 first if it is malformed."""
    n0, n1, v0, v1 = at, at, at, at
    while at < end:
        tag, begin, then = _field(data, at, end)
        if then < 0:
            return -1, -1, -1, -1
        if tag == _BYTES_1:
            n0, n1 = begin, then
        elif tag == _BYTES_2:
            v0, v1 = begin, then
        at = then
    return n0, n1, v0, v1


@bare_kernel
def _chunk(data: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """A chunk's encoding (-1 if malformed), where its data begin and end, and its number of samples.

    The number is -1 if so many cannot be in there: the first takes 9 bytes, the second 9 bits, each further one 2.
    """
    encoding, first, last = 0, at, at
    while at < end:
        tag, begin, then = _field(data, at, end)
        if then < 0:
            return -1, 0, 0, -1
        if tag == _VARINT_3:
            encoding = int(np.int64(min(_varint(data, begin, end)[0], np.uint64(255))))
        elif tag == _BYTES_4:
            first, last = begin, then
        at = then
    size = last - first
    if size < 2:
        return encoding, first, last, -1
    number = int(np.int64(data[first]) << 8 | np.int64(data[first + 1]))
    needed = 16 + 72 * (number > 0) + 9 * (number > 1) + 2 * max(number - 2, 0)
    return encoding, first, last, number if needed <= 8 * size else -1


@bare_kernel
def _sample(data: Bytes, at: int, end: int) -> tuple[np.uint64, np.uint64, int]:
    """The bits of time and value of a sample, and where it ends; -1 if it is malformed."""
    time = value = np.uint64(0)
    while at < end:
        tag, begin, then = _field(data, at, end)
        if then < 0:
            return time, value, -1
        if tag == _FIXED64_1:
            value = np.uint64(0)
            for place in range(begin + 7, begin - 1, -1):
                value = value << np.uint64(8) | np.uint64(data[place])
        elif tag == _VARINT_2:
            time, _ = _varint(data, begin, end)
        at = then
    return time, value, at


@bare_kernel
def _field(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag of the field at `at`, where its content begins, and where it ends: -1 if not before `end`."""
    word, begin = _varint(data, at, end)
    if begin < 0 or word < np.uint64(8) or word >= np.uint64(2**32):
        return 0, at, -1
    tag, then = int(np.int64(word)), -1
    wire = tag & 7
    if wire == 0:
        _, then = _varint(data, begin, end)
    elif wire == 1:
        then = begin + 8
    elif wire == 5:
        then = begin + 4
    elif wire == 2:
        length, begin = _varint(data, begin, end)
        if begin >= 0 and length <= np.uint64(end - begin):
            then = begin + int(np.int64(length))
    return tag, begin, then if then <= end else -1


@bare_kernel
def _varint(data: Bytes, at: int, end: int) -> tuple[np.uint64, int]:
    """The number at `at`, and where it ends: -1 if not before `end`, or not within ten bytes and 64 bits."""
    number = np.uint64(0)
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = np.uint64(data[at])
        at += 1
        number |= (byte & np.uint64(0x7F)) << np.uint64(shift)
        if byte < np.uint64(0x80):
            return number, -1 if shift == 63 and byte > np.uint64(1) else at
    return number, -1


@bare_kernel
def _compare(data: Bytes, a0: int, a1: int, other: Bytes, b0: int, b1: int) -> int:
    """Below, at or above 0 as data[a0:a1] comes before, is, or comes after other[b0:b1]."""
    for i in range(min(a1 - a0, b1 - b0)):
        if data[a0 + i] != other[b0 + i]:
            return -1 if data[a0 + i] < other[b0 + i] else 1
    return (a1 - a0) - (b1 - b0)

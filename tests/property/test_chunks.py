"""What remote read sends comes out bit for bit, or as an error that says where; whatever the bytes are."""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, permutations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plain_wire import (
    Sample,
    Torn,
    bits_of,
    bytes_field,
    chunk_message,
    chunk_samples,
    chunked_series,
    frame,
    label_fields,
    number_field,
    sampled_series,
    step_text,
    value_of,
    varint,
    xor_chunk,
)

from costlab.core.remote import (
    BATCH,
    MARGIN,
    Columns,
    Found,
    LeftOut,
    Malformed,
    Texts,
    cut,
    find,
    result,
)
from costlab.domain.time import Window

ALWAYS = Window(-(2**62), 2**62)
STALE = 0x7FF0_0000_0000_0002
UP = {"__name__": "up", "pod": "p"}
Rows = dict[tuple[tuple[str, str], ...], list[Sample]]

steps = st.one_of(
    st.just(30_000),
    st.integers(1, 2**14),
    st.integers(1, 2**20),
    st.integers(1, 2**45),
    # The edges of each width, seen from the usual step.
    st.sampled_from(
        [30_000 + side * 2**width + by for width in (13, 16, 19, 31, 40) for side in (-1, 1) for by in (-1, 0, 1)]
    ).filter(lambda step: step > 0),
)  # fmt: skip
values = st.one_of(
    st.floats().map(bits_of),
    st.integers(0, 2**64 - 1),
    st.integers(0, 10_000).map(lambda value: bits_of(float(value))),
    st.sampled_from([STALE, 0x7FF8_0000_0000_0001, 0xFFF8_0000_0000_0000, 0, 1, 2**63, 2**64 - 1, 0x7FF0_0000_0000_0000]),
)  # fmt: skip


@st.composite
def series(draw: st.DrawFn, most: int = 40) -> list[Sample]:
    """Samples at increasing times, values of all kinds, often the same again."""
    found: list[Sample] = []
    time = draw(st.integers(-(2**55), 2**55))
    for _ in range(draw(st.integers(0, most))):
        repeated = bool(found) and draw(st.booleans())
        found.append((time, found[-1][1] if repeated else draw(values)))
        time += draw(steps)
    return found


def padded(data: bytes) -> np.ndarray:
    """The bytes as an array, with other bytes in the margin behind them."""
    return np.frombuffer(bytearray(data + b"\xa5" * MARGIN), np.uint8)


def strings(texts: Texts) -> list[str]:
    ends = texts.ends.tolist()
    return [texts.text[low:high].tobytes().decode() for low, high in zip(ends, ends[1:], strict=False)]


def rows(columns: Iterable[Columns]) -> Rows:
    """By labels: times and the bits of values."""
    found: Rows = {}
    for part in columns:
        names, texts = strings(part.names), strings(part.values)
        assert len(part.pairs) == len(part.offsets)
        assert len(part.at_ms) == len(part.samples) == part.offsets[-1]
        for place in range(len(part.pairs) - 1):
            pairs = range(part.pairs[place], part.pairs[place + 1])
            at = slice(part.offsets[place], part.offsets[place + 1])
            times = part.at_ms[at].tolist()
            assert times
            assert all(early < late for early, late in zip(times, times[1:], strict=False))
            bits = part.samples[at].view(np.uint64).tolist()
            key = tuple((names[pair], texts[pair]) for pair in pairs)
            found.setdefault(key, []).extend(zip(times, bits, strict=True))
    return found


def found_in(
    stream: bytes, left_out: Mapping[str, str] | None = None, *, checked: bool = True
) -> Iterator[Found]:
    data, begin = padded(stream), 0
    while begin < len(stream):
        spans, after = cut(data, begin, len(stream), checked=checked)
        if not len(spans):
            raise EOFError
        yield find(data, spans, LeftOut.of(left_out or {}))
        begin = after


def read(
    stream: bytes,
    window: Window = ALWAYS,
    left_out: Mapping[str, str] | None = None,
    *,
    checked: bool = True,
    batch: int = BATCH,
) -> Rows:
    return rows(
        part for found in found_in(stream, left_out, checked=checked) for part in found.columns(window, batch)
    )


def one(chunks: Iterable[bytes], window: Window = ALWAYS, batch: int = BATCH) -> list[Sample]:
    """The samples of one series in these chunks."""
    found = read(frame(chunked_series(UP, chunks)), window, batch=batch)
    assert set(found) <= {tuple(UP.items())}
    return found.get(tuple(UP.items()), [])


def united(samples: Iterable[Sample]) -> list[Sample]:
    """In the order of time, each instant once: the largest value, a NaN only where there is nothing else."""
    found: dict[int, int] = {}
    for at, bits in samples:
        if ALWAYS.start_ms <= at < ALWAYS.end_ms:
            before = found.get(at, bits)
            found[at] = before if larger(before, bits) else bits
    return sorted(found.items())


def larger(bits: int, other: int) -> bool:
    """Whether the first value counts and not the other; of two that are alike, such as NaNs, the higher bits do."""
    value, against = value_of(bits), value_of(other)
    if math.isnan(value) or math.isnan(against):
        return math.isnan(against) and (not math.isnan(value) or bits >= other)
    return value > against or (value == against and bits >= other)


# Chunks.


@given(series(), st.lists(st.integers(0, 4)))
@example([(0, STALE)], [])
@example([(0, 0), (1, 2**64 - 1)], [])
@example([(place * 30_000, bits_of(1.5)) for place in range(300)], [])
def test_samples_come_out_as_they_went_in(samples: list[Sample], wider: list[int]) -> None:
    assert one([xor_chunk(samples, wider)]) == samples


@given(series(), st.integers(-(2**56), 2**56), st.integers(0, 2**57))
def test_a_window_holds_its_first_instant_and_not_its_last(
    samples: list[Sample], start_ms: int, length_ms: int
) -> None:
    instants = [at for at, _ in samples] or [0]
    for start, end in (
        (start_ms, start_ms + length_ms),
        (instants[len(instants) // 3], instants[-1]),
        (instants[0] + 1, instants[-1] + 1),
    ):
        if start < end:
            inside = [(at, bits) for at, bits in samples if start <= at < end]
            assert one([xor_chunk(samples)], Window(start, end)) == inside


@pytest.mark.parametrize(
    ("change", "width"),
    [
        (0, 0), (1, 14), (-1, 14), (8192, 14), (-8191, 14), (8193, 17), (-8192, 17), (65_536, 17), (-65_535, 17),
        (65_537, 20), (-65_536, 20), (524_288, 20), (-524_287, 20), (524_289, 64), (-524_288, 64),
        (2**45, 64), (-(2**45), 64),
    ],
)  # fmt: skip
@pytest.mark.parametrize("count", [3, 4, 120])
def test_every_width_of_a_step_at_its_edges(change: int, width: int, count: int) -> None:
    step = 2**46
    samples = [(place * step + place // 2 * change, place) for place in range(count)]
    assert len(step_text(change)) in {width + 1, width + 2, width + 3, width + 4}
    assert one([xor_chunk(samples)]) == samples


def test_times_go_round_at_64_bits_as_they_do_in_prometheus() -> None:
    chunk = xor_chunk([(0, 1), (2**63, 2), (5, 3), (4, 4)])
    assert [(at, bits) for at, bits in chunk_samples(chunk) if at >= 0] == [(0, 1), (5, 3), (4, 4)]
    assert one([chunk]) == [(0, 1), (4, 4), (5, 3)]


@given(st.binary(max_size=80), st.integers(0, 12))
@example(b"\x00\x02\x00" + bytes(8) + b"\x01\x80", 0)
@example(b"\x00\x03\x00" + bytes(8) + b"\x01\xff" + bytes(8), 0)
def test_any_bytes_are_the_chunk_that_a_plain_reader_sees_or_an_error(behind: bytes, count: int) -> None:
    for chunk in (behind, struct.pack(">H", count) + behind):
        try:
            wanted = chunk_samples(chunk)
        except Torn:
            with pytest.raises(Malformed):
                one([chunk])
            continue
        assert one([chunk]) == united(wanted)


@given(series(), st.data())
def test_a_chunk_that_was_cut_or_lies_about_its_number_is_an_error(
    samples: list[Sample], data: st.DataObject
) -> None:
    chunk = xor_chunk(samples)
    with pytest.raises(Malformed):
        one([chunk[: data.draw(st.integers(0, len(chunk) - 1))]])
    more = struct.pack(">H", data.draw(st.integers(len(samples) + 9, 65_535))) + chunk[2:]
    with pytest.raises(Malformed):
        one([more])


def test_room_is_made_for_no_more_samples_than_there_are_bits_for() -> None:
    smallest = xor_chunk([(place, 0) for place in range(65_535)])
    (found,) = found_in(frame(chunked_series(UP, [smallest])))
    assert found.items[0, 2] == 65_535
    assert len(smallest) < 65_535 // 4 + 16
    with pytest.raises(Malformed, match="more samples than bits"):
        one([smallest[:-8]])


# Series.


@given(st.lists(series(12), max_size=4))
def test_chunks_that_overlap_become_one_series(parts: list[list[Sample]]) -> None:
    chunks = [xor_chunk(part) for part in parts]
    wanted = united(sample for part in parts for sample in part)
    assert one(chunks) == wanted
    assert one(reversed(chunks)) == wanted
    found = read(b"".join(frame(chunked_series(UP, [chunk])) for chunk in chunks))
    assert found == ({tuple(UP.items()): wanted} if wanted else {})


@pytest.mark.parametrize(
    ("bits", "counts"),
    [
        ([bits_of(-3.0), STALE, bits_of(float("nan")), bits_of(-7.0)], bits_of(-3.0)),
        ([STALE, bits_of(float("-inf"))], bits_of(float("-inf"))),
        ([STALE, bits_of(float("nan"))], bits_of(float("nan"))),
        ([bits_of(0.0), bits_of(-0.0), STALE], bits_of(-0.0)),
    ],
)
def test_of_several_values_at_one_instant_the_same_one_counts_in_any_order(
    bits: list[int], counts: int
) -> None:
    for order in permutations(bits):
        assert one([xor_chunk([(5, value)]) for value in order]) == [(5, counts)]


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=6)
labelled = st.dictionaries(names, st.text(max_size=6), max_size=6).map(lambda labels: UP | labels)


@st.composite
def many(draw: st.DrawFn) -> list[tuple[dict[str, str], list[list[Sample]]]]:
    """Series whose labels all differ, and not only in what is left out; each with samples in the order of time."""
    count = draw(st.integers(0, 6))
    found = []
    for place in range(count):
        labels = draw(labelled) | {"pod": f"p{place}"}
        samples = draw(series(20))
        edges = sorted(draw(st.lists(st.integers(0, len(samples)), max_size=3)))
        bounds = zip([0, *edges], [*edges, len(samples)], strict=True)
        found.append((labels, [samples[low:high] for low, high in bounds]))
    return found


@given(many(), st.integers(1, 60), st.booleans())
def test_series_come_out_with_their_labels_in_batches_of_any_size(
    told: list[tuple[dict[str, str], list[list[Sample]]]], batch: int, in_one_frame: bool
) -> None:
    messages = [chunked_series(labels, map(xor_chunk, parts)) for labels, parts in told]
    stream = frame(b"".join(messages)) if in_one_frame else b"".join(map(frame, messages))
    wanted = {
        tuple((name, value) for name, value in labels.items() if value): [*chain(*parts)]
        for labels, parts in told
        if any(parts)
    }
    assert read(stream, batch=batch) == wanted
    assert all(
        len(part.at_ms) < batch + 20 for found in found_in(stream) for part in found.columns(ALWAYS, batch)
    )


@given(many())
def test_samples_of_a_message_are_those_of_chunks(
    told: list[tuple[dict[str, str], list[list[Sample]]]],
) -> None:
    query_result = b"".join(sampled_series(labels, chain(*parts)) for labels, parts in told)
    data = padded(bytes_field(1, query_result))[:-MARGIN].copy()
    found = find(data, result(data), LeftOut.of({}), chunked=False)
    streamed = b"".join(frame(chunked_series(labels, map(xor_chunk, parts))) for labels, parts in told)
    window = Window(-(2**50), 2**50)
    assert rows(found.columns(window, 7)) == read(streamed, window)


@given(labelled, st.data())
def test_pairs_that_a_server_adds_are_left_out_and_no_others(
    labels: dict[str, str], data: st.DataObject
) -> None:
    added = data.draw(st.dictionaries(names, st.text(min_size=1, max_size=6), max_size=3))
    added = {name: value for name, value in added.items() if name not in labels}
    others = {name: value + "!" for name, value in labels.items()}
    stream = frame(chunked_series(labels | added, [xor_chunk([(0, 0)])]))
    assert read(stream, left_out=added | others) == {
        tuple((name, value) for name, value in labels.items() if value): [(0, 0)]
    }


def test_a_series_that_goes_on_in_the_next_frame_is_one_and_alike_ones_are_two() -> None:
    parts = [chunked_series(UP, [xor_chunk([(at, at)])]) for at in (1, 2)]
    apart = [chunked_series({"a": "bc", "__name__": "up"}, [xor_chunk([(3, 3)])]),
             chunked_series({"ab": "c", "__name__": "up"}, [xor_chunk([(4, 4)])]),
             chunked_series({"a": "b", "__name__": "up"}, [xor_chunk([(5, 5)])])]  # fmt: skip
    (found,) = found_in(b"".join(map(frame, [*parts, *apart])))
    (columns,) = found.columns(ALWAYS)
    assert columns.offsets.tolist() == [0, 2, 3, 4, 5]


def test_histograms_are_counted_and_nothing_else_of_them_is_read() -> None:
    floats = xor_chunk([(1, 2)])
    stream = b"".join(
        frame(chunked_series(UP, [chunk], encoding))
        for chunk, encoding in ((b"\x00\x07 not XOR", 2), (floats, 1), (b"", 3), (b"\xff" * 9, 3))
    )
    assert sum(found.histograms for found in found_in(stream)) == 3
    assert read(stream) == {tuple(UP.items()): [(1, 2)]}
    message = bytes_field(1, bytes_field(1, label_fields(UP) + bytes_field(4, b"histogram")))
    data = padded(message)[:-MARGIN].copy()
    found = find(data, result(data), LeftOut.of({}), chunked=False)
    assert found.histograms == 1
    assert rows(found.columns(ALWAYS)) == {}


@pytest.mark.parametrize("encoding", [0, 4, 5, 255, 257, 2**32 + 1, 2**63])
def test_a_chunk_of_an_unknown_kind_is_an_error_for_its_samples_would_be_missing(encoding: int) -> None:
    with pytest.raises(Malformed, match="unknown kind"):
        read(frame(chunked_series(UP, [xor_chunk([(1, 2)])], encoding)))


def test_fields_that_are_not_known_are_passed_over() -> None:
    unknown = [
        number_field(99, 2**64 - 1), bytes_field(7, b"\xff" * 200), varint(9 * 8 + 1) + bytes(8), varint(8 * 8 + 5) + bytes(4),
        number_field(1, 3), varint(2 * 8 + 1) + bytes(8),
    ]  # fmt: skip
    mixed = b"".join(unknown)
    label = mixed + bytes_field(1, b"__name__") + mixed + bytes_field(2, b"up") + mixed
    chunk = mixed.replace(number_field(1, 3), b"") + chunk_message(xor_chunk([(1, 2)]))
    inside = mixed + bytes_field(1, label) + mixed + bytes_field(2, chunk) + mixed
    found = read(frame(mixed + bytes_field(1, inside) + mixed))
    assert found == {(("__name__", "up"),): [(1, 2)]}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([("__name__", "up"), ("a", "1"), ("a", "2")], "twice"),
        ([("b", "1"), ("a", "1"), ("b", "1")], "twice"),
        ([("a", "1"), ("", "x")], "no name"),
        ([(f"{place % 300:03d}", "x") for place in range(1, 303)], "more than 256 labels, not sorted"),
    ],
)
def test_labels_that_no_prometheus_has_are_an_error(labels: Sequence[tuple[str, str]], words: str) -> None:
    fields = b"".join(label_fields({name: value}) for name, value in labels)
    stream = frame(bytes_field(1, fields + bytes_field(2, chunk_message(xor_chunk([(1, 2)])))))
    with pytest.raises(Malformed, match=words):
        read(stream)


def test_many_labels_that_are_sorted_are_as_good_as_few() -> None:
    labels = {f"{place:04d}": "x" for place in range(2000)}
    assert read(frame(chunked_series(labels, [xor_chunk([(1, 2)])]))) == {tuple(labels.items()): [(1, 2)]}


# Messages that are not what they say.

LABEL = bytes_field(1, b"__name__") + bytes_field(2, b"up")
CHUNK = chunk_message(xor_chunk([(1, 2)]))
SAMPLE = b"\x09" + struct.pack("<Q", 5) + number_field(2, 3)
FIXED = [
    varint(9 * 8 + 1) + bytes(8),
    varint(9 * 8 + 5) + bytes(4),
    number_field(9, 300),
    bytes_field(9, b"abc"),
]


def message_of(
    *, label: bytes = LABEL, part: bytes = CHUNK, series: bytes = b"", payload: bytes = b""
) -> bytes:
    return bytes_field(1, bytes_field(1, label) + bytes_field(2, part) + series) + payload


def streamed(message: bytes) -> Rows:
    return read(frame(message))


def sampled(message: bytes) -> Rows:
    data = padded(bytes_field(1, message))[:-MARGIN].copy()
    return rows(find(data, result(data), LeftOut.of({}), chunked=False).columns(ALWAYS))


@pytest.mark.parametrize("field", FIXED)
@pytest.mark.parametrize("where", ["label", "part", "series", "payload"])
def test_a_field_that_goes_on_behind_its_message_is_an_error(where: str, field: bytes) -> None:
    before = {"label": LABEL, "part": CHUNK, "series": b"", "payload": b""}
    in_samples = {**before, "part": SAMPLE}
    assert streamed(message_of(**{where: before[where] + field})) == {(("__name__", "up"),): [(1, 2)]}
    assert sampled(message_of(**{"part": SAMPLE, where: in_samples[where] + field})) == {
        (("__name__", "up"),): [(3, 5)]
    }
    for length in range(1, len(field)):
        with pytest.raises(Malformed, match=r"does not end where it should|unknown kind"):
            streamed(message_of(**{where: before[where] + field[:length]}))
        with pytest.raises(Malformed, match="does not end where it should"):
            sampled(message_of(**{"part": SAMPLE, where: in_samples[where] + field[:length]}))


@pytest.mark.parametrize(
    "field",
    [
        *(b"\x4a" + varint(2**64 - back) for back in (1, 5, 11, 40)),
        *(b"\x4a" + varint(length) for length in (2**31, 2**32, 2**62, 2**63)),
        b"\x48" + b"\xff" * 9 + b"\x02",
        b"\x48" + b"\xff" * 10 + b"\x01",
        b"\x48" + b"\x80" * 11,
        b"\x00\x01",
        b"\x07" + bytes(8),
        b"\x0b\x0c",
        varint(2**32) + b"\x01",
        varint(2**64 - 8) + b"\x01",
    ],
)
@pytest.mark.parametrize("where", ["label", "part", "series", "payload"])
def test_a_field_that_cannot_be_is_an_error_and_no_endless_loop(where: str, field: bytes) -> None:
    before = {"label": LABEL, "part": CHUNK, "series": b"", "payload": b""}[where]
    for wrong in (before + field, field + before):
        with pytest.raises(Malformed):
            streamed(message_of(**{where: wrong}))
        with pytest.raises(Malformed):
            sampled(message_of(**{"part": SAMPLE, where: wrong}))


@pytest.mark.parametrize("data", [b"", b"\x00"])
def test_a_chunk_without_its_number_of_samples_is_an_error(data: bytes) -> None:
    # Behind it is an empty frame, five zeros, which would read as no samples.
    with pytest.raises(Malformed, match="unknown kind, or has more"):
        read(frame(message_of(part=chunk_message(data))) + frame(b""))


def test_a_chunk_may_have_no_samples() -> None:
    assert streamed(message_of(part=chunk_message(b"\0\0"))) == {}

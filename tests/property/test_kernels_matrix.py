"""The loops over JSON bytes mean what a general parser means, to the last bit, and read nothing beyond the text."""

import json
import math
import os
import struct
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from costlab.core.matrix import Room, room_for, scan_lines, scan_matrix
from costlab.domain.errors import SourceError
from costlab.sources import Batch, RawSeries
from costlab.sources.prometheus.answer import BrokenOff, QueryTooLarge, Server, read_answer
from costlab.sources.prometheus.canonical import STALE_BITS
from costlab.sources.prometheus.export_lines import read_lines, whole_lines
from costlab.sources.prometheus.matrix import read_matrix, series_of

SERVER = Server("the server")
PLAIN = bool(os.environ.get("NUMBA_DISABLE_JIT"))


class Guarded(np.ndarray[Any, Any]):
    """Bytes that are read one by one, and never from behind: a compiled loop would read whatever is there."""

    def __getitem__(self, place: Any) -> Any:
        assert 0 <= place < len(self)
        return super().__getitem__(place)


def letters(text: bytes) -> NDArray[np.uint8]:
    read_only = np.frombuffer(text, np.uint8)
    return read_only.view(Guarded) if PLAIN else read_only


def scan(text: bytes) -> tuple[int, int, int, int, Room]:
    room = room_for(len(text), 7)
    return *scan_matrix(letters(text), 0, *room), room


def one(seconds: str, value: str) -> tuple[int, float, bool] | None:
    """Instant, value, and whether it is odd, of a sample; None for another form."""
    end, _, _, odd, room = scan(f'{{"metric":{{}},"values":[[{seconds},"{value}"]]}}]'.encode())
    return None if end < 0 else (int(room.at_ms[0]), float(room.values[0]), odd > 0)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def positional(value: float) -> str:
    return np.format_float_positional(value, trim="-")


def halfway(value: float, shift: int) -> str:
    """The middle between two neighbouring doubles, or a number next to it, with all its digits."""
    low, high = Decimal(value), Decimal(math.nextafter(value, math.inf))
    text = f"{(low + high) / 2:f}"
    return text if shift == 0 else text + ("" if "." in text else ".") + "0" * shift + "1"


finite = st.floats(allow_nan=False, allow_infinity=False)
normal = finite.filter(lambda value: abs(value) >= 2.3e-308)
moderate = st.floats(1e-60, 1e60) | st.floats(-1e60, -1e60 + 1e44)
number_texts = st.one_of(
    finite.map(repr),
    finite.map(positional),
    st.builds("{:.{}g}".format, finite, st.integers(1, 30)),
    st.builds("{:.{}e}".format, finite, st.integers(0, 30)),
    st.builds("{:.{}E}".format, finite, st.integers(0, 30)),
    finite.map(lambda value: f"{Decimal(value):f}"),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(2**53, 2**60).map(lambda whole: str(whole | 1)),
    st.builds("{}e{}".format, st.integers(0, 10**22), st.integers(-400, 400)),
    st.builds("{}.{}".format, st.integers(0, 10**20), st.integers(0, 10**20)),
    st.builds(halfway, st.floats(1e-20, 1e60), st.integers(0, 20)),
    st.sampled_from(["0", "-0", "0.0", "-0.0e-5", "1" + "0" * 400, "0." + "0" * 400 + "1", "1e9999"]),
)


@given(st.lists(number_texts, min_size=1, max_size=20))
def test_a_number_is_the_nearest_double_or_odd(texts: list[str]) -> None:
    samples = ",".join(f'[{place},"{text}"]' for place, text in enumerate(texts))
    end, series, count, odd, room = scan(f'{{"metric":{{}},"values":[{samples}]}}]'.encode())
    assert (end > 0, series, count) == (True, 1, len(texts))
    strange = set(room.odd[:odd, 0].tolist())
    for place, (text, value) in enumerate(zip(texts, room.values.tolist(), strict=False)):
        assert math.isnan(value) if place in strange else bits(value) == bits(float(text)), text


@given(normal)
@example(1.7976931348623157e308)
@example(2.2250738585072014e-308)
@example(9007199254740993.0)
def test_what_servers_print_is_never_odd(value: float) -> None:
    for text in (repr(value), positional(value), f"{value:.17g}"):
        assert one("1", text) == (1000, value, False)


@given(st.floats(1e-5, 1e22).map(lambda value: math.ldexp(math.frexp(value)[0], 53 + 4)), st.integers(0, 3))
def test_ties_go_to_the_even_one(value: float, more: int) -> None:
    text = str(int(value) + 8 if int(value) % 16 == 0 else int(value)) + "." + "0" * more + "0"
    found = one("1", text)
    assert found == (1000, float(text), False) or (found and found[2])


@pytest.mark.parametrize("text", ["", "NaN", "+Inf", "-Inf", "+1", ".5", "1.", "007", "0x1p3", "1e", "1e+", "1e99999", "--1", "1_0", " 1"])  # fmt: skip
def test_what_is_no_plain_number_is_odd(text: str) -> None:
    found = one("1", text)
    assert found is not None
    assert (found[0], math.isnan(found[1]), found[2]) == (1000, True, True)


@pytest.mark.parametrize("text", ['a\\"', "\\u0031", "1\n", "1\x7f", "é", '"'])
def test_what_is_no_plain_text_is_not_known(text: str) -> None:
    assert one("1", text) is None


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.integers(0, 3), st.integers(-20, 20))
def test_milliseconds_are_exact_in_every_notation(at_ms: int, zeros: int, power: int) -> None:
    sign, whole = "-" if at_ms < 0 else "", abs(at_ms)
    seconds, rest = divmod(whole, 1000)
    plain = f"{sign}{seconds}.{rest:03d}"
    for text in (
        plain,
        plain + "0" * zeros,
        f"{sign}{whole}e-3",
        f"{sign}{whole}E-03",
        f"{Decimal(plain).scaleb(-power):f}e{power}",
        f"{Decimal(plain):e}".replace("E", "e"),
    ):
        assert one(text, "7") == (at_ms, 7.0, False), text
    if rest == 0:
        assert one(f"{sign}{seconds}", "7") == (at_ms, 7.0, False)


@given(number_texts)
def test_an_instant_is_exact_or_not_known(text: str) -> None:
    found = one(text, "1")
    assert found is None or found[0] == Decimal(text) * 1000


@pytest.mark.parametrize("text", ["", "01", "1.", ".5", "+1", "1e", "-", "1.0005", "1e300", "9007199254740.992", "NaN", "true", '"1"'])  # fmt: skip
def test_what_is_no_instant_is_not_known(text: str) -> None:
    assert one(text, "1") is None


label_texts = st.text(max_size=5) | st.text('{}[],:"\\ ', max_size=5)
instants = st.lists(st.integers(-10, 2**42), unique=True, max_size=6).map(sorted)
value_texts = number_texts | st.sampled_from(["NaN", "+Inf", "-Inf", "", "no number", "1_0"])


@st.composite
def series_entries(draw: st.DrawFn) -> dict[str, Any]:
    values = [[at / 1000, draw(value_texts)] for at in draw(instants)]
    return {"metric": draw(st.dictionaries(label_texts, label_texts, max_size=4)), "values": values}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    document: dict[str, Any] = {"status": "success"}
    if draw(st.booleans()):
        document["isPartial"] = False
    document["data"] = {"resultType": "matrix", "result": draw(st.lists(series_entries(), max_size=4))}
    if draw(st.booleans()):
        document["infos"] = draw(st.lists(st.text(max_size=5), max_size=2))
    spread = draw(st.sampled_from([(",", ":"), (",", ":"), (", ", ": ")]))
    return json.dumps(document, separators=spread, ensure_ascii=draw(st.booleans())).encode()


def outcome(read: Any, *arguments: Any) -> Any:
    """What came of it, to be compared: the samples to the last bit, or the kind of error."""
    try:
        return told(read(*arguments))
    except SourceError as fault:
        return type(fault)


def told(batch: Batch) -> list[Any]:
    return [
        (dict(pairs), batch.at_ms[first:end].tolist(), batch.values[first:end].tobytes())
        for pairs, first, end in zip(
            batch.labels.to_pylist(), batch.offsets[:-1], batch.offsets[1:], strict=True
        )
    ]


def strictly(body: bytes) -> Any:
    try:
        found: list[RawSeries] = series_of(read_answer(body, SERVER))
    except SourceError as fault:
        return type(fault)
    return [(series.labels, series.at_ms.tolist(), series.values.tobytes()) for series in found]


def quickly(body: bytes) -> Any:
    return outcome(lambda: read_matrix(body, SERVER).batch)


@given(bodies())
def test_a_body_is_read_as_the_general_parser_reads_it(body: bytes) -> None:
    assert quickly(body) == strictly(body)


GOOD = (
    b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","a":"\\"b{\\\\"},'
    b'"values":[[1.5,"1"],[2,"0.25e1"],[3.001,"NaN"]]},{"metric":{},"values":[[-1,"-7"]]}],"more":7},"infos":["x"]}'
)


@pytest.mark.parametrize("body", [GOOD, GOOD.replace(b',"more":7', b"").replace(b'"x"', '"é"'.encode())])
def test_wherever_it_is_cut_it_is_broken_off(body: bytes) -> None:
    assert len(quickly(body)) == 2
    for end in range(len(body)):
        assert quickly(body[:end]) == strictly(body[:end]) != []
        assert end == 0 or quickly(body[:end]) is BrokenOff


mutations = st.tuples(
    st.integers(0, 400), st.integers(0, 3), st.binary(max_size=2) | st.sampled_from([b'"', b"]", b"}", b",", b"\\", b"[", b'":"'])
)  # fmt: skip


def mutated(body: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, gone, come in changes:
        at = place % (len(body) + 1)
        body = body[:at] + come + body[at + gone :]
    return body


@given(bodies() | st.just(GOOD), st.lists(mutations, min_size=1, max_size=3))
@example(GOOD, [(80, 0, b"\x80"), (1, 0, b"\x00")])
def test_hostile_bytes_end_as_the_general_parser_ends(body: bytes, changes: list[Any]) -> None:
    hostile = mutated(body, changes)
    assert quickly(hostile) == strictly(hostile)


@given(bodies() | st.just(GOOD), st.lists(mutations, max_size=3), st.integers(0, 100))
def test_nothing_beyond_the_text_is_read(body: bytes, changes: list[Any], begin: int) -> None:
    hostile = mutated(body[body.find(b"[{") + 1 :], changes)
    end, series, samples, odd, room = scan(hostile)
    assert end <= len(hostile)
    assert 0 <= series <= len(room.spans)
    assert 0 <= odd <= samples <= len(room.at_ms)
    text = hostile.replace(b'"],[', b"\n")[begin:]
    assert 0 <= scan_lines(letters(text), 0, *room_for(len(text), 2))[0] <= len(text)


# Lines of an export.
line_values = st.lists(
    st.sampled_from(["null", "0", "-1.5", "12345.678901234", "+Inf", "-Inf", '"Infinity"', "NaN"])
    | normal.map(positional),
    min_size=1,
    max_size=6,
)


@st.composite
def lines(draw: st.DrawFn) -> tuple[bytes, tuple[dict[str, str], list[int], bytes]]:
    labels = draw(st.dictionaries(label_texts, label_texts, max_size=4))
    texts = draw(line_values)
    at_ms = sorted(
        draw(st.lists(st.integers(0, 2**42), unique=True, min_size=len(texts), max_size=len(texts)))
    )
    line = f'{{"metric":{json.dumps(labels, separators=(",", ":"))},"values":[{",".join(texts)}],"timestamps":{json.dumps(at_ms, separators=(",", ":"))}}}\n'
    return line.encode(), (
        {name: value for name, value in labels.items() if value},
        at_ms,
        b"".join(map(stored, texts)),
    )


def stored(text: str) -> bytes:
    return struct.pack("<Q", STALE_BITS) if text == "null" else bits(float(text.strip('"')))


def body_of(text: bytes, portion: int = 7) -> Any:
    def portions() -> Iterator[bytes]:
        yield from (text[at : at + portion] for at in range(0, len(text), portion))

    return SimpleNamespace(portions=portions, server=SERVER)


def exported(text: bytes, at_once: int = 100, portion: int = 7) -> list[Any]:
    pieces = whole_lines(body_of(text, portion), at_once, longest=10_000)
    return [series for piece in pieces for series in told(read_lines(piece, SERVER))]


@given(st.lists(lines(), max_size=5), st.integers(1, 300), st.integers(1, 50))
def test_lines_come_back_however_they_arrive(told: list[Any], at_once: int, portion: int) -> None:
    text = b"".join(line for line, _ in told)
    assert exported(text, at_once, portion) == [series for _, series in told]


@given(st.lists(lines(), min_size=1, max_size=3), st.data())
def test_an_unusual_line_among_the_others_is_read_as_well(told: list[Any], data: st.DataObject) -> None:
    assume(b"+Inf" not in told[0][0] and b"-Inf" not in told[0][0])
    document = json.loads(told[0][0])
    document["values"] = ["NaN" if str(value) == "nan" else value for value in document["values"]]
    unusual = json.dumps(document).encode() + b"\n"
    place = data.draw(st.integers(0, len(told)))
    text = [line for line, _ in told]
    wanted = [series for _, series in told]
    assert exported(b"".join([*text[:place], unusual, *text[place:]])) == [
        *wanted[:place],
        wanted[0],
        *wanted[place:],
    ]


EXPORT = b'{"metric":{"__name__":"up"},"values":[1,2.5,null],"timestamps":[1,2,3]}\n'


def test_an_export_that_ends_in_a_line_is_broken_off() -> None:
    text = EXPORT * 2
    for end in range(len(text)):
        if end % len(EXPORT):
            with pytest.raises(BrokenOff, match="in the middle of a line"):
                exported(text[:end])
        else:
            assert len(exported(text[:end])) == end // len(EXPORT)


def test_a_line_has_a_largest_size() -> None:
    with pytest.raises(QueryTooLarge, match="more than 0 MiB"):
        exported(b'{"metric":{"__name__":"up"},"values":[' + b"1," * 10_000)


@given(st.lists(lines(), min_size=1, max_size=3), st.lists(mutations, min_size=1, max_size=3))
def test_hostile_lines_are_series_or_an_error(told: list[Any], changes: list[Any]) -> None:
    hostile = mutated(b"".join(line for line, _ in told), changes)
    try:
        found = exported(hostile)
    except SourceError:
        return
    assert all(at_ms == sorted(set(at_ms)) for _, at_ms, _ in found)


def test_samples_of_an_instant_become_the_largest() -> None:
    text = b'{"metric":{},"values":[1,3,2,null,5,null],"timestamps":[1,1,1,2,2,3]}\n'
    ((_, at_ms, values),) = exported(text)
    assert at_ms == [1, 2, 3]
    assert values == bits(3.0) + bits(5.0) + struct.pack("<Q", STALE_BITS)

"""The question of remote read: a ReadRequest, as protobuf writes it and snappy packs it."""

import pyarrow as pa

from costlab.domain.time import Window
from costlab.sources.prometheus.http import Call
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

CHUNKS = "application/x-streamed-protobuf"
SAMPLES = "application/x-protobuf"

_SAMPLES, _STREAMED_XOR_CHUNKS = 0, 1
_OPERATORS = (Operator.EQUAL, Operator.NOT_EQUAL, Operator.MATCHES, Operator.NOT_MATCHES)  # by their numbers


def read_call(selector: Selector, window: Window, *, chunks: bool = True) -> Call:
    """The call that asks for the samples of a window that is not empty, in chunks if the server has them."""
    # Both ends are inclusive.
    query = _number(1, window.start_ms) + _number(2, window.end_ms - 1)
    for matcher in (Matcher("__name__", Operator.EQUAL, selector.metric), *selector.matchers):
        query += _bytes(3, _matcher(matcher))
    request = _bytes(1, query)
    request += _bytes(2, bytes([_STREAMED_XOR_CHUNKS, _SAMPLES] if chunks else [_SAMPLES]))
    return Call(
        "api/v1/read",
        pa.compress(request, codec="snappy", asbytes=True),
        headers={
            "Accept": f"{CHUNKS}, {SAMPLES}",
            "Content-Encoding": "snappy",
            "Content-Type": SAMPLES,
            "X-Prometheus-Remote-Read-Version": "0.1.0",
        },
        kinds=frozenset({CHUNKS, SAMPLES}),
        encodings=frozenset({"identity", "snappy"}),
    )


def _matcher(matcher: Matcher) -> bytes:
    kind = _OPERATORS.index(matcher.operator)
    return _number(1, kind) + _bytes(2, matcher.label.encode()) + _bytes(3, matcher.value.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value % 2**64)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the topmost bit says that more follow."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])

"""Bytes of remote read that somebody changed are an error or samples, never a crash; compiled, as they are read."""

from hostile_wire import check, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = seeds()
WORDS = [
    b"\xff" * 9 + b"\x01",
    b"\xff" * 8,
    b"\x80" * 10,
    b"\x00\xff\xff",
    b"\x0a\x00",
    b"\x12\x80\x80\x80\x80\x01",
    b"0\r\n\r\n",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """What a real Prometheus sent, with some bytes changed, put in, taken out or repeated."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        begin = draw(st.integers(0, len(data)))
        end = min(begin + draw(st.integers(0, 40)), len(data))
        part, mask = data[begin:end], draw(st.integers(0, 255))
        changed = st.sampled_from([*WORDS, part * 2, bytes(byte ^ mask for byte in part)])
        new = draw(st.one_of(st.binary(max_size=12), changed))
        data = data[:1] + (data[:begin] + new + data[end:])[1:]
    return data


@settings(max_examples=1500)
@given(mutated())
def test_what_a_prometheus_sent_and_somebody_changed(data: bytes) -> None:
    check(data)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check(data)

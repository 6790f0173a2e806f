"""Frames and transfer coding: every checksum is compared, and how the bytes were portioned does not matter."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_wire import crc32c as plain_crc32c
from plain_wire import frame, http_chunks, varint

from costlab.core.frames import LARGEST_FRAME, crc32c
from costlab.core.remote import Damaged, Malformed, Unchunking, cut


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(bytearray(data) or bytearray(1), np.uint8)


# RFC 3720, B.4, and the check value that every catalogue of checksums has.
@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_the_checksum_is_the_published_one(data: bytes, checksum: int) -> None:
    assert crc32c(array(data), 0, len(data)) == checksum
    assert plain_crc32c(data) == checksum


@given(st.binary(max_size=100), st.integers(0, 40), st.integers(0, 40))
def test_the_checksum_of_any_part(data: bytes, begin: int, behind: int) -> None:
    begin, end = min(begin, len(data)), max(len(data) - behind, min(begin, len(data)))
    assert crc32c(array(data), begin, end) == plain_crc32c(data[begin:end])


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(0, 300))
def test_whole_frames_come_out_and_what_is_left_begins_the_next(payloads: list[bytes], behind: int) -> None:
    stream = b"".join(map(frame, payloads))
    end = max(len(stream) - behind, 0)
    spans, begin = cut(array(stream), 0, end)
    found = [stream[low:high] for low, high in spans.tolist()]
    assert found == payloads[: len(found)]
    assert begin == len(b"".join(map(frame, found)))
    assert len(found) == len(payloads) or begin + len(frame(payloads[len(found)])) > end


def test_more_frames_than_are_cut_at_once_are_cut_in_turn() -> None:
    stream = frame(b"") * 5000
    spans, begin = cut(array(stream), 0, len(stream))
    further, end = cut(array(stream), begin, len(stream))
    assert (len(spans), len(further), end) == (4096, 904, len(stream))


@pytest.mark.parametrize(
    "head",
    [
        varint(LARGEST_FRAME + 1),
        varint(2**28),
        b"\x80\x80\x80\x80\x01",
        b"\xff" * 10,
        b"\x80\x80\x80\x80\x00",
    ],
)
def test_an_absurd_length_is_an_error_before_anything_is_waited_for(head: bytes) -> None:
    sound = frame(b"first")
    spans, begin = cut(array(sound + head), 0, len(sound + head))
    assert (len(spans), begin) == (1, len(sound))
    with pytest.raises(Malformed, match="more than 64 MiB") as fault:
        cut(array(sound + head), begin, len(sound + head))
    assert fault.value.place == len(sound)


def test_the_largest_frame_is_waited_for() -> None:
    head = varint(LARGEST_FRAME) + bytes(4)
    assert cut(array(head), 0, len(head))[1] == 0


@given(st.binary(max_size=60), st.data())
def test_any_bit_that_changed_is_seen(payload: bytes, data: st.DataObject) -> None:
    whole = varint(len(payload)) + struct.pack(">I", plain_crc32c(payload)) + payload
    changed = bytearray(whole)
    place = data.draw(st.integers(1, len(whole) - 1))
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        cut(array(bytes(changed)), 0, len(whole))
    assert len(cut(array(bytes(changed)), 0, len(whole), checked=False)[0]) == 1


# HTTP's chunked transfer coding.


def unchunked(coded: bytes, portions: list[int]) -> tuple[bytes, bool]:
    """What it carries, given in portions of these sizes over and over; whether its end was seen."""
    unchunking, into, at, begin, turn = Unchunking(), np.empty(len(coded) + 1, np.uint8), 0, 0, 0
    while begin < len(coded):
        portion = coded[begin : begin + portions[turn % len(portions)]]
        at = unchunking.take(array(portion), len(portion), into, at)
        begin, turn = begin + len(portion), turn + 1
    return into[:at].tobytes(), unchunking.done


sizes = st.lists(st.integers(1, 50), min_size=1, max_size=5)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), sizes)
def test_what_chunks_carry_comes_out_however_it_is_portioned(
    pieces: list[bytes], portions: list[int]
) -> None:
    assert unchunked(http_chunks(pieces), portions) == (b"".join(pieces), True)


@given(sizes)
def test_extensions_trailers_and_either_case_of_digits(portions: list[int]) -> None:
    coded = (
        b'1a;name="value"\r\n'
        + b"x" * 26
        + b"\r\n0A \r\n"
        + b"y" * 10
        + b"\r\n000\r\nTrailer: value\r\nOther:\r\n\r\n"
    )
    assert unchunked(coded, portions) == (b"x" * 26 + b"y" * 10, True)
    for missing in (1, 2, 3, 10, 30):
        assert unchunked(coded[:-missing], portions) == (b"x" * 26 + b"y" * 10, False)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=4), st.data())
def test_an_end_that_is_missing_is_seen(pieces: list[bytes], data: st.DataObject) -> None:
    coded = http_chunks(pieces)
    cut_off = coded[: data.draw(st.integers(0, len(coded) - 1))]
    carried, ended = unchunked(cut_off, [7])
    assert b"".join(pieces).startswith(carried)
    assert not ended


@pytest.mark.parametrize(
    "coded",
    [b"zz\r\n", b"\r\n", b";\r\n", b"-1\r\n", b"0x5\r\n", b"5\rhello", b"5\r\nhello5\r\n", b"5\r\nhello\n\n", b"5\r\nhello\r\r",
     b"fffffffffffffffff\r\n", b"7fffffffffffffff\r\n" + b"x" * 9, b"5" + b";" * 5000, b"0\r\n" + b"x" * 5000],
)  # fmt: skip
def test_coding_that_is_wrong_is_an_error(coded: bytes) -> None:
    for portions in ([1], [3], [10_000]):
        with pytest.raises(Malformed, match="transfer coding"):
            unchunked(coded, portions)


@given(st.binary(max_size=60), sizes)
def test_any_bytes_are_carried_bytes_or_an_error(coded: bytes, portions: list[int]) -> None:
    try:
        carried, _ = unchunked(coded, portions)
    except Malformed:
        return
    assert len(carried) <= len(coded)

"""Feeds any bytes to what decodes remote read, and holds what comes out to its promises."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from plain_wire import Torn, bytes_field, chunk_message, chunk_samples, label_fields

from costlab.core.remote import MARGIN, LeftOut, Malformed, Unchunking, cut, find, result
from costlab.domain.time import Window

GOLDEN = Path(__file__).with_name("golden") / "remote_read"
ALWAYS = Window(-(2**62), 2**62)
LEFT_OUT = LeftOut.of({"pod": "p", "cluster": "c"})
PLAIN_PYTHON = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"


class Guarded(np.ndarray[Any, np.dtype[np.uint8]]):
    """Bytes that may not be asked for from behind: to NumPy -1 is the last one, to a kernel it is a mistake."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            assert 0 <= index < len(self)
        return super().__getitem__(index)


def array(data: bytes, margin: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The bytes, with others in a margin behind them."""
    found = np.frombuffer(bytearray(data + b"\xa5" * margin) or bytearray(1), np.uint8)
    return found.view(Guarded) if PLAIN_PYTHON else found


def check(data: bytes) -> None:
    """Decodes what is behind the first byte in the way that it chooses; raises only for a mistake of the decoder."""
    kinds = (check_payload, check_message, check_chunk, check_transfer, check_stream)
    if data:
        kinds[data[0] % len(kinds)](data[1:])


def check_payload(data: bytes) -> None:
    """A frame's payload, whose checksum was right."""
    spans = np.array([[0, len(data)]], np.int64)
    try:
        hold(array(data, MARGIN), spans, len(data), chunked=True)
    except Malformed as fault:
        placed(fault, data)


def check_message(data: bytes) -> None:
    """A message of samples."""
    whole = array(data)[: len(data)]
    try:
        hold(whole, result(whole), len(data), chunked=False)
    except Malformed as fault:
        placed(fault, data)


def check_stream(data: bytes) -> None:
    """Frames, whose checksums nobody looks at."""
    whole, begin = array(data, MARGIN), 0
    try:
        while len((cutting := cut(whole, begin, len(data), checked=False))[0]):
            spans, after = cutting
            assert begin < after <= len(data)
            hold(whole, spans, len(data), chunked=True)
            begin = after
        cut(whole, 0, len(data))
    except Malformed as fault:
        placed(fault, data)


def placed(fault: Malformed, data: bytes) -> None:
    assert 0 <= fault.place <= len(data)


def hold(data: Any, spans: Any, size: int, *, chunked: bool) -> None:
    """Reads it all; raises Malformed."""
    seen = 0
    found = find(data, spans, LEFT_OUT, chunked=chunked)
    for part in found.columns(ALWAYS, 4):
        assert len(part.names.ends) == len(part.values.ends) == part.pairs[-1] + 1
        assert (np.diff(part.pairs) >= 0).all()
        assert (np.diff(part.names.ends) > 0).all()
        assert (np.diff(part.values.ends) > 0).all()
        assert part.names.ends[-1] == len(part.names.text)
        assert part.values.ends[-1] == len(part.values.text)
        assert (np.diff(part.offsets) > 0).all()
        assert part.offsets[-1] == len(part.at_ms) == len(part.samples) > 0
        assert ALWAYS.start_ms <= part.at_ms.min() <= part.at_ms.max() < ALWAYS.end_ms
        rising = np.diff(part.at_ms) > 0
        rising[part.offsets[1:-1] - 1] = True
        assert rising.all()
        seen += len(part.at_ms)
    assert seen <= 4 * size


def check_chunk(data: bytes) -> None:
    """A chunk, beside a plain reader of chunks."""
    payload = bytes_field(1, label_fields({"a": "b"}) + bytes_field(2, chunk_message(data)))
    spans = np.array([[0, len(payload)]], np.int64)
    try:
        wanted = chunk_samples(data)
    except Torn:
        wanted = None
    try:
        parts = list(find(array(payload, MARGIN), spans, LEFT_OUT).columns(ALWAYS))
    except Malformed:
        assert wanted is None
        return
    assert wanted is not None
    inside = {at for at, _ in wanted if ALWAYS.start_ms <= at < ALWAYS.end_ms}
    found = [
        pair
        for part in parts
        for pair in zip(part.at_ms.tolist(), part.samples.view(np.uint64).tolist(), strict=True)
    ]
    assert [at for at, _ in found] == sorted(inside)
    assert set(found) <= set(wanted)


def check_transfer(data: bytes) -> None:
    """HTTP's chunked transfer coding, at once and a byte at a time."""
    ends: list[tuple[bytes, bool] | None] = []
    for size in (len(data) or 1, 1):
        into, at, unchunking = np.zeros(len(data) + 1, np.uint8), 0, Unchunking()
        try:
            for begin in range(0, len(data), size):
                portion = data[begin : begin + size]
                at = unchunking.take(array(portion), len(portion), into, at)
        except Malformed:
            ends.append(None)
        else:
            ends.append((into[:at].tobytes(), unchunking.done))
    assert ends[0] == ends[1]


def seeds() -> list[bytes]:
    """What a real Prometheus sent, in each of the ways of `check`."""
    found = [b"\x03" + b"1A;x=y\r\n" + bytes(26) + b"\r\n5 \r\nhello\r\n0\r\nTrailer: x\r\n\r\n"]
    for line in (GOLDEN / "chunks.hex").read_text().splitlines():
        stream = bytes.fromhex(line)
        data = array(stream, MARGIN)
        spans, _ = cut(data, 0, len(stream))
        found += [b"\x04" + stream]
        found += [b"\x00" + stream[low:high] for low, high in spans.tolist()]
        found += [b"\x02" + stream[low:high] for low, high, _ in find(data, spans, LEFT_OUT).items.tolist()]
    for line in (GOLDEN / "samples.hex").read_text().splitlines():
        found += [b"\x01" + unpacked(bytes.fromhex(line))]
    return found


def unpacked(packed: bytes) -> bytes:
    """A snappy block of 128 bytes to 16 KiB."""
    size = packed[0] & 0x7F | (packed[1] & 0x7F) << 7
    return bytes(pa.decompress(packed, decompressed_size=size, codec="snappy"))

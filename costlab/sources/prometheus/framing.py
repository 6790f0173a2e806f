"""Whole frames out of a body that arrives in portions, or its one message; whatever else is there is an error."""

from collections.abc import Iterator
from io import BufferedReader

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.core.remote import MARGIN, Damaged, Malformed, Unchunking, cut, result
from costlab.domain.errors import SourceError, SourceRefused
from costlab.sources.prometheus.answer import BrokenOff, MayPass, QueryTooLarge, Server, refusal
from costlab.sources.prometheus.http import LARGEST_BODY, Body

_PORTION = 2**18
_GATHERED = 2**20  # bytes to be cut and decoded at once: many for NumPy, few for a cache
_WORDS = 65_536  # of an error that the server wrote in the middle no more is read
_HEAD = 5  # bytes of the shortest frame: a length and a checksum

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


class Frames:
    """The frames of a body, about a MiB of them at a time, their checksums compared; to be iterated once.

    Gives bytes and the payloads in them, int64 (n, 2); the next ones overwrite them. Raises SourceError: BrokenOff for
    a body that does not end where a frame does, MayPass for a wrong checksum, and what the server said where it wrote
    an error between the frames.
    """

    def __init__(self, body: Body) -> None:
        self.passed = 0  # bytes of the body before those that were given last
        self._server = body.server
        wire = body.chunked
        self._arriving = _Portions(body) if wire is None else _Unchunked(body, wire)
        self._data = np.empty(2 * _GATHERED + MARGIN, np.uint8)
        self._end = 0

    def __iter__(self) -> Iterator[tuple[Bytes, Ints]]:
        more = True
        while more:
            more = self._gather()
            spans, begin = self._cut(0)
            while len(spans):
                yield self._data, spans
                spans, begin = self._cut(begin)
            self._forget(begin)
        if self._end:
            said = _said(self._server, self._data[: self._end].tobytes())
            raise said or _broken_off(self._server, f"after {self.passed + self._end} bytes")

    def _gather(self) -> bool:
        """Take in about a MiB more; whether the body may go on."""
        enough = self._end + _GATHERED
        while self._end < enough:
            if self._end + _PORTION + MARGIN > len(self._data):
                larger = np.empty(2 * len(self._data), np.uint8)
                larger[: self._end] = self._data[: self._end]
                self._data = larger
            end = self._arriving.take(self._data, self._end)
            if end == self._end:
                return False
            self._end = end
        return True

    def _cut(self, begin: int) -> tuple[Ints, int]:
        try:
            return cut(self._data, begin, self._end)
        except Malformed as fault:
            if said := _said(self._server, self._rest(fault.place)):
                raise said from None
            error = malformed(self._server, fault.reason, self.passed + fault.place)
            raise (MayPass(error.message, error.hint) if isinstance(fault, Damaged) else error) from None

    def _forget(self, begin: int) -> None:
        """Move what is not a whole frame yet to the front."""
        left = self._end - begin
        self._data[:left] = self._data[begin : self._end]
        self._end = left
        self.passed += begin

    def _rest(self, begin: int) -> bytes:
        """The bytes from a place on, as far as they can be words of the server."""
        while self._end - begin < _WORDS and self._gather():
            pass
        return self._data[begin : min(self._end, begin + _WORDS)].tobytes()


class _Portions:
    """A body as the HTTP library gives it."""

    def __init__(self, body: Body) -> None:
        self._portions = body.portions(_PORTION)

    def take(self, into: Bytes, at: int) -> int:
        """Copy some of it to `into`, from place `at` on; the place after it, which is `at` when nothing more comes."""
        portion = next(self._portions, b"")
        into[at : at + len(portion)] = np.frombuffer(portion, np.uint8)
        return at + len(portion)


class _Unchunked:
    """A body in HTTP's chunks: Prometheus makes one or two a series, and in Python each takes longer than to decode it."""

    def __init__(self, body: Body, wire: BufferedReader) -> None:
        self._body = body
        self._wire = wire
        self._unchunking = Unchunking()
        self._raw = np.empty(_PORTION, np.uint8)
        self._begun = False

    def take(self, into: Bytes, at: int) -> int:
        """As that of `_Portions`."""
        begin = at
        while at == begin and not self._unchunking.done:
            with self._body.translated():
                came = self._receive()
            try:
                at = self._unchunking.take(self._raw, came, into, at)
            except Malformed:
                came = 0
            if not came:
                raise _broken_off(self._body.server, "without its last chunk")
        return at

    def _receive(self) -> int:
        """How many bytes came into `_raw`: as many as one look at the socket gives, 0 at its end."""
        if self._begun:
            return self._wire.readinto1(self._raw.data)
        # What came with the head is buffered, and `readinto1` would wait for more behind it.
        self._begun = True
        first = self._wire.read1(_PORTION)
        self._raw[: len(first)] = np.frombuffer(first, np.uint8)
        return len(first)


class Message:
    """A body that is one message, unpacked, in the place of frames; `passed` and errors as theirs."""

    def __init__(self, body: Body) -> None:
        self.passed = 0
        self._body = body

    def __iter__(self) -> Iterator[tuple[Bytes, Ints]]:
        packed, server = self._body.whole(LARGEST_BODY), self._body.server
        size = _unpacked_size(packed)
        if size > LARGEST_BODY:
            raise QueryTooLarge(
                f"{server.host}: an answer of {size // 2**20} MiB",
                "narrow the series with prometheus.matchers",
            )
        try:
            data = np.frombuffer(pa.decompress(packed, decompressed_size=size, codec="snappy"), np.uint8)
        except (OSError, pa.ArrowInvalid):
            raise malformed(server, "the answer cannot be unpacked") from None
        try:
            spans = result(data)
        except Malformed as fault:
            raise malformed(server, fault.reason, fault.place) from None
        yield data, spans


def _broken_off(server: Server, where: str) -> BrokenOff:
    return BrokenOff(
        f"{server.host}: the answer ends in the middle, {where}",
        "a proxy between may limit the size or the time of answers",
    )


def malformed(server: Server, fault: str, place: int | None = None) -> SourceRefused:
    """The error for an answer that no Prometheus gives, at a byte of it."""
    where = "" if place is None else f", at byte {place}"
    return SourceRefused(
        f"{server.host}: {fault}{where}", "something between costlab and Prometheus changes answers"
    )


def _unpacked_size(packed: bytes | bytearray) -> int:
    """The number of bytes that a snappy block says it has; 0 for one that says nothing."""
    size = 0
    for place, byte in enumerate(packed[:5]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return size
    return 0


def _said(server: Server, rest: bytes) -> SourceError | None:
    """The error that a server wrote as plain text where a frame should begin: its good status was sent long before."""
    text = rest.decode(errors="replace")
    plain = all(letter.isprintable() or letter in "\n\r\t" for letter in text.replace("\ufffd", "\0"))
    return refusal(server, 500, text) if plain and len(rest) > _HEAD else None

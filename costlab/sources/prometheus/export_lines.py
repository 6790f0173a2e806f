"""Lines of VictoriaMetrics's export: each a series, or a part of one."""

import json
import math
from collections.abc import Iterator

import numpy as np

from costlab.core.matrix import Room, room_for, scan_lines
from costlab.domain.errors import SourceError
from costlab.sources import Batch
from costlab.sources.prometheus.answer import (
    BrokenOff,
    QueryTooLarge,
    Server,
    check_complete,
    distinct,
    refusal,
)
from costlab.sources.prometheus.batches import joined, label_maps, malformed, maps_of
from costlab.sources.prometheus.canonical import STALE_BITS
from costlab.sources.prometheus.http import Body

AT_ONCE = 2**22  # bytes of lines that are read together: about 150,000 samples
LONGEST_LINE = 2**26
_SMALLEST_SAMPLE = 2  # a digit and a comma; its instant is elsewhere
_KEYS = {"metric", "values", "timestamps"}
_WORDS = 'remoteAddr: "'  # so it begins an error, if need be in the middle of a line; in a text its quote is escaped


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


# It keeps no NaN but the marker of a series' end, which it writes as null; infinities are written by the version.
_SPECIAL = {
    "null": STALE_BITS,
    **{text: _bits(math.inf) for text in ("+Inf", "Inf", '"Infinity"', '"+Inf"')},
    **{text: _bits(-math.inf) for text in ("-Inf", '"-Infinity"', '"-Inf"')},
    **{text: _bits(math.nan) for text in ("NaN", '"NaN"')},
}


def whole_lines(body: Body, at_once: int = AT_ONCE, longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """The body's lines, as many at a time as make up about `at_once` bytes.

    Raises QueryTooLarge for a line of more than `longest` bytes, BrokenOff where the last one does not end, what the
    server said instead of it, and as `Body` does.
    """
    held = bytearray()
    for portion in body.portions():
        fresh = len(held)
        held += portion
        if len(held) < at_once:
            continue
        if end := held.rfind(b"\n", fresh) + 1 or held.rfind(b"\n", 0, fresh) + 1:
            yield bytes(held[:end])
            del held[:end]
        elif len(held) > longest:
            raise QueryTooLarge(
                f"{body.server.host}: a series of more than {longest // 2**20} MiB",
                "narrow the series with prometheus.matchers",
            )
    end = held.rfind(b"\n") + 1
    if end:
        yield bytes(held[:end])
    if end < len(held):
        raise _said(bytes(held[end:]), body.server)


def read_lines(text: bytes, server: Server) -> Batch:
    """The series of whole lines, an entry a line, as they are stored: a stale marker keeps its bits.

    Of samples at the same instant the largest is taken. Raises SourceRefused, BrokenOff, QueryTooLarge or
    QueryTimedOut by what a line says that is no series.
    """
    letters, at, batches = np.frombuffer(text, np.uint8), 0, [_no_series()]
    while at < len(text):
        room = room_for(len(text) - at, _SMALLEST_SAMPLE)
        end, series, samples, odd = scan_lines(letters, at, *room)
        if series:
            batches.append(_found(text, room, (series, samples, odd), server))
        at = end
        if at < len(text):
            end = text.index(b"\n", at) + 1
            batches.append(_strictly(text[at:end], server))
            at = end
    return _once_an_instant(joined([batch for batch in batches if len(batch.offsets) > 1] or batches))


def _found(text: bytes, room: Room, counts: tuple[int, int, int], server: Server) -> Batch:
    """What the core's loop put into the room."""
    series, samples, odd = counts
    bits = room.values.view(np.int64)
    for place, begin in room.odd[:odd].tolist():
        end = min(found for mark in b",]" if (found := text.find(mark, begin)) >= 0)
        bits[place] = _bits_of(text[begin:end].decode(), server)
    try:
        labels = label_maps(text[first:last] for first, last in room.spans[:series].tolist())
    except ValueError as fault:
        raise malformed(server, f"a series has no labels: {fault}") from None
    return Batch(
        labels, room.offsets[: series + 1].copy(), room.at_ms[:samples].copy(), room.values[:samples].copy()
    )


def _bits_of(token: str, server: Server) -> int:
    """The bits of a value that is no plain decimal number, or one too near the middle of two doubles."""
    if token in _SPECIAL:
        return _SPECIAL[token]
    try:
        if set(token) <= set("0123456789+-.eE"):
            return _bits(float(token))
    except ValueError:
        pass
    raise malformed(server, f"a value is no number: {server.quoted(token, 80)}")


def _strictly(line: bytes, server: Server) -> Batch:
    """The series of a line that is not in the usual form; raises what it stands for if it is none."""
    try:
        document = json.loads(line.decode(), object_pairs_hook=distinct)
        labels = {name: value for name, value in document["metric"].items() if value != ""}
        maps = maps_of(list(labels), list(labels.values()), [0, len(labels)])
        bits = [_bits_of(json.dumps(value), server) for value in document["values"]]
        at_ms = np.array(document["timestamps"], np.int64)
        sound = document.keys() == _KEYS and set(map(type, document["timestamps"])) <= {int}
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
        raise _said(line, server) from None
    if not sound or len(bits) != len(at_ms) or not (at_ms[1:] >= at_ms[:-1]).all():
        raise _said(line, server)
    offsets = np.array([0, len(bits)], np.int64)
    return Batch(maps, offsets, at_ms, np.array(bits, np.int64).view(np.float64))


def _said(line: bytes, server: Server) -> SourceError:
    """What a line stands for that is no series: the server's words, or that something broke off."""
    text = line.decode(errors="replace")
    if (words := text.find(_WORDS)) >= 0 or not text.startswith("{"):
        return refusal(server, 200, text[max(words, 0) :].strip())
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and "error" in document:
        return refusal(server, 200, document)
    if isinstance(document, dict):
        check_complete(document, server)
    if not text.endswith("\n"):
        return BrokenOff(
            f"{server.host}: the export ends in the middle of a line",
            "a proxy between may limit the size of answers",
        )
    return malformed(server, f"a line is no series: {server.quoted(text, 120)}")


def _once_an_instant(batch: Batch) -> Batch:
    """The largest of the samples at the same instant; it stores what was written twice as often as it was written."""
    at_ms, offsets = batch.at_ms, batch.offsets
    fresh = np.ones(len(at_ms), np.bool_)
    fresh[1:] = at_ms[1:] != at_ms[:-1]
    fresh[offsets[:-1][offsets[:-1] < len(at_ms)]] = True
    if fresh.all():
        return batch
    first = np.flatnonzero(fresh)
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(fresh)])
    blank = np.isnan(batch.values)
    largest = np.maximum.reduceat(np.where(blank, -np.inf, batch.values), first)
    values = np.where(np.logical_and.reduceat(blank, first), batch.values[first], largest)
    return Batch(batch.labels, counts[offsets], at_ms[first], values)


def _no_series() -> Batch:
    return Batch(maps_of([], [], [0]), np.zeros(1, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))

"""The answer to a range vector: by the core's loop where it has the form that servers send, else by a general parser."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costlab.core.matrix import room_for, scan_matrix
from costlab.sources import Batch, RawSeries
from costlab.sources.prometheus.answer import Answer, BrokenOff, Server, collector_paused, read_answer
from costlab.sources.prometheus.batches import label_maps, malformed, maps_of

_RESULT = b'"result":['
_NEARBY = 4096  # the result begins within the first bytes: behind the status, and what a vendor puts there
_SMALLEST_SAMPLE = 7  # [0,""],


@dataclass(frozen=True, slots=True)
class Matrix:
    """The series of an answer, some of them perhaps without samples, and the harmless remarks that came with them."""

    batch: Batch
    remarks: tuple[str, ...]


def read_matrix(body: bytes | bytearray, server: Server) -> Matrix:
    """Reads a complete answer; raises SourceRefused, or SourceUnavailable if it ends in the middle.

    Whatever is unusual about the answer goes to the general parser, which accepts it or says what is wrong.
    """
    return _quickly(body, server) or _strictly(read_answer(body, server))


def series_of(answer: Answer) -> list[RawSeries]:
    """The series of an answer that the general parser read; raises SourceRefused for anything but a sound matrix."""
    data, server = answer.data, answer.server
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        kind = data.get("resultType") if isinstance(data, dict) else data
        raise malformed(server, f"the result is no matrix but {server.quoted(kind, 120)}")
    result = data.get("result")
    if not isinstance(result, list):
        raise malformed(server, "the result is no list of series")
    with collector_paused():
        return [_series(entry, server) for entry in result]


def number(text: str) -> float:
    """The double of a text; NaN if it is no decimal number: such a sample is left out."""
    if not text.isascii() or "_" in text:  # 1_0, and digits of other scripts, are numbers to Python alone
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _quickly(body: bytes | bytearray, server: Server) -> Matrix | None:
    """The matrix of a compact and faultless answer; None where the general parser has to say what it is."""
    begin = body.find(_RESULT, 0, _NEARBY) + len(_RESULT)
    if begin < len(_RESULT):
        return None
    room = room_for(len(body) - begin, _SMALLEST_SAMPLE)
    # Read-only whatever holds the bytes, so that the loop is compiled once.
    text = np.frombuffer(memoryview(body).toreadonly(), np.uint8)
    end, series, samples, odd = scan_matrix(text, begin, *room)
    if end < 0:
        return None
    try:
        # What stands around the result is read as strictly as ever, with a mark where the result was.
        around = read_answer(body[:begin] + b"0" + body[end - 1 :], server)
        labels = label_maps(bytes(body[first:last]) for first, last in room.spans[:series].tolist())
    except (BrokenOff, ValueError):
        return None
    if around.data != {"resultType": "matrix", "result": [0]}:
        return None
    for place, at in room.odd[:odd].tolist():
        room.values[place] = number(body[at : body.index(b'"', at)].decode())
    room.at_ms.resize(samples, refcheck=False)
    room.values.resize(samples, refcheck=False)
    return Matrix(Batch(labels, room.offsets[: series + 1].copy(), room.at_ms, room.values), around.infos)


def _strictly(answer: Answer) -> Matrix:
    """The matrix of an answer that the general parser read."""
    found = series_of(answer)
    mixed = {entry["metric"].get("__name__", "") for entry in answer.data["result"] if "histograms" in entry}
    names = [name for series in found for name in series.labels]
    values = [value for series in found for value in series.labels.values()]
    batch = Batch(
        maps_of(names, values, [0, *np.cumsum([len(series.labels) for series in found]).tolist()]),
        np.array([0, *np.cumsum([len(series.at_ms) for series in found]).tolist()], np.int64),
        np.concatenate([np.empty(0, np.int64), *(series.at_ms for series in found)]),
        np.concatenate([np.empty(0, np.float64), *(series.values for series in found)]),
    )
    skipped = (
        f"{answer.server.quoted(name, 120)}: native histograms were left out" for name in sorted(mixed)
    )
    return Matrix(batch, (*answer.infos, *skipped))


def _series(entry: Any, server: Server) -> RawSeries:
    labels = entry.get("metric") if isinstance(entry, dict) else None
    if not isinstance(labels, dict) or not all(type(value) is str for value in labels.values()):
        raise malformed(server, f"a series has no labels: {server.quoted(entry, 120)}")
    # Taken out, its memory comes back at once. A native histogram has `histograms` in place of `values`.
    pairs = entry.pop("values", [] if "histograms" in entry else None)
    try:
        at_ms, values = _samples(pairs)
    except (TypeError, ValueError, OverflowError):
        raise malformed(server, f'a sample is not [seconds, "value"]: {server.quoted(pairs, 120)}') from None
    if len(at_ms) > 1 and not (at_ms[1:] > at_ms[:-1]).all():
        raise malformed(server, f"samples are not in the order of time: {server.quoted(labels, 120)}")
    return RawSeries({name: value for name, value in labels.items() if value}, at_ms, values)


def _samples(pairs: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Epoch milliseconds, exact, and values; raises TypeError, ValueError or OverflowError."""
    if not pairs and isinstance(pairs, list):
        return np.empty(0, np.int64), np.empty(0, np.float64)
    seconds, texts = zip(*pairs, strict=True)
    if not set(map(type, seconds)) <= {int, float} or set(map(type, texts)) != {str}:
        raise TypeError
    at_ms = np.rint(np.array(seconds, np.float64) * 1000)
    if not (np.abs(at_ms) < 2**53).all():
        raise OverflowError
    values = np.fromiter(map(number, texts), np.float64, len(texts))
    return at_ms.astype(np.int64), values

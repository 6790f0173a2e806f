"""Raw samples of a window: as Prometheus stored them, neither resampled nor looked back for."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costlab.domain.errors import SourceRefused
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources import RawSeries
from costlab.sources.prometheus.answer import (
    Answer,
    QueryTimedOut,
    QueryTooLarge,
    Server,
    collector_paused,
    read_answer,
)
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.selector import Selector

PIECE_MS = 2 * HOUR_MS  # a block of Prometheus; 100,000 series of 30 s samples are 24 M, below its 50 M
FLOOR_MS = 5 * MINUTE_MS

Raw = tuple[list[RawSeries], list[str]]


def read_raw(
    client: Client, selector: Selector | str, window: Window, max_in_flight: int, piece_ms: int = PIECE_MS
) -> Raw:
    """The samples of the selected series in the window, and the server's remarks.

    A series comes once for each piece of the window in which it has samples, pieces in the order of time.
    Raises SourceUnavailable or SourceRefused.
    """
    pieces = window.split(piece_ms)
    with ThreadPoolExecutor(max_in_flight) as pool:
        read = list(pool.map(lambda piece: _read_piece(client, selector, piece), pieces))
    return [series for part, _ in read for series in part], [info for _, infos in read for info in infos]


def parse_matrix(body: bytes) -> list[RawSeries]:
    """The series of an answer's bytes; raises SourceRefused, or SourceUnavailable if it ends in the middle."""
    return _matrix(read_answer(body, Server("the server")))


def _read_piece(client: Client, selector: Selector | str, window: Window) -> Raw:
    """One query, or two over half the window each when the server says that it is too much."""
    try:
        return _read_once(client, selector, window)
    except (QueryTooLarge, QueryTimedOut) as fault:
        half_ms = -(-window.duration_ms // 2)
        if half_ms < FLOOR_MS:
            fault.add_note(f"at {window.duration_ms} ms of {selector}")
            raise
        read = [_read_piece(client, selector, half) for half in window.split(half_ms)]
        return [series for part, _ in read for series in part], [info for _, infos in read for info in infos]


def _read_once(client: Client, selector: Selector | str, window: Window) -> Raw:
    # A range selector of Prometheus 2 holds both of its ends, that of 3 only the later one. So it is asked for
    # (end - 1 ms) - duration = start - 1 ms onwards: 3 gives exactly the window, 2 at most one instant more.
    answer = client.query(f"{selector}[{window.duration_ms}ms]", window.end_ms - 1)
    inside = [_within(series, window, answer.server) for series in _matrix(answer)]
    return [series for series in inside if len(series.at_ms)], list(answer.infos)


def _matrix(answer: Answer) -> list[RawSeries]:
    data, server = answer.data, answer.server
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        kind = data.get("resultType") if isinstance(data, dict) else data
        raise _malformed(server, f"the result is no matrix but {server.quoted(kind, 120)}")
    result = data.get("result")
    if not isinstance(result, list):
        raise _malformed(server, "the result is no list of series")
    with collector_paused():
        return [_series(entry, server) for entry in result]


def _series(entry: Any, server: Server) -> RawSeries:
    labels = entry.get("metric") if isinstance(entry, dict) else None
    if not isinstance(labels, dict) or not all(type(value) is str for value in labels.values()):
        raise _malformed(server, f"a series has no labels: {server.quoted(entry, 120)}")
    # Taken out, its memory comes back at once. A native histogram has `histograms` in place of `values`.
    pairs = entry.pop("values", [] if "histograms" in entry else None)
    try:
        at_ms, values = _samples(pairs)
    except (TypeError, ValueError, OverflowError):
        raise _malformed(server, f'a sample is not [seconds, "value"]: {server.quoted(pairs, 120)}') from None
    if len(at_ms) > 1 and not (at_ms[1:] > at_ms[:-1]).all():
        raise _malformed(server, f"samples are not in the order of time: {server.quoted(labels, 120)}")
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
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        values = np.fromiter(map(_number, texts), np.float64, len(texts))
    return at_ms.astype(np.int64), values


def _number(text: str) -> float:
    """NaN for a text that is no decimal number: such a sample is left out."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _within(series: RawSeries, window: Window, server: Server) -> RawSeries:
    """The series cut to the window; raises SourceRefused for a sample that was not asked for."""
    at_ms = series.at_ms
    if len(at_ms) and (at_ms[0] < window.start_ms - 1 or at_ms[-1] >= window.end_ms):
        raise _malformed(
            server, f"a sample lies outside of the window asked for: {server.quoted(series.labels, 120)}"
        )
    if len(at_ms) and at_ms[0] < window.start_ms:
        return RawSeries(series.labels, at_ms[1:], series.values[1:])
    return series


def _malformed(server: Server, fault: str) -> SourceRefused:
    return SourceRefused(
        f"{server.host}: {fault}", "something between costlab and Prometheus changes answers"
    )

"""Raw samples of a window: as Prometheus stored them, neither resampled nor looked back for."""

from concurrent.futures import ThreadPoolExecutor

from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources import RawSeries
from costlab.sources.prometheus.answer import QueryTimedOut, QueryTooLarge, Server, read_answer
from costlab.sources.prometheus.batches import malformed
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.matrix import series_of
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
    return series_of(read_answer(body, Server("the server")))


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
    inside = [_within(series, window, answer.server) for series in series_of(answer)]
    return [series for series in inside if len(series.at_ms)], list(answer.infos)


def _within(series: RawSeries, window: Window, server: Server) -> RawSeries:
    """The series cut to the window; raises SourceRefused for a sample that was not asked for."""
    at_ms = series.at_ms
    if len(at_ms) and (at_ms[0] < window.start_ms - 1 or at_ms[-1] >= window.end_ms):
        raise malformed(
            server, f"a sample lies outside of the window asked for: {server.quoted(series.labels, 120)}"
        )
    if len(at_ms) and at_ms[0] < window.start_ms:
        return RawSeries(series.labels, at_ms[1:], series.values[1:])
    return series

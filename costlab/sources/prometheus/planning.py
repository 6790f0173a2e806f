"""How a window is cut into requests before the first is sent: by a cheap estimate of what it holds."""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf

from costlab.domain.errors import SourceError
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, Window
from costlab.sources.prometheus.catalogue import Catalogue, Metric
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

UNKNOWN_MS = 2 * HOUR_MS  # a block of Prometheus, when nothing is known
_CLOSEST_SCRAPES_MS = 15_000  # closer ones are rare; taking them for usual only makes requests smaller
_INSTANTS = 5


def series_at_once(
    client: Client, metrics: Sequence[str], matchers: Sequence[Matcher], window: Window, deadline: float = inf
) -> Mapping[str, int]:
    """The most series that each metric had at one of a few instants of the window; empty when nobody says in time."""
    named = Matcher("__name__", Operator.MATCHES, "|".join(metrics))
    query = f"count by (__name__) ({Selector('', (named, *matchers))})"
    most: dict[str, int] = {}
    try:
        for place in range(_INSTANTS):
            at_ms = window.start_ms + (2 * place + 1) * window.duration_ms // (2 * _INSTANTS)
            for entry in client.query(query, at_ms, deadline=deadline).data["result"]:
                name, count = entry["metric"]["__name__"], int(float(entry["value"][1]))
                most[name] = max(most.get(name, 0), count)
    except (SourceError, KeyError, TypeError, ValueError, IndexError, OverflowError):
        return {}  # an estimate only: without it requests are of a length that suits most
    return most


def metrics_there(
    names_known: Callable[[Collection[str], Window], Collection[str]], catalogue: Catalogue, window: Window
) -> Callable[[Metric], bool]:
    """Which metrics may have samples in the window: a small question or two spare those for exporters that nobody runs.

    names_known: those of some metrics' names under which there may be samples; raises SourceError.
    """
    names = {metric.name for signal in Signal for metric in catalogue.metrics(signal)}
    try:
        found = set(names_known(names, window))
    except SourceError:
        found = set()  # as with the estimate: without it a few more questions are asked
    # Of all of them not one: then it was the question that was not understood.
    return lambda metric: not found or metric.name in found


def pieces(window: Window, series: int | None, most_samples: int | None) -> tuple[Window, ...]:
    """The window in requests of about `most_samples` at most; whole, when the server streams (None)."""
    if most_samples is None or not window.duration_ms:
        return (window,) if window.duration_ms else ()
    if series is None:
        return window.split(UNKNOWN_MS)
    length_ms = max(most_samples * _CLOSEST_SCRAPES_MS // max(series, 1), 5 * 60_000)
    # Equal pieces, so that two that run side by side end together.
    count = -(-window.duration_ms // length_ms)
    return window.split(-(-window.duration_ms // count))

"""When, and by which labels, the source told of something."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import MINUTE_MS, Window
from costlab.jobs.reading import Reading

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Hearing:
    """When kube-state-metrics was heard, in the day and its margins, and its scrape interval.

    at_ms: int64 (n,), every instant at which it told of a pod, ordered.
    """

    at_ms: np.ndarray
    step_ms: int


def hearing(signals: Reading) -> Hearing:
    """When kube-state-metrics told of pods; there is at least one sample."""
    at_ms = [np.unique(series.at_ms) for _, series in signals.blocks(Signal.POD_INFO)]
    return Hearing(np.unique(np.concatenate(at_ms)), signals.intervals_ms.get(Signal.POD_INFO, MINUTE_MS))


def told_times(signals: Reading, signal: Signal, key_of: Callable[[Labels], Key]) -> dict[Key, np.ndarray]:
    """When each object was told of: int64 (n,), ordered, never empty; the mark of a series' end is no sample."""
    times: dict[Key, list[np.ndarray]] = defaultdict(list)
    for _, series in signals.blocks(signal):
        known = ~np.isnan(series.values)
        for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
            times[key_of(labels)].append(series.at_ms[low:high][known[low:high]])
    joined = {key: np.unique(np.concatenate(parts)) for key, parts in times.items()}
    return {key: at_ms for key, at_ms in joined.items() if len(at_ms)}


def presences(at_ms: np.ndarray, heard: Hearing, max_gap_ms: int) -> list[tuple[int, int]]:
    """Where in `at_ms` each presence of an object begins and ends that was told of then.

    A gap longer than `max_gap_ms` in which kube-state-metrics told of other things is an absence; a silence is none.
    """
    cuts = [
        i
        for i in np.flatnonzero(np.diff(at_ms) > max_gap_ms).tolist()
        if np.searchsorted(heard.at_ms, at_ms[i + 1])
        - np.searchsorted(heard.at_ms, at_ms[i] + heard.step_ms, "right")
        > 1
    ]
    bounds = [0, *(cut + 1 for cut in cuts), len(at_ms)]
    return list(zip(bounds[:-1], bounds[1:], strict=True))


def spans(series: Series) -> Iterator[tuple[Labels, int, int]]:
    """Labels, first and last sample of each series that has one; the mark of its end is no sample."""
    known = ~np.isnan(series.values)
    for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
        at_ms = series.at_ms[low:high][known[low:high]]
        if len(at_ms):
            yield labels, int(at_ms[0]), int(at_ms[-1])


def newest(series: Series, key_of: Callable[[Labels], Key], window: Window) -> dict[Key, Labels]:
    """The labels under which each object was last told of within the day, or nearest to it."""
    return newest_of(((key_of(labels), labels, first, last) for labels, first, last in spans(series)), window)


def newest_of(told: Iterable[tuple[Key, Labels, int, int]], window: Window) -> dict[Key, Labels]:
    """The same of (object, labels, first and last sample under them)."""
    found: dict[Key, tuple[tuple[bool, int], Labels]] = {}
    for key, labels, first_ms, last_ms in told:
        rank = (first_ms < window.end_ms, min(last_ms, window.end_ms))
        if key not in found or rank >= found[key][0]:
            found[key] = (rank, labels)
    return {key: labels for key, (_, labels) in found.items()}


def own_labels(labels: Labels) -> dict[str, str]:
    """The object's own labels among those of a series."""
    return {name: text for name, text in labels.items() if name.startswith("label_")}

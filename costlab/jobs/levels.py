"""What kube-state-metrics says of an object over time: one truth out of several instances and gaps."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from costlab.core.observe import Stretches, combine, held, one_after_another
from costlab.domain.signals import Labels, Signal
from costlab.domain.time import MINUTE_MS
from costlab.jobs.reading import Reading

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Run:
    """A value while it was told without a gap: epoch milliseconds, half-open."""

    start_ms: int
    end_ms: int
    value: float


def runs_by(
    signals: Reading, signal: Signal, key_of: Callable[[Labels], Key], max_gap_ms: int
) -> dict[Key, list[Run]]:
    """The runs of each object, oldest first: the maximum over kube-state-metrics instances, never the sum.

    A run before a gap ends one scrape after its last sample.
    """
    keys: dict[Key, int] = {}
    parts, group = [], []
    for _, series in signals.blocks(signal):
        group += [keys.setdefault(key_of(labels), len(keys)) for labels in series.labels]
        parts.append(held(series.at_ms, series.values, series.offsets, max_gap_ms).joined())
    one = combine(one_after_another(parts), np.array(group, np.int64), len(keys), add=False)
    step_ms = signals.intervals_ms.get(signal, MINUTE_MS)
    found: dict[Key, list[Run]] = {key: [] for key in keys}
    names = list(keys)
    for index, run in _runs(one, max_gap_ms - min(step_ms, max_gap_ms)):
        found[names[index]].append(run)
    return found


def value_at(runs: list[Run], at_ms: int) -> float | None:
    """The value in force: the last one told at or before `at_ms`, else the first; None without any.

    A gap changes nothing: what was requested before kube-state-metrics was away is requested until it tells otherwise.
    """
    value = runs[0].value if runs else None
    for run in runs:
        if run.start_ms > at_ms:
            break
        value = run.value
    return value


def told_at(runs: list[Run], at_ms: int) -> float | None:
    """The value of the run that covers `at_ms`; None between runs."""
    return next((run.value for run in runs if run.start_ms <= at_ms < run.end_ms), None)


def bridged(runs: list[Run], heard_ms: np.ndarray, start_ms: int, end_ms: int) -> list[Run]:
    """The runs within [start_ms, end_ms), stretched over silences.

    heard_ms: int64 (n,), ordered, when the object was told of at all. Where it was not, its levels are as before (and
    before the first word, as after); where it was, and a level was not among what was told, the level is gone.
    """

    def silent(low_ms: int, high_ms: int) -> bool:
        return bool(np.searchsorted(heard_ms, high_ms) == np.searchsorted(heard_ms, low_ms))

    inside = [run for run in runs if run.start_ms < end_ms and run.end_ms > start_ms]
    stretched = []
    for i, run in enumerate(inside):
        if i == 0 and silent(start_ms, run.start_ms):
            run = replace(run, start_ms=start_ms)  # noqa: PLW2901 - the same run, longer
        until = inside[i + 1].start_ms if i + 1 < len(inside) else end_ms
        stretched.append(replace(run, end_ms=until) if silent(run.end_ms, until) else run)
    return stretched


def edges_of(levels: list[list[Run]], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The stretches of [start_ms, end_ms) in which none of the levels changes; a gap is no change."""
    changes = {
        b.start_ms for runs in levels for a, b in zip(runs, runs[1:], strict=False) if a.value != b.value
    }
    return _between(changes, start_ms, end_ms)


def stretches_of(
    levels: Mapping[str, list[Run]], start_ms: int, end_ms: int
) -> list[tuple[int, int, dict[str, float]]]:
    """The stretches of [start_ms, end_ms) in which the same levels are told with the same values, and those values."""
    edges = {edge for runs in levels.values() for run in runs for edge in (run.start_ms, run.end_ms)}
    found: list[tuple[int, int, dict[str, float]]] = []
    for low, high in _between(edges, start_ms, end_ms):
        told = {name: told_at(runs, low) for name, runs in levels.items()}
        values = {name: value for name, value in told.items() if value is not None}
        if found and found[-1][2] == values:
            found[-1] = (found[-1][0], high, values)
        else:
            found.append((low, high, values))
    return found


def _between(inner: set[int], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    edges = [start_ms, *sorted(edge for edge in inner if start_ms < edge < end_ms), end_ms]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _runs(one: Stretches, overhang_ms: int) -> list[tuple[int, Run]]:
    """Runs by group out of disjoint stretches, equal neighbours joined; before a gap less what the last sample held on."""
    if not len(one.start_ms):
        return []
    group = one.group
    joined = np.zeros(len(group), bool)
    joined[1:] = (group[1:] == group[:-1]) & (one.start_ms[1:] == one.end_ms[:-1])
    same = joined.copy()
    same[1:] &= one.values[1:] == one.values[:-1]
    first = np.flatnonzero(~same)
    last = np.append(first[1:], len(group)) - 1
    goes_on = np.append(joined[1:], False)[last]
    ends = one.end_ms[last] - np.where(goes_on, 0, overhang_ms)
    return [
        (int(g), Run(int(a), max(int(b), int(a) + 1), float(v)))
        for g, a, b, v in zip(group[first], one.start_ms[first], ends, one.values[first], strict=True)
    ]

"""What kube-state-metrics says of an object over time: one truth out of several instances and gaps."""

from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np

from costlab.core.observe import changes, combine, held
from costlab.domain.signals import Labels, Series

Key = TypeVar("Key", bound=Hashable)
Steps = list[tuple[int, float]]  # since when (epoch ms), which value


def steps_by(series: Series, key_of: Callable[[Labels], Key], max_gap_ms: int) -> dict[Key, Steps]:
    """When the value of each object changed: the maximum over kube-state-metrics instances, never the sum.

    A gap keeps the value before it. The first entry is the first sample.
    """
    keys: dict[Key, int] = {}
    group = np.array([keys.setdefault(key_of(labels), len(keys)) for labels in series.labels], np.int64)
    stretches = held(series.at_ms, series.values, series.offsets, max_gap_ms)
    changed = changes(combine(stretches, group, len(keys), add=False))
    names = list(keys)
    found: dict[Key, Steps] = {}
    for index, at_ms, value in zip(
        changed.group.tolist(), changed.at_ms.tolist(), changed.values.tolist(), strict=True
    ):
        found.setdefault(names[index], []).append((at_ms, value))
    return found


def value_at(steps: Steps, at_ms: int) -> float | None:
    """The value in force: the last change at or before `at_ms`, else the first value; None without any."""
    value = steps[0][1] if steps else None
    for since_ms, level in steps:
        if since_ms > at_ms:
            break
        value = level
    return value


def edges_of(all_steps: list[Steps], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The stretches of [start_ms, end_ms) in which none of the levels changes."""
    inside = {since for steps in all_steps for since, _ in steps[1:] if start_ms < since < end_ms}
    edges = [start_ms, *sorted(inside), end_ms]
    return list(zip(edges[:-1], edges[1:], strict=True))

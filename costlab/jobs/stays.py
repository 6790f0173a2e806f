"""When each node was there, and what was told of it meanwhile. docs/methods.md, "Nodes".

A node that is made anew under its name is another machine: whatever describes it is asked for a stay, not for a day.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.jobs.heard import Hearing, presences
from costlab.jobs.lives import Life
from costlab.jobs.reading import Reading

StayKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Stay:
    """A node while it is there, from `start_ms` until `end_ms`.

    told_ms: int64 (n,), ordered, when its capacity or allocatable was told; empty where only its pods tell of it.
    """

    node: str
    start_ms: int
    end_ms: int
    told_ms: Ints

    @property
    def key(self) -> StayKey:
        """What tells it from other stays, of this node and of others."""
        return self.node, self.start_ms


@dataclass(frozen=True, slots=True)
class Told:
    """What one series tells of a node while it is there: at_ms int64 (n,), values float64 (n,), neither empty."""

    stay: Stay
    labels: Labels
    at_ms: Ints
    values: Floats

    @property
    def first_ms(self) -> int:
        """The first sample."""
        return int(self.at_ms[0])

    @property
    def last_ms(self) -> int:
        """The last sample."""
        return int(self.at_ms[-1])


def stays_of(
    signals: Reading, window: Window, lives: list[Life], heard: Hearing, max_gap_ms: int
) -> list[Stay]:
    """The stays that touch the day, ordered by node and time; they may reach beyond it.

    A node that on this day only its pods tell of is there as long as they are.
    """
    told = _told(signals)
    found: list[Stay] = []
    for node in sorted(told.keys() | {life.node for life in lives}):
        stays = _parted(node, told[node], heard, max_gap_ms) if node in told else []
        today = [stay for stay in stays if stay.start_ms < window.end_ms and stay.end_ms > window.start_ms]
        found += today or _of_pods(node, lives)
    return found


def while_there(series: Series, stays: list[Stay]) -> Iterator[Told]:
    """What each series tells of the stays of its node; the mark of its end is no sample."""
    by_node: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        by_node[stay.node].append(stay)
    for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
        if here := by_node.get(labels.get("node", "")):
            known = ~np.isnan(series.values[low:high])
            at_ms, values = series.at_ms[low:high][known], series.values[low:high][known]
            for stay in here:
                part = slice(*np.searchsorted(at_ms, [stay.start_ms, stay.end_ms]))
                if part.start < part.stop:
                    yield Told(stay, labels, at_ms[part], values[part])


def _told(signals: Reading) -> dict[str, Ints]:
    """When each node's capacity or allocatable was told: int64, ordered, never empty."""
    times: dict[str, list[Ints]] = defaultdict(list)
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        series = signals[signal]
        known = ~np.isnan(series.values)
        for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
            times[labels.get("node", "")].append(series.at_ms[low:high][known[low:high]])
    joined = {node: np.unique(np.concatenate(parts)) for node, parts in times.items()}
    return {node: at_ms for node, at_ms in joined.items() if len(at_ms)}


def _parted(node: str, at_ms: Ints, heard: Hearing, max_gap_ms: int) -> list[Stay]:
    return [
        Stay(node, int(at_ms[low]), int(at_ms[high - 1]) + heard.step_ms, at_ms[low:high])
        for low, high in presences(at_ms, heard, max_gap_ms)
    ]


def _of_pods(node: str, lives: list[Life]) -> list[Stay]:
    here = [life for life in lives if life.node == node]
    if not here:
        return []
    start_ms, end_ms = min(life.start_ms for life in here), max(life.end_ms for life in here)
    return [Stay(node, start_ms, end_ms, np.empty(0, np.int64))]

"""Whose a series of cAdvisor or of a GPU exporter is: those know pods by name and by cgroup only."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Ints
from costlab.core.observe import Stretches, clipped
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.jobs.heard import spans
from costlab.jobs.lives import Life
from costlab.jobs.reading import Reading
from costlab.sources import Shelf

# The pod's uid in a cgroup path, with dashes or, under systemd, underscores.
_UID = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Part:
    """The time of one series, by its place on the shelf, that belongs to one life, or (None) to nobody that is known."""

    series: int
    life: Life | None
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Attributed:
    """Whose the series of a signal are. labels, sizes: by place on the shelf, of those with samples; ascending."""

    parts: list[Part]
    labels: dict[int, Labels]
    sizes: dict[int, int]


class Residents:
    """Finds the lives that a series tells of."""

    def __init__(self, lives: list[Life], window: Window) -> None:
        self._window = window
        self._by_uid = {life.key.uid: life for life in lives if life.key.uid}
        self._by_name: dict[tuple[str, str], list[Life]] = defaultdict(list)
        for life in sorted(lives, key=lambda life: life.start_ms):
            self._by_name[life.key.namespace, life.key.pod].append(life)

    def of(self, signals: Reading, signal: Signal) -> Attributed:
        """Every series cut up among the lives that it tells of; together the parts are the whole day.

        A series is of the pod whose uid it tells. Else it is of the pod whose uid its cgroup names, or of pods of that
        name whose uid is not known; where the cgroup names none, of all pods of that name. Each while it lived.
        """
        found = Attributed([], {}, {})
        for places, series in signals.blocks(signal):
            at = {id(labels): place for labels, place in zip(series.labels, places.tolist(), strict=True)}
            found.labels.update(zip(places.tolist(), series.labels, strict=True))
            found.sizes.update(zip(places.tolist(), np.diff(series.offsets).tolist(), strict=True))
            for labels, first_ms, last_ms in spans(series):
                found.parts.extend(self._parts(at[id(labels)], labels, first_ms, last_ms))
        return found

    def parts(self, series: Series) -> list[Part]:
        """The same of series that are all in memory, by their places among them."""
        at = {id(labels): place for place, labels in enumerate(series.labels)}
        return [
            part
            for labels, first_ms, last_ms in spans(series)
            for part in self._parts(at[id(labels)], labels, first_ms, last_ms)
        ]

    def _parts(self, place: int, labels: Labels, first_ms: int, last_ms: int) -> list[Part]:
        parts, now_ms = [], self._window.start_ms
        for life in self._of(labels):
            if life.start_ms <= last_ms and life.end_ms > first_ms:
                start_ms = max(now_ms, life.start_ms)
                parts += [Part(place, None, now_ms, start_ms), Part(place, life, start_ms, life.end_ms)]
                now_ms = max(start_ms, life.end_ms)
        parts.append(Part(place, None, now_ms, self._window.end_ms))
        return [part for part in parts if part.start_ms < part.end_ms]

    def _of(self, labels: Labels) -> list[Life]:
        if uid := labels.get("uid"):
            return [self._by_uid[uid]] if uid in self._by_uid else []
        named = self._by_name.get((labels.get("namespace", ""), labels.get("pod", "")), [])
        if match := _UID.search(labels.get("id", "")):
            life = self._by_uid.get(match[1].replace("_", "-"))
            # Yesterday's pod of the same name shows itself for minutes after its end: it is none of today's.
            return [life] if life else [other for other in named if not other.key.uid]
        return named


def taken(shelf: Shelf, parts: list[Part]) -> tuple[Ints, Series]:
    """The series that the parts are of, and their places."""
    return shelf.take(np.array(sorted({part.series for part in parts}), np.int64))


def cut(stretches: Stretches, places: Ints, parts: list[Part]) -> Stretches:
    """The stretches of each part, as a group of its own; places: int64, where the series of the stretches stand."""
    table = np.array([(part.series, part.start_ms, part.end_ms) for part in parts], np.int64).reshape(-1, 3)
    return clipped(stretches, np.searchsorted(places, table[:, 0]), table[:, 1], table[:, 2])

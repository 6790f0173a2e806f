"""Whose a series of cAdvisor or of a GPU exporter is: those know pods by name and by cgroup only."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.core.observe import Stretches, clipped
from costlab.domain.signals import Labels, Series
from costlab.domain.time import Window
from costlab.jobs.heard import spans
from costlab.jobs.lives import Life

# The pod's uid in a cgroup path, with dashes or, under systemd, underscores.
_UID = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Part:
    """The time of one series that belongs to one life, or (None) to nobody that is known."""

    series: int
    life: Life | None
    start_ms: int
    end_ms: int


class Residents:
    """Finds the lives that a series tells of."""

    def __init__(self, lives: list[Life], window: Window) -> None:
        self._window = window
        self._by_uid = {life.key.uid: life for life in lives if life.key.uid}
        self._by_name: dict[tuple[str, str], list[Life]] = defaultdict(list)
        for life in sorted(lives, key=lambda life: life.start_ms):
            self._by_name[life.key.namespace, life.key.pod].append(life)

    def parts(self, series: Series) -> list[Part]:
        """Every series cut up among the lives that it tells of; together the parts are the whole day.

        A series is of the pod whose uid its cgroup names, or of pods of that name whose uid is not known; where the
        cgroup names none, of all pods of that name. Each while it lived.
        """
        found = []
        at = {id(labels): index for index, labels in enumerate(series.labels)}
        for labels, first_ms, last_ms in spans(series):
            now_ms, index = self._window.start_ms, at[id(labels)]
            for life in self._of(labels):
                if life.start_ms <= last_ms and life.end_ms > first_ms:
                    start_ms = max(now_ms, life.start_ms)
                    found += [Part(index, None, now_ms, start_ms), Part(index, life, start_ms, life.end_ms)]
                    now_ms = max(start_ms, life.end_ms)
            found.append(Part(index, None, now_ms, self._window.end_ms))
        return [part for part in found if part.start_ms < part.end_ms]

    def _of(self, labels: Labels) -> list[Life]:
        named = self._by_name.get((labels.get("namespace", ""), labels.get("pod", "")), [])
        if match := _UID.search(labels.get("id", "")):
            life = self._by_uid.get(match[1].replace("_", "-"))
            # Yesterday's pod of the same name shows itself for minutes after its end: it is none of today's.
            return [life] if life else [other for other in named if not other.key.uid]
        return named


def cut(stretches: Stretches, parts: list[Part]) -> Stretches:
    """The stretches of each part, as a group of its own."""
    table = np.array([(part.series, part.start_ms, part.end_ms) for part in parts], np.int64).reshape(-1, 3)
    return clipped(stretches, table[:, 0], table[:, 1], table[:, 2])

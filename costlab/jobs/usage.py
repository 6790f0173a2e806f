"""What containers were seen to use: cAdvisor's series of every cgroup, as one truth a container."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.core.kernels import Floats, Ints
from costlab.core.observe import clipped, combine, held, rates, scrape_interval_ms, side_by_side
from costlab.domain.identity import container_key
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import MINUTE_MS
from costlab.jobs.lives import Life, PodId, Signals

# The pod's uid in a cgroup path, with dashes or, under systemd, underscores.
_UID = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")


class Residents:
    """Finds the life that a series of an exporter belongs to, which knows pods by name and by cgroup only."""

    def __init__(self, lives: list[Life]) -> None:
        self._by_uid = {life.key.uid: life for life in lives if life.key.uid}
        self._by_name: dict[tuple[str, str], list[Life]] = defaultdict(list)
        for life in lives:
            self._by_name[life.key.namespace, life.key.pod].append(life)

    def of(self, labels: Labels, first_ms: int, last_ms: int) -> Life | None:
        """The pod named by the cgroup's uid, else the pod of that name that lived then."""
        if (match := _UID.search(labels.get("id", ""))) and (
            life := self._by_uid.get(match[1].replace("_", "-"))
        ):
            return life
        named = self._by_name.get((labels.get("namespace", ""), labels.get("pod", "")), [])
        return max(
            named, key=lambda life: min(life.end_ms, last_ms) - max(life.start_ms, first_ms), default=None
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Observed stretches of all containers: rows of `container_usage`, ordered by key and time.

    key: int64 (n,); start_ms, end_ms: int64 (n,); cpu_cores, memory_bytes: float64 (n,), NaN = not observed.
    homeless: core-seconds of containers that kube-state-metrics does not know.
    """

    key: Ints
    start_ms: Ints
    end_ms: Ints
    cpu_cores: Floats
    memory_bytes: Floats
    homeless: float


def containers_seen(signals: Signals, lives: list[Life]) -> dict[PodId, set[str]]:
    """The containers of each pod that cAdvisor measured."""
    residents, seen = Residents(lives), defaultdict(set)
    for signal in (Signal.CPU_SECONDS, Signal.MEMORY_BYTES):
        for labels, life in _placed(signals[signal], residents):
            if life is not None:
                seen[life.pod_id].add(labels.get("container", ""))
    return seen


def usage_of(signals: Signals, lives: list[Life], max_gap_ms: int) -> Usage:
    """CPU as the sum over a container's cgroups, memory as their maximum, cut to the pod's life."""
    residents = Residents(lives)
    cpu, memory = signals[Signal.CPU_SECONDS], signals[Signal.MEMORY_BYTES]
    keys: dict[int, tuple[int, int]] = {}  # container_key → the pod's life
    placed = {
        signal: list(_placed(signals[signal], residents))
        for signal in (Signal.CPU_SECONDS, Signal.MEMORY_BYTES)
    }
    for pairs in placed.values():
        for labels, life in pairs:
            if life is not None:
                keys[container_key(life.key, labels.get("container", ""))] = (life.start_ms, life.end_ms)
    order = {key: index for index, key in enumerate(sorted(keys))}

    def group(signal: Signal) -> Ints:
        return np.array(
            [
                -1 if life is None else order[container_key(life.key, labels.get("container", ""))]
                for labels, life in placed[signal]
            ],
            np.int64,
        )

    step_ms = scrape_interval_ms(cpu.at_ms, cpu.offsets, MINUTE_MS)
    began = _began(cpu, signals[Signal.CONTAINER_START_TIME])
    rising = rates(cpu.at_ms, cpu.values, cpu.offsets, began, max_gap_ms, step_ms)
    cpu_group = group(Signal.CPU_SECONDS)
    unknown = cpu_group[rising.group] < 0
    homeless = float(np.sum((rising.values * (rising.end_ms - rising.start_ms))[unknown]) / 1000)
    holding = held(memory.at_ms, memory.values, memory.offsets, max_gap_ms)
    lived = np.array([keys[key] for key in order], np.int64).reshape(-1, 2)
    sides = tuple(
        clipped(combine(stretches, groups, len(order), add=add), lived[:, 0], lived[:, 1])
        for stretches, groups, add in (
            (rising, cpu_group, True),
            (holding, group(Signal.MEMORY_BYTES), False),
        )
    )
    start_ms, end_ms, (cores, size), offsets = side_by_side(sides)
    key = np.repeat(np.array(list(order), np.int64), np.diff(offsets))
    return Usage(key, start_ms, end_ms, cores, size, homeless)


def _placed(series: Series, residents: Residents) -> list[tuple[Labels, Life | None]]:
    firsts, lasts = series.offsets[:-1], series.offsets[1:] - 1
    return [
        (labels, residents.of(labels, int(series.at_ms[low]), int(series.at_ms[high])))
        for labels, low, high in zip(series.labels, firsts, lasts, strict=True)
    ]


def _began(cpu: Series, start_times: Series) -> Ints:
    """When the container of each CPU series started, epoch ms; -1 where that is not known."""
    began = {}
    for labels, low in zip(start_times.labels, start_times.offsets[:-1], strict=True):
        began[_cgroup(labels)] = round(float(start_times.values[low]) * 1000)
    return np.array([began.get(_cgroup(labels), -1) for labels in cpu.labels], np.int64)


def _cgroup(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("instance", "id", "namespace", "pod", "container"))

"""What containers were seen to use: cAdvisor's series of every cgroup, as one truth a container."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costlab.core.kernels import Floats, Ints
from costlab.core.observe import Stretches, combine, held, rates, scrape_interval_ms, side_by_side
from costlab.domain.identity import container_key
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import MINUTE_MS, Window
from costlab.jobs.heard import Signals
from costlab.jobs.lives import Life, PodId
from costlab.jobs.residents import Part, Residents, cut

_SIGNALS = (Signal.CPU_SECONDS, Signal.MEMORY_BYTES)
_HOLDER = ("namespace", "pod", "container")
_Cgroup = tuple[tuple[str, ...], str]  # whose, and its path


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


def containers_seen(signals: Signals, lives: list[Life], window: Window) -> dict[PodId, set[str]]:
    """The containers of each pod that cAdvisor measured."""
    residents, seen = Residents(lives, window), defaultdict(set)
    for signal in _SIGNALS:
        for part in residents.parts(signals[signal]):
            if part.life is not None:
                seen[part.life.pod_id].add(_container(signals[signal], part))
    return seen


def usage_of(signals: Signals, lives: list[Life], window: Window, max_gap_ms: int) -> Usage:
    """CPU as the sum over a container's cgroups, memory as their maximum, cut to the pod's life."""
    residents = Residents(lives, window)
    parts = {signal: residents.parts(signals[signal]) for signal in _SIGNALS}
    keys = {signal: [_key(signals[signal], part) for part in parts[signal]] for signal in _SIGNALS}
    order = {
        key: i for i, key in enumerate(sorted({key for of in keys.values() for key in of if key is not None}))
    }
    rising, lost = _rising(signals, parts[Signal.CPU_SECONDS], keys[Signal.CPU_SECONDS], order, max_gap_ms)
    memory = signals[Signal.MEMORY_BYTES]
    holding = cut(held(memory.at_ms, memory.values, memory.offsets, max_gap_ms), parts[Signal.MEMORY_BYTES])
    sizes = combine(holding, _ranks(keys[Signal.MEMORY_BYTES], order), len(order), add=False)
    start_ms, end_ms, (cores, size), offsets = side_by_side((rising, sizes))
    key = np.repeat(np.array(list(order), np.int64), np.diff(offsets))
    return Usage(key, start_ms, end_ms, cores, size, lost)


def _rising(
    signals: Signals, parts: list[Part], keys: list[int | None], order: dict[int, int], max_gap_ms: int
) -> tuple[Stretches, float]:
    """CPU in cores by container, and the core-seconds of no known container.

    A cgroup that two jobs scrape is one cgroup, and so are cgroups within it: the maximum of their series, before
    cgroups are added.
    """
    cpu = signals[Signal.CPU_SECONDS]
    step_ms = scrape_interval_ms(cpu.at_ms, cpu.offsets, MINUTE_MS)
    began = _began(cpu, signals[Signal.CONTAINER_START_TIME])
    rising = cut(rates(cpu.at_ms, cpu.values, cpu.offsets, began, max_gap_ms, step_ms), parts)
    cgroups: dict[tuple[int | None, _Cgroup], int] = {}
    outer = _outermost(cpu.labels)
    own = [
        cgroups.setdefault((key, outer[part.series]), len(cgroups))
        for key, part in zip(keys, parts, strict=True)
    ]
    once = combine(rising, np.array(own, np.int64), len(cgroups), add=False)
    homeless = (
        np.array([key is None for key, _ in cgroups], bool)[once.group] if cgroups else np.zeros(0, bool)
    )
    lost = float(np.sum((once.values * (once.end_ms - once.start_ms))[homeless]) / 1000)
    return combine(once, _ranks([key for key, _ in cgroups], order), len(order), add=True), lost


def _key(series: Series, part: Part) -> int | None:
    return None if part.life is None else container_key(part.life.key, _container(series, part))


def _container(series: Series, part: Part) -> str:
    return series.labels[part.series].get("container", "")


def _outermost(named: Sequence[Labels]) -> list[_Cgroup]:
    """The cgroup that each series counts in; of a series that names none, the series itself.

    A container that runs an init system or a kubelet of its own shows cgroups within its cgroup, and a node that is
    itself a container shows each twice, by its path and by the path that the host has for it.
    """
    holders = [tuple(labels.get(name, "") for name in _HOLDER) for labels in named]
    paths = [labels.get("id") or str(index) for index, labels in enumerate(named)]
    known: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for holder, path in zip(holders, paths, strict=True):
        known[holder].add(path)
    return [
        (holder, _around(path, known[holder]) if len(known[holder]) > 1 else path)
        for holder, path in zip(holders, paths, strict=True)
    ]


def _around(path: str, known: set[str]) -> str:
    """The shortest path that is known of the same cgroup, or of one around it."""
    while True:
        cuts = [i for i, character in enumerate(path) if character == "/" and i]
        other = [cut for i in cuts for cut in (path[:i], path[i:]) if cut in known]
        if not other:
            return path
        path = min(other, key=lambda cut: (len(cut), cut))


def _ranks(keys: list[int | None], order: dict[int, int]) -> Ints:
    return np.array([-1 if key is None else order[key] for key in keys], np.int64)


def _began(cpu: Series, start_times: Series) -> Ints:
    """When the container of each CPU series started, epoch ms; -1 where that is not known."""
    began = {}
    for labels, low, high in zip(
        start_times.labels, start_times.offsets[:-1], start_times.offsets[1:], strict=True
    ):
        told = start_times.values[low:high]
        told = told[~np.isnan(told)]
        if len(told):
            began[_cgroup(labels)] = round(float(told[0]) * 1000)
    return np.array([began.get(_cgroup(labels), -1) for labels in cpu.labels], np.int64)


def _cgroup(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("instance", "id", "namespace", "pod", "container"))

"""What containers were seen to use: cAdvisor's series of every cgroup, as one truth a container."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.observe import Stretches, combine, held, rates, side_by_side
from costlab.domain.identity import container_key
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import MINUTE_MS, Window
from costlab.jobs.lives import Life, PodId
from costlab.jobs.reading import Reading, in_blocks
from costlab.jobs.residents import Attributed, Part, Residents, cut, taken

HOLDER = ("namespace", "pod", "container")
Cgroup = tuple[tuple[str, ...], str]  # whose, and its path
_Keyed = tuple[Part, int | None]  # None: nobody's
_INSTANTS_S = 2.0**62 / 1000  # seconds whose milliseconds int64 holds


@dataclass(frozen=True, slots=True)
class _Block:
    """What is looked at together."""

    cpu: list[_Keyed]
    memory: list[_Keyed]


@dataclass(frozen=True, slots=True)
class Observed:
    """Observed stretches of some containers: rows of `container_usage`, ordered by key and time.

    key: int64 (n,); start_ms, end_ms: int64 (n,); cpu_cores, memory_bytes: float64 (n,), NaN = not observed.
    homeless: core-seconds of containers that kube-state-metrics does not know.
    """

    key: Ints
    start_ms: Ints
    end_ms: Ints
    cpu_cores: Floats
    memory_bytes: Floats
    homeless: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What all containers used together, by key.

    cpu_s, memory_s: seconds in which it was observed. core_ms: cores × milliseconds. homeless: core-seconds of
    containers that kube-state-metrics does not know.
    """

    cpu_s: Mapping[int, float]
    memory_s: Mapping[int, float]
    core_ms: Mapping[int, float]
    homeless: float


def total(several: Iterable[Observed]) -> Usage:
    """The containers' sums; no container is in two of the `several`."""
    cpu_s: dict[int, float] = {}
    memory_s: dict[int, float] = {}
    core_ms: dict[int, float] = {}
    homeless = 0.0
    for some in several:
        lasted_ms = some.end_ms - some.start_ms
        rising, sized = ~np.isnan(some.cpu_cores), ~np.isnan(some.memory_bytes)
        cpu_s |= by_key(some.key, np.where(rising, lasted_ms / 1000, 0.0))
        memory_s |= by_key(some.key, np.where(sized, lasted_ms / 1000, 0.0))
        core_ms |= by_key(some.key, np.where(rising, some.cpu_cores * lasted_ms, 0.0))
        homeless += some.homeless
    return Usage(cpu_s, memory_s, core_ms, homeless)


def by_key(key: Ints, values: Floats, so_far: Mapping[int, float] | None = None) -> dict[int, float]:
    """The sum of the values of each key, added to what there is `so_far` one after the other."""
    known = so_far or {}
    keys, index = np.unique(np.concatenate([np.array(list(known), np.int64), key]), return_inverse=True)
    summed = np.bincount(
        index, np.concatenate([np.array(list(known.values()), np.float64), values]), len(keys)
    )
    return dict(zip(keys.tolist(), summed.tolist(), strict=True))


class Measured:
    """What cAdvisor measured of the pods' containers."""

    def __init__(self, signals: Reading, lives: list[Life], window: Window) -> None:
        residents = Residents(lives, window)
        self._signals = signals
        self._cpu = residents.of(signals, Signal.CPU_SECONDS)
        self._memory = residents.of(signals, Signal.MEMORY_BYTES)
        self._keyed_cpu, self._keyed_memory = _keyed(self._cpu), _keyed(self._memory)
        self._cgroups = dict(zip(self._cpu.labels, outermost(self._cpu.labels), strict=True))

    @property
    def seen(self) -> dict[PodId, set[str]]:
        """The containers of each pod."""
        seen: dict[PodId, set[str]] = defaultdict(set)
        for side in (self._cpu, self._memory):
            for part in side.parts:
                if part.life is not None:
                    seen[part.life.pod_id].add(_container(side, part))
        return seen

    def observed(self, max_gap_ms: int) -> Iterator[Observed]:
        """CPU as the sum over a container's cgroups, memory as their maximum, cut to the pod's life.

        Some containers at a time, as many as are about a block of samples, in the order of their keys.
        """
        began = began_at(self._signals[Signal.CONTAINER_START_TIME])
        for block in self._blocks():
            yield self._observe(block, began, max_gap_ms)

    def _blocks(self) -> list[_Block]:
        """Everything that a container, or a cgroup of nobody's, is made of, in one block."""
        most, weight = self._signals.block_samples, self._weights()
        order = sorted(weight)
        containers = in_blocks(np.array([weight[key] for key in order], np.int64), most)
        number = {order[place]: n for n, block in enumerate(containers) for place in block.tolist()}
        # Time of nobody's is looked at with its cgroup's container, else after all containers.
        home: dict[Cgroup, int] = {}
        for part, key in self._keyed_cpu:
            if key is not None:
                home.setdefault(self._cgroups[part.series], number[key])
        lost: dict[Cgroup, int] = defaultdict(int)
        for place, size in self._cpu.sizes.items():
            if self._cgroups[place] not in home:
                lost[self._cgroups[place]] += size
        names, nobodys = list(lost), in_blocks(np.array(list(lost.values()), np.int64), most)
        for n, block in enumerate(nobodys, len(containers)):
            home |= {names[place]: n for place in block.tolist()}
        blocks = [_Block([], []) for _ in (*containers, *nobodys)]
        for part, key in self._keyed_cpu:
            blocks[home[self._cgroups[part.series]] if key is None else number[key]].cpu.append((part, key))
        for part, key in self._keyed_memory:
            if key is not None:
                blocks[number[key]].memory.append((part, key))
        return blocks

    def _weights(self) -> dict[int, int]:
        """How many samples there are of each container."""
        weight: dict[int, int] = defaultdict(int)
        for side, keyed in ((self._cpu, self._keyed_cpu), (self._memory, self._keyed_memory)):
            for part, key in keyed:
                if key is not None:
                    weight[key] += side.sizes[part.series]
        return weight

    def _observe(self, block: _Block, began: Mapping[tuple[str, ...], int], max_gap_ms: int) -> Observed:
        keys = sorted({key for _, key in (*block.cpu, *block.memory) if key is not None})
        order = {key: i for i, key in enumerate(keys)}
        rising, lost = self._rising(block.cpu, order, began, max_gap_ms)
        parts = [part for part, _ in block.memory]
        places, sizes = taken(self._signals.shelf(Signal.MEMORY_BYTES), parts)
        holding = cut(held(sizes.at_ms, sizes.values, sizes.offsets, max_gap_ms), places, parts)
        sized = combine(holding, _ranks([key for _, key in block.memory], order), len(order), add=False)
        start_ms, end_ms, (cores, size), offsets = side_by_side((rising, sized))
        key = np.repeat(np.array(keys, np.int64), np.diff(offsets))
        return Observed(key, start_ms, end_ms, cores, size, lost)

    def _rising(
        self,
        keyed: list[_Keyed],
        order: dict[int, int],
        began: Mapping[tuple[str, ...], int],
        max_gap_ms: int,
    ) -> tuple[Stretches, float]:
        """CPU in cores by container, and the core-seconds of no known container.

        Cgroups are each one truth before they are added.
        """
        parts = [part for part, _ in keyed]
        places, cpu = taken(self._signals.shelf(Signal.CPU_SECONDS), parts)
        step_ms = self._signals.intervals_ms.get(Signal.CPU_SECONDS, MINUTE_MS)
        since = np.array([began.get(cgroup_of(labels), -1) for labels in cpu.labels], np.int64)
        rising = cut(rates(cpu.at_ms, cpu.values, cpu.offsets, since, max_gap_ms, step_ms), places, parts)
        once, cgroups = by_cgroup(rising, [(key, self._cgroups[part.series]) for part, key in keyed])
        homeless = (
            np.array([key is None for key, _ in cgroups], bool)[once.group] if cgroups else np.zeros(0, bool)
        )
        lost = float(np.sum((once.values * (once.end_ms - once.start_ms))[homeless]) / 1000)
        return combine(once, _ranks([key for key, _ in cgroups], order), len(order), add=True), lost


_Owner = TypeVar("_Owner", int, int | None)


def by_cgroup(
    stretches: Stretches, owners: Sequence[tuple[_Owner, Cgroup]]
) -> tuple[Stretches, list[tuple[_Owner, Cgroup]]]:
    """The stretches of each owner's cgroup, the maximum of its series, and which cgroups these are.

    A cgroup that two jobs scrape is one cgroup, and so are cgroups within it.
    """
    groups: dict[tuple[_Owner, Cgroup], int] = {}
    own = [groups.setdefault(owner, len(groups)) for owner in owners]
    return combine(stretches, np.array(own, np.int64), len(groups), add=False), list(groups)


def _keyed(side: Attributed) -> list[_Keyed]:
    """Each part with the key of its container, None for nobody's."""
    return [
        (part, None if part.life is None else container_key(part.life.key, _container(side, part)))
        for part in side.parts
    ]


def _container(side: Attributed, part: Part) -> str:
    return side.labels[part.series].get("container", "")


def outermost(named: Mapping[int, Labels]) -> list[Cgroup]:
    """The cgroup that each series counts in; of a series that names none, the series itself.

    A container that runs an init system or a kubelet of its own shows cgroups within its cgroup, and a node that is
    itself a container shows each twice, by its path and by the path that the host has for it.
    """
    holders = [tuple(labels.get(name, "") for name in HOLDER) for labels in named.values()]
    paths = [labels.get("id") or str(place) for place, labels in named.items()]
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


def began_at(start_times: Series) -> dict[tuple[str, ...], int]:
    """When each cgroup's container started, epoch ms; one that is told no instant of int64 is not known to have."""
    began = {}
    for labels, low, high in zip(
        start_times.labels, start_times.offsets[:-1], start_times.offsets[1:], strict=True
    ):
        told = start_times.values[low:high]
        told = told[np.abs(told) < _INSTANTS_S]  # NaN is none either
        if len(told):
            began[cgroup_of(labels)] = round(float(told[0]) * 1000)
    return began


def cgroup_of(labels: Labels) -> tuple[str, ...]:
    """A container's cgroup as one scrape target shows it: what its series have in common, of whatever metric."""
    return tuple(labels.get(name, "") for name in ("instance", "id", "namespace", "pod", "container"))

"""How many physical GPUs a piece of a GPU resource stands for. docs/methods.md, "Nodes"."""

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.domain.signals import Series, Signal
from costlab.jobs.heard import Signals
from costlab.jobs.stays import Stay, StayKey, while_there

_MIG = re.compile(r"nvidia_com_mig_(\d+)g_")
_WHOLE = ("nvidia_com_gpu", "nvidia_com_gpu_shared", "amd_com_gpu")
_REPLICAS = "label_nvidia_com_gpu_replicas"
PRODUCT = "label_nvidia_com_gpu_product"
_SEEN_BY = (Signal.GPU_UTILIZATION, Signal.GPU_ENGINE_ACTIVE, Signal.GPU_MEMORY_USED)


@dataclass(frozen=True, slots=True)
class GpuKind:
    """The GPUs of a node during one of its stays: their model, and how they are shared.

    told: (since when, replicas), oldest first, as the device plugin labels the node. guessed: from the devices seen,
    where no label tells; None where they let guess nothing.
    """

    start_ms: int
    end_ms: int
    model: str | None
    told: tuple[tuple[int, int], ...]
    guessed: int | None

    def replicas(self, at_ms: int) -> int:
        """How many pods may share a GPU."""
        if not self.told:
            return self.guessed or 1
        return next((count for since_ms, count in reversed(self.told) if since_ms <= at_ms), self.told[0][1])

    def away_ms(self, at_ms: int) -> int:
        """How far an instant is from the stay."""
        return max(self.start_ms - at_ms, at_ms - self.end_ms, 0)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What each node's GPUs are, stay by stay, oldest first."""

    kinds: dict[str, list[GpuKind]]

    def share(self, node: str, resource: str, at_ms: int) -> float | None:
        """1 for a whole GPU, 1 / replicas for a shared one, slices / 7 for MIG (4 on an A30); None for no GPU."""
        if match := _MIG.match(resource):
            return int(match[1]) / (4 if "A30" in (self.model(node, at_ms) or "") else 7)
        if resource not in _WHOLE:
            return None
        kind = self._kind(node, at_ms)
        return 1 / kind.replicas(at_ms) if kind else 1.0

    def model(self, node: str, at_ms: int) -> str | None:
        """The model of the node's GPUs; None where nothing tells."""
        kind = self._kind(node, at_ms)
        return kind.model if kind else None

    def changes(self, node: str) -> set[int]:
        """When another number of replicas was told."""
        return {since_ms for kind in self.kinds.get(node, []) for since_ms, _ in kind.told[1:]}

    def guessed(self) -> dict[str, list[int]]:
        """The numbers of replicas that are guessed, by node, in their order."""
        found = {
            node: list(dict.fromkeys(kind.guessed for kind in kinds if kind.guessed))
            for node, kinds in self.kinds.items()
        }
        return {node: counts for node, counts in found.items() if counts}

    def _kind(self, node: str, at_ms: int) -> GpuKind | None:
        # A pod is bound up to a scrape before its node is told of.
        return min(self.kinds.get(node, []), key=lambda kind: kind.away_ms(at_ms), default=None)


def is_gpu(resource: str) -> bool:
    """Whether a resource name of kube-state-metrics is one that GPUs are requested by."""
    return resource in _WHOLE or bool(_MIG.match(resource))


def devices_expected(resource: str, pieces: float, share: float) -> float:
    """How many devices or MIG instances an exporter would show for a container's request."""
    return pieces if "_mig_" in resource else max(1, math.ceil(share - 1e-9))


def sharing_of(signals: Signals, stays: list[Stay]) -> Sharing:
    """How each node's GPUs are shared: as the device plugin's label says, else as the devices seen let guess.

    Advertised GPUs that are a whole multiple of the devices seen at one time are taken for shared that many times.
    """
    told, products = _labelled(signals[Signal.NODE_LABELS], stays)
    devices, models = _devices(signals, stays)
    pieces = _advertised(signals[Signal.NODE_CAPACITY], stays)
    kinds: dict[str, list[GpuKind]] = defaultdict(list)
    for stay in stays:
        physical, advertised = devices.get(stay.key, 0), pieces.get(stay.key, 0.0)
        shared = physical and advertised > physical and advertised % physical == 0
        guessed = int(advertised // physical) if shared and stay.key not in told else None
        model = models.get(stay.key) or products.get(stay.key)
        kinds[stay.node].append(
            GpuKind(stay.start_ms, stay.end_ms, model, tuple(sorted(told.get(stay.key, []))), guessed)
        )
    return Sharing(kinds)


def _labelled(
    node_labels: Series, stays: list[Stay]
) -> tuple[dict[StayKey, list[tuple[int, int]]], dict[StayKey, str]]:
    """Since when each node was labelled with which number of replicas, and with which model."""
    told: dict[StayKey, list[tuple[int, int]]] = defaultdict(list)
    products: dict[StayKey, str] = {}
    for one in while_there(node_labels, stays):
        count = one.labels.get(_REPLICAS, "")
        if count.isdigit() and int(count) > 0:
            told[one.stay.key].append((one.first_ms, int(count)))
        if PRODUCT in one.labels:
            products[one.stay.key] = one.labels[PRODUCT]
    return told, products


def _devices(signals: Signals, stays: list[Stay]) -> tuple[dict[StayKey, int], dict[StayKey, str]]:
    """The most devices seen at one time on each node, and the model that most series name."""
    lives: dict[StayKey, dict[str, tuple[int, int]]] = defaultdict(dict)
    models: dict[StayKey, Counter[str]] = defaultdict(Counter)
    for signal in _SEEN_BY:
        for one in while_there(signals[signal], stays):
            key, device = one.stay.key, one.labels.get("gpu_uuid") or one.labels.get("gpu_index", "")
            before = lives[key].get(device, (one.first_ms, one.last_ms))
            lives[key][device] = (min(one.first_ms, before[0]), max(one.last_ms, before[1]))
            if model := one.labels.get("gpu_model"):
                models[key][model] += 1
    most = {key: _at_once(list(spans_of.values())) for key, spans_of in lives.items()}
    return most, {key: min(counts, key=lambda m: (-counts[m], m)) for key, counts in models.items()}


def _at_once(lives: list[tuple[int, int]]) -> int:
    starts, ends = (np.sort(np.array(side, np.int64)) for side in zip(*lives, strict=True))
    return int(max(i + 1 - np.searchsorted(ends, start) for i, start in enumerate(starts)))


def _advertised(capacity: Series, stays: list[Stay]) -> dict[StayKey, float]:
    """The most whole or shared GPUs that each node told of."""
    advertised: dict[StayKey, float] = {}
    for one in while_there(capacity, stays):
        if one.labels.get("resource") in _WHOLE:
            key = one.stay.key
            advertised[key] = max(advertised.get(key, 0.0), float(one.values.max()))
    return advertised

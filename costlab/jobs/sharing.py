"""How many physical GPUs a piece of a GPU resource stands for. docs/methods.md, "Nodes"."""

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.domain.signals import Series, Signal
from costlab.jobs.heard import Signals, spans

_MIG = re.compile(r"nvidia_com_mig_(\d+)g_")
_WHOLE = ("nvidia_com_gpu", "nvidia_com_gpu_shared", "amd_com_gpu")
_REPLICAS = "label_nvidia_com_gpu_replicas"
PRODUCT = "label_nvidia_com_gpu_product"
_SEEN_BY = (Signal.GPU_UTILIZATION, Signal.GPU_ENGINE_ACTIVE, Signal.GPU_MEMORY_USED)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How each node's GPUs are shared over time, and their model.

    told: by node, (since when, replicas), oldest first, as the device plugin labels the node. guessed: by node, from
    the devices seen, where no label tells.
    """

    told: dict[str, list[tuple[int, int]]]
    guessed: dict[str, int]
    models: dict[str, str]

    def share(self, node: str, resource: str, at_ms: int) -> float | None:
        """1 for a whole GPU, 1 / replicas for a shared one, slices / 7 for MIG (4 on an A30); None for no GPU."""
        if match := _MIG.match(resource):
            return int(match[1]) / (4 if "A30" in self.models.get(node, "") else 7)
        return 1 / self._replicas(node, at_ms) if resource in _WHOLE else None

    def _replicas(self, node: str, at_ms: int) -> int:
        told = self.told.get(node)
        if not told:
            return self.guessed.get(node, 1)
        return next((count for since_ms, count in reversed(told) if since_ms <= at_ms), told[0][1])


def is_gpu(resource: str) -> bool:
    """Whether a resource name of kube-state-metrics is one that GPUs are requested by."""
    return resource in _WHOLE or bool(_MIG.match(resource))


def devices_expected(resource: str, pieces: float, share: float) -> float:
    """How many devices or MIG instances an exporter would show for a container's request."""
    return pieces if "_mig_" in resource else max(1, math.ceil(share - 1e-9))


def sharing_of(signals: Signals) -> Sharing:
    """How each node's GPUs are shared: as the device plugin's label says, else as the devices seen let guess.

    Advertised GPUs that are a whole multiple of the devices seen at one time are taken for shared that many times.
    """
    devices, models = _devices(signals)
    guessed = {}
    for node, pieces in _advertised(signals[Signal.NODE_CAPACITY]).items():
        physical = devices.get(node, 0)
        if physical and pieces > physical and pieces % physical == 0:
            guessed[node] = int(pieces // physical)
    told = _told(signals[Signal.NODE_LABELS])
    products = {
        labels["node"]: labels[PRODUCT] for labels in signals[Signal.NODE_LABELS].labels if PRODUCT in labels
    }
    return Sharing(told, {node: n for node, n in guessed.items() if node not in told}, products | models)


def _told(node_labels: Series) -> dict[str, list[tuple[int, int]]]:
    """Since when each node was labelled with which number of replicas."""
    samples: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for labels, first_ms, _ in spans(node_labels):
        count = labels.get(_REPLICAS, "")
        if count.isdigit() and int(count) > 0:
            samples[labels.get("node", "")].append((first_ms, int(count)))
    return {node: sorted(steps) for node, steps in samples.items()}


def _devices(signals: Signals) -> tuple[dict[str, int], dict[str, str]]:
    """The most devices seen at one time on each node, and the model that most series name."""
    lives: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    models: dict[str, Counter[str]] = defaultdict(Counter)
    for signal in _SEEN_BY:
        for labels, first_ms, last_ms in spans(signals[signal]):
            node, device = labels.get("node", ""), labels.get("gpu_uuid") or labels.get("gpu_index", "")
            before = lives[node].get(device, (first_ms, last_ms))
            lives[node][device] = (min(first_ms, before[0]), max(last_ms, before[1]))
            if model := labels.get("gpu_model"):
                models[node][model] += 1
    most = {node: _at_once(list(spans_of.values())) for node, spans_of in lives.items()}
    return most, {node: min(counts, key=lambda m: (-counts[m], m)) for node, counts in models.items()}


def _at_once(lives: list[tuple[int, int]]) -> int:
    starts, ends = (np.sort(np.array(side, np.int64)) for side in zip(*lives, strict=True))
    return int(max(i + 1 - np.searchsorted(ends, start) for i, start in enumerate(starts)))


def _advertised(capacity: Series) -> dict[str, float]:
    """The most whole or shared GPUs that each node ever told of."""
    advertised: dict[str, float] = {}
    for labels, low, high in zip(capacity.labels, capacity.offsets[:-1], capacity.offsets[1:], strict=True):
        if labels.get("resource") in _WHOLE and low < high:
            node, most = labels.get("node", ""), float(np.nanmax(capacity.values[low:high]))
            advertised[node] = max(advertised.get(node, 0.0), most)
    return advertised

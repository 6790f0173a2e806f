"""The nodes of a day: when they lived, what they had, how their GPUs are shared. docs/methods.md, "Nodes"."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.core.observe import scrape_interval_ms
from costlab.domain.signals import Labels, Signal
from costlab.domain.time import MINUTE_MS, Window
from costlab.domain.units import Resource
from costlab.jobs.levels import Steps, edges_of, steps_by, value_at
from costlab.jobs.lives import Life, Signals

_MIG = re.compile(r"nvidia_com_mig_(\d+)g_")
_WHOLE = ("nvidia_com_gpu", "nvidia_com_gpu_shared", "amd_com_gpu")
# How the common provisioners label what a node is bought as.
_CAPACITY_TYPES = {
    "label_karpenter_sh_capacity_type": {"spot": "spot", "on-demand": "on-demand"},
    "label_eks_amazonaws_com_capacityType": {"SPOT": "spot", "ON_DEMAND": "on-demand"},
    "label_eks_amazonaws_com_capacity_type": {"SPOT": "spot", "ON_DEMAND": "on-demand"},
    "label_cloud_google_com_gke_spot": {"true": "spot"},
    "label_kubernetes_azure_com_scalesetpriority": {"spot": "spot", "regular": "on-demand"},
}


@dataclass(frozen=True, slots=True)
class Size:
    """Cores, bytes and physical GPUs; None where the source does not say."""

    cpu: float | None
    memory: float | None
    gpu: float | None


@dataclass(frozen=True, slots=True)
class Machine:
    """A node while its capacity does not change."""

    node: str
    start_ms: int
    end_ms: int
    capacity: Size
    allocatable: Size
    gpu_model: str | None
    labels: Labels
    capacity_type: str | None


@dataclass(frozen=True, slots=True)
class Sharing:
    """How many physical GPUs one piece of a GPU resource stands for, by node."""

    replicas: dict[str, int]
    models: dict[str, str]

    def share(self, node: str, resource: str) -> float | None:
        """1 for a whole GPU, physical / advertised for a shared one, slices / 7 for MIG (4 on an A30); else None."""
        if match := _MIG.match(resource):
            return int(match[1]) / (4 if "A30" in self.models.get(node, "") else 7)
        return 1 / self.replicas.get(node, 1) if resource in _WHOLE else None


def sharing_of(signals: Signals) -> Sharing:
    """How each node's GPUs are shared, from the device plugin's labels or from the devices that were seen.

    Advertised GPUs that are a whole multiple of the devices seen are shared that many times.
    """
    devices, models, told = *_devices(signals), labels_of(signals)
    replicas = {}
    for node, pieces in _advertised(signals).items():
        stated, physical = told.get(node, {}).get("label_nvidia_com_gpu_replicas", ""), len(devices[node])
        if stated.isdigit() and int(stated) > 0:
            replicas[node] = int(stated)
        elif physical:
            replicas[node] = int(pieces // physical) if pieces > physical and pieces % physical == 0 else 1
    products = {node: labels.get("label_nvidia_com_gpu_product", "") for node, labels in told.items()}
    return Sharing(replicas, {node: product for node, product in products.items() if product} | models)


def labels_of(signals: Signals) -> dict[str, dict[str, str]]:
    """The labels of each node that kube-state-metrics may show."""
    return {
        labels.get("node", ""): {name: text for name, text in labels.items() if name.startswith("label_")}
        for labels in signals[Signal.NODE_LABELS].labels
    }


def machines_of(
    signals: Signals, window: Window, lives: list[Life], sharing: Sharing, max_gap_ms: int
) -> list[Machine]:
    """Every node of the day in stretches of constant capacity, ordered by name and time.

    A node that only its pods tell of has no known capacity, and lives as long as they do.
    """
    told = labels_of(signals)
    capacity = steps_by(signals[Signal.NODE_CAPACITY], _node_resource, max_gap_ms)
    allocatable = steps_by(signals[Signal.NODE_ALLOCATABLE], _node_resource, max_gap_ms)
    found = []
    for node, stays in sorted(_stays(signals, lives, max_gap_ms).items()):
        has = {resource: steps for (name, resource), steps in capacity.items() if name == node}
        gives = {resource: steps for (name, resource), steps in allocatable.items() if name == node}
        labels = told.get(node, {})
        for stay_start, stay_end in stays:
            start_ms, end_ms = max(stay_start, window.start_ms), min(stay_end, window.end_ms)
            if start_ms >= end_ms:
                continue
            for low, high in edges_of([*has.values(), *gives.values()], start_ms, end_ms):
                found.append(
                    Machine(
                        node, low, high, _size(has, low, node, sharing), _size(gives, low, node, sharing),
                        sharing.models.get(node), labels, _capacity_type(labels),
                    )
                )  # fmt: skip
    return found


def _devices(signals: Signals) -> tuple[dict[str, set[str]], dict[str, str]]:
    """The devices that were seen on each node, and the model that most of them are."""
    devices: dict[str, set[str]] = defaultdict(set)
    models: dict[str, Counter[str]] = defaultdict(Counter)
    for signal in (Signal.GPU_UTILIZATION, Signal.GPU_ENGINE_ACTIVE, Signal.GPU_MEMORY_USED):
        for labels in signals[signal].labels:
            node = labels.get("node", "")
            devices[node].add(labels.get("gpu_uuid") or labels.get("gpu_index", ""))
            if model := labels.get("gpu_model"):
                models[node][model] += 1
    return devices, {node: min(counts, key=lambda m: (-counts[m], m)) for node, counts in models.items()}


def _advertised(signals: Signals) -> dict[str, float]:
    """The most whole or shared GPUs that each node ever told of."""
    capacity, advertised = signals[Signal.NODE_CAPACITY], dict[str, float]()
    for labels, low, high in zip(capacity.labels, capacity.offsets[:-1], capacity.offsets[1:], strict=True):
        if labels.get("resource") in _WHOLE and low < high:
            node, most = labels.get("node", ""), float(np.nanmax(capacity.values[low:high]))
            advertised[node] = max(advertised.get(node, 0.0), most)
    return advertised


def _node_resource(labels: Labels) -> tuple[str, str]:
    return labels.get("node", ""), labels.get("resource", "")


def _size(levels: dict[str, Steps], at_ms: int, node: str, sharing: Sharing) -> Size:
    gpus = None
    for resource, steps in levels.items():
        share, pieces = sharing.share(node, resource), value_at(steps, at_ms)
        if share is not None and pieces is not None:
            gpus = (gpus or 0.0) + share * pieces
    if gpus is None and Resource.CPU in levels:
        gpus = 0.0  # a node that tells its cores and no GPU has none
    return Size(value_at(levels.get("cpu", []), at_ms), value_at(levels.get("memory", []), at_ms), gpus)


def _stays(signals: Signals, lives: list[Life], max_gap_ms: int) -> dict[str, list[tuple[int, int]]]:
    """When each node was there: a gap while kube-state-metrics answered for other nodes is an absence."""
    times: dict[str, list[np.ndarray]] = defaultdict(list)
    steps = []
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        series = signals[signal]
        steps.append(scrape_interval_ms(series.at_ms, series.offsets, MINUTE_MS))
        for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
            times[labels.get("node", "")].append(series.at_ms[low:high])
    step_ms = min(steps)
    heard = np.unique(signals[Signal.POD_INFO].at_ms)
    stays = {}
    for node, parts in times.items():
        at_ms = np.unique(np.concatenate(parts))
        cuts = [
            i for i in np.flatnonzero(np.diff(at_ms) > max_gap_ms).tolist()
            if np.searchsorted(heard, at_ms[i + 1] - 1) - np.searchsorted(heard, at_ms[i] + step_ms, "right") > 1
        ]  # fmt: skip
        bounds = [-1, *cuts, len(at_ms) - 1]
        stays[node] = [
            (int(at_ms[low + 1]), int(at_ms[high]) + step_ms)
            for low, high in zip(bounds[:-1], bounds[1:], strict=True)
        ]
    for life in lives:
        if life.node not in times:
            before = stays.get(life.node, [(life.start_ms, life.end_ms)])[0]
            stays[life.node] = [(min(before[0], life.start_ms), max(before[1], life.end_ms))]
    return stays


def _capacity_type(labels: Labels) -> str | None:
    for label, meanings in _CAPACITY_TYPES.items():
        if (text := labels.get(label)) in meanings:
            return meanings[text]
    return None

"""The nodes of a day: when they lived and what they had. docs/methods.md, "Nodes"."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from costlab.domain.signals import Labels, Signal
from costlab.domain.time import Window
from costlab.jobs.heard import Hearing, Signals, newest, own_labels
from costlab.jobs.levels import Run, bridged, runs_by, stretches_of
from costlab.jobs.lives import Life
from costlab.jobs.sharing import Sharing, is_gpu

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

    @property
    def capacity_type(self) -> str | None:
        """What it is bought as, spot or on-demand, by the labels of the common provisioners."""
        for label, meanings in _CAPACITY_TYPES.items():
            if (text := self.labels.get(label)) in meanings:
                return meanings[text]
        return None


def machines_of(
    signals: Signals, window: Window, lives: list[Life], sharing: Sharing, heard: Hearing, max_gap_ms: int
) -> list[Machine]:
    """Every node of the day in stretches of constant capacity, ordered by name and time.

    A node that on this day only its pods tell of has no known capacity, and lives as long as they do.
    """
    named = {
        node: own_labels(labels)
        for node, labels in newest(signals[Signal.NODE_LABELS], _node, window).items()
    }
    levels: dict[str, dict[str, list[Run]]] = defaultdict(dict)  # node → "capacity cpu" → runs
    for what, signal in (("capacity", Signal.NODE_CAPACITY), ("allocatable", Signal.NODE_ALLOCATABLE)):
        for (node, resource), runs in runs_by(signals[signal], _node_resource, max_gap_ms).items():
            if resource in ("cpu", "memory") or is_gpu(resource):
                levels[node][f"{what} {resource}"] = runs
    told = _told(signals)
    found = []
    for node in sorted(told.keys() | {life.node for life in lives}):
        at_ms = told.get(node)
        stays = _stays(at_ms, heard, window, max_gap_ms) if at_ms is not None else []
        if not stays:
            stays, at_ms = _stay_of_pods(node, lives), None
        for start_ms, end_ms in stays:
            has = {
                name: bridged(runs, at_ms, start_ms, end_ms)
                for name, runs in levels[node].items()
                if at_ms is not None
            }
            edges = {since_ms for since_ms, _ in sharing.told.get(node, [])[1:]}
            for low, high, values in stretches_of(
                has, max(start_ms, window.start_ms), min(end_ms, window.end_ms)
            ):
                for from_ms, to_ms in _cut(low, high, edges):
                    capacity = _size(values, "capacity", node, from_ms, sharing)
                    allocatable = _size(values, "allocatable", node, from_ms, sharing)
                    model, labels = sharing.models.get(node), named.get(node, {})
                    found.append(Machine(node, from_ms, to_ms, capacity, allocatable, model, labels))
    return found


def _node(labels: Labels) -> str:
    return labels.get("node", "")


def _node_resource(labels: Labels) -> tuple[str, str]:
    return labels.get("node", ""), labels.get("resource", "")


def _size(values: dict[str, float], what: str, node: str, at_ms: int, sharing: Sharing) -> Size:
    of = {
        name.removeprefix(f"{what} "): value for name, value in values.items() if name.startswith(f"{what} ")
    }
    shares = {resource: sharing.share(node, resource, at_ms) for resource in of}
    gpus = sum(share * of[resource] for resource, share in shares.items() if share is not None)
    # A node that tells its cores and no GPU has none.
    return Size(of.get("cpu"), of.get("memory"), float(gpus) if of else None)


def _told(signals: Signals) -> dict[str, np.ndarray]:
    """When each node's capacity or allocatable was told: int64, ordered."""
    times: dict[str, list[np.ndarray]] = defaultdict(list)
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        series = signals[signal]
        known = ~np.isnan(series.values)
        for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
            times[_node(labels)].append(series.at_ms[low:high][known[low:high]])
    joined = {node: np.unique(np.concatenate(parts)) for node, parts in times.items()}
    return {node: at_ms for node, at_ms in joined.items() if len(at_ms)}


def _stays(at_ms: np.ndarray, heard: Hearing, window: Window, max_gap_ms: int) -> list[tuple[int, int]]:
    """When a node was there: a gap while kube-state-metrics told of other things is an absence."""
    cuts = [
        i
        for i in np.flatnonzero(np.diff(at_ms) > max_gap_ms).tolist()
        if np.searchsorted(heard.at_ms, at_ms[i + 1])
        - np.searchsorted(heard.at_ms, at_ms[i] + heard.step_ms, "right")
        > 1
    ]
    bounds = [-1, *cuts, len(at_ms) - 1]
    stays = [
        (int(at_ms[low + 1]), int(at_ms[high]) + heard.step_ms)
        for low, high in zip(bounds, bounds[1:], strict=False)
    ]
    return [
        (start_ms, end_ms)
        for start_ms, end_ms in stays
        if start_ms < window.end_ms and end_ms > window.start_ms
    ]


def _stay_of_pods(node: str, lives: list[Life]) -> list[tuple[int, int]]:
    here = [life for life in lives if life.node == node]
    return [(min(life.start_ms for life in here), max(life.end_ms for life in here))] if here else []


def _cut(start_ms: int, end_ms: int, edges: set[int]) -> list[tuple[int, int]]:
    points = [start_ms, *sorted(edge for edge in edges if start_ms < edge < end_ms), end_ms]
    return list(zip(points[:-1], points[1:], strict=True))

"""The nodes of a day: when they lived and what they had. docs/methods.md, "Nodes"."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from costlab.domain.signals import Labels, Signal
from costlab.domain.time import Window
from costlab.jobs.heard import newest_of, own_labels
from costlab.jobs.levels import Run, bridged, runs_by, stretches_of
from costlab.jobs.reading import Reading
from costlab.jobs.sharing import Sharing
from costlab.jobs.stays import Stay, while_there

# How the common provisioners label what a node is bought as.
_CAPACITY_TYPES = {
    "label_karpenter_sh_capacity_type": {"spot": "spot", "on-demand": "on-demand"},
    "label_eks_amazonaws_com_capacityType": {"SPOT": "spot", "ON_DEMAND": "on-demand"},
    "label_eks_amazonaws_com_capacity_type": {"SPOT": "spot", "ON_DEMAND": "on-demand"},
    "label_cloud_google_com_gke_spot": {"true": "spot"},
    "label_cloud_google_com_gke_provisioning": {"spot": "spot", "standard": "on-demand"},
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
    provider_id: str | None = None

    @property
    def capacity_type(self) -> str | None:
        """What it is bought as, spot or on-demand, by the labels of the common provisioners."""
        for label, meanings in _CAPACITY_TYPES.items():
            if (text := self.labels.get(label)) in meanings:
                return meanings[text]
        return None


def as_spot(labels: Labels) -> dict[str, str]:
    """The labels that the same node would have, were it bought as spot."""
    words = {
        label: next(word for word, meaning in meanings.items() if meaning == "spot")
        for label, meanings in _CAPACITY_TYPES.items()
    }
    return {label: words.get(label, text) for label, text in labels.items()}


def machines_of(
    signals: Reading, window: Window, stays: list[Stay], sharing: Sharing, max_gap_ms: int
) -> list[Machine]:
    """Every node of the day in stretches of constant capacity, ordered by name and time.

    Its labels, and its name at the provider, are those that were told last in its stay. A node that only its pods tell of has no known capacity.
    """
    told = while_there(signals[Signal.NODE_LABELS], stays)
    named = newest_of(((one.stay.key, one.labels, one.first_ms, one.last_ms) for one in told), window)
    info = while_there(signals[Signal.NODE_INFO], stays)
    bought = newest_of(((one.stay.key, one.labels, one.first_ms, one.last_ms) for one in info), window)
    levels: dict[str, dict[str, list[Run]]] = defaultdict(dict)  # node → "capacity cpu" → runs
    for what, signal in (("capacity", Signal.NODE_CAPACITY), ("allocatable", Signal.NODE_ALLOCATABLE)):
        for (node, resource), runs in runs_by(signals, signal, _node_resource, max_gap_ms).items():
            if resource in ("cpu", "memory") or resource in sharing.resources:
                levels[node][f"{what} {resource}"] = runs
    found = []
    for stay in stays:
        labels = own_labels(named.get(stay.key, {}))
        provider_id = bought.get(stay.key, {}).get("provider_id")
        has = {
            name: bridged(runs, stay.told_ms, stay.start_ms, stay.end_ms)
            for name, runs in levels[stay.node].items()
            if len(stay.told_ms)
        }
        first_ms, last_ms = max(stay.start_ms, window.start_ms), min(stay.end_ms, window.end_ms)
        for low, high, values in stretches_of(has, first_ms, last_ms):
            for from_ms, to_ms in _cut(low, high, sharing.changes(stay.node)):
                capacity = _size(values, "capacity", sharing.capacity, stay.node, from_ms)
                allocatable = _size(values, "allocatable", sharing.devices, stay.node, from_ms)
                model = sharing.model(stay.node, from_ms)
                machine = Machine(
                    stay.node, from_ms, to_ms, capacity, allocatable, model, labels, provider_id
                )
                found.append(machine)
    return found


def _node_resource(labels: Labels) -> tuple[str, str]:
    return labels.get("node", ""), labels.get("resource", "")


def _size(
    values: dict[str, float],
    what: str,
    devices: Callable[[str, dict[str, float], int], float],
    node: str,
    at_ms: int,
) -> Size:
    of = {
        name.removeprefix(f"{what} "): value for name, value in values.items() if name.startswith(f"{what} ")
    }
    # A node that tells its cores and no GPU has none.
    return Size(of.get("cpu"), of.get("memory"), float(devices(node, of, at_ms)) if of else None)


def _cut(start_ms: int, end_ms: int, edges: set[int]) -> list[tuple[int, int]]:
    points = [start_ms, *sorted(edge for edge in edges if start_ms < edge < end_ms), end_ms]
    return list(zip(points[:-1], points[1:], strict=True))

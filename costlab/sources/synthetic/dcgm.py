"""What NVIDIA's DCGM exporter shows of the story: the A100s with profiling metrics, the shared T4s without.

The pod that holds a device stands in `exported_*` labels; a free device is a row without them. On the
time-sliced node every pod has a row with the same value, that of the whole device.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.domain.identity import stable_key
from costlab.domain.time import Window
from costlab.sources import RawSeries
from costlab.sources.synthetic.cast import GpuModel, Node, Pod, Run
from costlab.sources.synthetic.meters import PARTS, Instants, Meters
from costlab.sources.synthetic.scrape import regular, within
from costlab.sources.synthetic.story import Story

UTILIZATION = "DCGM_FI_DEV_GPU_UTIL"
ENGINE_ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
MEMORY_USED = "DCGM_FI_DEV_FB_USED"
MEMORY_FREE = "DCGM_FI_DEV_FB_FREE"
POWER = "DCGM_FI_DEV_POWER_USAGE"
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
SM_ACTIVE = "DCGM_FI_PROF_SM_ACTIVE"
TENSOR_ACTIVE = "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"
DRAM_ACTIVE = "DCGM_FI_PROF_DRAM_ACTIVE"
DCGM = (
    UTILIZATION,
    ENGINE_ACTIVE,
    MEMORY_USED,
    MEMORY_FREE,
    POWER,
    ENERGY,
    SM_ACTIVE,
    TENSOR_ACTIVE,
    DRAM_ACTIVE,
)
# Per cent of the time in which the engine is active at all: few kernels fill the whole chip.
_PROFILED = {ENGINE_ACTIVE: 100, SM_ACTIVE: 70, TENSOR_ACTIVE: 28, DRAM_ACTIVE: 45}
BLANK = 9_223_372_036_854_775_794.0  # DCGM's "no value" for a 64-bit field
_DRIVER_MIB = 4
_KNOT_MS = 60_000  # at which the power is looked up that the counter rises by


@dataclass(frozen=True, slots=True)
class Tenant:
    """A pod's container that holds a device; `position` is the device's place among its own."""

    pod: Pod
    run: Run
    position: int

    @property
    def life_ms(self) -> tuple[int, int]:
        """From when until when it holds the device."""
        return self.run.start_s * 1000, self.run.end_s * 1000


def raw_dcgm(
    story: Story, meters: Meters, energy: "EnergyMeters", metric: str, window: Window, interval_ms: int
) -> Iterator[RawSeries]:
    """The samples of a DCGM metric in the window, device by device."""
    for node in story.nodes:
        model = node.gpu_model
        if model is None or (metric in _PROFILED and not model.profiling):
            continue
        pods = [pod for pod in story.pods if pod.node is node and pod.devices]
        at_ms = within(
            regular(window, interval_ms, stable_key(node.name, "dcgm") % interval_ms),
            (node.start_s + 90) * 1000,
            node.end_s * 1000,
        )
        for device in range(len(node.gpu_uuids)):
            tenants = list(_tenants(pods, device, window))
            values = (
                energy.millijoules(node, model, device, at_ms)
                if metric == ENERGY
                else _values(metric, model, meters, tenants, at_ms)
            )
            if (node.name, device) == story.blank_device and metric in (*_PROFILED, POWER, ENERGY):
                start_s, end_s = story.blank_s
                values[(at_ms >= start_s * 1000) & (at_ms < end_s * 1000)] = BLANK
            device_labels = {"__name__": metric} | _device_labels(node, model, device)
            for labels, seen in _rows(node, tenants, at_ms):
                if seen.any():
                    yield RawSeries(device_labels | labels, at_ms[seen], values[seen])


def _tenants(pods: list[Pod], device: int, window: Window) -> Iterator[Tenant]:
    """Who holds the device at some time in the window."""
    for pod in pods:
        if device in pod.devices:
            for run in pod.runs:
                tenant = Tenant(pod, run, pod.devices.index(device))
                start_ms, end_ms = tenant.life_ms
                if run.container.gpus and start_ms < window.end_ms and end_ms > window.start_ms:
                    yield tenant


def _rows(
    node: Node, tenants: list[Tenant], at_ms: Instants
) -> Iterator[tuple[dict[str, str], NDArray[np.bool_]]]:
    """Labels of each row of a device, and which of the instants it has, bool (n,)."""
    free = np.ones(len(at_ms), np.bool_)
    for tenant in tenants:
        holds = _holds(tenant, at_ms)
        free &= ~holds
        labels = {
            "exported_namespace": tenant.pod.namespace,
            "exported_pod": tenant.pod.name,
            "exported_container": tenant.run.container.name,
        }
        if node.slices > 1:
            labels["vgpu"] = str(stable_key(tenant.pod.uid) % node.slices)
        yield labels, holds
    yield {}, free


def _holds(tenant: Tenant, at_ms: Instants) -> NDArray[np.bool_]:
    start_ms, end_ms = tenant.life_ms
    holds: NDArray[np.bool_] = (at_ms >= start_ms) & (at_ms < end_ms)
    return holds


def _values(
    metric: str, model: GpuModel, meters: Meters, tenants: list[Tenant], at_ms: Instants
) -> NDArray[np.float64]:
    """Percent, ratio, MiB or watts of the whole device, float64 (n,)."""
    busy = np.zeros(len(at_ms), np.int64)
    used_mib = np.full(len(at_ms), _DRIVER_MIB, np.int64)
    for tenant in tenants:
        holds = _holds(tenant, at_ms)
        # The first device does the most: collective operations wait for the last.
        busy += np.where(holds, meters[tenant.run].busy(at_ms) * (100 - tenant.position) // 100, 0)
        used_mib += np.where(holds, tenant.run.container.gpu_memory_mib, 0)
    busy = np.minimum(busy, PARTS)
    if metric == UTILIZATION:
        # Any kernel at all counts here, so it lies above the engine's own ratio.
        return np.minimum(-(-busy * 112 // PARTS), 100).astype(np.float64)
    if metric in _PROFILED:
        return busy * _PROFILED[metric] // 100 / PARTS
    if metric == MEMORY_USED:
        return used_mib.astype(np.float64)
    if metric == MEMORY_FREE:
        return (model.memory_mib - model.reserved_mib - used_mib).astype(np.float64)
    milliwatts = (model.idle_watts * PARTS + (model.peak_watts - model.idle_watts) * busy) * 1000 // PARTS
    return milliwatts / 1e3


class EnergyMeters:
    """What each device has used since its node began, in millijoules; the same for every window."""

    def __init__(self, story: Story, meters: Meters) -> None:
        self._story = story
        self._meters = meters
        self._known: dict[tuple[str, int], tuple[Instants, NDArray[np.int64]]] = {}

    def millijoules(self, node: Node, model: GpuModel, device: int, at_ms: Instants) -> NDArray[np.float64]:
        """The counter at instants of the node's life, float64 (n,): whole millijoules."""
        if (node.name, device) not in self._known:
            self._known[node.name, device] = self._laid_out(node, model, device)
        knots_ms, risen = self._known[node.name, device]
        knot = np.searchsorted(knots_ms, at_ms, "right") - 1
        milliwatts = (risen[knot + 1] - risen[knot]) // _KNOT_MS
        microjoules = risen[knot] + milliwatts * (at_ms - knots_ms[knot])
        return (microjoules // 1000).astype(np.float64)

    def _laid_out(self, node: Node, model: GpuModel, device: int) -> tuple[Instants, NDArray[np.int64]]:
        """Knots, and microjoules until each of them: one more than there are knots."""
        life = Window(node.start_s * 1000, node.end_s * 1000)
        knots_ms = np.arange(life.start_ms, life.end_ms, _KNOT_MS, dtype=np.int64)
        pods = [pod for pod in self._story.pods if pod.node is node and pod.devices]
        tenants = list(_tenants(pods, device, life))
        watts = _values(POWER, model, self._meters, tenants, knots_ms)
        rises = np.rint(watts * 1000).astype(np.int64) * _KNOT_MS
        return knots_ms, np.concatenate([np.zeros(1, np.int64), np.cumsum(rises)])


def _device_labels(node: Node, model: GpuModel, device: int) -> dict[str, str]:
    """The device's labels, and those of the target: without honorLabels, `pod` is the exporter itself."""
    # The T4 node runs the newer exporter, which spells the host name small.
    host = "hostname" if node.slices > 1 else "Hostname"
    return {
        "gpu": str(device),
        "UUID": node.gpu_uuids[device],
        "pci_bus_id": f"00000000:{device + 16:02X}:00.0",
        "device": f"nvidia{device}",
        "modelName": model.name,
        host: node.name,
        "DCGM_FI_DRIVER_VERSION": "550.90.07",
        "job": "nvidia-dcgm-exporter",
        "instance": f"{node.address}:9400",
        "namespace": "gpu-operator",
        "pod": f"dcgm-exporter-{node.name}",
        "container": "dcgm-exporter",
        "endpoint": "gpu-metrics",
        "service": "nvidia-dcgm-exporter",
    }

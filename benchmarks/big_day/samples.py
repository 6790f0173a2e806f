"""The noisy samples of the big day: what kubelets show of containers, and DCGM of GPUs, every 30 s."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from big_day.cast import Cast, Node, Pod, key
from costlab.domain.time import HOUR_MS, Window
from costlab.sources import RawSeries

INTERVAL_MS = 30_000
JITTER_MS = 4_000
CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
START = "container_start_time_seconds"
UTILIZATION = "DCGM_FI_DEV_GPU_UTIL"
ENGINE_ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
MEMORY_USED = "DCGM_FI_DEV_FB_USED"
MEMORY_FREE = "DCGM_FI_DEV_FB_FREE"
POWER = "DCGM_FI_DEV_POWER_USAGE"
TEMPERATURE = "DCGM_FI_DEV_GPU_TEMP"
NOISY = (CPU, MEMORY, UTILIZATION, ENGINE_ACTIVE, MEMORY_USED, MEMORY_FREE, POWER, TEMPERATURE)
_BOARD_MIB = 81_559
_PAGE = 4096

Instants = NDArray[np.int64]
Values = NDArray[np.float64]


def container_series(cast: Cast) -> Iterator[RawSeries]:
    """CPU, memory and start time of every pod's container; all three at the same, jittered instants."""
    for pod in cast.pods:
        random = np.random.default_rng((cast.scale.seed, pod.number))
        at_ms = _jittered(pod, cast.scale.window, random)
        if not len(at_ms):
            continue
        labels = _container_labels(pod)
        yield RawSeries({"__name__": CPU, "cpu": "total", **labels}, at_ms, _cpu_seconds(pod, at_ms, random))
        yield RawSeries({"__name__": MEMORY, **labels}, at_ms, _memory_bytes(pod, at_ms, random))
        yield RawSeries({"__name__": START, **labels}, at_ms, np.full(len(at_ms), pod.start_ms // 1000 * 1.0))


def gpu_series(cast: Cast) -> Iterator[RawSeries]:
    """Six metrics of every device, at its node's even instants: a series a holder, and one for when there is none."""
    holders: dict[tuple[str, int], list[Pod]] = defaultdict(list)
    for pod in cast.pods:
        for device in pod.devices:
            holders[pod.node.name, device].append(pod)
    for node in cast.nodes:
        at_ms = _even(node, cast.scale.window)
        for device in range(len(node.gpus)):
            random = np.random.default_rng((cast.scale.seed, int(key(node.name, device)[:8], 16)))
            yield from _device_series(node, device, holders[node.name, device], at_ms, random)


def _device_series(
    node: Node, device: int, pods: list[Pod], at_ms: Instants, random: np.random.Generator
) -> Iterator[RawSeries]:
    holder = np.full(len(at_ms), -1)
    for place, pod in enumerate(pods):
        holder[(at_ms >= pod.start_ms) & (at_ms < pod.end_ms)] = place
    metrics = _device_values(holder >= 0, random)
    for place in np.unique(holder).tolist():
        held = holder == place
        labels = _device_labels(node, device) | (_holder_labels(pods[place]) if place >= 0 else {})
        for metric, values in metrics.items():
            yield RawSeries({"__name__": metric, **labels}, at_ms[held], values[held])


def _device_values(held: NDArray[np.bool_], random: np.random.Generator) -> dict[str, Values]:
    """By metric, its values, as DCGM rounds them: percent, MiB and degrees to one, a ratio to 1e-6, watts to 1e-3.

    A device that is held works three quarters of the time, in stretches of half an hour; its memory moves in steps.
    """
    count = len(held)
    works = held & (random.uniform(size=count) < 0.75)[_lasting(count, 60, random)]
    busy = np.clip(random.uniform(0.2, 0.95) + random.normal(0, 0.08, count), 0, 1) * works
    steps_mib = random.normal(0, 60, count)[_lasting(count, 8, random)]
    used = np.rint(held * (random.uniform(0.2, 0.9) * _BOARD_MIB + steps_mib)) + 4
    return {
        UTILIZATION: np.rint(np.minimum(busy * 1.1, 1) * 100),
        ENGINE_ACTIVE: np.round(busy, 6),
        MEMORY_USED: used,
        MEMORY_FREE: _BOARD_MIB - 475 - used,
        POWER: np.round(62 + busy * 330 + random.normal(0, 3, count), 3),
        TEMPERATURE: np.rint(31 + busy * 35 + random.normal(0, 0.5, count)),
    }


def _lasting(count: int, mean: int, random: np.random.Generator) -> NDArray[np.int64]:
    """For each place, the place at which its stretch begins; stretches are `mean` long on average."""
    begins = random.uniform(size=count) < 1 / mean
    return np.maximum.accumulate(np.where(begins, np.arange(count), 0))


def _cpu_seconds(pod: Pod, at_ms: Instants, random: np.random.Generator) -> Values:
    """The counter, to the nanosecond: what is used between two samples is noise around the pod's own level."""
    cores = pod.cpu_request * random.uniform(0.1, 1.1)
    begin_ns = int(cores * 1e6 * (at_ms[0] - max(pod.start_ms, at_ms[0] - 24 * HOUR_MS)))
    steps = np.diff(at_ms) * 1e6 * cores * random.lognormal(-0.045, 0.3, len(at_ms) - 1)
    return np.concatenate([[begin_ns], begin_ns + np.cumsum(steps.astype(np.int64))]) / 1e9


def _memory_bytes(pod: Pod, at_ms: Instants, random: np.random.Generator) -> Values:
    level = pod.memory_request_gib * 2**30 * random.uniform(0.2, 0.9)
    drift = np.cumsum(random.normal(0, 2e-4, len(at_ms)))
    pages = level * (1 + np.clip(drift, -0.1, 0.1)) * (1 + random.normal(0, 3e-4, len(at_ms))) // _PAGE
    return np.asarray(pages * _PAGE, np.float64)


def _jittered(pod: Pod, window: Window, random: np.random.Generator) -> Instants:
    """When cAdvisor last looked at the cgroup: up to 4 s before or after each scrape, while the pod runs."""
    around = _even(pod.node, window)
    at_ms = around + random.integers(-JITTER_MS, JITTER_MS + 1, len(around))
    low, high = max(pod.start_ms, window.start_ms), min(pod.end_ms, window.end_ms)
    return at_ms[(at_ms >= low) & (at_ms < high)]


def _even(node: Node, window: Window) -> Instants:
    offset_ms = int(key("scrape", node.name)[:8], 16) % INTERVAL_MS
    return np.arange(window.start_ms + offset_ms, window.end_ms, INTERVAL_MS, dtype=np.int64)


def _container_labels(pod: Pod) -> dict[str, str]:
    slice_ = (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod.uid.replace('-', '_')}.slice"
    )
    return {
        "job": "kubelet",
        "metrics_path": "/metrics/cadvisor",
        "instance": f"{pod.node.address}:10250",
        "node": pod.node.name,
        "endpoint": "https-metrics",
        "service": "kubelet",
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": pod.container,
        "id": f"{slice_}/cri-containerd-{pod.container_id}.scope",
        "image": pod.image,
        "name": pod.container_id,
    }


def _device_labels(node: Node, device: int) -> dict[str, str]:
    exporter = f"nvidia-dcgm-exporter-{key('exporter', node.name)[:5]}"
    return {
        "gpu": str(device),
        "UUID": node.gpus[device],
        "pci_bus_id": f"00000000:{device + 16:02X}:00.0",
        "device": f"nvidia{device}",
        "modelName": "NVIDIA A100-SXM4-80GB",
        "Hostname": node.name,
        "DCGM_FI_DRIVER_VERSION": "550.90.07",
        "job": "nvidia-dcgm-exporter",
        "instance": f"{node.address}:9400",
        "namespace": "gpu-operator",
        "pod": exporter,
        "container": "nvidia-dcgm-exporter",
        "endpoint": "gpu-metrics",
        "service": "nvidia-dcgm-exporter",
    }


def _holder_labels(pod: Pod) -> dict[str, str]:
    return {
        "exported_namespace": pod.namespace,
        "exported_pod": pod.name,
        "exported_container": pod.container,
    }

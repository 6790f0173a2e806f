"""What GPUs were seen to do, and for whom: the exporter's series of each device and user, as one truth."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from costlab.config.device_resource import DeviceResources, exposed
from costlab.core.kernels import Floats, Ints
from costlab.core.observe import Stretches, combine, held, nearest_rank, side_by_side
from costlab.domain.identity import PodKey, container_key, gpu_key
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.jobs.claims import Claim
from costlab.jobs.heard import Signals
from costlab.jobs.lives import Life
from costlab.jobs.residents import Part, Residents, cut

NOBODY = -1
_SIGNALS = (
    Signal.GPU_ENGINE_ACTIVE,
    Signal.GPU_UTILIZATION,
    Signal.GPU_MEMORY_USED,
    Signal.GPU_MEMORY_FREE,
    Signal.GPU_POWER,
)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU or MIG instance, as its exporter names it."""

    key: int
    uuid: str
    index: str
    mig_profile: str
    model: str
    node: str


@dataclass(frozen=True, slots=True)
class DeviceUsage:
    """Observed stretches by device and user: rows of `gpu_usage`.

    gpu, container: int64 (n,), keys; container is NOBODY where no known container is named. start_ms, end_ms: int64.
    busy: ratio; memory_bytes, memory_total_bytes; power_watts: float64 (n,), NaN = not observed.
    """

    devices: tuple[Device, ...]
    gpu: Ints
    container: Ints
    start_ms: Ints
    end_ms: Ints
    busy: Floats
    memory_bytes: Floats
    memory_total_bytes: Floats
    power_watts: Floats


@dataclass(frozen=True, slots=True)
class DeviceDay:
    """A device over the day: a row of `gpus`. Hours, ratios, bytes, kWh; NaN = never observed."""

    device: Device
    observed_hours: float
    allocated_hours: float
    busy_mean: float
    busy_p95: float
    busy_max: float
    memory_max_bytes: float
    memory_total_bytes: float
    energy_kwh: float


def device_usage(
    signals: Signals, lives: list[Life], claims: list[Claim], window: Window, cluster: str, max_gap_ms: int
) -> DeviceUsage:
    """Busy ratio, memory and power of every device, by the container that the exporter names while that one lives.

    Where it names a pod only, the user is that container of the pod which alone requests GPUs. Busy is the
    engine-active ratio where the exporter has it, else utilisation. Several series of one device and user (another
    driver version, a second exporter) are one: the maximum.
    """
    residents, alone = Residents(lives, window), _alone(claims)
    parts = {signal: residents.parts(signals[signal]) for signal in _SIGNALS}
    devices: dict[int, Device] = {}
    pairs: dict[Signal, list[tuple[int, int]]] = {}
    for signal in _SIGNALS:
        named = [_device(labels, cluster) for labels in signals[signal].labels]
        devices |= {device.key: device for device in named}
        pairs[signal] = [
            (named[part.series].key, _user(signals[signal], part, alone)) for part in parts[signal]
        ]
    order = {pair: i for i, pair in enumerate(sorted({pair for of in pairs.values() for pair in of}))}

    def one_truth(signal: Signal) -> Stretches:
        series = signals[signal]
        mine = cut(held(series.at_ms, series.values, series.offsets, max_gap_ms), parts[signal])
        return combine(
            mine, np.array([order[pair] for pair in pairs[signal]], np.int64), len(order), add=False
        )

    start_ms, end_ms, (engine, share, used, free, power), offsets = side_by_side(
        tuple(one_truth(signal) for signal in _SIGNALS)
    )
    keys = np.array(list(order), np.int64).reshape(-1, 2)[np.repeat(np.arange(len(order)), np.diff(offsets))]
    return DeviceUsage(
        devices=tuple(devices[key] for key in sorted(devices)),
        gpu=keys[:, 0], container=keys[:, 1], start_ms=start_ms, end_ms=end_ms,
        busy=np.where(np.isnan(engine), share, engine),
        memory_bytes=used, memory_total_bytes=used + free, power_watts=power,
    )  # fmt: skip


def device_days(usage: DeviceUsage) -> list[DeviceDay]:
    """Each device over the day; time that several users share counts once."""
    index = {device.key: i for i, device in enumerate(usage.devices)}
    device = np.array([index[key] for key in usage.gpu.tolist()], np.int64)
    allocated = np.where(usage.container == NOBODY, np.nan, 1.0)
    sides = [
        _by_device(usage, device, values)
        for values in (usage.busy, usage.memory_bytes, usage.memory_total_bytes, usage.power_watts, allocated)
    ]
    days = []
    for i, named in enumerate(usage.devices):
        parts = [slice(side.offsets[i], side.offsets[i + 1]) for side in sides]
        hours = [(s.end_ms[p] - s.start_ms[p]) / 3_600_000 for s, p in zip(sides, parts, strict=True)]
        busy, memory, total, power, _ = (s.values[p] for s, p in zip(sides, parts, strict=True))
        days.append(
            DeviceDay(
                named,
                observed_hours=float(hours[0].sum()),
                allocated_hours=float(hours[4].sum()),
                busy_mean=float(np.average(busy, weights=hours[0])) if len(busy) else np.nan,
                busy_p95=nearest_rank(busy, hours[0], 0.95),
                busy_max=float(busy.max(initial=-np.inf)) if len(busy) else np.nan,
                memory_max_bytes=float(memory.max()) if len(memory) else np.nan,
                memory_total_bytes=float(total.max()) if len(total) else np.nan,
                energy_kwh=float(np.sum(power * hours[3]) / 1000) if len(power) else np.nan,
            )
        )
    return days


def share_of(device: Device, resources: DeviceResources) -> float:
    """What part of a physical device it is: a MIG instance is its slices' part, any other a whole one."""
    if not device.mig_profile:
        return 1.0
    return resources.share(exposed(f"nvidia.com/mig-{device.mig_profile}"), device.model) or 1.0


def _by_device(usage: DeviceUsage, device: Ints, values: Floats) -> Stretches:
    known = ~np.isnan(values)
    rows = np.arange(np.count_nonzero(known) + 1)
    single = Stretches(usage.start_ms[known], usage.end_ms[known], values[known], rows)
    return combine(single, device[known], len(usage.devices), add=False)


def _alone(claims: list[Claim]) -> dict[PodKey, str]:
    """The container of each pod that requests GPUs, where there is only one."""
    asking: dict[PodKey, set[str]] = defaultdict(set)
    for claim in claims:
        if claim.container and claim.gpu_share:
            asking[claim.life.key].add(claim.container)
    return {key: min(containers) for key, containers in asking.items() if len(containers) == 1}


def _user(series: Series, part: Part, alone: Mapping[PodKey, str]) -> int:
    if part.life is None:
        return NOBODY
    container = series.labels[part.series].get("container") or alone.get(part.life.key, "")
    return container_key(part.life.key, container)


def _device(labels: Labels, cluster: str) -> Device:
    uuid, index, node = labels.get("gpu_uuid", ""), labels.get("gpu_index", ""), labels.get("node", "")
    # Without UUID and node the scrape target tells the first GPU of one machine from that of another.
    key = gpu_key(cluster, node or labels.get("instance", ""), uuid, labels.get("mig_instance", ""), index)
    return Device(key, uuid, index, labels.get("mig_profile", ""), labels.get("gpu_model", ""), node)

"""What GPUs were seen to do, and for whom: the exporter's series of each device and user, as one truth."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.config.device_resource import DeviceResources, exposed
from costlab.core.arrays import Floats, Ints
from costlab.core.observe import Stretches, combine, held, nearest_rank, side_by_side
from costlab.domain.identity import PodKey, container_key, gpu_key
from costlab.domain.signals import Labels, Signal
from costlab.domain.time import Window
from costlab.jobs.claims import Claim
from costlab.jobs.lives import Life
from costlab.jobs.reading import Reading, in_blocks
from costlab.jobs.residents import Part, Residents, cut, taken
from costlab.jobs.usage import by_key

NOBODY = -1
_Pair = tuple[int, int]  # device and container
_SIGNALS = (
    Signal.GPU_ENGINE_ACTIVE,
    Signal.GPU_UTILIZATION,
    Signal.GPU_MEMORY_USED,
    Signal.GPU_MEMORY_FREE,
    Signal.GPU_POWER,
)
# Told of beside the others, on stretches of their own: charges do not ask for them.
ACTIVITY = (Signal.GPU_SM_ACTIVE, Signal.GPU_TENSOR_ACTIVE, Signal.GPU_DRAM_ACTIVE)


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
    """Observed stretches of some devices, by device and user: rows of `gpu_usage`.

    gpu, container: int64 (n,), keys; container is NOBODY where no known container is named. start_ms, end_ms: int64.
    busy: ratio; memory_bytes, memory_total_bytes; power_watts: float64 (n,), NaN = not observed. by_engine: bool (n,),
    whether busy is the engine-active ratio. pairs: int64 (pairs, 2), every device and user; pair p owns the rows
    offsets[p]:offsets[p + 1]. activity: of each of `ACTIVITY` what the pairs showed.
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
    by_engine: NDArray[np.bool_]
    pairs: Ints
    offsets: Ints
    activity: tuple[Stretches, ...]


@dataclass(frozen=True, slots=True)
class Devices:
    """All devices over the day.

    observed_s: by container, NOBODY among them, device-seconds in which it was known whether a device was busy.
    """

    days: list["DeviceDay"]
    observed_s: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class DeviceDay:
    """A device over the day: a row of `gpus` but for its energy. Hours, ratios, bytes; NaN = never observed."""

    device: Device
    observed_hours: float
    allocated_hours: float
    busy_mean: float
    busy_p95: float
    busy_max: float
    memory_max_bytes: float
    memory_total_bytes: float


class Watched:
    """What GPU exporters showed of every device."""

    def __init__(
        self, signals: Reading, lives: list[Life], claims: list[Claim], window: Window, cluster: str
    ) -> None:
        residents, alone = Residents(lives, window), only_askers(claims)
        self._signals = signals
        self._devices: dict[int, Device] = {}
        self._used: dict[Signal, list[tuple[Part, _Pair]]] = {}
        self._weight: dict[int, int] = defaultdict(int)
        for signal in (*_SIGNALS, *ACTIVITY):
            side = residents.of(signals, signal)
            named = {place: device_of(labels, cluster) for place, labels in side.labels.items()}
            self._devices |= {device.key: device for device in named.values()}
            for place, device in named.items():
                self._weight[device.key] += side.sizes[place]
            self._used[signal] = [
                (part, (named[part.series].key, _user(side.labels[part.series], part, alone)))
                for part in side.parts
            ]
        # A device may show nothing but what it has used.
        for _, series in signals.blocks(Signal.GPU_ENERGY):
            for device in (device_of(labels, cluster) for labels in series.labels):
                self._devices.setdefault(device.key, device)

    def usage(self, max_gap_ms: int) -> Iterator[DeviceUsage]:
        """Busy ratio, memory and power of every device, by the container that the exporter names while that one lives.

        Where it names a pod only, the user is that container of the pod which alone requests GPUs. Busy is the
        engine-active ratio where the exporter has it, else utilisation. Several series of one device and user (another
        driver version, a second exporter) are one: the maximum. Some devices at a time, in the order of their keys.
        """
        order = sorted(self._devices)
        weights = np.array([self._weight[key] for key in order], np.int64)
        blocks = in_blocks(weights, self._signals.block_samples)
        number = {order[place]: n for n, block in enumerate(blocks) for place in block.tolist()}
        used: list[dict[Signal, list[tuple[Part, _Pair]]]] = [
            {signal: [] for signal in self._used} for _ in blocks
        ]
        for signal, parts in self._used.items():
            for part, pair in parts:
                used[number[pair[0]]][signal].append((part, pair))
        for block, its in zip(blocks, used, strict=True):
            yield self._usage([self._devices[order[place]] for place in block.tolist()], its, max_gap_ms)

    def _usage(
        self, devices: list[Device], used: dict[Signal, list[tuple[Part, _Pair]]], max_gap_ms: int
    ) -> DeviceUsage:
        order = {pair: i for i, pair in enumerate(sorted({pair for of in used.values() for _, pair in of}))}

        def one_truth(signal: Signal) -> Stretches:
            parts = [part for part, _ in used[signal]]
            places, series = taken(self._signals.shelf(signal), parts)
            mine = cut(held(series.at_ms, series.values, series.offsets, max_gap_ms), places, parts)
            ranks = np.array([order[pair] for _, pair in used[signal]], np.int64)
            return combine(mine, ranks, len(order), add=False)

        start_ms, end_ms, (engine, share, memory, free, power), offsets = side_by_side(
            tuple(one_truth(signal) for signal in _SIGNALS)
        )
        pairs = np.array(list(order), np.int64).reshape(-1, 2)
        keys = pairs[np.repeat(np.arange(len(order)), np.diff(offsets))]
        return DeviceUsage(
            devices=tuple(devices),
            gpu=keys[:, 0], container=keys[:, 1], start_ms=start_ms, end_ms=end_ms,
            busy=np.where(np.isnan(engine), share, engine),
            memory_bytes=memory, memory_total_bytes=memory + free, power_watts=power,
            by_engine=~np.isnan(engine), pairs=pairs, offsets=offsets,
            activity=tuple(one_truth(signal) for signal in ACTIVITY),
        )  # fmt: skip


def total(several: Iterable[DeviceUsage]) -> Devices:
    """All devices over the day; no device is in two of the `several`."""
    days: list[DeviceDay] = []
    observed_s: dict[int, float] = {}
    for some in several:
        days += device_days(some)
        seconds = (some.end_ms - some.start_ms) / 1000
        observed_s = by_key(some.container, np.where(np.isnan(some.busy), 0.0, seconds), observed_s)
    return Devices(days, observed_s)


def device_days(usage: DeviceUsage) -> list[DeviceDay]:
    """Each device over the day; time that several users share counts once."""
    index = {device.key: i for i, device in enumerate(usage.devices)}
    device = np.array([index[key] for key in usage.gpu.tolist()], np.int64)
    allocated = np.where(usage.container == NOBODY, np.nan, 1.0)
    sides = [
        _by_device(usage, device, values)
        for values in (usage.busy, usage.memory_bytes, usage.memory_total_bytes, allocated)
    ]
    days = []
    for i, named in enumerate(usage.devices):
        parts = [slice(side.offsets[i], side.offsets[i + 1]) for side in sides]
        hours = [(s.end_ms[p] - s.start_ms[p]) / 3_600_000 for s, p in zip(sides, parts, strict=True)]
        busy, memory, total, _ = (s.values[p] for s, p in zip(sides, parts, strict=True))
        days.append(
            DeviceDay(
                named,
                observed_hours=float(hours[0].sum()),
                allocated_hours=float(hours[3].sum()),
                busy_mean=float(np.average(busy, weights=hours[0])) if len(busy) else np.nan,
                busy_p95=nearest_rank(busy, hours[0], 0.95),
                busy_max=float(busy.max(initial=-np.inf)) if len(busy) else np.nan,
                memory_max_bytes=float(memory.max()) if len(memory) else np.nan,
                memory_total_bytes=float(total.max()) if len(total) else np.nan,
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


def only_askers(claims: list[Claim]) -> dict[PodKey, str]:
    """The container of each pod that requests GPUs, where there is only one."""
    asking: dict[PodKey, set[str]] = defaultdict(set)
    for claim in claims:
        if claim.container and claim.gpu_share:
            asking[claim.life.key].add(claim.container)
    return {key: min(containers) for key, containers in asking.items() if len(containers) == 1}


def _user(labels: Labels, part: Part, alone: Mapping[PodKey, str]) -> int:
    if part.life is None:
        return NOBODY
    container = labels.get("container") or alone.get(part.life.key, "")
    return container_key(part.life.key, container)


def device_of(labels: Labels, cluster: str) -> Device:
    """The device that a series is about."""
    uuid, index, node = labels.get("gpu_uuid", ""), labels.get("gpu_index", ""), labels.get("node", "")
    # Without UUID and node the scrape target tells the first GPU of one machine from that of another.
    key = gpu_key(cluster, node or labels.get("instance", ""), uuid, labels.get("mig_instance", ""), index)
    return Device(key, uuid, index, labels.get("mig_profile", ""), labels.get("gpu_model", ""), node)

"""What was used of electricity, and by whom: GPUs by their own meters, CPUs and memory by Kepler.

docs/methods.md, "Energy", says how a device's energy is split over those that share it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costlab.config.device_resource import DeviceResources
from costlab.core.observe import Stretches, clipped, combine, held, rates, side_by_side, united
from costlab.domain.identity import PodKey, gpu_key
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.jobs.claims import Claim
from costlab.jobs.devices import Device, device_of, only_askers, share_of
from costlab.jobs.lives import Life
from costlab.jobs.reading import Reading
from costlab.jobs.residents import Residents, cut

_BY_DEVICE = (Signal.GPU_ENERGY, Signal.GPU_POWER)
_BY_KEPLER = (Signal.PACKAGE_ENERGY, Signal.DRAM_ENERGY)
_ON_THE_WAY = 4  # times what is made of a sample elsewhere
_TOLD_APART = ("container_id", "mode", "node", "namespace", "pod", "container")

Consumer = tuple[Life, str]  # a pod's life, and one of its containers


@dataclass(frozen=True, slots=True)
class Spent:
    """Energy that was observed, and for how long: several devices at once count several times."""

    energy_kwh: float
    observed_hours: float


@dataclass(frozen=True, slots=True)
class Metered:
    """The energy that one source told of on a day; together containers and nobody used what the source measured.

    nobodys_kwh: by node, what no container is known to have used.
    """

    source: str
    containers: Mapping[Consumer, Spent]
    nobodys_kwh: Mapping[str, float]


def energy_of(
    signals: Reading, lives: list[Life], claims: list[Claim], resources: DeviceResources, window: Window, cluster: str,
    max_gap_ms: int,
) -> tuple[list[Metered], Mapping[int, float]]:  # fmt: skip
    """What each source that tells of energy measured, and kWh by key of each GPU."""
    of_gpus, by_device = gpu_energy(signals, lives, claims, resources, window, cluster, max_gap_ms) or (
        None,
        {},
    )
    of_cpus = kepler_energy(signals, lives, window, max_gap_ms)
    return [metered for metered in (of_gpus, of_cpus) if metered], by_device


def gpu_energy(
    signals: Reading, lives: list[Life], claims: list[Claim], resources: DeviceResources, window: Window, cluster: str,
    max_gap_ms: int,
) -> tuple[Metered, dict[int, float]] | None:  # fmt: skip
    """The energy of GPUs by container, and by key of each device; None where no exporter tells energy or power.

    A GPU's counter counts, and where that tells nothing, its power. What it used at a time is split evenly over the
    containers that the exporter then names. A meter is the whole GPU's: its MIG instances first get their slices' part.
    """
    residents, alone = Residents(lives, window), only_askers(claims)
    used: list[_OfDevice] = []

    def meter(labels: Labels) -> int:
        return _whole(device_of(labels, cluster), cluster)

    for some in signals.together(_BY_DEVICE, meter, signals.block_samples // _ON_THE_WAY):
        board = _Board(some, resources, cluster)
        if board.devices:
            used += _used(board, some, residents, alone, window, max_gap_ms)
    if not used:
        return None
    used.sort(key=lambda of: of.device.key)  # sums are then the same whatever was looked at together
    nobodys: dict[str, float] = defaultdict(float)
    for of in used:
        if of.unused.observed_hours:
            nobodys[of.device.node] += of.unused.energy_kwh
    containers = _summed([pair for of in used for pair in of.consumers])
    return Metered("gpu", containers, nobodys), {of.device.key: of.all.energy_kwh for of in used}


@dataclass(frozen=True, slots=True)
class _OfDevice:
    """What a device used: in all, for each container, and for nobody."""

    device: Device
    all: Spent
    consumers: list[tuple[Consumer, Spent]]
    unused: Spent


def _used(
    board: "_Board", signals: Mapping[Signal, Series], residents: Residents, alone: Mapping[PodKey, str],
    window: Window, max_gap_ms: int,
) -> list[_OfDevice]:  # fmt: skip
    meters = _metered(signals, board, window, max_gap_ms)
    watts = _by_device(meters, _told(signals, board, window, max_gap_ms), board)
    users, used = _users(signals, board, residents, alone, max_gap_ms)
    place = np.array([device for device, _ in users], np.int64)
    sharers = combine(used, place, len(board.devices), add=True)
    start_ms, end_ms, (there, power, count), offsets = side_by_side(
        (used, watts.of(place), sharers.of(place))
    )
    mine = _spent(Stretches(start_ms, end_ms, there * power / count, offsets))
    start_ms, end_ms, (power, count), offsets = side_by_side((watts, sharers))
    unused = _spent(Stretches(start_ms, end_ms, np.where(np.isnan(count), power, np.nan), offsets))
    consumers: list[list[tuple[Consumer, Spent]]] = [[] for _ in board.devices]
    for (device, consumer), spent in zip(users, mine, strict=True):
        consumers[device].append((consumer, spent))
    return [_OfDevice(*of) for of in zip(board.devices, _spent(watts), consumers, unused, strict=True)]


def kepler_energy(signals: Reading, lives: list[Life], window: Window, max_gap_ms: int) -> Metered | None:
    """The energy of CPU packages and DRAM that Kepler finds for each container; None where it tells nothing.

    The modes (dynamic, idle) of a container and its runs are added. Of several instances that tell of one the maximum
    counts.
    """
    residents = Residents(lives, window)
    containers: dict[Consumer, Spent] = {}
    nobodys: list[tuple[tuple[str, ...], float]] = []
    for some in signals.together(_BY_KEPLER, _pod_told, signals.block_samples // _ON_THE_WAY):
        for owner, spent in _kepler(some, residents, max_gap_ms).items():
            if isinstance(owner[0], Life):
                containers[owner] = spent
            else:
                nobodys.append((owner, spent.energy_kwh))
    if not containers and not nobodys:
        return None
    by_node: dict[str, float] = defaultdict(float)
    for (node, *_), kwh in sorted(nobodys):
        by_node[node] += kwh
    return Metered("kepler", containers, by_node)


def _pod_told(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("namespace", "pod", "uid"))


def _kepler(
    signals: Mapping[Signal, Series], residents: Residents, max_gap_ms: int
) -> dict[Consumer | tuple[str, ...], Spent]:
    """What was spent by each consumer, or by a node's pods that nobody knows: their node, and what they are told by."""
    meters: dict[tuple[str, ...], int] = {}
    owners: list[Consumer | tuple[str, ...]] = []
    sides, groups = [], []
    for signal, series in signals.items():
        parts = residents.parts(series)
        unknown = np.full(len(series), -1, np.int64)
        rising = rates(series.at_ms, series.values, series.offsets, unknown, max_gap_ms, 0)
        sides.append(cut(rising, np.arange(len(series)), parts))
        for part in parts:
            labels = series.labels[part.series]
            whose = part.life.key.identity if part.life else ()
            key = (signal.value, *(labels.get(name, "") for name in _TOLD_APART), *whose)
            if key not in meters:
                meters[key] = len(meters)
                nobody = (labels.get("node", ""), *_pod_told(labels))
                owners.append((part.life, labels.get("container", "")) if part.life else nobody)
            groups.append(meters[key])
    watts = combine(_together(sides), np.array(groups, np.int64), len(meters), add=False)
    places = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    whose_meter = np.array([places[owner] for owner in owners], np.int64)
    spent = zip(places, _spent(combine(watts, whose_meter, len(places), add=True)), strict=True)
    return {owner: of for owner, of in spent if of.observed_hours}


class _Board:
    """The devices that tell of energy, and the meter that each hangs on: that of its whole GPU.

    devices: ordered by key; the others go by a device's place among them. of_series: int64 (series,), the device of each
    series of a signal. meter: int64 (devices,). shares: float64 (devices,), a MIG instance's part of its GPU; NaN for a whole one.
    """

    def __init__(self, signals: Mapping[Signal, Series], resources: DeviceResources, cluster: str) -> None:
        named = {
            signal: [device_of(labels, cluster) for labels in signals[signal].labels] for signal in _BY_DEVICE
        }
        by_key = {device.key: device for of in named.values() for device in of}
        self.devices: list[Device] = [by_key[key] for key in sorted(by_key)]
        place = {device.key: i for i, device in enumerate(self.devices)}
        self.of_series = {
            signal: np.array([place[device.key] for device in of], np.int64) for signal, of in named.items()
        }
        meters: dict[int, int] = {}
        self.meter = np.array(
            [meters.setdefault(_whole(device, cluster), len(meters)) for device in self.devices], np.int64
        )
        self.meters = len(meters)
        self.shares = np.array(
            [share_of(device, resources) if device.mig_profile else np.nan for device in self.devices]
        )


def _whole(device: Device, cluster: str) -> int:
    """The key of the GPU that a device is, or is cut out of."""
    return gpu_key(cluster, device.node, device.uuid, "", device.index) if device.mig_profile else device.key


def _metered(signals: Mapping[Signal, Series], board: _Board, window: Window, max_gap_ms: int) -> Stretches:
    """Watts by meter, within the day."""
    energy, power = (signals[signal] for signal in _BY_DEVICE)
    counts, draws = (board.meter[board.of_series[signal]] for signal in _BY_DEVICE)
    at_ms, joules, offsets = united(
        energy.at_ms, energy.values, energy.offsets, counts, board.meters, counter=True
    )
    counted = rates(at_ms, joules, offsets, np.full(board.meters, -1, np.int64), max_gap_ms, 0)
    # A counter that stands still all day is that of a GPU which has none.
    counting = np.bincount(counted.group, counted.values, minlength=board.meters) > 0
    counted = counted.keep(counting[counted.group])
    at_ms, watts, offsets = united(
        power.at_ms, power.values, power.offsets, draws, board.meters, counter=False
    )
    drawn = held(at_ms, watts, offsets, max_gap_ms)
    start_ms, end_ms, (count, draw), offsets = side_by_side((counted, drawn))
    return _within(Stretches(start_ms, end_ms, np.where(np.isnan(count), draw, count), offsets), window)


def _told(signals: Mapping[Signal, Series], board: _Board, window: Window, max_gap_ms: int) -> Stretches:
    """1 by device while it was told of, whoever used it: the end of a user's series is not the device's."""
    sides = []
    for signal in _BY_DEVICE:
        series = signals[signal]
        known = ~np.isnan(series.values)
        kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(known)])[series.offsets]
        at_ms = series.at_ms[known]
        sides.append(held(at_ms, np.ones(len(at_ms)), kept, max_gap_ms))
    groups = np.concatenate([board.of_series[signal] for signal in _BY_DEVICE])
    return _within(combine(_together(sides), groups, len(board.devices), add=False), window)


def _by_device(meters: Stretches, told: Stretches, board: _Board) -> Stretches:
    """Watts by device: its meter's, or of a MIG instance its slices' part of them.

    Where the whole GPU is told of beside its instances, these have it all.
    """
    weights = Stretches(told.start_ms, told.end_ms, board.shares[told.group], told.offsets)
    instances = np.where(np.isnan(board.shares), -1, board.meter)
    of_all = combine(weights, instances, board.meters, add=True)
    start_ms, end_ms, (there, watts, cut_up), offsets = side_by_side(
        (told, meters.of(board.meter), of_all.of(board.meter))
    )
    shares = np.repeat(board.shares, np.diff(offsets))
    part = np.where(np.isnan(shares), np.where(np.isnan(cut_up), 1.0, 0.0), shares / cut_up)
    return Stretches(start_ms, end_ms, there * watts * part, offsets)


def _users(
    signals: Mapping[Signal, Series],
    board: _Board,
    residents: Residents,
    alone: Mapping[PodKey, str],
    max_gap_ms: int,
) -> tuple[list[tuple[int, Consumer]], Stretches]:
    """Devices with each container that was named as their user, and 1 while it was."""
    places: dict[tuple[int, Consumer], int] = {}
    sides, groups = [], []
    for signal in _BY_DEVICE:
        series = signals[signal]
        told = np.where(np.isnan(series.values), np.nan, 1.0)
        owned = [(part, part.life) for part in residents.parts(series) if part.life]
        while_told = held(series.at_ms, told, series.offsets, max_gap_ms)
        sides.append(cut(while_told, np.arange(len(series)), [part for part, _ in owned]))
        for part, life in owned:
            container = series.labels[part.series].get("container") or alone.get(life.key, "")
            user = int(board.of_series[signal][part.series]), (life, container)
            groups.append(places.setdefault(user, len(places)))
    return list(places), combine(_together(sides), np.array(groups, np.int64), len(places), add=False)


def _within(stretches: Stretches, window: Window) -> Stretches:
    groups = len(stretches.offsets) - 1
    edges = (np.full(groups, edge, np.int64) for edge in (window.start_ms, window.end_ms))
    return clipped(stretches, np.arange(groups), *edges)


def _together(sides: Sequence[Stretches]) -> Stretches:
    """The groups of all sides, one side after another."""
    sizes = np.concatenate([np.zeros(1, np.int64), *(np.diff(side.offsets) for side in sides)])
    return Stretches(
        np.concatenate([side.start_ms for side in sides]),
        np.concatenate([side.end_ms for side in sides]),
        np.concatenate([side.values for side in sides]),
        np.cumsum(sizes),
    )


def _spent(watts: Stretches) -> list[Spent]:
    """The energy of each group; NaN where no watt of it is known."""
    known = ~np.isnan(watts.values)
    hours = np.where(known, watts.end_ms - watts.start_ms, 0) / 3_600_000
    kwh = np.where(known, watts.values, 0.0) * hours / 1000
    groups = len(watts.offsets) - 1
    sums = (np.bincount(watts.group, each, minlength=groups) for each in (kwh, hours))
    return [Spent(k if h else np.nan, h) for k, h in zip(*(each.tolist() for each in sums), strict=True)]


def _summed(used: Sequence[tuple[Consumer, Spent]]) -> dict[Consumer, Spent]:
    """What each consumer spent on all of its devices; those of whom no watt is known are left out."""
    found: dict[Consumer, Spent] = {}
    for consumer, more in used:
        if more.observed_hours:
            before = found.get(consumer, Spent(0.0, 0.0))
            found[consumer] = Spent(
                before.energy_kwh + more.energy_kwh, before.observed_hours + more.observed_hours
            )
    return found

"""What containers of workloads used on the days before: out of the lake's daily profiles, their replicas pooled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.rightsizing.daily import RANKS, Daily
from costlab.core.rightsizing.pooling import pooled
from costlab.core.rightsizing.savings import Levels
from costlab.core.sketch import levels
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.store.warehouse import Warehouse

KEYS = ("namespace", "workload_kind", "workload", "container")
ADVISED = (Resource.CPU, Resource.MEMORY)

_HOUR_S = 3600.0
_AT_A_TIME = 4096  # subjects whose days are put together at once
_SUMS = ("occupied_s", "observed_s", "oom_kills", "restarts")


@dataclass(frozen=True, slots=True)
class Used:
    """What each subject used of a resource in the window; arrays (subjects,).

    usage: all levels, with the hours of all replicas. occupied_hours, observed_hours: float64. evidence_days: int64.
    mean, peak, throttled_ratio: float64; NaN = not observed. oom_kills, restarts: int64.
    """

    usage: Levels
    occupied_hours: Floats
    observed_hours: Floats
    evidence_days: Ints
    mean: Floats
    peak: Floats
    throttled_ratio: Floats
    oom_kills: Ints
    restarts: Ints


@dataclass(frozen=True, slots=True)
class Past:
    """All days that are looked at, and the window: the last of them.

    daily: usage by day. cpu_p90: float64 (subjects, days), cores, that of the highest replica; NaN = not observed.
    used: in the window, by resource. last_day_ms: how long the last day is.
    """

    daily: Daily
    cpu_p90: Floats
    used: Mapping[Resource, Used]
    last_day_ms: int


def past_of(warehouse: Warehouse, cluster: str, days: Sequence[Day], window: int, subjects: pa.Table) -> Past:
    """What these subjects (rows with `KEYS`) used on these days, which follow one another; the last `window` count as such."""
    count = subjects.num_rows
    known = names_of(subjects)
    cpu, memory = (_Told([], []) for _ in ADVISED)
    for day in days:
        rows = warehouse.query("usage_profiles", cluster=cluster, day=str(day))
        whose = pc.index_in(names_of(rows), known).fill_null(-1).to_numpy().astype(np.int64)
        for resource, told in zip(ADVISED, (cpu, memory), strict=True):
            some = pc.equal(rows["resource"], resource.value).to_numpy() & (whose >= 0)
            told.add(rows.filter(pa.array(some)), whose[some], count)
    sizes = _levels_of(memory.sketches[-window:], count)
    daily = _daily(days, cpu, memory)
    cores = _window_levels(daily, [len(days) - window, len(days)], count)
    return Past(
        daily,
        np.column_stack([each.most["p90"] for each in cpu.days]),
        {
            Resource.CPU: _used(cpu.days[-window:], cores),
            Resource.MEMORY: _used(memory.days[-window:], sizes),
        },
        days[-1].window.duration_ms,
    )


@dataclass(frozen=True, slots=True)
class _Pool:
    """What the profiles of a day tell of a resource, replicas pooled; arrays (subjects,).

    most: float64, the highest replica's p50 to max. sums: float64, over the replicas. mean_s, throttled_s: mean and
    throttled_ratio × the time in which they were observed; throttle_seen_s: that of the latter.
    """

    most: Mapping[str, Floats]
    sums: Mapping[str, Floats]
    mean_s: Floats
    throttled_s: Floats
    throttle_seen_s: Floats


@dataclass(frozen=True, slots=True)
class _Sketches:
    """A day's sketches, replicas pooled: subject s owns offsets[s]:offsets[s + 1]. Of many days they fill the memory."""

    offsets: Ints
    buckets: NDArray[np.uint16]
    seconds: Singles


@dataclass(frozen=True, slots=True)
class _Told:
    """All that is told of a resource, day by day."""

    days: list[_Pool]
    sketches: list[_Sketches]

    def add(self, rows: pa.Table, whose: Ints, subjects: int) -> None:
        """One more day, of profiles whose subjects are known."""
        self.days.append(_pool(rows, whose, subjects))
        self.sketches.append(_sketches(rows, whose, subjects))


def names_of(rows: pa.Table) -> pa.Array:
    """Whose each row is, as one text: no name in Kubernetes has a slash."""
    joined = pc.binary_join_element_wise(*(rows[name] for name in KEYS), "/")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _sketches(rows: pa.Table, whose: Ints, subjects: int) -> _Sketches:
    order = np.argsort(whose, kind="stable")
    groups = np.searchsorted(whose[order], np.arange(subjects + 1))
    buckets, weights_ms = (rows[name].combine_chunks() for name in ("sketch_buckets", "sketch_ms"))
    offsets = np.append(0, np.cumsum(buckets.value_lengths().to_numpy())).astype(np.int64)
    seconds = weights_ms.flatten().to_numpy() / 1000
    starts, found, total = pooled(order, groups, offsets, buckets.flatten().to_numpy(), seconds)
    return _Sketches(starts, found.astype(np.uint16), total.astype(np.float32))


def _pool(rows: pa.Table, whose: Ints, subjects: int) -> _Pool:
    observed_s, mean, throttled = (_floats(rows[name]) for name in ("observed_s", "mean", "throttled_ratio"))

    def total(amounts: Floats) -> Floats:
        summed: Floats = np.bincount(whose, np.nan_to_num(amounts), subjects).astype(np.float64)
        return summed

    def most(values: Floats) -> Floats:
        found = np.full(subjects, np.nan)
        np.fmax.at(found, whose, values)
        return found

    return _Pool(
        {name: most(_floats(rows[name])) for name in ("p50", "p90", "p95", "p99", "max")},
        {name: total(_floats(rows[name])) for name in _SUMS},
        total(mean * observed_s),
        total(throttled * observed_s),
        total(np.where(np.isnan(throttled), 0, observed_s)),
    )


def _daily(days: Sequence[Day], cpu: _Told, memory: _Told) -> Daily:
    """The days as a rule wants them; the sketches of CPU move into it."""
    lasted_s = np.array([day.window.duration_ms / 1000 for day in days])

    def share(told: _Told) -> Floats:
        observed = np.column_stack([pool.sums["observed_s"] for pool in told.days])
        part: Floats = np.minimum(observed / np.maximum(lasted_s, 1), 1)
        return part

    lengths = np.column_stack([np.diff(sketches.offsets) for sketches in cpu.sketches])
    offsets = np.append(0, np.cumsum(lengths))
    buckets, seconds = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.float32)
    for place in range(len(days)):
        day = cpu.sketches.pop(0)
        begin = offsets[:-1].reshape(lengths.shape)[:, place]
        to = np.repeat(begin - day.offsets[:-1], lengths[:, place]) + np.arange(len(day.buckets))
        buckets[to], seconds[to] = day.buckets, day.seconds
    ranks = [np.column_stack([pool.most[f"p{rank}"] for pool in memory.days]) for rank in RANKS]
    return Daily(
        np.array([day.window.start_ms for day in days], np.int64),
        np.column_stack([pool.most["max"] for pool in memory.days]),
        np.stack(ranks, axis=-1),
        share(memory),
        share(cpu),
        np.column_stack([pool.most["max"] for pool in cpu.days]),
        offsets,
        buckets,
        seconds,
    )


def _window_levels(daily: Daily, span: Sequence[int], subjects: int) -> Levels:
    """The CPU of the window's days, put together subject by subject."""
    days = len(daily.start_ms)
    parts = []
    for first in range(0, subjects, _AT_A_TIME):
        some = np.arange(first, min(first + _AT_A_TIME, subjects))
        cells = (some[:, None] * days + np.arange(*span)).ravel() - first * days
        offsets = daily.cpu_offsets[first * days : (some[-1] + 1) * days + 1]
        entries = slice(offsets[0], offsets[-1])
        groups = np.arange(len(some) + 1) * (span[1] - span[0])
        parts.append(
            pooled(
                cells,
                groups,
                offsets - offsets[0],
                daily.cpu_buckets[entries],
                daily.cpu_seconds[entries].astype(np.float64),
            )
        )
    return _joined(parts)


def _levels_of(days: list[_Sketches], subjects: int) -> Levels:
    """The levels of several days, put together subject by subject."""
    rows = (np.arange(subjects)[:, None] + subjects * np.arange(len(days))).ravel()
    lengths = np.concatenate([np.diff(day.offsets) for day in days])
    buckets = np.concatenate([day.buckets for day in days]).astype(np.int32)
    seconds = np.concatenate([day.seconds for day in days]).astype(np.float64)
    groups = np.arange(subjects + 1) * len(days)
    return _joined([pooled(rows, groups, np.append(0, np.cumsum(lengths)), buckets, seconds)])


def _joined(parts: Sequence[tuple[Ints, Brief, Floats]]) -> Levels:
    lengths = np.concatenate([np.diff(offsets) for offsets, _, _ in parts] or [np.empty(0, np.int64)])
    buckets = np.concatenate([found for _, found, _ in parts] or [np.empty(0, np.int32)])
    seconds = np.concatenate([total for _, _, total in parts] or [np.empty(0)])
    return Levels(np.append(0, np.cumsum(lengths)), levels(buckets), seconds / _HOUR_S)


def _used(pools: list[_Pool], usage: Levels) -> Used:
    def total(name: str) -> Floats:
        summed: Floats = np.sum([pool.sums[name] for pool in pools], axis=0)
        return summed

    observed_s = total("observed_s")
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.sum([pool.mean_s for pool in pools], axis=0) / observed_s
        throttled = np.sum([pool.throttled_s for pool in pools], axis=0) / np.sum(
            [pool.throttle_seen_s for pool in pools], axis=0
        )
    return Used(
        usage,
        total("occupied_s") / _HOUR_S,
        observed_s / _HOUR_S,
        np.sum([pool.sums["observed_s"] > 0 for pool in pools], axis=0).astype(np.int64),
        mean,
        np.fmax.reduce([pool.most["max"] for pool in pools]),
        throttled,
        total("oom_kills").astype(np.int64),
        total("restarts").astype(np.int64),
    )


def _floats(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers

"""The usage profiles of a day: how much of a resource each container used, and for how long."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.core.arrays import Ints
from costlab.core.kernels import profiling
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.columns import lists, milliseconds_of
from costlab.jobs.observed import Observed, Usage
from costlab.jobs.processors import processors
from costlab.store.schema import conform, empty

PROFILED = (Resource.CPU, Resource.MEMORY)
RANKS = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
_IDENTITY = ("container_key", "namespace", "workload_kind", "workload", "pod", "container")
_AT_A_TIME = 128  # containers: when a day observed them, 1.5 MB at most by the minute, is still cached for the next resource


def profile_day(containers: pa.Table, usage: Usage, cluster: str, day: Day) -> pa.Table:
    """Rows of `profiles`: each container, whatever it asked for, and each resource whose usage is told of all."""
    rows = containers.filter(pc.not_equal(containers.column("container"), ""))
    if not rows.num_rows:
        return empty("profiles")
    key = rows.column("container_key").to_numpy()
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    start_ms, end_ms = milliseconds_of(rows.column("start")), milliseconds_of(rows.column("end"))
    life = np.column_stack([np.minimum.reduceat(start_ms, first), np.maximum.reduceat(end_ms, first)])
    occupied_s = np.add.reduceat(end_ms - start_ms, first) / 1000
    whose = rows.select(_IDENTITY).take(pa.array(first))
    observed = _observed(key[first], life, usage, clock_of(day))
    return conform(
        "profiles",
        {
            "cluster": cluster, "date": day.date,
            **{name: pa.concat_arrays(len(PROFILED) * [whose.column(name).combine_chunks()]) for name in _IDENTITY},
            "resource": np.repeat([resource.value for resource in PROFILED], len(first)),
            "occupied_s": np.tile(occupied_s, len(PROFILED)),
            **{name: pa.concat_arrays([columns[name] for columns in observed]) for name in observed[0]},
            "throttled_ratio": pa.concat_arrays([_throttled(rows, first), pa.nulls(len(first), pa.float64())]),
            **{name: _told(rows.column(name), first, len(PROFILED)) for name in ("oom_kills", "restarts")},
        },
    )  # fmt: skip


def clock_of(day: Day) -> tuple[Ints, Ints]:
    """What the local clock shows on a day, as the kernel `hourly_max` wants it: the edges of its hours, and which they are."""
    since_ms, hour = zip(*day.hours, strict=True)
    return np.array([*since_ms, day.window.duration_ms], np.int64), np.array(hour, np.int64)


def _told(counts: pa.ChunkedArray, first: NDArray[np.int64], times: int) -> pa.Array:
    """The counts of each container added up, so many times over; null where they are not told of all its time."""
    known = pc.is_valid(counts).to_numpy()
    total = np.add.reduceat(counts.fill_null(0).to_numpy(), first)
    unknown = np.logical_or.reduceat(~known, first)
    return pa.array(np.tile(total, times), pa.int64(), mask=np.tile(unknown, times))


def _throttled(rows: pa.Table, first: NDArray[np.int64]) -> pa.Array:
    """Throttled periods of each container / all of its periods; null without a CPU limit, NaN where none was observed."""
    periods, throttled = (rows.column(name) for name in ("cpu_periods", "cpu_throttled_periods"))
    limited = np.logical_or.reduceat(pc.is_valid(periods).to_numpy(), first)
    with np.errstate(invalid="ignore"):
        ratio = np.divide(*(
            np.add.reduceat(np.nan_to_num(counts.fill_null(0).to_numpy()), first) for counts in (throttled, periods)
        ))  # fmt: skip
    return pa.array(ratio, pa.float64(), mask=~limited)


def _observed(key: Ints, life: Ints, usage: Usage, clock: tuple[Ints, Ints]) -> list[dict[str, pa.Array]]:
    """What was observed of each container, resource by resource."""
    each = [(usage[resource], usage[resource].of(key), resource) for resource in PROFILED]

    def profile(begin: int) -> list[tuple[NDArray[Any], ...]]:
        some = slice(begin, begin + _AT_A_TIME)
        return [
            _profiled(observed, seen[some], life[some], resource, clock) for observed, seen, resource in each
        ]

    with ThreadPoolExecutor(processors()) as pool:
        parts = list(pool.map(profile, range(0, len(key), _AT_A_TIME)))
    return [_columns(list(zip(*of_one, strict=True))) for of_one in zip(*parts, strict=True)]


def _profiled(
    observed: Observed, seen: Ints, life: Ints, resource: Resource, clock: tuple[Ints, Ints]
) -> tuple[NDArray[Any], ...]:
    """What the kernels tell of one resource of some containers."""
    span, used = (observed.start_ms, observed.end_ms), observed.usage[resource]
    percents = np.array(list(RANKS.values()))
    profiled = profiling.profile(seen, life, observed.zero_ms, *span, used, percents)
    return *profiled, profiling.hourly_max(seen, life, observed.zero_ms, *clock, *span, used)


def _columns(parts: list[tuple[NDArray[Any], ...]]) -> dict[str, pa.Array]:
    """The same of all of them, as columns."""
    observed_ms, mean, ranks = (np.concatenate(part) for part in parts[:3])
    lengths, buckets, weights_ms = (
        np.concatenate(part) for part in ([np.diff(offsets) for offsets in parts[3]], *parts[4:6])
    )
    offsets = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32))
    return {
        "observed_s": pa.array(observed_ms / 1000),
        "mean": pa.array(mean),
        **{name: pa.array(ranks[:, i]) for i, name in enumerate(RANKS)},
        "hourly_max": lists(np.concatenate(parts[6])),
        "sketch_buckets": pa.ListArray.from_arrays(offsets, pa.array(buckets)),
        "sketch_ms": pa.ListArray.from_arrays(offsets, pa.array(weights_ms)),
    }

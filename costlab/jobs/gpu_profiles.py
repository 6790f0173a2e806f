"""The profiles of a day's GPUs: how busy each was for each user, hour by hour, and what else its exporter showed."""

from typing import Any

import numpy as np
import pyarrow as pa

from costlab.core.arrays import Floats, Ints
from costlab.core.kernels import profiling
from costlab.core.observe import Stretches, nearest_rank
from costlab.domain.time import HOUR_MS, Day
from costlab.jobs.columns import lists
from costlab.jobs.devices import NOBODY, DeviceUsage
from costlab.jobs.profiles import clock_of
from costlab.store.schema import conform, empty

_RANKS = {"busy_p50": 50, "busy_p95": 95, "busy_p99": 99, "busy_max": 100}


def profile_gpus(usage: DeviceUsage, cluster: str, day: Day) -> pa.Table:
    """Rows of `gpu_profiles`: one for each device and user."""
    pairs, count = usage.pairs, len(usage.pairs)
    if not count:
        return empty("gpu_profiles")
    hours = (usage.end_ms - usage.start_ms) / HOUR_MS
    parts = [slice(*bounds) for bounds in zip(usage.offsets[:-1], usage.offsets[1:], strict=True)]
    lasted_s = hours * 3600
    busy = ~np.isnan(usage.busy)

    def summed(values: Any) -> Floats:
        return np.array([float(values[part].sum()) for part in parts])

    sm_active, tensor, dram = usage.activity
    return conform(
        "gpu_profiles",
        {
            "cluster": cluster, "date": day.date, "gpu_key": pairs[:, 0],
            "container_key": pa.array(pairs[:, 1], mask=pairs[:, 1] == NOBODY),
            "told_s": summed(lasted_s), "observed_s": summed(lasted_s * busy),
            "engine_s": summed(lasted_s * usage.by_engine), "busy_samples": summed(busy).astype(np.int64),
            **_busy(usage, day),
            "sm_active_p95": _ranked(sm_active, 0.95), "sm_active_max": _ranked(sm_active, 1.0),
            "tensor_active_mean": _means(tensor), "dram_active_mean": _means(dram),
            **_memory(usage, parts),
            **_power(usage, parts, hours),
        },
    )  # fmt: skip


def _busy(usage: DeviceUsage, day: Day) -> dict[str, Any]:
    """Mean, ranks, sketch and hours of the busy ratio, by the kernels that profile containers."""
    zero_ms = day.window.start_ms
    seen = np.column_stack([usage.offsets[:-1], usage.offsets[1:]])
    life = np.tile(np.array([zero_ms, day.window.end_ms], np.int64), (len(seen), 1))
    start_ms, end_ms = ((edge - zero_ms).astype(np.int32) for edge in (usage.start_ms, usage.end_ms))
    busy = usage.busy.astype(np.float32)
    _, mean, ranks, offsets, buckets, weights_ms = profiling.profile(
        seen, life, zero_ms, start_ms, end_ms, busy, np.array(list(_RANKS.values()))
    )
    hours = profiling.hourly_max(seen, life, zero_ms, *clock_of(day), start_ms, end_ms, busy)
    starts = pa.array(offsets.astype(np.int32))
    return {
        "busy_mean": mean,
        **{name: ranks[:, i].copy() for i, name in enumerate(_RANKS)},
        "busy_sketch_buckets": pa.ListArray.from_arrays(starts, pa.array(buckets)),
        "busy_sketch_ms": pa.ListArray.from_arrays(starts, pa.array(weights_ms)),
        "busy_hourly_max": lists(hours),
    }


def _memory(usage: DeviceUsage, parts: list[slice]) -> dict[str, Floats]:
    used, total = usage.memory_bytes, usage.memory_total_bytes
    return {
        "memory_max_bytes": np.array([_most(used[part]) for part in parts]),
        "memory_min_bytes": np.array([-_most(-used[part]) for part in parts]),
        "memory_first_hour_bytes": np.array(
            [_most(_first_hour(used[part], usage.start_ms[part])) for part in parts]
        ),
        "memory_total_bytes": np.array([_most(total[part]) for part in parts]),
    }


def _power(usage: DeviceUsage, parts: list[slice], hours: Floats) -> dict[str, Floats]:
    watts = usage.power_watts
    return {
        "power_mean_watts": np.array([_mean(watts[part], hours[part]) for part in parts]),
        "power_min_watts": np.array([-_most(-watts[part]) for part in parts]),
        "power_max_watts": np.array([_most(watts[part]) for part in parts]),
    }


def _first_hour(values: Floats, start_ms: Ints) -> Floats:
    """The values that begin within an hour of the first that is known."""
    known = ~np.isnan(values)
    end_ms = start_ms[known].min(initial=np.iinfo(np.int64).max - HOUR_MS) + HOUR_MS
    early: Floats = values[known & (start_ms < end_ms)]
    return early


def _ranked(side: Stretches, quantile: float) -> Floats:
    return np.array([nearest_rank(values, weights, quantile) for values, weights in _groups(side)])


def _means(side: Stretches) -> Floats:
    return np.array([_mean(values, weights) for values, weights in _groups(side)])


def _groups(side: Stretches) -> list[tuple[Floats, Floats]]:
    """Values and hours of each group."""
    hours = (side.end_ms - side.start_ms) / HOUR_MS
    bounds = zip(side.offsets[:-1], side.offsets[1:], strict=True)
    return [(side.values[low:high], hours[low:high]) for low, high in bounds]


def _mean(values: Floats, weights: Floats) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")


def _most(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else float("nan")

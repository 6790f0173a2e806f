"""What `kernels.profiling` means."""

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints, Singles


def profile(
    seen: Ints,
    life: Ints,
    zero_ms: int,
    start_ms: Brief,
    end_ms: Brief,
    values: Singles,
    percents: Ints,
) -> tuple[Ints, Floats, Floats, Ints, Brief, Brief]:
    """How long each row was observed, its mean, its nearest ranks, and the sketch of its usage, weighted by time."""
    observed_ms, mean = np.zeros(len(seen), np.int64), np.full(len(seen), np.nan)
    ranks = np.full((len(seen), len(percents)), np.nan)
    sketches = [(np.empty(0, np.int32), np.empty(0, np.int64))]
    for r, (first, last) in enumerate(seen):
        start, end = (zero_ms + edge[first:last].astype(np.int64) for edge in (start_ms, end_ms))
        lasted_ms = np.minimum(end, life[r, 1]) - np.maximum(start, life[r, 0])
        known = (lasted_ms > 0) & np.isfinite(values[first:last]) & (values[first:last] >= 0)
        used, lasted_ms = np.abs(values[first:last][known]), lasted_ms[known]
        observed_ms[r] = lasted_ms.sum()
        bucket = np.where(used > 0, np.maximum(used.view(np.int32) >> 17, 1), 0).astype(np.int32)
        buckets, which = np.unique(bucket, return_inverse=True)
        sketches.append((buckets, np.bincount(which, lasted_ms, len(buckets)).astype(np.int64)))
        if len(used):
            mean[r] = np.average(used.astype(np.float64), weights=lasted_ms)
            order = np.argsort(used)
            reached_ms = np.cumsum(lasted_ms[order])
            ranks[r] = used[order][np.searchsorted(100 * reached_ms, percents * observed_ms[r])]
    offsets = np.cumsum([len(buckets) for buckets, _ in sketches])
    return (
        observed_ms, mean, ranks, offsets,
        np.concatenate([buckets for buckets, _ in sketches]),
        np.concatenate([weights for _, weights in sketches]).astype(np.int32),
    )  # fmt: skip


def hourly_max(
    seen: Ints,
    life: Ints,
    zero_ms: int,
    edges_ms: Ints,
    hour: Ints,
    start_ms: Brief,
    end_ms: Brief,
    values: Singles,
) -> Singles:
    """The largest usage of each row in each hour of a clock; NaN where nothing was observed."""
    most = np.full((len(seen), 24), np.nan, np.float32)
    for r, (first, last) in enumerate(seen):
        begin = np.maximum(start_ms[first:last], life[r, 0] - zero_ms)
        until = np.minimum(end_ms[first:last], life[r, 1] - zero_ms)
        known = (values[first:last] >= 0) & (values[first:last] < np.inf)
        there = np.minimum(until, edges_ms[1:, None]) > np.maximum(begin, edges_ms[:-1, None])
        for part, at in enumerate(hour):
            some = values[first:last][there[part] & known]
            most[r, at] = np.fmax(most[r, at], some.max() if len(some) else np.nan)
    return most

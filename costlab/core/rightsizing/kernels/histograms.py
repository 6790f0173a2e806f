"""Decaying histograms, and how long what fills them still counts."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel
from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.kernels.segments import at_or_after


@bare_kernel
def bucket_of(value: float, first: float, growth: float, count: int) -> int:
    """The bucket that holds the value: the first for all that is below, the last for all that is above."""
    if value < first:
        return 0
    if growth == 1.0:
        place = value / first
    else:
        place = np.log(value * (growth - 1.0) / first + 1.0) / np.log(growth)
    return int(place) if place < count - 1 else count - 1


@kernel
def tally(
    at_ms: Ints,
    lasted_ms: Ints,
    values: Singles,
    offsets: Ints,
    edges_ms: Ints,
    half_life_ms: float,
    scheme: tuple[float, float, int],
    worth: Floats,
    by_time: bool,
) -> Floats:
    """What counts of each segment at its end, in each bucket, (segments, buckets); of all these replicas together.

    scheme: first, growth, count. worth: (buckets,), what a stretch in each bucket counts, times its length if `by_time`.
    A stretch is as old as its start, and counts up to the end of its segment.
    """
    first, growth, count = scheme
    segments = len(edges_ms) - 1
    weights = np.zeros((segments, count))
    for r in range(len(offsets) - 1):
        begin = at_or_after(at_ms, offsets[r], offsets[r + 1], edges_ms[0])
        for s in range(segments):
            end = at_or_after(at_ms, begin, offsets[r + 1], edges_ms[s + 1])
            for i in range(begin, end):
                if np.isnan(values[i]):
                    continue
                age_ms = edges_ms[s + 1] - at_ms[i]
                bucket = bucket_of(np.float64(values[i]), first, growth, count)
                weight = np.exp2(-age_ms / half_life_ms) * worth[bucket]
                weights[s, bucket] += weight * min(lasted_ms[i], age_ms) if by_time else weight
            begin = end
    return weights


@kernel
def percentile_buckets(
    weights: Floats, edges_ms: Ints, first: Ints, last: Ints, half_life_ms: float, fractions: Floats
) -> Ints:
    """The first bucket up to which a window has this fraction of its weight, (windows, fractions); -1 = it has none.

    weights: (segments, buckets), as of the end of each segment; window w is the segments first[w]:last[w] as of the
    end of its last.
    """
    buckets = weights.shape[1]
    found = np.full((len(first), len(fractions)), -1, np.int64)
    window = np.zeros(buckets)
    done = 0
    for w in range(len(first)):
        # A window that only grew goes on from the one before.
        if w == 0 or first[w] != first[w - 1] or last[w] < last[w - 1]:
            window[:] = 0.0
            done = first[w]
        for s in range(done, last[w]):
            kept = np.exp2(-(edges_ms[s + 1] - edges_ms[s]) / half_life_ms)
            for b in range(buckets):
                window[b] = window[b] * kept + weights[s, b]
        done = last[w]
        total, lowest, top = 0.0, -1, -1
        for b in range(buckets):
            if window[b] > 0:
                total += window[b]
                top = b
                if lowest < 0:
                    lowest = b
        if lowest < 0:
            continue
        for k in range(len(fractions)):
            reached, bucket = window[lowest], lowest
            while bucket < top and reached < fractions[k] * total:
                bucket += 1
                reached += window[bucket]
            found[w, k] = bucket
    return found


@kernel
def state_of(
    at_ms: Ints, cpu_cores: Singles, memory_bytes: Singles, offsets: Ints, edges_ms: Ints, expiry_ms: int
) -> Ints:
    """What is known at each edge, int64 (edges, 5), of these replicas together.

    The first segment that still counts, the first and the last sample of CPU since, how many, and how many of memory.
    Once no CPU was observed for `expiry_ms` all is forgotten.
    """
    segments = len(edges_ms) - 1
    seen = np.zeros((segments, 4), np.int64)
    for r in range(len(offsets) - 1):
        begin = at_or_after(at_ms, offsets[r], offsets[r + 1], edges_ms[0])
        for s in range(segments):
            end = at_or_after(at_ms, begin, offsets[r + 1], edges_ms[s + 1])
            for i in range(begin, end):
                if not np.isnan(cpu_cores[i]):
                    if seen[s, 2] == 0 or at_ms[i] < seen[s, 0]:
                        seen[s, 0] = at_ms[i]
                    if seen[s, 2] == 0 or at_ms[i] > seen[s, 1]:
                        seen[s, 1] = at_ms[i]
                    seen[s, 2] += 1
                seen[s, 3] += not np.isnan(memory_bytes[i])
            begin = end
    known = np.zeros((segments + 1, 5), np.int64)
    for s in range(segments):
        for k in range(5):
            known[s + 1, k] = known[s, k]
        if seen[s, 2]:
            if known[s + 1, 3] == 0:
                known[s + 1, 1] = seen[s, 0]
            known[s + 1, 2] = seen[s, 1]
            known[s + 1, 3] += seen[s, 2]
        known[s + 1, 4] += seen[s, 3]
        if known[s + 1, 3] and edges_ms[s + 1] - known[s + 1, 2] >= expiry_ms:
            known[s + 1, 0] = s + 1
            for k in range(1, 5):
                known[s + 1, k] = 0
    return known

"""Peaks by day and by step of time, and what a kill makes of one."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel
from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.kernels.histograms import bucket_of
from costlab.core.rightsizing.kernels.segments import at_or_after


@bare_kernel
def bumped(limit_bytes: float, peak_bytes: float, ratio: float, least_bytes: float) -> float:
    """The memory that a container would have needed that was killed at this limit, after this peak."""
    used = max(limit_bytes, peak_bytes)
    return float(max(used + least_bytes, np.floor(used * ratio)))


@kernel
def daily_peaks(
    at_ms: Ints,
    memory_bytes: Singles,
    offsets: Ints,
    edges_ms: Ints,
    limits: Floats,
    begun: Ints,
    half_life_ms: float,
    window_ms: int,
    scheme: tuple[float, float, int],
    bump: tuple[float, float],
) -> Floats:
    """What each bucket weighs at the end of each segment, (segments, buckets): one peak a replica and window of it.

    A replica's windows follow each other from its first sample on; a peak is as young as the end of its window, also
    while that is to come. limits: (edges,), the limit in force at a kill there, NaN = no kill; the replica that was
    killed is taken to be the one with the highest peak of those whose windows are open.
    begun: (edges,), the first segment that counts; what was before is forgotten once.
    """
    first, growth, count = scheme
    replicas, segments = len(offsets) - 1, len(edges_ms) - 1
    weights = np.zeros((segments, count))
    past = np.zeros(count)
    window_end_ms = np.zeros(replicas, np.int64)
    used = np.full(replicas, -1.0)  # the peak of the open window; -1 = none
    most = np.full(replicas, -1.0)  # or what a kill made of it
    place = np.empty(replicas, np.int64)
    for r in range(replicas):
        place[r] = at_or_after(at_ms, offsets[r], offsets[r + 1], edges_ms[0])
    for s in range(segments):
        edge_ms = edges_ms[s + 1]
        kept = np.exp2(-(edge_ms - edges_ms[s]) / half_life_ms)
        for b in range(count):
            past[b] *= kept
        hit = -1
        for r in range(replicas):
            i = place[r]
            while i < offsets[r + 1] and at_ms[i] < edge_ms:
                value = np.float64(memory_bytes[i])
                if not np.isnan(value):
                    if at_ms[i] < window_end_ms[r]:
                        used[r] = max(used[r], value)
                        most[r] = max(most[r], value)
                    else:
                        if most[r] >= 0:
                            ago = (edge_ms - window_end_ms[r]) / half_life_ms
                            past[bucket_of(most[r], first, growth, count)] += np.exp2(-ago)
                        since = window_end_ms[r] or at_ms[i]
                        window_end_ms[r] = since + ((at_ms[i] - since) // window_ms + 1) * window_ms
                        used[r] = most[r] = value
                i += 1
            place[r] = i
            if window_end_ms[r] > edge_ms and most[r] >= 0 and (hit < 0 or most[r] > most[hit]):
                hit = r
        if not np.isnan(limits[s + 1]) and hit >= 0:
            most[hit] = max(most[hit], bumped(limits[s + 1], used[hit], bump[0], bump[1]))
        if begun[s + 1] > begun[s]:
            past[:] = 0.0
            most[:] = -1.0
        for b in range(count):
            weights[s, b] = past[b]
        for r in range(replicas):
            if most[r] >= 0:
                ago = (edge_ms - window_end_ms[r]) / half_life_ms
                weights[s, bucket_of(most[r], first, growth, count)] += np.exp2(-ago)
    return weights


@kernel
def step_peaks(at_ms: Ints, values: Singles, offsets: Ints, step_ms: int) -> tuple[Ints, Singles, Ints]:
    """The highest value of each replica in each step of time in which any was observed: when, what, offsets."""
    out_at = np.empty(len(at_ms), np.int64)
    out_value = np.empty(len(at_ms), np.float32)
    out_offsets = np.zeros(len(offsets), np.int64)
    n = 0
    for r in range(len(offsets) - 1):
        begun = n
        for i in range(offsets[r], offsets[r + 1]):
            if np.isnan(values[i]):
                continue
            step = at_ms[i] // step_ms * step_ms
            if n > begun and out_at[n - 1] == step:
                out_value[n - 1] = max(out_value[n - 1], values[i])
            else:
                out_at[n], out_value[n] = step, values[i]
                n += 1
        out_offsets[r + 1] = n
    return out_at[:n].copy(), out_value[:n].copy(), out_offsets

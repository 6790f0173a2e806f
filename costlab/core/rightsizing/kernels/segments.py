"""What was observed by segment of time: its peaks, and quantiles of the windows that segments add up to."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel
from costlab.core.arrays import Floats, Ints, Singles


@bare_kernel
def at_or_after(at_ms: Ints, low: int, high: int, instant_ms: int) -> int:
    """The first of the stretches low:high that begins then or later; `high` if none does."""
    while low < high:
        middle = (low + high) // 2
        if at_ms[middle] < instant_ms:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def segment_peaks(
    subject: Ints, offsets: Ints, at_ms: Ints, values: Singles, edges_ms: Ints, subjects: int
) -> tuple[Floats, Ints]:
    """The highest value of each subject in each segment and how many were observed, (segments, subjects)."""
    segments = len(edges_ms) - 1
    top = np.full((segments, subjects), np.nan)
    points = np.zeros((segments, subjects), np.int64)
    for r in range(len(offsets) - 1):
        high = offsets[r + 1]
        begin = at_or_after(at_ms, offsets[r], high, edges_ms[0])
        for s in range(segments):
            end = at_or_after(at_ms, begin, high, edges_ms[s + 1])
            most, seen = top[s, subject[r]], 0
            for i in range(begin, end):
                value = values[i]
                if not np.isnan(value):
                    seen += 1
                    if not value <= most:
                        most = value
            top[s, subject[r]] = most
            points[s, subject[r]] += seen
            begin = end
    return top, points


@kernel
def gather(at_ms: Ints, values: Singles, offsets: Ints, edges_ms: Ints, pooled: bool) -> tuple[Singles, Ints]:
    """What was observed, by replica (or all of them as one: `pooled`) and segment, in no order within one.

    Returns the values and the offsets of the runs, int64 (groups × segments + 1,).
    """
    replicas, segments = len(offsets) - 1, len(edges_ms) - 1
    cuts = np.empty((replicas, segments + 1), np.int64)
    runs = np.zeros((1 if pooled else replicas) * segments + 1, np.int64)
    for r in range(replicas):
        cut = offsets[r]
        for s in range(segments + 1):
            cut = at_or_after(at_ms, cut, offsets[r + 1], edges_ms[s])
            cuts[r, s] = cut
        for s in range(segments):
            seen = 0
            for i in range(cuts[r, s], cuts[r, s + 1]):
                seen += not np.isnan(values[i])
            runs[(0 if pooled else r * segments) + s + 1] += seen
    for run in range(len(runs) - 1):
        runs[run + 1] += runs[run]
    place = runs[:-1].copy()
    gathered = np.empty(runs[-1], np.float32)
    for r in range(replicas):
        for s in range(segments):
            run = (0 if pooled else r * segments) + s
            for i in range(cuts[r, s], cuts[r, s + 1]):
                if not np.isnan(values[i]):
                    gathered[place[run]] = values[i]
                    place[run] += 1
    return gathered, runs


@bare_kernel
def rise(values: Singles, low: int, high: int, pivot: float, beyond: bool) -> int:
    """The first of the sorted values low:high that is not below the pivot, or (`beyond`) that is above it."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < pivot or (beyond and values[middle] == pivot):
            low = middle + 1
        else:
            high = middle
    return low


@bare_kernel
def neighbours(
    values: Singles, low: Ints, high: Ints, ends: Ints, cut: Ints, rank: int
) -> tuple[float, float]:
    """The values of this rank, from 0, and of the next (the same if it is the last) of the sorted runs low[i]:ends[i].

    high: a copy of `ends`, narrowed down with `low`; cut: room. Each step halves the longest run that is left.
    """
    while True:
        longest = 0
        for i in range(1, len(low)):
            if high[i] - low[i] > high[longest] - low[longest]:
                longest = i
        pivot = values[(low[longest] + high[longest]) // 2]
        below = 0
        for i in range(len(low)):
            cut[i] = rise(values, low[i], high[i], pivot, False)
            below += cut[i] - low[i]
        if rank < below:
            for i in range(len(low)):
                high[i] = cut[i]
            continue
        not_above = 0
        for i in range(len(low)):
            cut[i] = rise(values, cut[i], high[i], pivot, True)
            not_above += cut[i] - low[i]
        if rank < not_above:
            break
        rank -= not_above
        for i in range(len(low)):
            low[i] = cut[i]
    following = pivot
    if rank + 1 == not_above:
        # What was narrowed away is above the pivot as well: its first may be the next.
        for i in range(len(low)):
            if cut[i] < ends[i] and (following == pivot or values[cut[i]] < following):
                following = values[cut[i]]
    return np.float64(pivot), np.float64(following)


@kernel
def select(values: Singles, runs: Ints, first: Ints, last: Ints, segments: int, quantiles: Floats) -> Floats:
    """The highest quantile that a group has in each window, (quantiles, windows); NaN where nothing was observed.

    Group g's segment s is the sorted run runs[g × segments + s]:runs[g × segments + s + 1].
    """
    found = np.full((len(quantiles), len(first)), np.nan)
    for group in range((len(runs) - 1) // segments):
        for w in range(len(first)):
            begin, end = group * segments + first[w], group * segments + last[w]
            points = runs[end] - runs[begin]
            if points == 0:
                continue
            ends = runs[begin + 1 : end + 1].copy()
            cut = np.empty(len(ends), np.int64)
            for k in range(len(quantiles)):
                rank = min(max(quantiles[k], 0.0), 1.0) * (points - 1)
                low, high = runs[begin:end].copy(), ends.copy()
                under, over = neighbours(values, low, high, ends, cut, int(rank))
                value = under + (over - under) * (rank - int(rank))
                if not value <= found[k, w]:
                    found[k, w] = value
    return found

"""The loops of the rules: numba compiles them.

Shapes and units: times are int64 epoch milliseconds; replica r owns the stretches offsets[r]:offsets[r + 1], of which
values are float32, NaN = not observed. Segment s is edges_ms[s]:edges_ms[s + 1]; a stretch is of the one it begins in.
"""

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


@kernel
def exceedances(
    days: Ints,
    at_ms: Ints,
    lasted_ms: Ints,
    cpu_cores: Singles,
    memory_bytes: Singles,
    requests: Floats,
    apart_ms: int,
) -> Floats:
    """What containers used above their requests, float64 (k, 7), of k container-days in the order of container and day.

    days: int64 (k, 5): container, the stretches first:last that may be of the day, and when it begins and ends, ms.
    requests: float64 (k, 2), cores and bytes; NaN is never exceeded.
    Columns: seconds in which memory was observed, seconds and episodes (what is less than `apart_ms` after the one
    before belongs to it) of memory above the request, the highest memory; seconds in which CPU was observed, those
    above the request, and the core-seconds above it.
    """
    found = np.zeros((len(days), 7))
    over_until_ms = np.int64(-(2**62))
    for i in range(len(days)):
        if i == 0 or days[i, 0] != days[i - 1, 0]:
            over_until_ms = np.int64(-(2**62))
        # As float32 a level may be a rounding above the request that it was advised as.
        allowed_cores, allowed_bytes = requests[i, 0] + 1e-9, requests[i, 1] * (1 + 1e-6)
        found[i, 3] = np.nan
        for j in range(days[i, 1], days[i, 2]):
            begin_ms, until_ms = max(at_ms[j], days[i, 3]), min(at_ms[j] + lasted_ms[j], days[i, 4])
            if begin_ms >= until_ms:
                continue
            seconds = (until_ms - begin_ms) / 1000
            memory, cores = np.float64(memory_bytes[j]), np.float64(cpu_cores[j])
            if not np.isnan(memory):
                found[i, 0] += seconds
                if not found[i, 3] >= memory:
                    found[i, 3] = memory
                if memory > allowed_bytes:
                    found[i, 1] += seconds
                    if begin_ms - over_until_ms >= apart_ms:
                        found[i, 2] += 1
                    over_until_ms = until_ms
            if not np.isnan(cores):
                found[i, 4] += seconds
                if cores > allowed_cores:
                    found[i, 5] += seconds
                    found[i, 6] += (cores - requests[i, 0]) * seconds
    return found


@kernel
def means(days: Ints, at_ms: Ints, lasted_ms: Ints, values: Singles, step_ms: int) -> Floats:
    """The mean of each step of a day, float64 (k, steps of the longest day), over what was observed; NaN = nothing was.

    days: as in `exceedances`.
    """
    longest_ms = np.int64(0)
    for i in range(len(days)):
        longest_ms = max(longest_ms, days[i, 4] - days[i, 3])
    steps = (longest_ms + step_ms - 1) // step_ms
    found = np.zeros((len(days), steps))
    seconds = np.zeros(steps)
    for i in range(len(days)):
        seconds[:] = 0
        for j in range(days[i, 1], days[i, 2]):
            begin_ms, until_ms = max(at_ms[j], days[i, 3]), min(at_ms[j] + lasted_ms[j], days[i, 4])
            value = np.float64(values[j])
            if np.isnan(value):
                continue
            while begin_ms < until_ms:
                step = (begin_ms - days[i, 3]) // step_ms
                edge_ms = min(until_ms, days[i, 3] + (step + 1) * step_ms)
                seconds[step] += (edge_ms - begin_ms) / 1000
                found[i, step] += value * ((edge_ms - begin_ms) / 1000)
                begin_ms = edge_ms
        for step in range(steps):
            found[i, step] = found[i, step] / seconds[step] if seconds[step] > 0 else np.nan
    return found

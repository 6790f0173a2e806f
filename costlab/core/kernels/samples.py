"""From samples to values: how long a sample holds, rates, and intervals laid over and beside each other."""

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import kernel
from costlab.core.arrays import Floats, Ints


@kernel
def hold(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> Ints:
    """Until when each sample of a gauge holds: the next sample, at most `max_gap_ms` on; its own time if NaN."""
    end_ms = at_ms.copy()
    for series in range(len(offsets) - 1):
        last = offsets[series + 1] - 1
        for i in range(offsets[series], last + 1):
            if np.isnan(values[i]):
                continue
            end_ms[i] = at_ms[i] + max_gap_ms
            if i < last and at_ms[i + 1] < end_ms[i]:
                end_ms[i] = at_ms[i + 1]
    return end_ms


@kernel
def telling(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> NDArray[np.bool_]:
    """Which samples of a gauge tell what those before do not, bool (n,): without the others it holds just as it did.

    Kept are the first and the last sample before every end, change and gap, and one every `max_gap_ms` at least.
    """
    kept = np.ones(len(at_ms), np.bool_)
    for series in range(len(offsets) - 1):
        last = offsets[series]
        for i in range(offsets[series] + 1, offsets[series + 1] - 1):
            known = not np.isnan(values[i + 1])
            if known and values[i] == values[last] and at_ms[i + 1] - at_ms[last] <= max_gap_ms:
                kept[i] = False
            else:
                last = i
    return kept


@kernel
def rate(
    at_ms: Ints, values: Floats, offsets: Ints, began_ms: Ints, max_gap_ms: int, reach_ms: int
) -> tuple[Ints, Floats]:
    """Since when, and at which rate per second, a counter rose to each of its samples; NaN where unknown.

    A fall is a reset: the counter then rose from 0. An interval longer than `max_gap_ms` may hide one and is
    unknown. The first sample counts from began_ms[series] if that is at most `reach_ms` before it (-1: unknown).
    """
    start_ms = at_ms.copy()
    rates = np.full(len(at_ms), np.nan)
    for series in range(len(offsets) - 1):
        first = offsets[series]
        for i in range(first, offsets[series + 1]):
            if np.isnan(values[i]):
                continue
            if i == first:
                lasted = at_ms[i] - began_ms[series]
                if began_ms[series] >= 0 and 0 < lasted <= reach_ms:
                    start_ms[i] = began_ms[series]
                    rates[i] = values[i] / (lasted / 1000.0)
                continue
            lasted = at_ms[i] - at_ms[i - 1]
            if np.isnan(values[i - 1]) or lasted > max_gap_ms or lasted <= 0:
                continue
            rise = values[i] - values[i - 1] if values[i] >= values[i - 1] else values[i]
            start_ms[i] = at_ms[i - 1]
            rates[i] = rise / (lasted / 1000.0)
    return start_ms, rates


@kernel
def late(values: Floats, source: Ints, offsets: Ints) -> NDArray[np.bool_]:
    """Which samples of a counter that several sources tell came late, bool (n,): a fall, but no reset.

    source: int64 (n,), from 0 on and of one group each. A source came late where its own samples rose while another
    told of more; where it tells of the last reset after another did; and where the next sample is back up, unless it
    is the source itself that fell and rose.
    """
    found = np.zeros(len(values), np.bool_)
    last = np.full(source.max() + 1 if len(source) else 0, -1, np.int64)
    for group in range(len(offsets) - 1):
        end = offsets[group + 1]
        level, since, reset = np.nan, offsets[group], offsets[group]
        for i in range(offsets[group], end):
            if np.isnan(values[i]):
                level = np.nan
                continue
            own = last[source[i]]
            last[source[i]] = i
            if values[i] < level:
                explained = own >= 0 and (values[own] <= values[i] or own < reset)
                news = i + 1 < end and (own < 0 or source[i + 1] != source[i])
                undone = news and values[i + 1] >= level
                if undone or (explained and own < since):
                    found[i] = True
                    continue
                reset = i
            level, since = values[i], i
    return found


@kernel
def overlay(
    start_ms: Ints, end_ms: Ints, values: Floats, offsets: Ints, add: bool
) -> tuple[Ints, Ints, Floats, Ints]:
    """Disjoint stretches of each group, holding the sum (`add`) or the maximum of the intervals that overlap.

    Intervals of a group are ordered by start and not empty; stretches that nothing covers are left out.
    """
    room = 2 * len(start_ms)
    out_start = np.empty(room, np.int64)
    out_end = np.empty(room, np.int64)
    out_value = np.empty(room, np.float64)
    out_offsets = np.zeros(len(offsets), np.int64)
    n = 0
    for group in range(len(offsets) - 1):
        low, high = offsets[group], offsets[group + 1]
        if low == high:
            out_offsets[group + 1] = n
            continue
        # Ends are nearly in order, as starts are; a library's sort would take 2 s to compile.
        ends = end_ms[low:high].copy()
        for i in range(1, len(ends)):
            moved, j = ends[i], i
            while j > 0 and ends[j - 1] > moved:
                ends[j] = ends[j - 1]
                j -= 1
            ends[j] = moved
        begin, next_start, next_end = start_ms[low], low, 0
        while True:
            while next_start < high and start_ms[next_start] <= begin:
                next_start += 1
            while next_end < len(ends) and ends[next_end] <= begin:
                next_end += 1
            if next_end == len(ends):
                break
            until = ends[next_end]
            if next_start < high and start_ms[next_start] < until:
                until = start_ms[next_start]
            while low < high and end_ms[low] <= begin:
                low += 1
            total, covered = 0.0, False
            for i in range(low, next_start):
                if end_ms[i] > begin:
                    if covered:
                        total = total + values[i] if add else max(total, values[i])
                    else:
                        total = values[i]
                    covered = True
            if covered:
                out_start[n], out_end[n], out_value[n] = begin, until, total
                n += 1
            begin = until
        out_offsets[group + 1] = n
    return out_start[:n].copy(), out_end[:n].copy(), out_value[:n].copy(), out_offsets


@kernel
def align(
    start_a: Ints, end_a: Ints, offsets_a: Ints, start_b: Ints, end_b: Ints, offsets_b: Ints
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Stretches of each group in which neither side changes, with the index of the interval of a and of b (-1: none).

    Intervals of a side are disjoint and ordered. Returns start, end, index in a, index in b, offsets.
    """
    room = 2 * (len(start_a) + len(start_b))
    out_start = np.empty(room, np.int64)
    out_end = np.empty(room, np.int64)
    out_a = np.empty(room, np.int64)
    out_b = np.empty(room, np.int64)
    out_offsets = np.zeros(len(offsets_a), np.int64)
    far = np.int64(2**62)
    n = 0
    for group in range(len(offsets_a) - 1):
        i, j = offsets_a[group], offsets_b[group]
        last_i, last_j = offsets_a[group + 1], offsets_b[group + 1]
        now = -far
        while i < last_i or j < last_j:
            a0, a1 = (max(start_a[i], now), end_a[i]) if i < last_i else (far, far)
            b0, b1 = (max(start_b[j], now), end_b[j]) if j < last_j else (far, far)
            begin = min(a0, b0)
            in_a, in_b = a0 == begin, b0 == begin
            until = min(a1 if in_a else a0, b1 if in_b else b0)
            out_start[n], out_end[n] = begin, until
            out_a[n] = i if in_a else -1
            out_b[n] = j if in_b else -1
            n += 1
            now = until
            if i < last_i and end_a[i] <= now:
                i += 1
            if j < last_j and end_b[j] <= now:
                j += 1
        out_offsets[group + 1] = n
    return out_start[:n].copy(), out_end[:n].copy(), out_a[:n].copy(), out_b[:n].copy(), out_offsets

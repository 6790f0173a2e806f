"""The loops of the core. Each has a twin of the same name and signature in `reference`, which says what it means.

Shapes and units: times are int64 epoch milliseconds; `offsets` are int64 (groups + 1,), group g owning
offsets[g]:offsets[g + 1]; values are float64, NaN = not observed.
"""

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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


@kernel
def spread(
    start_ms: Ints,
    end_ms: Ints,
    values: Floats,
    row: Ints,
    rows: int,
    grid_start_ms: int,
    cell_ms: int,
    cells: int,
) -> tuple[Floats, Floats]:
    """Seconds covered, and value × seconds, that intervals put into each cell of their row: both (rows, cells).

    What lies outside the grid is cut off; a NaN value covers nothing.
    """
    seconds = np.zeros((rows, cells))
    weighted = np.zeros((rows, cells))
    grid_end_ms = grid_start_ms + cells * cell_ms
    for i in range(len(start_ms)):
        begin = max(start_ms[i], grid_start_ms)
        until = min(end_ms[i], grid_end_ms)
        if np.isnan(values[i]):
            continue
        while begin < until:
            cell = (begin - grid_start_ms) // cell_ms
            stop = min(until, grid_start_ms + (cell + 1) * cell_ms)
            part_s = (stop - begin) / 1000.0
            seconds[row[i], cell] += part_s
            weighted[row[i], cell] += values[i] * part_s
            begin = stop
    return seconds, weighted


@kernel
def bill(
    occupied_s: Floats,
    requested: Floats,
    observed_s: Floats,
    used: Floats,
    capacity: Floats,
    allocatable: Floats,
    price: Floats,
    mode: tuple[bool, bool, bool, bool],
) -> tuple[Floats, Floats]:
    """What each row and each kind of rest is billed for one resource of one node on the day: quantities, amounts.

    occupied_s, observed_s: float64 (rows, cells), seconds. requested, used: (rows, cells), value × seconds.
    capacity, allocatable: (cells,), value × seconds over the whole cell. price: (cells,), per value-hour.
    mode: bill by request, bill by usage (both: the larger), usage is a share of the request (GPUs),
        capacity is known.
    Returns two float64 (rows + 1, 3) arrays, value-hours and money: a row's used, unused and unobserved part;
    the last row is idle, system and (in the first array alone) the number of contended cells.
    """
    by_request, by_usage, is_share, bounded = mode
    rows, cells = occupied_s.shape
    quantity = np.zeros((rows + 1, 3))
    amount = np.zeros((rows + 1, 3))
    demand = np.empty(rows)
    use = np.empty(rows)
    for cell in range(cells):
        total = 0.0
        for r in range(rows):
            demand[r], use[r] = 0.0, np.nan
            if occupied_s[r, cell] <= 0.0:
                continue
            asked = requested[r, cell]
            demand[r] = asked
            if observed_s[r, cell] > 0.0:
                level = used[r, cell] / observed_s[r, cell]
                if is_share:
                    use[r] = level
                else:
                    use[r] = level * occupied_s[r, cell]
                    if by_usage:
                        demand[r] = max(asked, use[r]) if by_request else use[r]
            total += demand[r]
        scale = 1.0
        room, free = capacity[cell], allocatable[cell]
        if bounded and total > room:
            # Summing the same float parts in another order may exceed the capacity by rounding alone.
            if total > room * (1.0 + 1e-12):
                quantity[rows, 2] += 1.0
            scale = room / total
        to_money = price[cell] / 3600.0
        for r in range(rows):
            billed = demand[r] * scale
            if billed <= 0.0:
                continue
            if np.isnan(use[r]):
                quantity[r, 2] += billed / 3600.0
                amount[r, 2] += billed * to_money
                continue
            spent = billed * min(use[r], 1.0) if is_share else min(billed, use[r])
            quantity[r, 0] += spent / 3600.0
            quantity[r, 1] += (billed - spent) / 3600.0
            amount[r, 0] += spent * to_money
            amount[r, 1] += (billed - spent) * to_money
        if bounded and room > 0.0:
            idle = max(0.0, free - total)
            system = room - min(total, room) - idle
            quantity[rows, 0] += idle / 3600.0
            quantity[rows, 1] += system / 3600.0
            amount[rows, 0] += idle * to_money
            amount[rows, 1] += system * to_money
    return quantity, amount

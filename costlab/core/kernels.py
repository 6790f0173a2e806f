"""The loops of the core. Each has a twin of the same name and signature in `reference`, which says what it means.

Shapes and units: times are int64 epoch milliseconds; `offsets` are int64 (groups + 1,), group g owning
offsets[g]:offsets[g + 1]; values are float64, NaN = not observed.
"""

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import bare_kernel, kernel
from costlab.domain.time import HOUR_MS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Brief = NDArray[np.int32]
Singles = NDArray[np.float32]

# Buckets of a sketch: the upper 15 bits of a float32 that is not negative. The next 9 bits part a bucket further.
_BUCKETS, _FINE = 1 << 15, 1 << 9
_FEW = 24  # samples are sorted by hand
_ONE = np.int64(1) << 40
_INFINITE, _MINUS_ZERO = 0x7F800000, -0x80000000  # as bits of a float32; above the first are no numbers

# Indices into grids and buckets are unsigned: of others it is asked each time whether they count from the end.
_NEXT = np.uint64(1)


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


@bare_kernel
def lay(at_us: Ints, lasted_s: Singles, zero_ms: int, start_ms: Brief, end_ms: Brief) -> None:
    """Fills start_ms and end_ms, milliseconds since zero_ms, of stretches that began at microseconds and lasted seconds."""
    for i in range(len(at_us)):
        begin_ms = at_us[i] // 1000 - zero_ms
        start_ms[i] = begin_ms
        end_ms[i] = begin_ms + np.int64(np.rint(np.float64(lasted_s[i]) * 1000))


@bare_kernel
def spread(
    zero_ms: int,
    start_ms: Ints | Brief,
    end_ms: Ints | Brief,
    values: Floats | Singles,
    unit: float,
    first: int,
    last: int,
    begin_ms: int,
    until_ms: int,
    grid_start_ms: int,
    cell_ms: int,
    covered_ms: Floats,
    weighted: Floats,
) -> int:
    """Adds the time that intervals first:last cover within [begin_ms, until_ms), and value × time, to each cell.

    start_ms, end_ms: int64 or int32 since zero_ms. values: float64 or float32, in 1 / `unit`; NaN covers nothing.
    covered_ms, weighted: float64 (cells,), milliseconds, of a grid that begin_ms and until_ms lie within.
    Returns all that they cover, in milliseconds.
    """
    starts, ends, levels = start_ms[first:last], end_ms[first:last], values[first:last]
    begin_ms, until_ms, grid_start_ms = begin_ms - zero_ms, until_ms - zero_ms, grid_start_ms - zero_ms
    cell, edge_ms = np.uint64(0), grid_start_ms + cell_ms
    all_ms = 0
    for i in range(len(starts)):
        begin, until = max(int(starts[i]), begin_ms), min(int(ends[i]), until_ms)
        value = np.float64(levels[i]) * unit
        if begin >= until or np.isnan(value):
            continue
        all_ms += until - begin
        # Mostly in the cell that the one before ended in: to divide takes longer than all the rest.
        if begin >= edge_ms or begin < edge_ms - cell_ms:
            before = (begin - grid_start_ms) // cell_ms
            cell, edge_ms = np.uint64(before), grid_start_ms + (before + 1) * cell_ms
        if until > edge_ms:
            part_ms = np.float64(edge_ms - begin)
            covered_ms[cell] += part_ms
            weighted[cell] += value * part_ms
            cell, edge_ms = cell + _NEXT, edge_ms + cell_ms
            if until > edge_ms:
                whole_cells = (until - 1 - edge_ms) // cell_ms + 1
                _fill(cell, whole_cells, np.float64(cell_ms), value, covered_ms, weighted)
                cell, edge_ms = cell + np.uint64(whole_cells), edge_ms + whole_cells * cell_ms
            begin = edge_ms - cell_ms
        part_ms = np.float64(until - begin)
        covered_ms[cell] += part_ms
        weighted[cell] += value * part_ms
    return all_ms


@bare_kernel
def _fill(
    cell: np.uint64, whole_cells: int, cell_ms: float, value: float, covered_ms: Floats, weighted: Floats
) -> None:
    """Adds whole cells by themselves: then several are added to at once."""
    covered_ms, weighted, whole = covered_ms[cell:], weighted[cell:], value * cell_ms
    for k in range(whole_cells):
        covered_ms[k] += cell_ms
        weighted[k] += whole


@bare_kernel
def pairwise(values: Floats, low: int, high: int, steps: Ints, partial: Floats) -> float:
    """The sum of values that are 0 outside of low:high, in the order in which NumPy takes them, so the same to the bit.

    It halves what is longer than 128, and the error grows with the logarithm of the length. steps, partial: room.
    """
    steps[0, 0], steps[0, 1], steps[0, 2] = 0, len(values), 0
    waiting, done = 1, 0
    while waiting:
        waiting -= 1
        begin, count, depth = steps[waiting, 0], steps[waiting, 1], steps[waiting, 2]
        outside = begin >= high or begin + count <= low
        if count > 128 and not outside:
            half = count // 2
            half -= half % 8
            steps[waiting, 0], steps[waiting, 1], steps[waiting, 2] = begin + half, count - half, depth + 1
            waiting += 1
            steps[waiting, 0], steps[waiting, 1], steps[waiting, 2] = begin, half, depth + 1
            waiting += 1
            continue
        total = 0.0
        if count < 8:
            for i in range(begin, begin + count):
                total += values[i]
        elif not outside:
            a, b, c, d = values[begin], values[begin + 1], values[begin + 2], values[begin + 3]
            e, f, g, h = values[begin + 4], values[begin + 5], values[begin + 6], values[begin + 7]
            whole = begin + count - count % 8
            for i in range(begin + 8, whole, 8):
                a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
                e, f, g, h = e + values[i + 4], f + values[i + 5], g + values[i + 6], h + values[i + 7]
            total = ((a + b) + (c + d)) + ((e + f) + (g + h))
            for i in range(whole, begin + count):
                total += values[i]
        while done and steps[done - 1, 3] == depth:
            done -= 1
            depth -= 1
            total = partial[done] + total
        partial[done], steps[done, 3] = total, depth
        done += 1
    return float(partial[0])


@kernel
def bill(
    asked_offsets: Ints,
    asked_start_ms: Ints,
    asked_end_ms: Ints,
    asked: Floats,
    seen: Ints,
    used_zero_ms: int,
    used_start_ms: Brief,
    used_end_ms: Brief,
    used: Singles,
    unit: float,
    there: Ints,
    grid_start_ms: int,
    cell_ms: int,
    capacity: Floats,
    allocatable: Floats,
    price: Floats,
    mode: tuple[bool, bool, bool, bool],
) -> tuple[Floats, Floats, Floats]:
    """What each row and each kind of rest is billed for one resource of one node on the day: quantities, amounts.

    asked_*: what each row asks for, and when; row r owns asked_offsets[r]:asked_offsets[r + 1], at least one.
    used_*: stretches of observed usage, int32 since used_zero_ms and float32 in 1 / `unit`; row r owns
        seen[r, 0]:seen[r, 1]. They count from the first to the last that the row asks for. A row with seen[r, 0] = -1
        was seen to use nothing all that time.
    there: int64 (m, 2), spans apart from each other and ordered; what lies outside them does not count.
    capacity, allocatable: (cells,), value × milliseconds over the whole cell. price: (cells,), per value-hour.
    mode: bill by request, bill by usage (both: the larger), usage is a share of the request (GPUs),
        capacity is known.
    Returns two float64 (rows + 1, 3) arrays, value-hours and money: a row's used, unused and unobserved part;
    the last row is idle, system, and the number of contended cells and what was asked beyond the capacity in them. Then
    float64 (rows, 4): time occupied, value × time requested, time observed, value × time used, in milliseconds.
    """
    by_request, by_usage, is_share, bounded = mode
    rows, cells = len(asked_offsets) - 1, len(capacity)
    grid_end_ms = grid_start_ms + cells * cell_ms
    quantity = np.zeros((rows + 1, 3))
    amount = np.zeros((rows + 1, 3))
    sums = np.zeros((rows, 4))
    # Cells of a row outside its life are not looked at: most pods of a day with churn live for minutes.
    life = np.zeros((rows, 2), np.int64)
    first = np.zeros(rows, np.int64)
    place = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        born, died = asked_start_ms[asked_offsets[r]], asked_end_ms[asked_offsets[r]]
        for i in range(asked_offsets[r] + 1, asked_offsets[r + 1]):
            born, died = min(born, asked_start_ms[i]), max(died, asked_end_ms[i])
        life[r, 0], life[r, 1] = max(born, grid_start_ms), min(died, grid_end_ms)
        low, count = 0, 0
        if life[r, 0] < life[r, 1]:
            low = (life[r, 0] - grid_start_ms) // cell_ms
            count = (life[r, 1] - 1 - grid_start_ms) // cell_ms + 1 - low
        first[r], place[r + 1] = low, place[r] + count
    demand = np.empty(place[rows])
    use = np.empty(place[rows])
    total = np.zeros(cells)
    occupied_ms = np.zeros(cells)
    requested = np.zeros(cells)
    observed_ms = np.zeros(cells)
    worked = np.zeros(cells)
    steps = np.empty((64, 4), np.int64)
    partial = np.empty(64)
    nothing = np.zeros(1)
    for r in range(rows):
        low, high = first[r], first[r] + place[r + 1] - place[r]
        for span in range(len(there)):
            begin_ms, until_ms = max(there[span, 0], life[r, 0]), min(there[span, 1], life[r, 1])
            sums[r, 0] += spread(
                0, asked_start_ms, asked_end_ms, asked, 1.0, asked_offsets[r], asked_offsets[r + 1],
                begin_ms, until_ms, grid_start_ms, cell_ms, occupied_ms, requested,
            )  # fmt: skip
            if seen[r, 0] < 0:
                sums[r, 2] += spread(
                    0, life[r, :1], life[r, 1:], nothing, 1.0, 0, 1,
                    begin_ms, until_ms, grid_start_ms, cell_ms, observed_ms, worked,
                )  # fmt: skip
            else:
                sums[r, 2] += spread(
                    used_zero_ms, used_start_ms, used_end_ms, used, unit, seen[r, 0], seen[r, 1],
                    begin_ms, until_ms, grid_start_ms, cell_ms, observed_ms, worked,
                )  # fmt: skip
        sums[r, 1] = pairwise(requested, low, high, steps, partial)
        if not is_share:
            sums[r, 3] = pairwise(worked, low, high, steps, partial)
        _demand(
            low, high, place[r], occupied_ms, requested, observed_ms, worked, by_request, by_usage, is_share,
            demand, use, total,
        )  # fmt: skip
        if is_share:
            sums[r, 3] = pairwise(worked, low, high, steps, partial)
        occupied_ms[low:high], requested[low:high], observed_ms[low:high], worked[low:high] = (
            0.0,
            0.0,
            0.0,
            0.0,
        )
    scale = np.ones(cells)
    to_money = price / HOUR_MS
    for cell in range(cells):
        room = capacity[cell]
        if not bounded:
            continue
        if total[cell] > room:
            # Summing the same float parts in another order may exceed the capacity by rounding alone.
            if total[cell] > room * (1.0 + 1e-12):
                quantity[rows, 2] += 1.0
                amount[rows, 2] += (total[cell] - room) * to_money[cell]
            scale[cell] = room / total[cell]
        if room > 0.0:
            idle = max(0.0, allocatable[cell] - total[cell])
            system = room - min(total[cell], room) - idle
            quantity[rows, 0] += idle
            quantity[rows, 1] += system
            amount[rows, 0] += idle * to_money[cell]
            amount[rows, 1] += system * to_money[cell]
    for r in range(rows):
        _split(first[r], place[r], place[r + 1], demand, use, scale, to_money, is_share, quantity, amount, r)
    contended = quantity[rows, 2]
    quantity /= HOUR_MS
    quantity[rows, 2] = contended
    return quantity, amount, sums


@bare_kernel
def _demand(
    low: int,
    high: int,
    place: int,
    occupied_ms: Floats,
    requested: Floats,
    observed_ms: Floats,
    worked: Floats,
    by_request: bool,
    by_usage: bool,
    is_share: bool,
    demand: Floats,
    use: Floats,
    total: Floats,
) -> None:
    """What a row wants of each of the cells low:high, and how much of it it uses, NaN where that was not observed.

    Both go into demand and use from `place` on, and what it wants is added to total; worked becomes what is used of a
    request where that is a share. A loop a line: of few arrays the compiler makes one that takes several cells at once.
    """
    occupied_ms, requested, observed_ms = occupied_ms[low:high], requested[low:high], observed_ms[low:high]
    worked, total = worked[low:high], total[low:high]
    demand, use = demand[place : place + high - low], use[place : place + high - low]
    for k in range(len(use)):
        use[k] = worked[k] / observed_ms[k] if observed_ms[k] > 0.0 else np.nan
    if is_share:
        for k in range(len(use)):
            worked[k] = use[k] * requested[k] if observed_ms[k] > 0.0 else 0.0
    else:
        for k in range(len(use)):
            use[k] *= occupied_ms[k]
    for k in range(len(use)):
        demand[k] = requested[k]
    if by_usage and not is_share:
        for k in range(len(use)):
            demand[k] = use[k] if use[k] > demand[k] or not (by_request or np.isnan(use[k])) else demand[k]
    for k in range(len(use)):
        total[k] += demand[k]


@bare_kernel
def _split(
    cell: int,
    low: int,
    high: int,
    demand: Floats,
    use: Floats,
    scale: Floats,
    to_money: Floats,
    is_share: bool,
    quantity: Floats,
    amount: Floats,
    row: int,
) -> None:
    """What a row is billed for what it wants of its cells, demand[low:high], the first of which is `cell`."""
    demand, use = demand[low:high], use[low:high]
    scale, to_money = scale[cell : cell + high - low], to_money[cell : cell + high - low]
    used_part, unused_part, unseen_part = 0.0, 0.0, 0.0
    used_money, unused_money, unseen_money = 0.0, 0.0, 0.0
    for k in range(len(demand)):
        billed, rate = demand[k] * scale[k], to_money[k]
        if billed <= 0.0:
            continue
        if np.isnan(use[k]):
            unseen_part += billed
            unseen_money += billed * rate
            continue
        spent = billed * min(use[k], 1.0) if is_share else min(billed, use[k])
        used_part += spent
        unused_part += billed - spent
        used_money += spent * rate
        unused_money += (billed - spent) * rate
    quantity[row, 0], quantity[row, 1], quantity[row, 2] = used_part, unused_part, unseen_part
    amount[row, 0], amount[row, 1], amount[row, 2] = used_money, unused_money, unseen_money


@kernel
def profile(
    seen: Ints,
    life: Ints,
    zero_ms: int,
    start_ms: Brief,
    end_ms: Brief,
    values: Singles,
    percents: Ints,
) -> tuple[Ints, Floats, Floats, Ints, Brief, Brief]:
    """How long each row was observed, its mean, its nearest ranks, and the sketch of its usage, weighted by time.

    start_ms, end_ms: int32 since zero_ms; row r owns seen[r, 0]:seen[r, 1], of which what lies within life[r] counts.
    values: float32; NaN, infinity and what is below zero was not observed. percents: int64, rising, at most 100.
    Returns int64 (rows,) milliseconds; float64 (rows,); float64 (rows, percents), the smallest value that this part of
    the time lay at or below; NaN for a row that was never observed. Then, with offsets, int32: the buckets of each
    row that are not empty, rising, and the milliseconds in each. A bucket is the upper 15 bits of the float, so 64 of
    them are an octave; 0 is a bucket of its own.
    """
    rows = len(seen)
    observed_ms = np.zeros(rows, np.int64)
    mean = np.full(rows, np.nan)
    ranks = np.full((rows, len(percents)), np.nan)
    offsets = np.zeros(rows + 1, np.int64)
    count, most = 0, 0
    for r in range(rows):
        count += seen[r, 1] - seen[r, 0]
        most = max(most, seen[r, 1] - seen[r, 0])
    # One place more, for what is not kept: to write it takes less time than to ask whether to.
    buckets = np.empty(count + 1, np.int32)
    weights_ms = np.empty(count + 1, np.int32)
    samples = np.empty(most, np.int64)
    parted = np.empty(most + 1, np.int64)
    bits = values.view(np.int32)
    word = np.zeros(1, np.int32)
    number = word.view(np.float32)
    # Of each bucket how many samples there are, above 2^40, and their milliseconds, below it.
    told = np.zeros(_BUCKETS, np.int64)
    place = np.full(_BUCKETS, most, np.int64)
    fine = np.zeros(_FINE, np.int64)
    entry = 0
    begin = np.zeros(len(percents) + 1, np.int64)
    short_ms = np.zeros(len(percents), np.int64)
    found = np.zeros(len(percents), np.int64)
    for r in range(rows):
        low, high = seen[r, 0], seen[r, 1]
        born_ms, died_ms = life[r, 0] - zero_ms, life[r, 1] - zero_ms
        all_ms, least, largest = _weigh(low, high, born_ms, died_ms, start_ms, end_ms, bits, samples)
        if all_ms > 0:
            mean[r] = _tell(low, high, values, samples, told) / all_ms
        observed_ms[r] = all_ms
        # The sketch; which bucket each rank is in, and how much of the time lies before that.
        reached_ms, rank, several = told[0] & (_ONE - 1), 0, 0
        told[0] = 0
        if reached_ms > 0:
            buckets[entry], weights_ms[entry] = 0, reached_ms
            entry += 1
            while rank < len(percents) and 100 * reached_ms >= percents[rank] * all_ms:
                ranks[r, rank] = 0.0
                rank += 1
        first = rank
        wanted_ms = _part_of(all_ms, percents, rank)
        for bucket in range(_bucket_of(least), _bucket_of(largest) + 1 if largest else 0):
            samples_ms = told[bucket]
            lasted_ms = samples_ms & (_ONE - 1)
            told[bucket] = 0
            buckets[entry], weights_ms[entry] = bucket, lasted_ms
            entry += lasted_ms > 0
            reached_ms += lasted_ms
            if reached_ms < wanted_ms:
                continue
            while reached_ms >= wanted_ms:
                found[rank] = several
                # The smallest whole time, and some, that is this part of all.
                short_ms[rank] = max(wanted_ms - (reached_ms - lasted_ms), 1)
                rank += 1
                wanted_ms = _part_of(all_ms, percents, rank)
            place[bucket] = begin[several]
            begin[several + 1] = begin[several] + (samples_ms >> 40)
            several += 1
        offsets[r + 1] = entry
        if not several:
            continue
        # Only the samples of the buckets that hold a rank are looked at once more.
        _part(high - low, samples, place, parted)
        for k in range(several):
            place[_bucket_of(parted[begin[k]] >> 32)] = most
        for k in range(first, rank):
            word[0] = _at(parted, begin[found[k]], begin[found[k] + 1], short_ms[k], fine)
            ranks[r, k] = number[0]
    return observed_ms, mean, ranks, offsets, buckets[:entry].copy(), weights_ms[:entry].copy()


@bare_kernel
def _weigh(
    low: int,
    high: int,
    born_ms: int,
    died_ms: int,
    start_ms: Brief,
    end_ms: Brief,
    bits: Brief,
    samples: Ints,
) -> tuple[int, int, int]:
    """Fills samples with bits << 32 | ms for each of low:high, 0 for what was not observed: time, least and largest bits.

    Floats that are not negative are in the order of their bits. The least are those above 0.
    """
    starts, ends, keys = start_ms[low:high], end_ms[low:high], bits[low:high]
    samples = samples[: high - low]
    all_ms, least, largest = 0, _INFINITE, 0
    for i in range(len(samples)):
        lasted_ms = min(int(ends[i]), died_ms) - max(int(starts[i]), born_ms)
        key = int(np.int64(keys[i]))
        known = lasted_ms > 0 and (0 <= key < _INFINITE or key == _MINUS_ZERO)
        key = key & 0x7FFFFFFF if known else 0
        lasted_ms = lasted_ms if known else 0
        samples[i] = key << 32 | lasted_ms
        all_ms += lasted_ms
        least = min(least, key if key > 0 else _INFINITE)
        largest = max(largest, key)
    return all_ms, least, largest


@bare_kernel
def _tell(low: int, high: int, values: Singles, samples: Ints, told: Ints) -> float:
    """Adds the samples to their buckets; the sum of value × time."""
    values, samples = values[low:high], samples[: high - low]
    work = 0.0
    for i in range(len(samples)):
        lasted_ms = samples[i] & 0xFFFFFFFF
        if lasted_ms > 0:
            work += np.float64(values[i]) * lasted_ms
            told[np.uint64(_bucket_of(samples[i] >> 32))] += _ONE | lasted_ms
    return work


@bare_kernel
def _part(count: int, samples: Ints, place: Ints, parted: Ints) -> None:
    """Puts the samples where the place of their bucket says, and moves it on; all others into the last place."""
    samples, none = samples[:count], len(parted) - 1
    for i in range(len(samples)):
        bucket = np.uint64(_bucket_of(samples[i] >> 32))
        at = place[bucket]
        parted[np.uint64(at)] = samples[i]
        place[bucket] = at + (at != none)


@bare_kernel
def _bucket_of(key: int) -> int:
    """The bucket of a float32 by its bits: only 0 is in that of 0."""
    return max(key >> 17, min(key, 1))


@bare_kernel
def _part_of(all_ms: int, percents: Ints, rank: int) -> int:
    """The smallest whole time that is this part of all; behind the last rank more than there is."""
    return (percents[rank] * all_ms + 99) // 100 if rank < len(percents) else all_ms + 1


@bare_kernel
def _at(samples: Ints, low: int, high: int, wanted_ms: int, fine: Ints) -> int:
    """The smallest key of the samples low:high (key << 32 | ms, of one bucket) with that much time at or below it.

    fine: int64 (_FINE,) of zeros, and so it is left.
    """
    if high - low > _FEW:
        for i in range(low, high):
            fine[samples[i] >> 40 & _FINE - 1] += samples[i] & 0xFFFFFFFF
        part = 0
        while fine[part] < wanted_ms:
            wanted_ms -= fine[part]
            part += 1
        last = low
        for i in range(low, high):
            fine[samples[i] >> 40 & _FINE - 1] = 0
            if samples[i] >> 40 & _FINE - 1 == part:
                samples[i], samples[last] = samples[last], samples[i]
                last += 1
        high = last
    for i in range(low + 1, high):
        moved, j = samples[i], i
        while j > low and samples[j - 1] > moved:
            samples[j] = samples[j - 1]
            j -= 1
        samples[j] = moved
    i = low
    wanted_ms -= samples[i] & 0xFFFFFFFF
    while wanted_ms > 0:
        i += 1
        wanted_ms -= samples[i] & 0xFFFFFFFF
    return int(samples[i] >> 32)

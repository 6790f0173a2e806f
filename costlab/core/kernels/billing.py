"""Stretches spread over a grid of cells, and a bill for each container of a node."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel
from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.domain.time import HOUR_MS

# Indices into grids are unsigned: of others it is asked each time whether they count from the end.
_NEXT = np.uint64(1)
_STEPS = 16  # stretches that are asked at once whether they keep step with the cells


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
    all_ms, i, tried = 0, 0, 0
    while i < len(starts):
        begin, until = max(int(starts[i]), begin_ms), min(int(ends[i]), until_ms)
        value = np.float64(levels[i]) * unit
        if begin >= until or np.isnan(value):
            i += 1
            continue
        # Mostly in the cell that the one before ended in: to divide takes longer than all the rest.
        if begin >= edge_ms or begin < edge_ms - cell_ms:
            before = (begin - grid_start_ms) // cell_ms
            cell, edge_ms = np.uint64(before), grid_start_ms + (before + 1) * cell_ms
        if i >= tried and starts[i] >= begin_ms:
            count = _in_step(starts[i:], ends[i:], levels[i:], edge_ms, until_ms, cell_ms)
            tried = i + count + _STEPS
            if count:
                on = slice(i, i + count)
                all_ms += _weave(
                    starts[on],
                    ends[on],
                    levels[on],
                    unit,
                    edge_ms,
                    cell_ms,
                    covered_ms[cell:],
                    weighted[cell:],
                )
                i, cell, edge_ms = i + count, cell + np.uint64(count), edge_ms + count * cell_ms
                continue
        all_ms += until - begin
        i += 1
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
def _in_step(
    starts: Ints | Brief,
    ends: Ints | Brief,
    levels: Floats | Singles,
    edge_ms: int,
    until_ms: int,
    cell_ms: int,
) -> int:
    """How many stretches, in whole steps, begin each one cell after the one before, and end in the next; all known.

    The first begins in the cell that ends at edge_ms. Samples taken once a cell go on so until one is missed.
    """
    count = 0
    while count + _STEPS <= len(starts) and ends[count + _STEPS - 1] <= until_ms:
        beside, unknown = 0, 0
        for k in range(count, count + _STEPS):
            before, after = edge_ms + k * cell_ms - starts[k], ends[k] - edge_ms - k * cell_ms
            # Negative where either is not from 1 to cell_ms: so all are looked at, several at once.
            beside |= (before - 1) | (cell_ms - before) | (after - 1) | (cell_ms - after)
            unknown |= np.isnan(levels[k])
        if beside < 0 or unknown:
            break
        count += _STEPS
    return count


@bare_kernel
def _weave(
    starts: Ints | Brief,
    ends: Ints | Brief,
    levels: Floats | Singles,
    unit: float,
    edge_ms: int,
    cell_ms: int,
    covered_ms: Floats,
    weighted: Floats,
) -> int:
    """Adds stretches that keep step with the cells, several at once: all but two cells get an end and a beginning."""
    last = len(starts) - 1
    part_ms = np.float64(edge_ms - starts[0])
    covered_ms[0] += part_ms
    weighted[0] += np.float64(levels[0]) * unit * part_ms
    inner_ms, inner, ended, begun, from_ms = (
        covered_ms[1:],
        weighted[1:],
        levels[:last],
        levels[1:],
        starts[1:],
    )
    all_ms = np.int64(ends[last] - starts[last])
    for k in range(last):
        end_ms = np.float64(ends[k] - edge_ms - k * cell_ms)
        begin_ms = np.float64(edge_ms + (k + 1) * cell_ms - from_ms[k])
        inner_ms[k] += end_ms + begin_ms
        inner[k] = (inner[k] + np.float64(ended[k]) * unit * end_ms) + np.float64(begun[k]) * unit * begin_ms
        all_ms += ends[k] - starts[k]
    part_ms = np.float64(ends[last] - edge_ms - last * cell_ms)
    inner_ms[last] += part_ms
    inner[last] += np.float64(levels[last]) * unit * part_ms
    return int(all_ms)


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
def total_of(values: Floats) -> float:
    """The sum, by eight sums side by side, of which none waits for another."""
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = len(values) // 8 * 8
    for i in range(0, whole, 8):
        a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
        e, f, g, h = e + values[i + 4], f + values[i + 5], g + values[i + 6], h + values[i + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, len(values)):
        total += values[i]
    return float(total)


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
        sums[r, 1] = total_of(requested[low:high])
        if not is_share:
            sums[r, 3] = total_of(worked[low:high])
        _demand(
            low, high, place[r], occupied_ms, requested, observed_ms, worked, by_request, by_usage, is_share,
            demand, use, total,
        )  # fmt: skip
        if is_share:
            sums[r, 3] = total_of(worked[low:high])
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

"""Stretches laid over a grid of cells."""

import numpy as np

from costlab.core._jit import bare_kernel
from costlab.core.arrays import Brief, Floats, Ints, Singles

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
            tried = i + count + (1 if count else _STEPS)
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
    """How many stretches begin each one cell after the one before, and end in the next; all known.

    The first begins in the cell that ends at edge_ms. Samples taken once a cell go on so until one is missed.
    """
    count = 0
    while count + _STEPS <= len(starts) and ends[count + _STEPS - 1] <= until_ms:
        beside, unknown = 0, 0
        for k in range(count, count + _STEPS):
            beside |= _beside(starts[k], ends[k], edge_ms + k * cell_ms, cell_ms)
            unknown |= np.isnan(levels[k])
        if beside < 0 or unknown:
            break
        count += _STEPS
    while count < len(starts) and ends[count] <= until_ms and not np.isnan(levels[count]):
        if _beside(starts[count], ends[count], edge_ms + count * cell_ms, cell_ms) < 0:
            break
        count += 1
    return count


@bare_kernel
def _beside(start_ms: int, end_ms: int, edge_ms: int, cell_ms: int) -> int:
    """Negative where a stretch does not begin in the cell that ends at edge_ms, or does not end in the next one.

    No part of it is asked for by itself: so several stretches are looked at at once.
    """
    before_ms, after_ms = edge_ms - start_ms, end_ms - edge_ms
    return (before_ms - 1) | (cell_ms - before_ms) | (after_ms - 1) | (cell_ms - after_ms)


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
    edge, width = np.float64(edge_ms), np.float64(cell_ms)
    for k in range(last):
        at = edge + np.float64(k) * width
        end_ms = np.float64(ends[k]) - at
        begin_ms = at + width - np.float64(from_ms[k])
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

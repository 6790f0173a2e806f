"""The NumPy twins of `kernels`: the meaning of every result, written to be read. Slow, and held equal by the tests."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from costlab.core.kernels import Brief, Floats, Ints, Singles
from costlab.domain.time import HOUR_MS

Intervals: TypeAlias = tuple[int, Ints | Brief, Ints | Brief, Floats | Singles, float, int, int]


def hold(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> Ints:
    """Until when each sample of a gauge holds: the next sample, at most `max_gap_ms` on; its own time if NaN."""
    following = np.append(at_ms[1:], 2**62)
    following[offsets[1:][offsets[1:] > 0] - 1] = 2**62
    return np.where(np.isnan(values), at_ms, np.minimum(at_ms + max_gap_ms, following))


def telling(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> NDArray[np.bool_]:
    """Which samples of a gauge tell what those before do not, bool (n,): without the others it holds just as it did."""
    kept = np.zeros(len(at_ms), bool)
    for low, high in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        chosen: list[int] = []
        for i in range(low, high):
            at_an_edge = i in (low, high - 1) or np.isnan(values[i + 1]) or values[i] != values[chosen[-1]]
            if at_an_edge or at_ms[i + 1] - at_ms[chosen[-1]] > max_gap_ms:
                chosen.append(i)
        kept[chosen] = True
    return kept


def rate(
    at_ms: Ints, values: Floats, offsets: Ints, began_ms: Ints, max_gap_ms: int, reach_ms: int
) -> tuple[Ints, Floats]:
    """Since when, and at which rate per second, a counter rose to each of its samples; NaN where unknown."""
    series = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    first = np.zeros(len(at_ms), bool)
    first[offsets[:-1][np.diff(offsets) > 0]] = True
    began = began_ms[series]
    before_ms = np.where(first, began, np.roll(at_ms, 1))
    before = np.where(first, 0.0, np.roll(values, 1))
    limit = np.where(first, np.where(began >= 0, reach_ms, -1), max_gap_ms)
    lasted = at_ms - before_ms
    known = (lasted > 0) & (lasted <= limit) & ~np.isnan(values) & ~np.isnan(before)
    rise = np.where(values >= before, values - before, values)
    seconds = np.where(known, lasted, 1) / 1000.0
    return np.where(known, before_ms, at_ms), np.where(known, rise / seconds, np.nan)


def late(values: Floats, source: Ints, offsets: Ints) -> NDArray[np.bool_]:
    """Which samples of a counter that several sources tell came late, bool (n,): a fall, but no reset."""
    found = np.zeros(len(values), bool)
    for low, high in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        kept: list[int] = []  # since the last marker
        reset = low
        for i in (low + np.flatnonzero(~np.isnan(values[low:high]))).tolist():
            if i > low and np.isnan(values[i - 1]):
                kept = []
            before = low + np.flatnonzero((source[low:i] == source[i]) & ~np.isnan(values[low:i]))
            if kept and values[i] < values[kept[-1]]:
                own = int(before[-1]) if len(before) else None
                news = i + 1 < high and (own is None or source[i + 1] != source[i])
                if news and values[i + 1] >= values[kept[-1]]:
                    found[i] = True
                elif own is not None and own < reset:
                    found[i] = True  # the reset that another source told first
                elif own is not None and own < kept[-1]:
                    found[i] = values[own] <= values[i]
                if not found[i]:
                    reset = i
            if not found[i]:
                kept.append(i)
    return found


def overlay(
    start_ms: Ints, end_ms: Ints, values: Floats, offsets: Ints, add: bool
) -> tuple[Ints, Ints, Floats, Ints]:
    """Disjoint stretches of each group, holding the sum (`add`) or the maximum of the intervals that overlap."""
    found: list[tuple[int, int, float]] = []
    ends = [0]
    for low, high in zip(offsets[:-1], offsets[1:], strict=True):
        starts, stops, held = start_ms[low:high], end_ms[low:high], values[low:high]
        edges = np.unique(np.concatenate([starts, stops]))
        for begin, until in zip(edges[:-1], edges[1:], strict=True):
            here = held[(starts <= begin) & (stops > begin)]
            if len(here):
                total = float(np.add.reduce(here)) if add else float(here.max())
                found.append((int(begin), int(until), total))
        ends.append(len(found))
    table = np.array(found, dtype=[("start", np.int64), ("end", np.int64), ("value", np.float64)])
    return table["start"].copy(), table["end"].copy(), table["value"].copy(), np.array(ends, np.int64)


def align(
    start_a: Ints, end_a: Ints, offsets_a: Ints, start_b: Ints, end_b: Ints, offsets_b: Ints
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Stretches of each group in which neither side changes, with the index of the interval of a and of b (-1: none)."""
    found: list[tuple[int, int, int, int]] = []
    ends = [0]
    for group in range(len(offsets_a) - 1):
        a = range(offsets_a[group], offsets_a[group + 1])
        b = range(offsets_b[group], offsets_b[group + 1])
        edges = sorted(
            {int(t) for i in a for t in (start_a[i], end_a[i])}
            | {int(t) for j in b for t in (start_b[j], end_b[j])}
        )
        for begin, until in zip(edges[:-1], edges[1:], strict=True):
            in_a = next((i for i in a if start_a[i] <= begin < end_a[i]), -1)
            in_b = next((j for j in b if start_b[j] <= begin < end_b[j]), -1)
            if in_a >= 0 or in_b >= 0:
                found.append((begin, until, in_a, in_b))
        ends.append(len(found))
    table = np.array(found, np.int64).reshape(-1, 4)
    return (
        table[:, 0].copy(),
        table[:, 1].copy(),
        table[:, 2].copy(),
        table[:, 3].copy(),
        np.array(ends, np.int64),
    )


def lay(at_us: Ints, lasted_s: Singles, zero_ms: int, start_ms: Brief, end_ms: Brief) -> None:
    """Fills start_ms and end_ms, milliseconds since zero_ms, of stretches that began at microseconds and lasted seconds."""
    start_ms[:] = at_us // 1000 - zero_ms
    end_ms[:] = start_ms + np.rint(lasted_s.astype(np.float64) * 1000)


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
    """Adds the time that intervals first:last cover within [begin_ms, until_ms), and value × time, to each cell."""
    level = values[first:last].astype(np.float64) * unit
    start = np.maximum(zero_ms + start_ms[first:last].astype(np.int64), begin_ms)
    end = np.minimum(zero_ms + end_ms[first:last].astype(np.int64), until_ms)
    edges = grid_start_ms + cell_ms * np.arange(len(covered_ms) + 1)
    overlap_ms = np.minimum(end[:, None], edges[1:]) - np.maximum(start[:, None], edges[:-1])
    part_ms = np.where(np.isnan(level)[:, None], 0.0, np.maximum(overlap_ms, 0))
    covered_ms += part_ms.sum(axis=0)
    weighted += (np.nan_to_num(level)[:, None] * part_ms).sum(axis=0)
    return int(part_ms.sum())


def pairwise(values: Floats, low: int, high: int, steps: Ints, partial: Floats) -> float:  # noqa: ARG001 - as the kernel
    """The sum of values that are 0 outside of low:high, in the order in which NumPy takes them."""
    return float(values.sum())


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
    """What each row and each kind of rest is billed for one resource of one node on the day: quantities, amounts."""
    by_request, by_usage, is_share, bounded = mode
    rows, cells = len(asked_offsets) - 1, len(capacity)
    grid = grid_start_ms, cell_ms
    occupied_ms, requested, observed_ms, worked = (np.zeros((rows, cells)) for _ in range(4))
    for r in range(rows):
        low, high = asked_offsets[r : r + 2]
        born, died = asked_start_ms[low:high].min(), asked_end_ms[low:high].max()
        wants = 0, asked_start_ms, asked_end_ms, asked, 1.0, low, high
        does: Intervals = (
            used_zero_ms,
            used_start_ms,
            used_end_ms,
            used,
            unit,
            int(seen[r, 0]),
            int(seen[r, 1]),
        )
        if seen[r, 0] < 0:
            does = 0, np.array([born]), np.array([died]), np.zeros(1), 1.0, 0, 1
        for begin, until in there:
            life = max(begin, born, grid_start_ms), min(until, died, grid_start_ms + cells * cell_ms)
            spread(*wants, *life, *grid, occupied_ms[r], requested[r])
            spread(*does, *life, *grid, observed_ms[r], worked[r])
    here = occupied_ms > 0
    seen_here = here & (observed_ms > 0)
    level = np.divide(worked, observed_ms, out=np.zeros_like(worked), where=observed_ms > 0)
    work = level * requested if is_share else worked
    sums = np.column_stack([each.sum(axis=1) for each in (occupied_ms, requested, observed_ms, work)])
    use = np.where(seen_here, level if is_share else level * occupied_ms, np.nan)
    demand = np.where(here, requested, 0.0)
    if by_usage and not is_share:
        demand = np.where(seen_here, np.maximum(demand, use) if by_request else use, demand)
    total = demand.sum(axis=0)
    scale = np.ones_like(total)
    if bounded:
        np.divide(capacity, total, out=scale, where=total > capacity)
    billed = demand * scale
    spent = billed * np.minimum(use, 1.0) if is_share else np.minimum(billed, use)
    parts = np.stack(
        [
            np.where(seen_here, spent, 0.0),
            np.where(seen_here, billed - spent, 0.0),
            np.where(seen_here, 0.0, billed),
        ]
    )
    rest = np.zeros((2, cells))
    if bounded:
        alive = capacity > 0
        rest[0] = np.where(alive, np.maximum(0.0, allocatable - total), 0.0)
        rest[1] = np.where(alive, capacity - np.minimum(total, capacity) - rest[0], 0.0)
    contended = (total > capacity * (1.0 + 1e-12)) & bounded
    quantity, amount = np.zeros((rows + 1, 3)), np.zeros((rows + 1, 3))
    quantity[:rows] = parts.sum(axis=2).T / HOUR_MS
    quantity[rows] = [rest[0].sum() / HOUR_MS, rest[1].sum() / HOUR_MS, contended.sum()]
    touched = (billed > 0) & np.stack([seen_here, seen_here, ~seen_here])
    amount[:rows] = np.where(touched, parts * price, 0.0).sum(axis=2).T / HOUR_MS
    amount[rows, 2] = np.where(contended, (total - capacity) * price, 0.0).sum() / HOUR_MS
    amount[rows, :2] = np.where(bounded & (capacity > 0), rest * price, 0.0).sum(axis=1) / HOUR_MS
    return quantity, amount, sums


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

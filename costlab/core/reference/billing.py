"""What `kernels.billing` means."""

from typing import TypeAlias

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.reference.spreading import spread
from costlab.domain.time import HOUR_MS

Intervals: TypeAlias = tuple[int, Ints | Brief, Ints | Brief, Floats | Singles, float, int, int]


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

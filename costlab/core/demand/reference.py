"""The NumPy twin of the loop of demand, written to be read."""

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.reference.spreading import spread


def demand(
    group_offsets: Ints,
    row_offsets: Ints,
    start_ms: Ints,
    end_ms: Ints,
    requests: Floats,
    limits: Floats,
    seen: Ints,
    used_zero_ms: int,
    used_start_ms: Brief,
    used_end_ms: Brief,
    used: Singles,
    is_share: bool,
    grid_start_ms: int,
    cell_ms: int,
    cells: int,
    cells_an_hour: int,
) -> Floats:
    """What each group asks for and uses at a time, by the hour: float64 (groups, hours, 8)."""
    containers = len(row_offsets) - 1
    grid = grid_start_ms, cell_ms
    occupied_ms, requested, covered_ms, limited, observed_ms, worked = np.zeros((6, containers, cells))
    for c in range(containers):
        rows = slice(row_offsets[c], row_offsets[c + 1])
        life = (
            max(start_ms[rows].min(), grid_start_ms),
            min(end_ms[rows].max(), grid_start_ms + cells * cell_ms),
        )
        for levels, covered, weighted in (
            (requests, occupied_ms[c], requested[c]),
            (limits, covered_ms[c], limited[c]),
        ):
            spread(0, start_ms, end_ms, levels, 1.0, rows.start, rows.stop, *life, *grid, covered, weighted)
        stretches = max(seen[c, 0], 0), max(seen[c, 1], 0)
        spread(
            used_zero_ms, used_start_ms, used_end_ms, used, 1.0, *stretches, *life, *grid, observed_ms[c], worked[c]
        )  # fmt: skip
    known = (seen[:, 0] >= 0)[:, None]
    level = np.divide(worked, observed_ms, out=np.zeros_like(worked), where=observed_ms > 0)
    spent = np.where(known, level * (requested if is_share else occupied_ms), 0.0)
    there_ms = np.where(known, occupied_ms, 0.0)
    told_ms = np.where(known, np.minimum(observed_ms, occupied_ms), 0.0)

    groups, hours = len(group_offsets) - 1, -(-cells // cells_an_hour)
    of_group = np.repeat(np.arange(groups), np.diff(group_offsets)) == np.arange(groups)[:, None]

    def by_hour(amounts: Floats) -> Floats:
        """Groups, hours, cells of the hour; NaN where the last hour has no more."""
        room = np.full((groups, hours * cells_an_hour), np.nan)
        room[:, :cells] = of_group.astype(np.float64) @ amounts
        return room.reshape(groups, hours, cells_an_hour)

    asked, capped, used_at, there, told = map(by_hour, (requested, limited, spent, there_ms, told_ms))
    used_at[(there > 0) & (told == 0)] = np.nan
    some = ~np.isnan(used_at)
    total = np.where(some, used_at, 0.0)
    count = some.sum(axis=2)
    nothing = np.where(count > 0, 0.0, np.nan)
    return np.stack(
        [
            np.nanmax(asked, axis=2) / cell_ms,
            np.nanmean(asked, axis=2) / cell_ms,
            np.nanmax(capped, axis=2) / cell_ms,
            np.nanmean(capped, axis=2) / cell_ms,
            total.max(axis=2) / cell_ms + nothing,
            total.sum(axis=2) / np.maximum(count, 1) / cell_ms + nothing,
            np.nansum(there, axis=2),
            np.nansum(told, axis=2),
        ],
        axis=-1,
    )

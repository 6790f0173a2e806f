"""The loop of demand; its twin in `reference` says what it means."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.kernels.spreading import spread


@kernel
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
    """What each group asks for and uses at a time, by the hour: float64 (groups, hours, 8).

    Group g owns the containers group_offsets[g]:group_offsets[g + 1], container c the rows row_offsets[c]:row_offsets[c + 1]
    of start_ms, end_ms, requests and limits (0 where none is set), which are apart from each other.
    seen: int64 (containers, 2), where its stretches of usage stand, int32 since used_zero_ms and float32, NaN = not
        observed; (-1, -1): it is known to have used nothing. is_share: usage is a share of the request (GPUs).
    The last axis: most and mean requests, most and mean limits, most and mean usage (NaN: not observed), time occupied and
    the observed part of it, in container-milliseconds.
    """
    groups, hours = len(group_offsets) - 1, (cells + cells_an_hour - 1) // cells_an_hour
    grid_end_ms = grid_start_ms + cells * cell_ms
    found = np.zeros((groups, hours, 8))
    asked, capped, spent, there_ms, told_ms = (
        np.empty(cells), np.empty(cells), np.empty(cells), np.empty(cells), np.empty(cells),
    )  # fmt: skip
    occupied_ms, requested, covered_ms, limited = (
        np.empty(cells),
        np.empty(cells),
        np.empty(cells),
        np.empty(cells),
    )
    observed_ms, worked = np.empty(cells), np.empty(cells)
    for g in range(groups):
        asked[:], capped[:], spent[:], there_ms[:], told_ms[:] = 0.0, 0.0, 0.0, 0.0, 0.0
        for c in range(group_offsets[g], group_offsets[g + 1]):
            first, last = row_offsets[c], row_offsets[c + 1]
            born_ms, died_ms = start_ms[first], end_ms[first]
            for i in range(first + 1, last):
                born_ms, died_ms = min(born_ms, start_ms[i]), max(died_ms, end_ms[i])
            born_ms, died_ms = max(born_ms, grid_start_ms), min(died_ms, grid_end_ms)
            if born_ms >= died_ms:
                continue
            # Cells outside its life are not looked at: most pods of a day with churn live for minutes.
            low = (born_ms - grid_start_ms) // cell_ms
            high = (died_ms - 1 - grid_start_ms) // cell_ms + 1
            occupied_ms[low:high], requested[low:high], covered_ms[low:high] = 0.0, 0.0, 0.0
            limited[low:high], observed_ms[low:high], worked[low:high] = 0.0, 0.0, 0.0
            life = born_ms, died_ms, grid_start_ms, cell_ms
            spread(0, start_ms, end_ms, requests, 1.0, first, last, *life, occupied_ms, requested)
            spread(0, start_ms, end_ms, limits, 1.0, first, last, *life, covered_ms, limited)
            known = seen[c, 0] >= 0
            if known:
                spread(
                    used_zero_ms, used_start_ms, used_end_ms, used, 1.0, seen[c, 0], seen[c, 1],
                    *life, observed_ms, worked,
                )  # fmt: skip
            for k in range(low, high):
                asked[k] += requested[k]
                capped[k] += limited[k]
                if not known:
                    continue
                there_ms[k] += occupied_ms[k]
                if observed_ms[k] > 0:
                    spent[k] += worked[k] / observed_ms[k] * (requested[k] if is_share else occupied_ms[k])
                    told_ms[k] += min(observed_ms[k], occupied_ms[k])
        for hour in range(hours):
            begin, until = hour * cells_an_hour, min((hour + 1) * cells_an_hour, cells)
            some, most = 0, 0.0
            for k in range(begin, until):
                found[g, hour, 0] = max(found[g, hour, 0], asked[k] / cell_ms)
                found[g, hour, 1] += asked[k] / cell_ms
                found[g, hour, 2] = max(found[g, hour, 2], capped[k] / cell_ms)
                found[g, hour, 3] += capped[k] / cell_ms
                found[g, hour, 6] += there_ms[k]
                found[g, hour, 7] += told_ms[k]
                if told_ms[k] > 0 or there_ms[k] == 0:
                    some += 1
                    most = max(most, spent[k] / cell_ms)
                    found[g, hour, 5] += spent[k] / cell_ms
            found[g, hour, 1] /= until - begin
            found[g, hour, 3] /= until - begin
            found[g, hour, 4] = most if some else np.nan
            found[g, hour, 5] = found[g, hour, 5] / some if some else np.nan
    return found

"""Usage by the hour of a clock: its loop. The twin is in `reference`, as those of `kernels` are."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.kernels import Brief, Ints, Singles

HOURS = 24
_BELOW = np.float32(-1e-45)  # the largest float32 below 0


@kernel
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
    """The largest usage of each row in each hour of a clock: float32 (rows, 24), NaN where nothing was observed.

    Rows, times and values are as in `kernels.profile`, but that those of a row are in the order of time, and do not
    overlap. edges_ms: int64 (n + 1,), rising, since zero_ms: from edges_ms[i] to edges_ms[i + 1] the clock shows hour[i],
    int64 (n,), 0 to 23; an hour may be there twice, or not at all.
    """
    most = np.full((len(seen), HOURS), np.nan, np.float32)
    for r in range(len(seen)):
        first, last = seen[r]
        for part in range(len(hour)):
            low_ms = max(edges_ms[part], life[r, 0] - zero_ms)
            high_ms = min(edges_ms[part + 1], life[r, 1] - zero_ms)
            if low_ms >= high_ms:
                continue
            while first < last and end_ms[first] <= low_ms:
                first += 1
            largest, i = _BELOW, first
            while i < last and start_ms[i] < high_ms:
                if largest < values[i] < np.inf:
                    largest = values[i]
                i += 1
            first = max(first, i - 1)  # the last of them may go on
            if largest >= 0 and not most[r, hour[part]] >= largest:
                most[r, hour[part]] = largest
    return most

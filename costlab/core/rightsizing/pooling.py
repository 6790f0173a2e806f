"""Sketches of several containers or days put together: docs/methods.md, "Usage profiles"."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.arrays import Brief, Floats, Ints


@kernel
def pooled(
    rows: Ints, groups: Ints, offsets: Ints, buckets: Brief, weights: Floats
) -> tuple[Ints, Brief, Floats]:
    """One sketch a group out of those of its rows: offsets, buckets (rising) and weights; `core.sketch.merged` for many.

    rows: int64 (n,), group g has rows[groups[g]:groups[g + 1]]; row r owns the entries offsets[r]:offsets[r + 1] of
    buckets, int32, and weights, float64.
    """
    most = 0
    for row in rows:
        most += offsets[row + 1] - offsets[row]
    found, total = np.empty(most, np.int32), np.empty(most)
    weight, seen = np.zeros(1 << 15), np.zeros(1 << 15, np.bool_)
    starts = np.zeros(len(groups), np.int64)
    entry = 0
    for g in range(len(groups) - 1):
        # 0 is far below all other levels: with it the sweep would go over thousands of empty buckets.
        low, high = 1 << 15, 0
        for place in range(groups[g], groups[g + 1]):
            for i in range(offsets[rows[place]], offsets[rows[place] + 1]):
                weight[buckets[i]] += weights[i]
                seen[buckets[i]] = True
                if buckets[i] > 0:
                    low, high = min(low, buckets[i]), max(high, buckets[i])
        for bucket in range(min(low, high + 1) - 1, high + 1):
            b = bucket if bucket >= low else 0
            if seen[b]:
                found[entry], total[entry] = b, weight[b]
                weight[b], seen[b] = 0.0, False
                entry += 1
        starts[g + 1] = entry
    return starts, found[:entry].copy(), total[:entry].copy()

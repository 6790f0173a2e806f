"""The NumPy twin of this package's kernel, by plain sums: what it is held equal to."""

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints, Singles


def window_ranks(
    offsets: Ints, buckets: Brief, seconds: Singles, days: int, first: int, window: int, shares: Floats
) -> Floats:
    """As the kernel of this name."""
    subjects = (len(offsets) - 1) // days
    ranks = np.full((subjects, days + 1 - first, len(shares)), np.nan)
    for s in range(subjects):
        for t in range(first, days + 1):
            own = slice(offsets[s * days + max(0, t - window)], offsets[s * days + t])
            weight = np.bincount(buckets[own], seconds[own].astype(np.float64))
            if weight.sum() > 0:
                reached = np.cumsum(weight)
                bucket = np.searchsorted(reached, shares * reached[-1])
                ranks[s, t - first] = (
                    bucket + (shares * reached[-1] - reached[bucket] + weight[bucket]) / weight[bucket]
                )
    return ranks

"""The NumPy twin of this package's kernel, by plain sums: what it is held equal to."""

import numpy as np

from costlab.core.kernels import Brief, Floats, Ints, Singles


def decayed_ranks(
    offsets: Ints,
    buckets: Brief,
    seconds: Singles,
    days: int,
    first: int,
    window: int,
    half_life: float,
    share: float,
) -> Floats:
    """As the kernel of this name."""
    subjects = (len(offsets) - 1) // days
    ranks = np.full((subjects, days + 1 - first), np.nan)
    day = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for s in range(subjects):
        for t in range(first, days + 1):
            own = (day >= s * days + max(0, t - window)) & (day < s * days + t)
            age = t - 1 - (day[own] - s * days)
            weight = np.bincount(buckets[own], seconds[own] * 0.5 ** (age / half_life))
            if weight.sum() > 0:
                reached = np.cumsum(weight)
                bucket = int(np.searchsorted(reached, share * reached[-1]))
                before = reached[bucket] - weight[bucket]
                ranks[s, t - first] = bucket + (share * reached[-1] - before) / weight[bucket]
    return ranks

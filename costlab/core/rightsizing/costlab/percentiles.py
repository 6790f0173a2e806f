"""The CPU that shares of the past days' time lay at or below, day by day, out of their sketches."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.arrays import Brief, Floats, Ints, Singles


@kernel
def window_ranks(
    offsets: Ints, buckets: Brief, seconds: Singles, days: int, first: int, window: int, shares: Floats
) -> Floats:
    """Where in the sketches these shares (rising) of the time lay at or below, of `window` days before each midnight.

    Row r of `offsets`, int64 (subjects × days + 1,), is subject r // days on day r % days. first: the first midnight
    that is asked for. Returns float64 (subjects, days + 1 - first, shares): the bucket, and as its fraction the part of
    what is in it that lies below; NaN where nothing was observed.
    """
    subjects = (len(offsets) - 1) // days
    ranks = np.full((subjects, days + 1 - first, len(shares)), np.nan)
    weight = np.zeros(1 << 15)
    for s in range(subjects):
        for t in range(max(first, 1), days + 1):
            low, high, total = 1 << 15, -1, 0.0
            for i in range(offsets[s * days + max(0, t - window)], offsets[s * days + t]):
                weight[buckets[i]] += seconds[i]
                total += seconds[i]
                low, high = min(low, buckets[i]), max(high, buckets[i])
            if total > 0:
                # From the top: a high share is reached after few buckets.
                above, bucket = 0.0, high
                for j in range(len(shares) - 1, -1, -1):
                    over = (1 - shares[j]) * total
                    while bucket > low and above + weight[bucket] <= over:
                        above += weight[bucket]
                        bucket -= 1
                    part = 1 - (over - above) / weight[bucket] if weight[bucket] > 0 else 0.0
                    ranks[s, t - first, j] = bucket + min(max(part, 0.0), 1.0)
            weight[low : high + 1] = 0.0
    return ranks


def cores_at(ranks: Floats) -> Floats:
    """The usage at a bucket and the part of what is in it: evenly spread over it; 0 for bucket 0, NaN for NaN."""
    bucket = np.floor(np.nan_to_num(ranks)).astype(np.int32)
    low, high = (edge.view(np.float32).astype(np.float64) for edge in (bucket << 17, (bucket + 1) << 17))
    return np.asarray(
        np.where(np.isnan(ranks), np.nan, np.where(bucket > 0, low + (ranks - bucket) * (high - low), 0.0))
    )

"""The CPU that a decayed share of the past days' time lay at or below, day by day, out of their sketches."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.kernels import Brief, Floats, Ints, Singles


@kernel
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
    """Where in the sketches this share of the time lay at or below, of the days before each midnight, older ones counting less.

    Row r of `offsets`, int64 (subjects × days + 1,), is subject r // days on day r % days. first: the first midnight
    that is asked for, and window, in days, how far each looks back. A day counts half as much as one that is half_life
    days later. Returns float64 (subjects, days + 1 - first): the bucket, and as its fraction the part of what is in it that
    lies below; NaN where nothing was observed.
    """
    subjects = (len(offsets) - 1) // days
    ranks = np.full((subjects, days + 1 - first), np.nan)
    weight = np.zeros(1 << 15)
    for s in range(subjects):
        for t in range(max(first, 1), days + 1):
            low, high, total, decay = 1 << 15, -1, 0.0, 1.0
            begin = max(0, t - window)
            for d in range(t - 1, begin - 1, -1):
                for i in range(offsets[s * days + d], offsets[s * days + d + 1]):
                    weight[buckets[i]] += seconds[i] * decay
                    total += seconds[i] * decay
                    low, high = min(low, buckets[i]), max(high, buckets[i])
                decay *= 0.5 ** (1 / half_life)
            if total > 0:
                # From the top: a high share is reached after few buckets.
                above, bucket = 0.0, high
                while bucket > low and above + weight[bucket] <= (1 - share) * total:
                    above += weight[bucket]
                    bucket -= 1
                below = weight[bucket] - ((1 - share) * total - above)
                ranks[s, t - first] = (
                    bucket + min(max(below / weight[bucket], 0.0), 1.0) if weight[bucket] > 0 else bucket
                )
            weight[low : high + 1] = 0.0
    return ranks


def cores_at(ranks: Floats) -> Floats:
    """The usage at a bucket and the part of what is in it: evenly spread over it; 0 for bucket 0, NaN for NaN."""
    bucket = np.floor(np.nan_to_num(ranks)).astype(np.int32)
    low, high = (edge.view(np.float32).astype(np.float64) for edge in (bucket << 17, (bucket + 1) << 17))
    return np.asarray(
        np.where(np.isnan(ranks), np.nan, np.where(bucket > 0, low + (ranks - bucket) * (high - low), 0.0))
    )

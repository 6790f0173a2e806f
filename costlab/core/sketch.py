"""Sketches of usage: how long it was in each bucket of the floats' upper bits. docs/methods.md, "Usage profiles"."""

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints


def merged(buckets: Brief, weights_ms: Ints | Brief) -> tuple[Brief, Ints]:
    """One sketch out of the entries of several: the sketch of all that they were made of, in whatever order they come."""
    found, which = np.unique(buckets, return_inverse=True)
    total = np.zeros(len(found), np.int64)
    np.add.at(total, which, weights_ms)
    return found, total


def levels(buckets: Brief) -> Floats:
    """The usage that each bucket stands for: its middle, at most 1/128 away from all that is in it; 0 for 0."""
    middle = (buckets.astype(np.int32) << 17 | 1 << 16).view(np.float32)
    return np.where(buckets > 0, middle.astype(np.float64), 0.0)


def nearest_rank(buckets: Brief, weights_ms: Ints | Brief, percent: int) -> float:
    """The level that this part of the time lay at or below, of a merged sketch; NaN where nothing was observed."""
    if not len(buckets):
        return float("nan")
    reached_ms = np.cumsum(weights_ms)
    return float(levels(buckets)[np.searchsorted(100 * reached_ms, percent * reached_ms[-1])])

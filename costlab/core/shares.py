"""What several have at the same time, shared out evenly over those who have it."""

import numpy as np

from costlab.core.arrays import Floats, Ints


def even_shares(start_ms: int, end_ms: int, from_ms: Ints, to_ms: Ints) -> tuple[Floats, int]:
    """Each holder's share of [start_ms, end_ms) in milliseconds, and the part that nobody held.

    from_ms, to_ms: int64 (n,), half-open; what lies beyond counts for nothing. While k hold, each has 1/k of the time.
    Returns float64 (n,) and a whole number, which together are the whole. Raises ValueError when it is empty.
    """
    if start_ms >= end_ms:
        raise ValueError(f"nothing lasts from {start_ms} to {end_ms}")
    low, high = np.clip(from_ms, start_ms, end_ms), np.clip(to_ms, start_ms, end_ms)
    high = np.maximum(low, high)
    edges = np.unique(np.concatenate([low, high, np.array([start_ms, end_ms], np.int64)]))
    begins, ends = np.searchsorted(edges, low), np.searchsorted(edges, high)
    holders = np.cumsum(np.bincount(begins, minlength=len(edges)) - np.bincount(ends, minlength=len(edges)))[
        :-1
    ]
    lasted = np.diff(edges)
    each = np.where(holders > 0, lasted / np.maximum(holders, 1), 0.0)
    until = np.concatenate([np.zeros(1), np.cumsum(each)])
    return until[ends] - until[begins], int(lasted[holders == 0].sum())

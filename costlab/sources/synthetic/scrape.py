"""When samples are taken: a grid of the epoch, so that every window sees the same instants."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from costlab.domain.time import Window

JITTER_MS = 4_000


def regular(window: Window, interval_ms: int, offset_ms: int) -> NDArray[np.int64]:
    """Scrapes at offset + k * interval within the window, int64 epoch milliseconds, ascending."""
    first = -(-(window.start_ms - offset_ms) // interval_ms)
    last = -(-(window.end_ms - offset_ms) // interval_ms)
    return np.arange(first, last, dtype=np.int64) * interval_ms + offset_ms


@lru_cache(maxsize=4096)  # of a day's rows of cAdvisor, each of which has several metrics
def jittered(window: Window, interval_ms: int, offset_ms: int, key: int) -> NDArray[np.int64]:
    """Scrapes moved by up to 4 s either way, as cAdvisor stamps them: by when it last looked at the cgroup."""
    around = regular(window.widen(JITTER_MS, JITTER_MS), interval_ms, offset_ms)
    spread = np.uint64(2 * JITTER_MS)
    moved = around + (_mixed(around, key) % spread).astype(np.int64) - JITTER_MS
    moved.flags.writeable = False
    return within(moved, window.start_ms, window.end_ms)


def within(at_ms: NDArray[np.int64], start_ms: int, end_ms: int) -> NDArray[np.int64]:
    """The instants of an ascending array with start <= t < end; a view."""
    first, last = np.searchsorted(at_ms, (start_ms, end_ms))
    return at_ms[first:last]


def _mixed(numbers: NDArray[np.int64], key: int) -> NDArray[np.uint64]:
    """Well-spread 64-bit words, one for each number and key: Vigna's SplitMix64 (2015), public domain."""
    word = numbers.astype(np.uint64) + np.uint64(key) * np.uint64(2) + np.uint64(1)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))

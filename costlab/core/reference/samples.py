"""What `kernels.samples` means."""

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints


def hold(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> Ints:
    """Until when each sample of a gauge holds: the next sample, at most `max_gap_ms` on; its own time if NaN."""
    following = np.append(at_ms[1:], 2**62)
    following[offsets[1:][offsets[1:] > 0] - 1] = 2**62
    return np.where(np.isnan(values), at_ms, np.minimum(at_ms + max_gap_ms, following))


def telling(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> NDArray[np.bool_]:
    """Which samples of a gauge tell what those before do not, bool (n,): without the others it holds just as it did."""
    kept = np.zeros(len(at_ms), bool)
    for low, high in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        chosen: list[int] = []
        for i in range(low, high):
            at_an_edge = i in (low, high - 1) or np.isnan(values[i + 1]) or values[i] != values[chosen[-1]]
            if at_an_edge or at_ms[i + 1] - at_ms[chosen[-1]] > max_gap_ms:
                chosen.append(i)
        kept[chosen] = True
    return kept


def rate(
    at_ms: Ints, values: Floats, offsets: Ints, began_ms: Ints, max_gap_ms: int, reach_ms: int
) -> tuple[Ints, Floats]:
    """Since when, and at which rate per second, a counter rose to each of its samples; NaN where unknown."""
    series = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    first = np.zeros(len(at_ms), bool)
    first[offsets[:-1][np.diff(offsets) > 0]] = True
    began = began_ms[series]
    before_ms = np.where(first, began, np.roll(at_ms, 1))
    before = np.where(first, 0.0, np.roll(values, 1))
    limit = np.where(first, np.where(began >= 0, reach_ms, -1), max_gap_ms)
    lasted = at_ms - before_ms
    known = (lasted > 0) & (lasted <= limit) & ~np.isnan(values) & ~np.isnan(before)
    rise = np.where(values >= before, values - before, values)
    seconds = np.where(known, lasted, 1) / 1000.0
    return np.where(known, before_ms, at_ms), np.where(known, rise / seconds, np.nan)


def late(values: Floats, source: Ints, offsets: Ints) -> NDArray[np.bool_]:
    """Which samples of a counter that several sources tell came late, bool (n,): a fall, but no reset."""
    found = np.zeros(len(values), bool)
    for low, high in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        kept: list[int] = []  # since the last marker
        reset = low
        for i in (low + np.flatnonzero(~np.isnan(values[low:high]))).tolist():
            if i > low and np.isnan(values[i - 1]):
                kept = []
            before = low + np.flatnonzero((source[low:i] == source[i]) & ~np.isnan(values[low:i]))
            if kept and values[i] < values[kept[-1]]:
                own = int(before[-1]) if len(before) else None
                news = i + 1 < high and (own is None or source[i + 1] != source[i])
                if news and values[i + 1] >= values[kept[-1]]:
                    found[i] = True
                elif own is not None and own < reset:
                    found[i] = True  # the reset that another source told first
                elif own is not None and own < kept[-1]:
                    found[i] = values[own] <= values[i]
                if not found[i]:
                    reset = i
            if not found[i]:
                kept.append(i)
    return found


def overlay(
    start_ms: Ints, end_ms: Ints, values: Floats, offsets: Ints, add: bool
) -> tuple[Ints, Ints, Floats, Ints]:
    """Disjoint stretches of each group, holding the sum (`add`) or the maximum of the intervals that overlap."""
    found: list[tuple[int, int, float]] = []
    ends = [0]
    for low, high in zip(offsets[:-1], offsets[1:], strict=True):
        starts, stops, held = start_ms[low:high], end_ms[low:high], values[low:high]
        edges = np.unique(np.concatenate([starts, stops]))
        for begin, until in zip(edges[:-1], edges[1:], strict=True):
            here = held[(starts <= begin) & (stops > begin)]
            if len(here):
                total = float(np.add.reduce(here)) if add else float(here.max())
                found.append((int(begin), int(until), total))
        ends.append(len(found))
    table = np.array(found, dtype=[("start", np.int64), ("end", np.int64), ("value", np.float64)])
    return table["start"].copy(), table["end"].copy(), table["value"].copy(), np.array(ends, np.int64)


def align(
    start_a: Ints, end_a: Ints, offsets_a: Ints, start_b: Ints, end_b: Ints, offsets_b: Ints
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Stretches of each group in which neither side changes, with the index of the interval of a and of b (-1: none)."""
    found: list[tuple[int, int, int, int]] = []
    ends = [0]
    for group in range(len(offsets_a) - 1):
        a = range(offsets_a[group], offsets_a[group + 1])
        b = range(offsets_b[group], offsets_b[group + 1])
        edges = sorted(
            {int(t) for i in a for t in (start_a[i], end_a[i])}
            | {int(t) for j in b for t in (start_b[j], end_b[j])}
        )
        for begin, until in zip(edges[:-1], edges[1:], strict=True):
            in_a = next((i for i in a if start_a[i] <= begin < end_a[i]), -1)
            in_b = next((j for j in b if start_b[j] <= begin < end_b[j]), -1)
            if in_a >= 0 or in_b >= 0:
                found.append((begin, until, in_a, in_b))
        ends.append(len(found))
    table = np.array(found, np.int64).reshape(-1, 4)
    return (
        table[:, 0].copy(),
        table[:, 1].copy(),
        table[:, 2].copy(),
        table[:, 3].copy(),
        np.array(ends, np.int64),
    )

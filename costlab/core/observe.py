"""From samples to values: what was observed of a thing, when, as disjoint stretches of constant value.

docs/methods.md, "From samples to values", defines the rules; `kernels.samples` holds the loops.
"""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.kernels import samples

_MANY = 2_000_000  # samples


@dataclass(frozen=True, slots=True)
class Stretches:
    """Intervals with a constant value, by group.

    start_ms, end_ms: int64 (n,), half-open, not empty. values: float64 (n,).
    offsets: int64 (groups + 1,); group g owns offsets[g]:offsets[g + 1], ordered by start.
    """

    start_ms: Ints
    end_ms: Ints
    values: Floats
    offsets: Ints

    @property
    def group(self) -> Ints:
        """The group of each interval: int64 (n,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def of(self, groups: Ints) -> "Stretches":
        """The groups named, in that order, as groups 0, 1, …; one may be named several times."""
        sizes = np.diff(self.offsets)[groups]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        rows = np.repeat(self.offsets[groups] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Stretches(self.start_ms[rows], self.end_ms[rows], self.values[rows], offsets)

    def joined(self) -> "Stretches":
        """The same with neighbours of equal value as one interval."""
        group, start_ms, end_ms, values = self.group, self.start_ms, self.end_ms, self.values
        goes_on = (group[1:] == group[:-1]) & (start_ms[1:] == end_ms[:-1]) & (values[1:] == values[:-1])
        first, last = np.append(True, ~goes_on)[: len(group)], np.append(~goes_on, True)[: len(group)]
        offsets = _offsets(group[first], len(self.offsets) - 1)
        return Stretches(start_ms[first], end_ms[last], values[first], offsets)

    def keep(self, mask: np.ndarray) -> "Stretches":
        """Only the intervals where `mask` (bool, (n,)) is true."""
        if mask.all():
            return self
        return Stretches(
            self.start_ms[mask],
            self.end_ms[mask],
            self.values[mask],
            _offsets(self.group[mask], len(self.offsets) - 1),
        )


def one_after_another(parts: list[Stretches]) -> Stretches:
    """The groups of all parts, in their order."""
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    return Stretches(
        np.concatenate([part.start_ms for part in parts]),
        np.concatenate([part.end_ms for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
    )


def held(at_ms: Ints, values: Floats, offsets: Ints, max_gap_ms: int) -> Stretches:
    """What a gauge's series showed: each sample holds until the next, at most `max_gap_ms`."""
    end_ms = samples.hold(at_ms, values, offsets, max_gap_ms)
    return Stretches(at_ms, end_ms, values, offsets).keep(end_ms > at_ms)


def rates(
    at_ms: Ints, values: Floats, offsets: Ints, began_ms: Ints, max_gap_ms: int, reach_ms: int
) -> Stretches:
    """What a counter's series showed: its rise per second between two samples, resets counted from 0."""
    start_ms, per_second = samples.rate(at_ms, values, offsets, began_ms, max_gap_ms, reach_ms)
    return Stretches(start_ms, at_ms, per_second, offsets).keep(start_ms < at_ms)


def united(
    at_ms: Ints, values: Floats, offsets: Ints, group: Ints, groups: int, *, counter: bool
) -> tuple[Ints, Floats, Ints]:
    """The samples of several series as those of one: a thing that is told of under one label set after another.

    Series s belongs to group[s]. Of samples at one instant the largest counts. Marks of an end are left out, for the
    thing goes on; so are those samples of a counter that came late by another's clock. Returns instants, values and
    offsets.
    """
    teller = np.repeat(np.arange(len(group)), np.diff(offsets))
    known = ~np.isnan(values)
    at_ms, values, teller = at_ms[known], values[known], teller[known]
    target = group[teller]
    place = np.lexsort((values, at_ms, target))
    at_ms, values, target, teller = at_ms[place], values[place], target[place], teller[place]
    counts = np.ones(len(at_ms), bool)
    counts[:-1] = (target[1:] != target[:-1]) | (at_ms[1:] != at_ms[:-1])
    at_ms, values, target, teller = at_ms[counts], values[counts], target[counts], teller[counts]
    if counter:
        in_order = ~samples.late(values, teller, _offsets(target, groups))
        at_ms, values, target = at_ms[in_order], values[in_order], target[in_order]
    return at_ms, values, _offsets(target, groups)


def combine(stretches: Stretches, group: Ints, groups: int, *, add: bool) -> Stretches:
    """The sum (`add`) or maximum of several series as one: series s of `stretches` belongs to group[s].

    A group of -1 is left out.
    """
    # Series are put in order first: then their intervals nearly always are, and to sort those takes ten times as long.
    order = np.argsort(group, kind="stable")
    named = order[np.searchsorted(group[order], 0) :]
    if not np.array_equal(named, np.arange(len(group))):
        stretches = stretches.of(named)
    target = group[named][stretches.group]
    start_ms, end_ms, values = stretches.start_ms, stretches.end_ms, stretches.values
    later = (target[1:] > target[:-1]) | (start_ms[1:] >= start_ms[:-1])
    if not later.all():
        place = np.lexsort((end_ms, start_ms, target))
        start_ms, end_ms, values = start_ms[place], end_ms[place], values[place]
    offsets = _offsets(target, groups)
    same_group = target[1:] == target[:-1]
    if not np.any(same_group & (start_ms[1:] < end_ms[:-1])):
        return Stretches(start_ms, end_ms, values, offsets)
    return Stretches(*samples.overlay(start_ms, end_ms, values, offsets, add))


def clipped(stretches: Stretches, series: Ints, start_ms: Ints, end_ms: Ints) -> Stretches:
    """What lies within [start_ms[i], end_ms[i]) of series[i], as group i; a series may be named several times.

    The intervals of a series do not overlap.
    """
    bounds = zip(series.tolist(), start_ms.tolist(), end_ms.tolist(), strict=True)
    begin = stretches.offsets.tolist()
    rows = np.array(
        [
            (
                begin[one] + np.searchsorted(stretches.end_ms[begin[one] : begin[one + 1]], low, "right"),
                begin[one] + np.searchsorted(stretches.start_ms[begin[one] : begin[one + 1]], high, "left"),
            )
            for one, low, high in bounds
        ],
        np.int64,
    ).reshape(-1, 2)
    sizes = np.maximum(rows[:, 1] - rows[:, 0], 0)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    row = np.repeat(rows[:, 0] - offsets[:-1], sizes) + np.arange(offsets[-1])
    starts, ends, values = stretches.start_ms[row], stretches.end_ms[row], stretches.values[row]
    # Only the first and the last interval can reach beyond.
    some = np.flatnonzero(sizes)
    first, last = offsets[some], offsets[some + 1] - 1
    starts[first] = np.maximum(starts[first], start_ms[some])
    ends[last] = np.minimum(ends[last], end_ms[some])
    return Stretches(starts, ends, values, offsets)


def side_by_side(sides: tuple[Stretches, ...]) -> tuple[Ints, Ints, tuple[Floats, ...], Ints]:
    """Several quantities of the same groups, on stretches in which none of them changes.

    Returns start, end, one value array a side (NaN: not observed), and offsets.
    """
    first = sides[0]
    start_ms, end_ms, offsets = first.start_ms, first.end_ms, first.offsets
    columns: tuple[Floats, ...] = (first.values,)
    for side in sides[1:]:
        start_ms, end_ms, left, right, offsets = samples.align(
            start_ms, end_ms, offsets, side.start_ms, side.end_ms, side.offsets
        )
        columns = (*(_take(column, left) for column in columns), _take(side.values, right))
    return start_ms, end_ms, columns, offsets


class ScrapeSteps:
    """The steps between two samples of a series, of series that are shown some at a time; `samples` in all, about.

    Of more than 2 M samples every second, third, … step is looked at.
    """

    def __init__(self, samples: int) -> None:
        self._every = 1 + samples // _MANY
        self._shown = 0
        self._steps: list[Ints] = []

    def show(self, at_ms: Ints, offsets: Ints) -> None:
        """Look at these series, which are whole."""
        first = np.arange(-self._shown % self._every, len(at_ms), self._every)
        within = np.ones(len(at_ms), bool)
        within[offsets[1:][np.diff(offsets) > 0] - 1] = False
        first = first[within[first]]
        self._shown += len(at_ms)
        self._steps.append(at_ms[first + 1] - at_ms[first])

    def interval_ms(self) -> int | None:
        """The usual step (median); None when no series has two samples."""
        steps = np.concatenate([np.empty(0, np.int64), *self._steps])
        return int(np.median(steps)) if len(steps) else None


def _offsets(group: Ints, groups: int) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(group, minlength=groups))]).astype(
        np.int64
    )


def _take(values: Floats, index: Ints) -> Floats:
    if not len(values):
        return np.full(len(index), np.nan)
    return np.where(index >= 0, values[index], np.nan)


def nearest_rank(values: Floats, weights: Floats, quantile: float) -> float:
    """The smallest value whose cumulative weight reaches `quantile` of the total; NaN when there is none.

    values, weights: float64 (n,); NaN values do not count.
    """
    known = ~np.isnan(values) & (weights > 0)
    if not known.any():
        return float("nan")
    order = np.argsort(values[known], kind="stable")
    reached = np.cumsum(weights[known][order])
    return float(values[known][order][np.searchsorted(reached, quantile * reached[-1] * (1 - 1e-12))])

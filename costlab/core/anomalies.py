"""How far a step is from the robust level of its place in the cycle, and one alarm an episode. docs/methods.md, "Anomalies"."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats

_NORMAL = 1.4826  # of a normal distribution: its standard deviation over the median of absolute differences


@dataclass(frozen=True, slots=True)
class Rule:
    """When a step is an alarm; the defaults are for days in weeks.

    period: steps in a cycle. cycles: how many of them are looked back. least_cycles: how many must have been seen.
    least_share: a spread is at least this share of the level. threshold: from how many spreads on.
    """

    period: int = 7
    cycles: int = 4
    least_cycles: int = 2
    least_share: float = 0.08
    threshold: float = 6.0

    @property
    def memory(self) -> int:
        """Steps that a score rests on: those of its level and of its spread, which needs levels of its own."""
        return 2 * self.cycles * self.period


@dataclass(frozen=True, slots=True)
class Episode:
    """Steps of a subject that are one alarm: from the first to the last one that was beyond the threshold."""

    subject: int
    first: int
    last: int


DAILY = Rule()


def levels(values: Floats, rule: Rule = DAILY) -> Floats:
    """The median of the same step in the cycles before; NaN where fewer than `least_cycles` of them were seen.

    values: float64 (subjects, steps), NaN: not observed. Returns the same shape.
    """
    past = np.full((rule.cycles, *values.shape), np.nan)
    for back in range(1, rule.cycles + 1):
        shift = back * rule.period
        past[back - 1, :, shift:] = values[:, : max(0, values.shape[1] - shift)]
    return _median(past, rule.least_cycles)


def middle(values: Floats, step: int, rule: Rule = DAILY) -> list[int]:
    """The one or two earlier steps of one subject whose mean is the level of `step`; none where there is no level."""
    past = [step - back * rule.period for back in range(1, rule.cycles + 1)]
    seen = sorted((values[t], t) for t in past if t >= 0 and not np.isnan(values[t]))
    if len(seen) < rule.least_cycles:
        return []
    return sorted({seen[(len(seen) - 1) // 2][1], seen[len(seen) // 2][1]})


def scores(values: Floats, least: Floats, rule: Rule = DAILY) -> Floats:
    """How many spreads each step is above its level (below 0: under it); NaN where that is not known.

    The spread is the median of how far the steps of the last `cycles` cycles were from their own levels, scaled to a
    standard deviation; NaN where less than half a cycle of them is known. It is at least `least_share` of the level, and
    so much that a difference of less than `least`, float64 (steps,), is not beyond the threshold. No score depends on
    anything later. values as in `levels`.
    """
    level = levels(values, rule)
    off = values - level
    spread = np.full(values.shape, np.nan)
    for step in range(1, values.shape[1]):
        recent = np.abs(off[:, max(0, step - rule.cycles * rule.period) : step])
        spread[:, step] = _NORMAL * _median(recent.T, max(1, rule.period // 2))
    floor = np.maximum(rule.least_share * np.abs(level), np.nan_to_num(least) / rule.threshold)
    width = np.maximum(spread, floor)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # 0 / 0 of what never changes, and infinitely far from that
        return np.where((off == 0) & (width == 0), 0.0, off / width)


def episodes(scored: Floats, rule: Rule = DAILY) -> Iterator[Episode]:
    """The alarms, subject by subject: one ends when a cycle's worth of judged steps was within the threshold."""
    for subject in np.flatnonzero((np.abs(scored) >= rule.threshold).any(axis=1)):
        first, last, quiet = -1, -1, 0
        for step, score in enumerate(scored[subject]):
            if abs(score) >= rule.threshold:
                first, last, quiet = step if first < 0 else first, step, 0
            elif first >= 0 and not np.isnan(score):
                quiet += 1
                if quiet == rule.period:
                    yield Episode(int(subject), first, last)
                    first = -1
        if first >= 0:
            yield Episode(int(subject), first, last)


def _median(values: Floats, least: int) -> Floats:
    """The median along the first axis of what is not NaN; NaN where that is fewer than `least`."""
    ordered = np.sort(values, axis=0)  # NaN goes last
    count = (~np.isnan(values)).sum(axis=0)
    places = (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1))
    low, high = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in places)
    return np.where(count >= least, (low + high) / 2, np.nan)

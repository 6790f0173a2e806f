"""How much above what is foreseen each subject gets: by its own past violations, and those of others like it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.costlab.calibration import calibrated
from costlab.core.rightsizing.costlab.features import Known
from costlab.core.rightsizing.costlab.foresight import Foreseen

# What the foreseen level is multiplied with.
MARGINS = np.array([0.8, 0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0])
_HALF_LIFE, _FLEETS_HALF_LIFE = 14.0, 60.0  # days, of a subject's own violations and of its group's
_PSEUDO_DAYS = 100.0  # of its group's rate, in a subject's own
_PRIOR_DAYS = 20.0  # of `_prior`, in a group's rate
_GROUPS = 6  # of equally many subjects, by how far the foreseen levels lie apart
_YOUNG = (4, 14)  # days seen: those below are groups of their own, whatever is foreseen
# Nothing above so many times the highest peak ever is advised, from so many days seen on: a prior, however careful, is no
# reason to ask for a multiple of all that was ever used.
_CEILINGS = ((10, 1.3), (4, 1.6), (0, 2.0))
_KEPT = (
    0.75,
    1.05,
)  # a new value within these of yesterday's leaves it as it was, where advice is to be steady
_EDGES_OF = 28  # days whose spreads say where a group ends


@dataclass(frozen=True, slots=True)
class Chosen:
    """Advice by subject and midnight, float64 (subjects, days + 1).

    level: bytes; NaN = none. expected: the reckoned share of container-days above it. promised: what past promises
    leave of that; NaN = none, or not asked for.
    """

    level: Floats
    expected: Floats
    promised: Floats


def chosen(
    known: Known,
    foreseen: Foreseen,
    peaks: Floats,
    price: Floats,
    *,
    steady: bool = False,
    promised_from: int = 0,
) -> Chosen:
    """The level at which money and the priced risk are least, each midnight by the days before it alone.

    peaks: float64 (subjects, days), bytes. price: float64 (subjects, days + 1), what a container-day with a violation
    costs, in days of the memory that the fleet's middle subject holds. promised_from: the first midnight that wants a promise.
    """
    subjects, midnights = foreseen.level.shape
    tally = _Tally(subjects)
    level = np.full((subjects, midnights), np.nan)
    expected = np.full((subjects, midnights), np.nan)
    promised = np.full((subjects, midnights), np.nan)
    past: list[tuple[Floats, NDArray[np.bool_], Ints]] = []
    yesterday = np.full(subjects, np.nan)
    for t in range(midnights):
        told = np.isfinite(foreseen.level[:, t])
        if told.any():
            group = tally.groups(known.seen[:, t], foreseen.spread[:, t], told)
            risk = tally.risk(group)
            candidate = foreseen.level[:, t, None] * MARGINS
            ceiling = _ceiling(known.seen[:, t]) * known.highest[:, t]
            middle = np.exp(np.log(known.peak[told, t]).mean())
            loss = (
                np.where(candidate <= ceiling[:, None], candidate, np.inf)
                + (middle * price[:, t, None]) * risk
            )
            loss[:, 0] = np.minimum(loss[:, 0], np.finfo(float).max)
            best = np.where(told, loss.argmin(axis=1), 0)
            new = np.where(told, candidate[np.arange(subjects), best], np.nan)
            if steady:
                kept = (new >= _KEPT[0] * yesterday) & (new <= _KEPT[1] * yesterday)
                new = np.where(kept, yesterday, new)
            level[:, t] = yesterday = new
            expected[:, t] = _at(new / foreseen.level[:, t], risk)
            if t >= promised_from:
                promised[:, t] = _promise(past, expected[:, t], t)
            if t < midnights - 1:
                scored = told & np.isfinite(peaks[:, t])
                tally.add(group, scored, peaks[:, t, None] > candidate)
                past.append((expected[scored, t], peaks[scored, t] > new[scored], np.full(scored.sum(), t)))
    return Chosen(level, expected, promised)


class _Tally:
    """The decayed violations of each subject and group at each margin, up to a day."""

    def __init__(self, subjects: int) -> None:
        groups = len(_YOUNG) + _GROUPS
        self._own, self._own_days = np.zeros((subjects, len(MARGINS))), np.zeros(subjects)
        self._all, self._all_days = np.zeros((groups, len(MARGINS))), np.zeros(groups)
        self._spreads: list[Floats] = []

    def groups(self, seen: Ints, spread: Floats, told: NDArray[np.bool_]) -> Ints:
        """The group of each subject today: by its age while it is young, then by the spread of what is foreseen."""
        self._spreads = [*self._spreads[-(_EDGES_OF - 1) :], spread[told]]
        edges = np.quantile(np.concatenate(self._spreads), np.arange(1, _GROUPS) / _GROUPS)
        old = len(_YOUNG) + np.searchsorted(edges, spread)
        return np.where(seen < _YOUNG[-1], np.searchsorted(_YOUNG, seen, side="right"), old)

    def risk(self, group: Ints) -> Floats:
        """The share of container-days above each margin: (subjects, margins), falling."""
        rate = (self._all + _PRIOR_DAYS * _prior()) / (self._all_days[:, None] + _PRIOR_DAYS)
        rate = np.minimum.accumulate(rate, axis=1)
        return (self._own + _PSEUDO_DAYS * rate[group]) / (self._own_days[:, None] + _PSEUDO_DAYS)

    def add(self, group: Ints, scored: NDArray[np.bool_], violated: NDArray[np.bool_]) -> None:
        """One day more: what each margin would have done."""
        self._own *= 0.5 ** (1 / _HALF_LIFE)
        self._own_days *= 0.5 ** (1 / _HALF_LIFE)
        self._all *= 0.5 ** (1 / _FLEETS_HALF_LIFE)
        self._all_days *= 0.5 ** (1 / _FLEETS_HALF_LIFE)
        violations = np.where(scored[:, None], violated, 0).astype(np.float64)
        self._own += violations
        self._own_days += scored
        for one in range(len(self._all)):
            self._all[one] += violations[group == one].sum(axis=0)
            self._all_days[one] += scored[group == one].sum()


def _prior() -> Floats:
    """What is taken for a group's rates before it has any days, by eye: (groups, margins)."""
    first = np.full((len(_YOUNG) + _GROUPS, 1), 0.1)
    first[: len(_YOUNG)] = [[0.3], [0.15]]
    return np.asarray(np.minimum(first / MARGINS**3, 0.9))


def _ceiling(seen: Ints) -> Floats:
    """Times the highest peak ever, by the days seen: (subjects,)."""
    return np.select([seen >= days for days, _ in _CEILINGS], [times for _, times in _CEILINGS])


def _at(margin: Floats, risk: Floats) -> Floats:
    """The risk at any margin, between those that are tallied."""
    place = np.clip(np.searchsorted(MARGINS, margin), 1, len(MARGINS) - 1)
    rows = np.arange(len(risk))
    below, above = MARGINS[place - 1], MARGINS[place]
    part = np.clip((margin - below) / (above - below), 0, 1)
    return np.asarray((1 - part) * risk[rows, place - 1] + part * risk[rows, place])


def _promise(past: list[tuple[Floats, NDArray[np.bool_], Ints]], expected: Floats, today: int) -> Floats:
    """What is promised today, by the risks of the days before, what came of them, and when."""
    if not past:
        return np.full(len(expected), np.nan)
    before, violated, day = (np.concatenate(part) for part in zip(*past, strict=True))
    return calibrated(before, violated, today - day).promise(expected)

"""The memory peak of the day ahead as the fleet's own past days foretell it; a ladder until there are enough of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats
from costlab.core.rightsizing.costlab.features import Known
from costlab.core.rightsizing.costlab.regression import Fitted, fitted

_LEVELS = np.array(
    [0.85, 0.99]
)  # the level that is advised from, and the one whose distance says how sure that is
_LEAST = 200  # container-days in a fit; with fewer, the level is the highest peak of 28 days
_MOST, _MOST_OF_A_DAY = 10_000, 2_000  # container-days in a fit: more change little, and cost time
FROM_DAYS = 2  # seen before a subject's day counts in a fit, or anything is foreseen of it
_FAR = 3.0  # a rise by more than e^3 counts as one of e^3
_LONGEST = 3  # column of the 28-day peak among the features


@dataclass(frozen=True, slots=True)
class Foreseen:
    """By subject and midnight, float64 (subjects, days + 1); NaN = nothing is foreseen.

    level: bytes, what the next day's peak stays below on 85 days of 100. spread: logarithm of the 99 % level over it.
    """

    level: Floats
    spread: Floats


def foreseen_of(known: Known) -> Foreseen:
    """What each midnight's past foretells; fitted on the days before it."""
    level = np.full(known.peak.shape, np.nan)
    spread = np.full(known.peak.shape, np.nan)
    usable = _thinned(np.isfinite(known.rise) & (known.seen[:, :-1] >= FROM_DAYS), known.rise)
    fit: Fitted | None = None
    for t in range(known.peak.shape[1]):
        fit = _fit(known, usable, t, fit) or fit
        told = np.isfinite(known.peak[:, t]) & (known.seen[:, t] >= FROM_DAYS)
        ratios = known.ratios[told, t]
        foretold = ratios[:, [_LONGEST, _LONGEST]] if fit is None else fit.quantiles(ratios)
        level[told, t] = known.peak[told, t] * np.exp(foretold[:, 0])
        spread[told, t] = foretold[:, 1] - foretold[:, 0]
    return Foreseen(level, spread)


def _fit(known: Known, usable: NDArray[np.bool_], until: int, last: Fitted | None) -> Fitted | None:
    """The fit on the days before a midnight; None with too few of them.

    Of many, every so many-th in the order of the target: the same ones in whatever order the subjects come.
    """
    rows = usable[:, :until]
    target = np.clip(known.rise[:, :until][rows], -_FAR, _FAR)
    if len(target) < _LEAST:
        return None
    ratios = known.ratios[:, :until][rows]
    if len(target) > _MOST:
        taken = np.argsort(target, kind="stable")[:: -(-len(target) // _MOST)]
        target, ratios = target[taken], ratios[taken]
    return fitted(ratios, target, _LEVELS, last)


def _thinned(usable: NDArray[np.bool_], rise: Floats) -> NDArray[np.bool_]:
    """At most `_MOST_OF_A_DAY` subjects of each day: every so many-th in the order of their rise."""
    for day in np.flatnonzero(usable.sum(axis=0) > _MOST_OF_A_DAY):
        those = np.flatnonzero(usable[:, day])
        order = those[np.argsort(rise[those, day], kind="stable")]
        usable[:, day] = False
        usable[order[:: -(-len(order) // _MOST_OF_A_DAY)], day] = True
    return usable

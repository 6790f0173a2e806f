"""What a promised risk is worth: the rule's own past promises, set against what came of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints

_BANDS = 6
_LEAST = 600  # container-days in a band: below, the cushion would be most of what is promised
_ENOUGH = 100  # container-days before anything is promised
_HALF_LIFE = 30.0  # days, of a container-day in its band
_CLUSTERED = 1.5  # violations come in clusters: the variance of their number, over that of independent ones
_SURE = 1.28  # standard deviations: in 9 bands of 10 the true rate is not above


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What is promised from each expected risk on. expected, promised: float64 (bands,), rising."""

    expected: Floats
    promised: Floats

    def promise(self, expected: Floats) -> Floats:
        """The share of container-days with a violation that is promised not to be exceeded; NaN = none yet."""
        if not len(self.expected):
            return np.full(expected.shape, np.nan)
        band = np.searchsorted(self.expected, expected, side="right") - 1
        return np.where(np.isfinite(expected), self.promised[np.maximum(band, 0)], np.nan)


def calibrated(expected: Floats, violated: NDArray[np.bool_], age: Ints) -> Calibrated:
    """The promises that past ones allow. By container-day: the risk as reckoned, whether it came, and how many days ago.

    In bands of equal weight, in the order of the risk: the upper end of what their violations tell of their rate, and
    never less than in the band below.
    """
    if len(expected) < _ENOUGH:
        return Calibrated(np.empty(0), np.empty(0))
    order = np.argsort(expected, kind="stable")
    weight = 0.5 ** (age[order] / _HALF_LIFE)
    reached = np.cumsum(weight)
    bands = int(min(max(reached[-1] // _LEAST, 1), _BANDS))
    first = np.searchsorted(reached, np.arange(bands) * reached[-1] / bands)
    violations = np.add.reduceat(violated[order] * weight, first) + 1
    upper = (violations + _SURE * np.sqrt(_CLUSTERED * violations)) / np.add.reduceat(weight, first)
    return Calibrated(expected[order][first], np.minimum(np.maximum.accumulate(upper), 1.0))

"""What a promised risk is worth: the rule's own past promises, set against what came of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.kernels import Floats

_BANDS = 8
_LEAST = 400  # container-days in a band: below, the cushion would be all that is promised
_ENOUGH = 100  # container-days before anything is promised
_CLUSTERED = 1.5  # violations come in clusters: the variance of their number, over that of independent ones
_SURE = 1.64  # standard deviations: in 19 bands of 20 the true rate is not above


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


def calibrated(expected: Floats, violated: NDArray[np.bool_]) -> Calibrated:
    """The promises that past ones allow. expected: float64 (container-days,), the risk as reckoned; violated: what came.

    In bands of equally many container-days: the upper end of what their violations tell of their rate, and never less
    than in the band below.
    """
    count = len(expected)
    if count < _ENOUGH:
        return Calibrated(np.empty(0), np.empty(0))
    order = np.argsort(expected, kind="stable")
    bands = max(1, min(_BANDS, count // _LEAST))
    edges = np.arange(bands + 1) * count // bands
    violations = np.add.reduceat(violated[order].astype(np.float64), edges[:-1]) + 1
    upper = (violations + _SURE * np.sqrt(_CLUSTERED * violations)) / np.diff(edges)
    starts = expected[order][edges[:-1]]
    return Calibrated(starts, np.minimum(np.maximum.accumulate(upper), 1.0))

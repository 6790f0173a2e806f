"""Exact quantiles of rolling windows: each segment is sorted once, and the windows select among sorted runs."""

from itertools import pairwise

import numpy as np

from costlab.core.arrays import Floats, Singles
from costlab.core.rightsizing.kernels.segments import gather, select
from costlab.core.rightsizing.samples import Samples
from costlab.core.rightsizing.windows import Windows, subject_offsets


def window_quantiles(
    samples: Samples, values: Singles, windows: Windows, quantiles: Floats, *, pooled: bool
) -> Floats:
    """Quantiles of what each subject used in each window, float64 (quantiles, windows, subjects); NaN where nothing.

    Interpolated linearly between the two nearest ranks, as Prometheus and NumPy do; every stretch counts once.
    pooled: of all its replicas' values together, else the highest of its replicas' quantiles.
    """
    found = np.full((len(quantiles), len(windows.first), samples.subjects), np.nan)
    for s, (low, high) in enumerate(pairwise(subject_offsets(samples))):
        ordered, runs = gather(
            samples.at_ms, values, samples.offsets[low : high + 1], windows.edges_ms, pooled
        )
        for run in np.flatnonzero(np.diff(runs) > 1):
            ordered[runs[run] : runs[run + 1]].sort()
        found[:, :, s] = select(
            ordered, runs, windows.first, windows.last, len(windows.edges_ms) - 1, quantiles
        )
    return found

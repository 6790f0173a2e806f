"""Kubecost's request sizing, V2."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.proposals import advised, proposed
from costlab.core.rightsizing.quantiles import window_quantiles
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.windows import DAY_MS, Windows, highest

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Kubecost:
    """The highest that was used, or a quantile of it, over the share of the request that should be used.

    cpu_quantile, memory_quantile: of all replicas' values together; None = the algorithm `max`.
    """

    name: str = "kubecost"
    history_ms: int = 14 * DAY_MS
    cpu_quantile: float | None = None
    memory_quantile: float | None = None
    target_cpu_utilisation: float = 0.7
    target_memory_utilisation: float = 0.7
    cpu_min_cores: float = 0.010
    memory_min_bytes: float = 20 * MIB
    allow_hpa: bool = False

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """As `Policy.advise`."""
        windows = Windows.rolling(days_ms, self.history_ms)
        cores, cpu_points = _base(samples, samples.cpu_cores, windows, self.cpu_quantile)
        used, memory_points = _base(samples, samples.memory_bytes, windows, self.memory_quantile)
        cores = np.maximum(cores / self.target_cpu_utilisation, self.cpu_min_cores)
        used = np.maximum(used / self.target_memory_utilisation, self.memory_min_bytes)
        return advised(
            proposed(cores, None, cpu_points, circumstances.cpu_autoscaled, allow_hpa=self.allow_hpa),
            proposed(used, None, memory_points, circumstances.memory_autoscaled, allow_hpa=self.allow_hpa),
        )


def _base(samples: Samples, values: Singles, windows: Windows, quantile: float | None) -> tuple[Floats, Ints]:
    """What the recommendation is made of, and of how many points, (days, subjects)."""
    peak, points = highest(samples, values, windows)
    if quantile is None:
        return peak, points
    return window_quantiles(samples, values, windows, np.array([quantile]), pooled=True)[0], points

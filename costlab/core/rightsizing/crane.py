"""gocrane's resource recommender."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.histograms import Buckets
from costlab.core.rightsizing.kernels.histograms import percentile_buckets, tally
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.proposals import advised, proposed
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.windows import DAY_MS, Windows, highest, highest_killed, subject_offsets

MIB, GIB = 2**20, 2**30
# Sizes of its catalogue, in cores and GiB, in the order in which they are tried.
CATALOGUE = (
    (0.25, 0.25), (0.25, 0.5), (0.25, 1), (0.5, 0.5), (0.5, 1),
    (1, 1), (1, 2), (1, 4), (1, 8), (2, 2), (2, 4), (2, 8), (2, 16), (4, 4), (4, 8), (4, 16), (4, 32),
    (8, 8), (8, 16), (8, 32), (8, 64), (16, 32), (16, 64), (16, 128),
    (32, 64), (32, 128), (32, 256), (64, 128), (64, 256),
)  # fmt: skip


CPU_BUCKETS = Buckets.linear(100, 0.1)
MEMORY_BUCKETS = Buckets.linear(100 * GIB, 100 * MIB)


@dataclass(frozen=True, slots=True)
class Crane:
    """A percentile of the last week that forgets, with a margin; what was killed gets more; to a catalogue if asked."""

    name: str = "crane"
    history_ms: int = 7 * DAY_MS
    percentile: float = 0.99
    margin: float = 0.15
    target_utilisation: float = 1.0
    cpu_half_life_ms: int = DAY_MS
    memory_half_life_ms: int = 2 * DAY_MS
    oom_protection: bool = True
    oom_reach_ms: int = 7 * DAY_MS
    to_catalogue: bool = False
    allow_hpa: bool = False

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """As `Policy.advise`."""
        windows = Windows.rolling(days_ms, self.history_ms)
        cores = self._sized(samples, samples.cpu_cores, windows, CPU_BUCKETS, self.cpu_half_life_ms)
        used = self._sized(samples, samples.memory_bytes, windows, MEMORY_BUCKETS, self.memory_half_life_ms)
        if self.oom_protection:
            killed = highest_killed(circumstances, days_ms, self.oom_reach_ms, samples.subjects)
            used = np.where(np.isnan(used), used, np.fmax(used, np.maximum(killed + 100 * MIB, killed * 1.2)))
        if self.to_catalogue:
            cores, used = snapped(cores, used)
        _, cpu_points = highest(samples, samples.cpu_cores, windows)
        _, memory_points = highest(samples, samples.memory_bytes, windows)
        return advised(
            proposed(cores, None, cpu_points, circumstances.cpu_autoscaled, allow_hpa=self.allow_hpa),
            proposed(used, None, memory_points, circumstances.memory_autoscaled, allow_hpa=self.allow_hpa),
        )

    def _sized(
        self, samples: Samples, values: Singles, windows: Windows, buckets: Buckets, half_life_ms: int
    ) -> Floats:
        """The percentile with its margin, (days, subjects); NaN where nothing was observed."""
        found = np.full((len(windows.first), samples.subjects), np.nan)
        ends = buckets.ends
        for s, (low, high) in enumerate(pairwise(subject_offsets(samples))):
            weights = tally(
                samples.at_ms, samples.lasted_ms, values, samples.offsets[low : high + 1], windows.edges_ms,
                float(half_life_ms), buckets.scheme, np.ones(buckets.count), False,
            )  # fmt: skip
            bucket = percentile_buckets(
                weights, windows.edges_ms, windows.first, windows.last, float(half_life_ms),
                np.array([self.percentile]),
            )[:, 0]  # fmt: skip
            found[:, s] = np.where(bucket >= 0, ends[bucket], np.nan)
        return found * (1 + self.margin) / self.target_utilisation


def snapped(cores: Floats, memory_bytes: Floats) -> tuple[Floats, Floats]:
    """The first size of the catalogue that holds both; as they are where none does, or where one is NaN."""
    snapped_cores, snapped_bytes = cores.copy(), memory_bytes.copy()
    free = ~np.isnan(cores) & ~np.isnan(memory_bytes)
    for size_cores, size_gib in CATALOGUE:
        fits = free & (cores <= size_cores) & (memory_bytes <= size_gib * GIB)
        snapped_cores[fits], snapped_bytes[fits] = size_cores, size_gib * GIB
        free &= ~fits
    return snapped_cores, snapped_bytes

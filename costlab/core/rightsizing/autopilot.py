"""The moving window of Google's Autopilot: Rzadca et al., "Autopilot: workload autoscaling at Google", EuroSys 2020."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.histograms import Buckets
from costlab.core.rightsizing.kernels.histograms import percentile_buckets, tally
from costlab.core.rightsizing.kernels.peaks import step_peaks
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.proposals import advised, proposed
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.windows import DAY_MS, Windows, earliest, highest, subject_offsets

STEP_MS = 300_000
HOUR_MS = 3_600_000
# Some 400 each, as the paper has; it does not tell where they begin.
CPU_BUCKETS = Buckets.exponential(1000, 0.001, 1.025)
MEMORY_BUCKETS = Buckets.exponential(1e12, 1e6, 1.025)


class Tolerance(StrEnum):
    """How many out-of-memory kills a job bears."""

    MINIMAL = "minimal"  # the peak
    INTERMEDIATE = "intermediate"  # the 60th percentile by load, or half the peak
    LOW = "low"  # the 98th percentile by load


@dataclass(frozen=True, slots=True)
class AutopilotWindow:
    """Percentiles of the load that was served, not of time; of memory by how many kills are borne; with a margin.

    A request stands for what the paper calls a limit. All replicas of a job are one, as they share it.
    """

    tolerance: Tolerance = Tolerance.MINIMAL
    cpu_percentile: float = 0.95
    margin: float = 0.10
    cpu_half_life_ms: int = DAY_MS // 2
    memory_half_life_ms: int = 2 * DAY_MS
    peak_window_ms: int = 14 * DAY_MS
    hold_ms: int = HOUR_MS
    allow_hpa: bool = False

    @property
    def name(self) -> str:
        """The rule, with the tolerance unless it is minimal."""
        plain = self.tolerance is Tolerance.MINIMAL
        return "autopilot-window" if plain else f"autopilot-window:{self.tolerance}"

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """As `Policy.advise`."""
        windows = Windows.rolling(days_ms, self.peak_window_ms)
        _, cpu_points = highest(samples, samples.cpu_cores, windows)
        _, memory_points = highest(samples, samples.memory_bytes, windows)
        cores = self._by_load(
            samples, samples.cpu_cores, days_ms, CPU_BUCKETS, self.cpu_half_life_ms, self.cpu_percentile
        )
        used = self._memory(samples, days_ms)
        with_margin = used * (1 + self.margin)
        return advised(
            proposed(
                cores * (1 + self.margin),
                None,
                cpu_points,
                circumstances.cpu_autoscaled,
                allow_hpa=self.allow_hpa,
            ),
            proposed(
                with_margin,
                with_margin,
                memory_points,
                circumstances.memory_autoscaled,
                allow_hpa=self.allow_hpa,
            ),
        )

    def _memory(self, samples: Samples, days_ms: Ints) -> Floats:
        """What each subject needs by its tolerance, (days, subjects); NaN where nothing was observed."""
        peak_windows = Windows.rolling(days_ms, self.peak_window_ms + self.hold_ms)
        peak, _ = highest(samples, samples.memory_bytes, peak_windows)
        if self.tolerance is Tolerance.MINIMAL:
            return peak
        at_ms, peaks, offsets = step_peaks(samples.at_ms, samples.memory_bytes, samples.offsets, STEP_MS)
        steps = Samples(
            samples.subject, offsets, at_ms, np.full(len(at_ms), STEP_MS, np.int64),
            np.empty(0, np.float32), peaks,
        )  # fmt: skip
        low = self.tolerance is Tolerance.LOW
        by_load = self._by_load(
            steps, steps.memory_bytes, days_ms, MEMORY_BUCKETS, self.memory_half_life_ms, 0.98 if low else 0.6
        )
        return by_load if low else np.maximum(by_load, peak / 2)

    def _by_load(
        self,
        samples: Samples,
        values: Singles,
        days_ms: Ints,
        buckets: Buckets,
        half_life_ms: int,
        percentile: float,
    ) -> Floats:
        """Up to where this share of the load was served, the most that was said of it in the last hour."""
        back_ms = np.arange(0, self.hold_ms + 1, STEP_MS)
        instants_ms = np.unique(days_ms[:, None] - back_ms)
        asked = np.searchsorted(instants_ms, days_ms[:, None] - back_ms)
        found = np.full((len(days_ms), samples.subjects), np.nan)
        for s, (low, high) in enumerate(pairwise(subject_offsets(samples))):
            offsets = samples.offsets[low : high + 1]
            windows = Windows.since(earliest(samples, offsets), instants_ms, DAY_MS)
            weights = tally(
                samples.at_ms, samples.lasted_ms, values, offsets, windows.edges_ms, float(half_life_ms),
                buckets.scheme, buckets.ends, True,
            )  # fmt: skip
            bucket = percentile_buckets(
                weights,
                windows.edges_ms,
                windows.first,
                windows.last,
                float(half_life_ms),
                np.array([percentile]),
            )[:, 0]
            said = np.where(bucket >= 0, buckets.ends[bucket], np.nan)
            found[:, s] = np.fmax.reduce(said[asked], axis=1)
        return found

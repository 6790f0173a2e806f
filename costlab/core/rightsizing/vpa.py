"""The recommender of Kubernetes' VerticalPodAutoscaler."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.histograms import Buckets
from costlab.core.rightsizing.kernels.histograms import percentile_buckets, state_of, tally
from costlab.core.rightsizing.kernels.peaks import daily_peaks
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.proposals import advised, proposed
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.windows import DAY_MS, Windows, earliest, subject_offsets

MIB = 2**20
CPU_BUCKETS = Buckets.exponential(1000, 0.01, 1.05)
MEMORY_BUCKETS = Buckets.exponential(1e12, 1e7, 1.05)
# The most that it ever prints, in millicores and bytes: "100T".
MOST = 1e14


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bound, target and upper bound of one resource, float64 (days, subjects): whole millicores or bytes.

    points: int64 (days, subjects), of how many samples.
    """

    lower: Floats
    target: Floats
    upper: Floats
    points: Ints


@dataclass(frozen=True, slots=True)
class Vpa:
    """Percentiles of histograms that forget: all samples of CPU, the highest memory of each container's days."""

    name: str = "vpa"
    target_percentile: float = 0.9
    lower_percentile: float = 0.5
    upper_percentile: float = 0.95
    margin: float = 0.15
    half_life_ms: int = DAY_MS
    memory_window_ms: int = DAY_MS
    confidence_ms: int = DAY_MS
    expiry_ms: int = 8 * DAY_MS
    pod_min_millicores: float = 25
    pod_min_memory_bytes: float = 250 * MIB
    oom_bump_ratio: float = 1.2
    oom_min_bump_bytes: float = 100 * MIB
    round_cpu_millicores: int = 1
    round_memory_bytes: int = 1
    allow_hpa: bool = False

    def __post_init__(self) -> None:
        """Refuses steps of rounding that are none."""
        if min(self.round_cpu_millicores, self.round_memory_bytes) < 1:
            raise ValueError("VPA rounds up to steps of 0 or less: give at least 1 millicore and 1 byte")

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """As `Policy.advise`: the targets; limits it only scales along, so it has no say in them here."""
        cpu, memory = self.bounds(samples, circumstances, days_ms)
        return advised(
            proposed(
                cpu.target / 1000, None, cpu.points, circumstances.cpu_autoscaled, allow_hpa=self.allow_hpa
            ),
            proposed(
                memory.target, None, memory.points, circumstances.memory_autoscaled, allow_hpa=self.allow_hpa
            ),
        )

    def bounds(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> tuple[Bounds, Bounds]:
        """What it says of CPU, in millicores, and of memory, in bytes."""
        cpu, memory = np.zeros((2, len(days_ms), samples.subjects, 3))
        life = np.zeros((len(days_ms), samples.subjects, 5), np.int64)
        for s, (low, high) in enumerate(pairwise(subject_offsets(samples))):
            killed = (circumstances.killed_subject == s) & (circumstances.killed_at_ms < days_ms[-1])
            kills = circumstances.killed_at_ms[killed], circumstances.killed_limit_bytes[killed]
            offsets = samples.offsets[low : high + 1]
            cpu[:, s], memory[:, s], life[:, s] = self._percentiles(samples, offsets, kills, days_ms)
        points = life[..., 3]
        confidence = self.confidence(life[..., 2] - life[..., 1], points)
        containers = circumstances.containers_in_pod
        least_millicores = np.floor(self.pod_min_millicores / containers)
        least_bytes = np.floor(self.pod_min_memory_bytes / containers)
        return (
            self._bounded(cpu, confidence, least_millicores, self.round_cpu_millicores, points),
            # Before the first sample of CPU it says nothing of memory either.
            self._bounded(
                memory,
                confidence,
                least_bytes,
                self.round_memory_bytes,
                np.where(points > 0, life[..., 4], 0),
            ),
        )

    def _percentiles(
        self, samples: Samples, offsets: Ints, kills: tuple[Ints, Floats], days_ms: Ints
    ) -> tuple[Floats, Floats, Ints]:
        """Millicores and bytes of one subject, (days, percentiles), 0 = none; and what `state_of` says, (days, 5)."""
        at_ms, lasted_ms, cores, used = (
            samples.at_ms,
            samples.lasted_ms,
            samples.cpu_cores,
            samples.memory_bytes,
        )
        fractions = np.array([self.lower_percentile, self.target_percentile, self.upper_percentile])
        half_life_ms = float(self.half_life_ms)
        # A kill at midnight is not known yet at midnight.
        heard_ms = kills[0] + 1
        edges_ms = Windows.since(earliest(samples, offsets), np.union1d(days_ms, heard_ms), DAY_MS).edges_ms
        state = state_of(at_ms, cores, used, offsets, edges_ms, self.expiry_ms)
        day, begun = np.searchsorted(edges_ms, days_ms), state[:, 0].copy()
        counted = tally(
            at_ms, lasted_ms, cores, offsets, edges_ms, half_life_ms, CPU_BUCKETS.scheme,
            np.ones(CPU_BUCKETS.count), False,
        )  # fmt: skip
        peaks = daily_peaks(
            at_ms, used, offsets, edges_ms, _at_edges(edges_ms, heard_ms, kills[1]), begun, half_life_ms,
            self.memory_window_ms, MEMORY_BUCKETS.scheme, (self.oom_bump_ratio, self.oom_min_bump_bytes),
        )  # fmt: skip
        return (
            _amounts(
                percentile_buckets(counted, edges_ms, begun[day], day, half_life_ms, fractions),
                CPU_BUCKETS,
                1000,
            ),
            _amounts(
                percentile_buckets(peaks, edges_ms, day - 1, day, half_life_ms, fractions), MEMORY_BUCKETS, 1
            ),
            state[day],
        )

    def confidence(self, lifespan_ms: Ints, points: Ints) -> Floats:
        """How many confidence intervals it has seen, by time and by samples of a minute each: the fewer of both."""
        minutes = self.confidence_ms / 60_000
        return np.asarray(np.minimum(lifespan_ms / self.confidence_ms, points / minutes), np.float64)

    def _bounded(self, amounts: Floats, confidence: Floats, least: Floats, step: int, points: Ints) -> Bounds:
        lower, target, upper = np.moveaxis(with_margin(amounts, self.margin), -1, 0)
        lower, upper = confident(lower, confidence, 0.001, -2.0), confident(upper, confidence, 1.0, 1.0)
        lower, target, upper = (rounded_up(np.maximum(each, least), step) for each in (lower, target, upper))
        return Bounds(lower, target, upper, points)


def scaled(amount: Floats, factor: Floats | float) -> Floats:
    """The amount × the factor, cut to a whole number, between 0 and the most that is ever said; 0 for 0 × infinity."""
    with np.errstate(invalid="ignore"):
        product = np.nan_to_num(amount * factor, nan=0.0, posinf=MOST)
    return np.asarray(np.clip(np.floor(product), 0.0, MOST), np.float64)


def with_margin(amount: Floats, fraction: float) -> Floats:
    """The amount and this fraction of it."""
    return amount + scaled(amount, fraction)


def confident(amount: Floats, confidence: Floats, multiplier: float, exponent: float) -> Floats:
    """The amount × (1 + multiplier / confidence)^exponent: wide bounds after a short life."""
    with np.errstate(divide="ignore"):
        return scaled(amount, (1 + multiplier / confidence) ** exponent)


def rounded_up(amount: Floats, step: int) -> Floats:
    """The next multiple of the step."""
    return np.asarray(np.ceil(amount / step) * step, np.float64)


def _amounts(found: Ints, buckets: Buckets, unit: int) -> Floats:
    """Whole units of the ends of these buckets; 0 for none."""
    return np.asarray(np.where(found >= 0, np.floor(buckets.ends[found] * unit), 0.0), np.float64)


def _at_edges(edges_ms: Ints, killed_at_ms: Ints, limit_bytes: Floats) -> Floats:
    """The highest limit of the kills at each edge, (edges,); 0 = killed, no limit known; NaN = nothing was killed."""
    limits = np.full(len(edges_ms), np.nan)
    for edge, limit in zip(np.searchsorted(edges_ms, killed_at_ms), np.nan_to_num(limit_bytes), strict=True):
        limits[edge] = np.fmax(limits[edge], limit)
    return limits

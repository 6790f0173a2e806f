"""What each subject used on each day, as the lake's profiles tell it: what the rule `costlab` looks at."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.kernels import profiling
from costlab.core.rightsizing.samples import Samples

RANKS = (50, 90, 95, 99)  # per cent, of memory within a day: those that `profiles` has
_ALL_RANKS = np.array([*RANKS, 100])
_AT_A_TIME = 16  # days: milliseconds since the first of them are int32, and those of 24.8 days fill it
_BUCKETS = 1 << 15


@dataclass(frozen=True, slots=True)
class Daily:
    """Usage by subject and day. The replicas of a subject are pooled: memory by the highest, CPU by all of their time.

    start_ms: int64 (days,), the midnight at which each day begins; the days follow one another.
    memory_peak: float64 (subjects, days), bytes, the highest sample. memory_ranks: float64 (subjects, days, RANKS),
    bytes, the highest replica's nearest ranks. NaN = not observed on that day.
    memory_observed, cpu_observed: float64 (subjects, days), the observed part of the day, 0 to 1.
    cpu_peak: float64 (subjects, days), cores, the highest of any replica; NaN = not observed.
    cpu_offsets: int64 (subjects × days + 1,); subject s on day d owns the entries cpu_offsets[s × days + d] up to the
    next: cpu_buckets, int32, rising, as docs/methods.md ("Usage profiles") has them, and cpu_seconds, float32, in each.
    """

    start_ms: Ints
    memory_peak: Floats
    memory_ranks: Floats
    memory_observed: Floats
    cpu_observed: Floats
    cpu_peak: Floats
    cpu_offsets: Ints
    cpu_buckets: Brief
    cpu_seconds: Singles

    @property
    def subjects(self) -> int:
        """How many containers of workloads there are."""
        return len(self.memory_peak)


def daily_of(samples: Samples, days_ms: Ints) -> Daily:
    """The usage of samples by day. days_ms: int64 (days + 1,), midnights, rising: where each day begins, and the last ends.

    A stretch over a midnight counts on both days, as long as it was in each.
    """
    subjects, days = samples.subjects, len(days_ms) - 1
    within = _stretches_of(samples, days_ms)
    peak, cpu_peak = np.full(subjects * days, np.nan), np.full(subjects * days, np.nan)
    ranks = np.full((subjects * days, len(RANKS)), np.nan)
    memory_ms, cpu_ms = np.zeros(subjects * days), np.zeros(subjects * days)
    cells: list[Ints] = []
    buckets: list[Brief] = []
    weights_ms: list[Brief] = []
    for first in range(0, days, _AT_A_TIME):
        some = np.arange(first, min(first + _AT_A_TIME, days))
        zero_ms = int(days_ms[first])
        since_ms = (samples.at_ms - zero_ms).astype(np.int32)
        until_ms = (samples.at_ms + samples.lasted_ms - zero_ms).astype(np.int32)
        seen = within[:, some].reshape(-1, 2)
        life = np.tile(np.column_stack([days_ms[some], days_ms[some + 1]]), (len(samples.subject), 1))
        cell = (samples.subject[:, None] * days + some).ravel()
        span = seen, life, zero_ms, since_ms, until_ms
        observed_ms, _, levels, _, _, _ = profiling.profile(*span, samples.memory_bytes, _ALL_RANKS)
        np.add.at(memory_ms, cell, observed_ms)
        np.fmax.at(peak, cell, levels[:, -1])
        np.fmax.at(ranks, cell, levels[:, :-1])
        observed_ms, _, levels, offsets, bucket, weight_ms = profiling.profile(
            *span, samples.cpu_cores, _ALL_RANKS[-1:]
        )
        np.add.at(cpu_ms, cell, observed_ms)
        np.fmax.at(cpu_peak, cell, levels[:, -1])
        cells.append(np.repeat(cell, np.diff(offsets)))
        buckets.append(bucket)
        weights_ms.append(weight_ms)
    entries = _pooled(
        subjects * days, np.concatenate(cells), np.concatenate(buckets), np.concatenate(weights_ms)
    )
    shape = subjects, days
    lasted_ms = np.diff(days_ms)
    return Daily(
        days_ms[:-1],
        peak.reshape(shape),
        ranks.reshape(*shape, len(RANKS)),
        np.minimum(memory_ms.reshape(shape) / lasted_ms, 1),
        np.minimum(cpu_ms.reshape(shape) / lasted_ms, 1),
        cpu_peak.reshape(shape),
        *entries,
    )


def _stretches_of(samples: Samples, days_ms: Ints) -> Ints:
    """The stretches of each replica that reach into each day: int64 (replicas, days, 2)."""
    within = np.empty((len(samples.subject), len(days_ms) - 1, 2), np.int64)
    for replica, (begin, end) in enumerate(zip(samples.offsets[:-1], samples.offsets[1:], strict=True)):
        at_ms = samples.at_ms[begin:end]
        within[replica, :, 0] = begin + np.maximum(np.searchsorted(at_ms, days_ms[:-1], "right") - 1, 0)
        within[replica, :, 1] = begin + np.searchsorted(at_ms, days_ms[1:], "left")
    return within


def _pooled(rows: int, cells: Ints, buckets: Brief, weights_ms: Brief) -> tuple[Ints, Brief, Singles]:
    """The sketches of replicas, added up to that of their subject and day: offsets, buckets, seconds."""
    key = cells * _BUCKETS + buckets
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.empty(0, np.int64)
    seconds = np.add.reduceat(weights_ms[order] / 1000, first) if len(key) else np.empty(0)
    offsets = np.searchsorted(key[first], np.arange(rows + 1) * _BUCKETS)
    return offsets, (key[first] % _BUCKETS).astype(np.int32), seconds.astype(np.float32)

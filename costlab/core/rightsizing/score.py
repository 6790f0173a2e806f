"""How advice did on days that it had not seen. docs/methods.md, "Backtest"."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.kernels.scoring import exceedances, means
from costlab.core.rightsizing.samples import Samples
from costlab.domain.time import HOUR_MS, MINUTE_MS

APART_MS = HOUR_MS  # violations closer than this are one episode: a kill restarts the container
_STEP_MS = 5 * MINUTE_MS
_AT_A_TIME = 4096  # container-days
_GIB = 2.0**30


@dataclass(frozen=True, slots=True)
class ContainerDays:
    """Containers (replicas) on the days that are scored, in the order of replica and day; every array (k,).

    replica, subject, day: int64; day counts from the first scored one. begin_ms, end_ms: int64, of the day.
    hours: float64, in which it occupied its node. cpu_request, memory_request, cpu_limit, memory_limit: float64, in
    force, cores and bytes, NaN = none set. cpu_price, memory_price: float64, per core-hour and GiB-hour, NaN = not known.
    """

    replica: Ints
    subject: Ints
    day: Ints
    begin_ms: Ints
    end_ms: Ints
    hours: Floats
    cpu_request: Floats
    memory_request: Floats
    cpu_limit: Floats
    memory_limit: Floats
    cpu_price: Floats
    memory_price: Floats

    def __len__(self) -> int:
        return len(self.replica)

    def cost(self, cores: Floats, memory_bytes: Floats) -> Floats:
        """What they cost with these requests, float64 (k,); NaN where a request or a price is not known."""
        hourly = self.cpu_price * cores + self.memory_price * memory_bytes / _GIB
        return np.asarray(hourly * self.hours)


@dataclass(frozen=True, slots=True)
class Use:
    """What containers used on these days, whatever they request; every array (k,).

    observed: float64, the observed part of the day, of CPU or memory, whichever is less. cpu_used: core-seconds.
    cpu_p95, memory_p95: of the means of five minutes. memory_peak: bytes. capped: bool, memory or CPU came within 5 % of
    its limit, so that more was perhaps wanted. age: int64, days since the subject was first seen.
    """

    observed: Floats
    cpu_used: Floats
    cpu_p95: Floats
    memory_p95: Floats
    memory_peak: Floats
    capped: NDArray[np.bool_]
    age: Ints


@dataclass(frozen=True, slots=True)
class Exceeded:
    """What containers used above what was requested; every array float64 (k,).

    violation_minutes, episodes: of memory. shortfall: memory's peak / request − 1, 0 without a violation.
    over_share: part of the observed time in which CPU was above the request. unserved: core-seconds above it.
    """

    violation_minutes: Floats
    episodes: Floats
    shortfall: Floats
    over_share: Floats
    unserved: Floats

    @property
    def violated(self) -> NDArray[np.bool_]:
        """Which container-days had more memory in use than requested, at any time."""
        return np.asarray(self.violation_minutes > 0)


def used(samples: Samples, days: ContainerDays) -> Use:
    """What was used on each container-day."""
    spans = _spans(samples, days)
    never = np.full((len(days), 2), np.nan)
    seen = _exceeded(samples, spans, never)
    zero = _exceeded(samples, spans, np.zeros((len(days), 2)))
    limits = np.column_stack([0.95 * days.cpu_limit, 0.95 * days.memory_limit])
    at_limit = _exceeded(samples, spans, limits)
    length_s = (days.end_ms - days.begin_ms) / 1000
    first = _first_seen(samples)
    return Use(
        observed=np.minimum(seen[:, 0], seen[:, 4]) / length_s,
        cpu_used=zero[:, 6],
        cpu_p95=_p95(samples, spans, samples.cpu_cores),
        memory_p95=_p95(samples, spans, samples.memory_bytes),
        memory_peak=seen[:, 3],
        capped=(at_limit[:, 1] > 0) | (at_limit[:, 5] > 0),
        age=np.maximum(days.begin_ms - first[days.subject], 0) // (24 * HOUR_MS),
    )


def exceeded(samples: Samples, days: ContainerDays, cores: Floats, memory_bytes: Floats) -> Exceeded:
    """What was used above such requests, float64 (k,); NaN = none, which nothing exceeds."""
    found = _exceeded(samples, _spans(samples, days), np.column_stack([cores, memory_bytes]))
    violated = found[:, 1] > 0
    over = np.divide(found[:, 5], found[:, 4], out=np.zeros(len(days)), where=found[:, 4] > 0)
    ratio = np.divide(found[:, 3], memory_bytes, out=np.ones(len(days)), where=violated & (memory_bytes > 0))
    return Exceeded(found[:, 1] / 60, found[:, 2], np.where(violated, ratio - 1, 0.0), over, found[:, 6])


def _spans(samples: Samples, days: ContainerDays) -> Ints:
    """Container-days as `exceedances` takes them."""
    first, last = np.empty(len(days), np.int64), np.empty(len(days), np.int64)
    edges = np.flatnonzero(np.diff(days.replica, prepend=-1, append=-1))
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        own = slice(samples.offsets[days.replica[low]], samples.offsets[days.replica[low] + 1])
        # A stretch that began on the day before may reach into the day.
        first[low:high] = own.start + np.searchsorted(samples.at_ms[own], days.begin_ms[low:high]) - 1
        last[low:high] = own.start + np.searchsorted(samples.at_ms[own], days.end_ms[low:high])
        first[low:high] = np.maximum(first[low:high], own.start)
    return np.column_stack([days.replica, first, last, days.begin_ms, days.end_ms])


def _exceeded(samples: Samples, spans: Ints, requests: Floats) -> Floats:
    return exceedances(
        spans, samples.at_ms, samples.lasted_ms, samples.cpu_cores, samples.memory_bytes, requests, APART_MS
    )


def _p95(samples: Samples, spans: Ints, values: Singles) -> Floats:
    """The 95th percentile, between ranks as NumPy has it, of the means of five minutes; NaN = nothing was observed."""
    parts = [np.empty(0)]
    for begin in range(0, len(spans), _AT_A_TIME):
        some = np.sort(
            means(spans[begin : begin + _AT_A_TIME], samples.at_ms, samples.lasted_ms, values, _STEP_MS)
        )
        count = np.isfinite(some).sum(axis=1)  # NaN are last
        place = 0.95 * (np.maximum(count, 1) - 1)
        low = np.floor(place).astype(np.int64)
        rows = np.arange(len(some))
        below, above = some[rows, low], some[rows, np.minimum(low + 1, np.maximum(count, 1) - 1)]
        parts.append(below + (above - below) * (place - low))
    return np.concatenate(parts)


def _first_seen(samples: Samples) -> Ints:
    """When each subject was first observed, ms."""
    first = np.full(samples.subjects, np.iinfo(np.int64).max)
    some = samples.offsets[:-1] < samples.offsets[1:]
    np.minimum.at(first, samples.subject[some], samples.at_ms[samples.offsets[:-1][some]])
    return first

"""Daily usage of subjects, against a plain reckoning sample by sample."""

import numpy as np
import pytest

from costlab.core.rightsizing.daily import RANKS, daily_of
from costlab.core.rightsizing.samples import Samples
from costlab.core.sketch import levels
from costlab.domain.time import HOUR_MS

DAY_MS = 24 * HOUR_MS
DAYS = 40  # longer than int32 milliseconds reach


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Two subjects, of two replicas and one, hour by hour; some hours not observed, one stretch over a midnight."""
    rng = np.random.default_rng(7)
    at_ms = np.arange(DAYS * 24) * HOUR_MS
    offsets = np.array([0, len(at_ms), 2 * len(at_ms), 3 * len(at_ms)])
    memory = rng.lognormal(20, 0.5, 3 * len(at_ms)).astype(np.float32)
    memory[rng.random(len(memory)) < 0.1] = np.nan
    cpu = rng.lognormal(0, 1, len(memory)).astype(np.float32)
    at_ms = np.tile(at_ms, 3) - HOUR_MS // 2
    at_ms[offsets[:-1]] = 0
    lasted_ms = np.full(len(at_ms), HOUR_MS)
    lasted_ms[offsets[:-1]] = HOUR_MS // 2
    return Samples(np.array([0, 0, 1]), offsets, at_ms, lasted_ms, cpu, memory)


def test_each_day_is_as_reckoned_sample_by_sample(samples: Samples) -> None:
    """Peaks, ranks and observed parts of each replica, and the CPU of all of them together."""
    found = daily_of(samples, np.arange(DAYS + 1) * DAY_MS)
    assert found.memory_peak.shape == (2, DAYS)
    for subject, day in ((0, 0), (0, 17), (1, DAYS - 1)):
        peaks, ranks, cpu_time = [], [], 0.0
        for replica in np.flatnonzero(samples.subject == subject):
            own = np.arange(*samples.offsets[replica : replica + 2])
            end_ms = np.minimum(samples.at_ms[own] + samples.lasted_ms[own], (day + 1) * DAY_MS)
            lasted_ms = end_ms - np.maximum(samples.at_ms[own], day * DAY_MS)
            lasted_ms[~(lasted_ms > 0)] = 0
            cpu_time += float(lasted_ms @ samples.cpu_cores[own]) / 1000
            own, lasted_ms = own[lasted_ms > 0], lasted_ms[lasted_ms > 0]
            kept = ~np.isnan(samples.memory_bytes[own])
            memory, lasted_ms = samples.memory_bytes[own][kept], lasted_ms[kept]
            order = np.argsort(memory)
            reached = np.cumsum(lasted_ms[order])
            peaks.append(memory.max())
            ranks.append([memory[order][np.searchsorted(100 * reached, p * reached[-1])] for p in RANKS])
        assert found.memory_peak[subject, day] == max(peaks)
        assert found.memory_ranks[subject, day].tolist() == np.max(ranks, axis=0).tolist()
        row = slice(*found.cpu_offsets[subject * DAYS + day : subject * DAYS + day + 2])
        sketched = found.cpu_seconds[row] @ levels(found.cpu_buckets[row])
        assert sketched == pytest.approx(cpu_time, rel=1 / 128)
        assert np.all(np.diff(found.cpu_buckets[row]) > 0)
    assert found.memory_observed[1].mean() == pytest.approx(0.9, abs=0.03)
    assert found.cpu_observed[:, :-1].tolist() == np.ones((2, DAYS - 1)).tolist()
    assert found.cpu_observed[1, -1] == pytest.approx(1 - 1 / 48)


def test_a_day_without_a_sample_is_not_observed(samples: Samples) -> None:
    """Missing is never zero."""
    found = daily_of(samples, np.arange(DAYS, DAYS + 3) * DAY_MS)
    assert np.isnan(found.memory_peak[:, 1]).all()
    assert np.isnan(found.memory_ranks[:, 1]).all()
    assert (found.cpu_observed[:, 1] == 0).all()
    assert found.cpu_offsets[-1] == found.cpu_offsets[1]

"""What a run has used at any instant: counters and gauges that do not depend on who asks, or for which window.

A run's whole life is laid out once on a grid of two minutes in integers (micro-cores, memory pages, parts of
10^4), and read at any millisecond. Integer sums keep the counters exact: they never fall, and go on over
midnight.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.domain.identity import stable_key
from costlab.sources.synthetic.cast import Run
from costlab.sources.synthetic.shapes import Curve, Floats, Life

KNOT_MS = 120_000
PAGE_BYTES = 4096
PARTS = 10_000
PERIOD_MS = 100  # of a CPU limit's enforcement
_KNOT_PERIODS = KNOT_MS // PERIOD_MS
_FREE = 0.7  # of its limit: what is above it in two minutes' mean was throttled in some periods
_CPU_NOISE, _MEMORY_NOISE, _GPU_NOISE = 0.15, 0.01, 0.04

Instants = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """The use of one run.

    cpu_ns: int64 (knots + 1,), CPU nanoseconds used since the start, at each knot.
    memory_pages: int32 (knots,), pages held from a knot to the next.
    busy_parts: int16 (knots,), engine-active time in parts of 10^4; zeros without a GPU.
    throttled: int32 (knots + 1,), periods in which it was throttled, since the start, at each knot; zeros without a limit.
    """

    start_ms: int
    end_ms: int
    cpu_ns: NDArray[np.int64]
    memory_pages: NDArray[np.int32]
    busy_parts: NDArray[np.int16]
    throttled: NDArray[np.int32]

    def cpu_us(self, at_ms: Instants) -> NDArray[np.int64]:
        """CPU microseconds used until the instants, int64 (n,); stands still after the end."""
        elapsed = np.clip(at_ms - self.start_ms, 0, self.end_ms - self.start_ms)
        knot = np.minimum(elapsed // KNOT_MS, len(self.memory_pages) - 1)
        rate = (self.cpu_ns[knot + 1] - self.cpu_ns[knot]) // KNOT_MS
        used_us: NDArray[np.int64] = (self.cpu_ns[knot] + rate * (elapsed - knot * KNOT_MS)) // 1000
        return used_us

    def periods(self, at_ms: Instants) -> NDArray[np.int64]:
        """Periods of its CPU limit until the instants, int64 (n,): it runs in all of them."""
        elapsed: NDArray[np.int64] = np.clip(at_ms - self.start_ms, 0, self.end_ms - self.start_ms)
        return elapsed // PERIOD_MS

    def throttled_periods(self, at_ms: Instants) -> NDArray[np.int64]:
        """Those of them in which it was throttled, int64 (n,)."""
        into = self.periods(at_ms)
        knot = np.minimum(into // _KNOT_PERIODS, len(self.memory_pages) - 1)
        within = into - knot * _KNOT_PERIODS
        before = self.throttled[knot].astype(np.int64)
        counted: NDArray[np.int64] = before + (self.throttled[knot + 1] - before) * within // _KNOT_PERIODS
        return counted

    def memory_bytes(self, at_ms: Instants) -> NDArray[np.int64]:
        """Working set at the instants, int64 (n,); the last value stays after the end."""
        return self.memory_pages[self._knot(at_ms)].astype(np.int64) * PAGE_BYTES

    def busy(self, at_ms: Instants) -> NDArray[np.int64]:
        """Engine-active time at the instants in parts of 10^4, int64 (n,)."""
        return self.busy_parts[self._knot(at_ms)].astype(np.int64)

    def _knot(self, at_ms: Instants) -> NDArray[np.int64]:
        knot: NDArray[np.int64] = np.clip((at_ms - self.start_ms) // KNOT_MS, 0, len(self.memory_pages) - 1)
        return knot


def meter(run: Run, seed: int) -> Meter:
    """Lays out the life of a run; the same for the same seed and container id, in every process."""
    start_ms, end_ms = run.start_s * 1000, run.end_s * 1000
    knots = max(1, -(-(end_ms - start_ms) // KNOT_MS))
    chance = np.random.default_rng(stable_key(str(seed), run.container_id))
    epoch_s = run.start_s + np.arange(knots, dtype=np.int64) * (KNOT_MS // 1000)
    life = Life(epoch_s, run.start_s, run.end_s, chance)
    used = run.container
    cores = _drawn(used.cpu, life, _CPU_NOISE, used.cpu_limit)
    microcores = np.rint(cores * 1e6).astype(np.int64)
    memory_gib = _drawn(used.memory, life, _MEMORY_NOISE, used.memory_limit_gib)
    pages = np.rint(memory_gib * (2**30 / PAGE_BYTES)).astype(np.int32)
    busy = np.zeros(knots, np.int16)
    if used.gpu is not None:
        busy = np.rint(_drawn(used.gpu, life, _GPU_NOISE, 1.0) * PARTS).astype(np.int16)
    # A micro-core for a millisecond is a nanosecond of CPU.
    cpu_ns = np.concatenate([np.zeros(1, np.int64), np.cumsum(microcores * KNOT_MS)])
    return Meter(start_ms, end_ms, cpu_ns, pages, busy, _throttled(cores, used.cpu_limit))


def _throttled(cores: Floats, limit: float | None) -> NDArray[np.int32]:
    """None up to 70 % of the limit, then rising to every period where all of it was used."""
    share = (
        np.zeros(len(cores)) if limit is None else np.clip((cores / limit - _FREE) / (1 - _FREE), 0.0, 1.0)
    )
    periods = np.rint(share * _KNOT_PERIODS).astype(np.int32)
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(periods, dtype=np.int32)])


def _drawn(curve: Curve, life: Life, noise: float, limit: float | None) -> Floats:
    """The curve with multiplicative noise, never below 0 and never above the limit."""
    levels = curve(life)
    wobble = 1.0 + noise * life.chance.standard_normal(len(levels))
    return np.clip(levels * wobble, 0.0, limit)


class Meters:
    """The meters of all runs, laid out when first asked for: `meters[run]`."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._known: dict[str, Meter] = {}

    def __getitem__(self, run: Run) -> Meter:
        known = self._known.get(run.container_id)
        if known is None:
            known = self._known[run.container_id] = meter(run, self._seed)
        return known

"""How advice did on days that it had not seen. One container-day counts as one, or as what it costs as provisioned."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from machine_days.usage import STEP_S, Usage

Floats = NDArray[np.float64]
GIB = 2.0**30
CPU_PRICE, MEMORY_PRICE = 0.1, 0.05  # of a core-hour, and of a GiB-hour
_CHANGE = 0.10  # from one day to the next, above which advice counts as changed
_ROUNDING = 1e-6  # above a request, of it, that is no violation


@dataclass(frozen=True, slots=True)
class Judged:
    """By workload, float64 (workloads,): sums over its judged days; shares are of these. weight: what its days cost now."""

    days: Floats
    weight: Floats
    cpu_bill: Floats
    memory_bill: Floats
    violations: Floats
    violations_weighted: Floats
    over_share: Floats  # of the samples, above the CPU request
    over_share_weighted: Floats
    unserved: Floats  # core-seconds
    used: Floats  # the same
    memory_changes: Floats
    cpu_changes: Floats

    def of(self, chosen: NDArray[np.int64]) -> "Totals":
        """Totals over these workloads, which may be named more than once."""
        totals = {name: float(getattr(self, name)[chosen].sum()) for name in self.__slots__}
        return Totals(
            bill=totals["cpu_bill"] + totals["memory_bill"],
            cpu_bill=totals["cpu_bill"],
            memory_bill=totals["memory_bill"],
            violated=totals["violations"] / totals["days"],
            violated_weighted=totals["violations_weighted"] / totals["weight"],
            over=totals["over_share"] / totals["days"],
            over_weighted=totals["over_share_weighted"] / totals["weight"],
            unserved=totals["unserved"] / totals["used"],
            changes=totals["memory_changes"] / totals["days"],
            cpu_changes=totals["cpu_changes"] / totals["days"],
            now=totals["weight"],
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Bills over the judged days, in the currency of the prices above; the rest are shares."""

    bill: float
    cpu_bill: float
    memory_bill: float
    violated: float
    violated_weighted: float
    over: float
    over_weighted: float
    unserved: float
    changes: float  # of memory
    cpu_changes: float
    now: float


def judge(usage: Usage, cpu: Floats, memory: Floats, judged: NDArray[np.bool_]) -> Judged:
    """Advice in cores and bytes, (workloads, days), against what was used on `judged` days. NaN = the size stays."""
    weight = 24 * (CPU_PRICE * usage.cpu_now + MEMORY_PRICE * usage.memory_now / GIB)
    memory_changes, cpu_changes = _changes(memory), _changes(cpu)
    cpu, memory = (
        np.where(np.isfinite(cpu), cpu, usage.cpu_now),
        np.where(np.isfinite(memory), memory, usage.memory_now),
    )
    exceeded = np.nan_to_num(usage.memory, nan=-1) > memory[..., None] * (1 + _ROUNDING)
    violated = np.asarray(np.logical_or.reduce(exceeded, axis=2))
    over = np.nan_to_num(np.maximum(usage.cpu - cpu[..., None], 0))
    share = (over > 1e-9).sum(axis=2) / np.maximum(np.isfinite(usage.cpu).sum(axis=2), 1)

    def summed(values: NDArray[Any]) -> Floats:
        return np.asarray(np.where(judged, values, 0).astype(np.float64).sum(axis=1))

    return Judged(
        days=summed(judged),
        weight=summed(weight),
        cpu_bill=summed(24 * CPU_PRICE * cpu),
        memory_bill=summed(24 * MEMORY_PRICE * memory / GIB),
        violations=summed(violated),
        violations_weighted=summed(violated * weight),
        over_share=summed(share),
        over_share_weighted=summed(share * weight),
        unserved=summed(over.sum(axis=2) * STEP_S),
        used=summed(np.nansum(usage.cpu, axis=2) * STEP_S),
        memory_changes=summed(memory_changes),
        cpu_changes=summed(cpu_changes),
    )


def _changes(advice: Floats) -> NDArray[np.bool_]:
    """The days on which advice is another one than on the day before."""
    changed = np.abs(advice[:, 1:] - advice[:, :-1]) > (_CHANGE + 1e-9) * advice[:, :-1]
    return np.pad(changed, ((0, 0), (1, 0)))

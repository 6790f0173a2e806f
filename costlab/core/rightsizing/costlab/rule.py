"""The rule `costlab`: what a container of a workload should request from a midnight on, by the days before it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from costlab.config.advising import Risk
from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.costlab.choice import chosen
from costlab.core.rightsizing.costlab.cores import BUDGET, STEADY_BUDGET, cores_of, held
from costlab.core.rightsizing.costlab.features import known_of
from costlab.core.rightsizing.costlab.foresight import FROM_DAYS, foreseen_of
from costlab.core.rightsizing.costlab.guards import if_it_goes_on, since_shift
from costlab.core.rightsizing.daily import Daily, daily_of
from costlab.core.rightsizing.policy import REASONS, Advised
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.domain.advice import Reason
from costlab.domain.time import HOUR_MS

# What a container-day with a violation of memory costs, in days of the memory of the fleet's middle subject. On 50 real
# machines these left one on 0.9 %, 2.0 % and 4.5 % of the container-days: docs/methods.md.
PRICES: Final = {Risk.LOW: 400.0, Risk.MEDIUM: 30.0, Risk.HIGH: 7.0}
_KILLED_DAYS, _KILLED_MARGIN = 14, 1.25
# What a violation costs is as this power of what a subject is charged for, which keeps violations by container-days
# and by cost alike; where the cost of nobody is known, as this one of its memory.
_COST_POWER, _MEMORY_POWER = 1.25, 0.5
_DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Costlab:
    """The rule, at a price of risk, see `PRICES`: one, or float64 (subjects,). steady: advice that is not far off stays."""

    price: float | Floats = PRICES[Risk.MEDIUM]
    steady: bool = False

    @property
    def name(self) -> str:
        """As `--policy` takes it."""
        return "costlab-steady" if self.steady else "costlab"

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """Advice to be in force from each of these midnights on, by the stretches before it."""
        edges_ms = _edges(samples, days_ms)
        return self.advise_daily(
            daily_of(samples, edges_ms), circumstances, np.searchsorted(edges_ms, days_ms)
        )

    def advise_daily(self, daily: Daily, circumstances: Circumstances, midnights: Ints) -> Advised:
        """Advice from these midnights on: t is the beginning of day t of `daily`, and the last one the end of all."""
        first = int(midnights[0])
        known = known_of(daily)
        price = np.reshape(self.price, (-1, 1)) * _worth(
            known.peak, _by_midnight(circumstances.daily_cost, midnights, len(daily.start_ms))
        )
        memory = chosen(
            known, foreseen_of(known), daily.memory_peak, price, steady=self.steady, promised_from=first
        )
        seen_days = np.cumsum(daily.cpu_observed > 0, axis=1, dtype=np.int64)
        cpu = np.where(circumstances.cpu_autoscaled, np.nan, self._cores(daily, seen_days, midnights))
        request = memory.level[:, midnights].T
        for least in (
            _after_kills(daily, circumstances, midnights),
            since_shift(daily)[:, midnights].T,
            if_it_goes_on(daily)[:, midnights].T,
        ):
            request = np.where(least > request, least, request)
        request = np.where(circumstances.memory_autoscaled, np.nan, request)
        return Advised(
            cpu_request=cpu,
            cpu_limit=np.where(np.isnan(cpu), np.nan, np.inf),
            memory_request=request,
            memory_limit=request,
            cpu_risk=np.full(cpu.shape, np.nan),
            memory_risk=np.where(np.isnan(request), np.nan, memory.promised[:, midnights].T),
            cpu_reason=_reasons(cpu, _seen_before(seen_days, midnights), circumstances.cpu_autoscaled),
            memory_reason=_reasons(request, known.seen[:, midnights].T, circumstances.memory_autoscaled),
        )

    def _cores(self, daily: Daily, seen_days: Ints, midnights: Ints) -> Floats:
        """Cores to request from these midnights on: (midnights, subjects), NaN for who was not seen for long enough."""
        asked = np.arange(len(daily.start_ms) + 1) if self.steady else midnights
        told = _seen_before(seen_days, asked) >= FROM_DAYS
        budget = STEADY_BUDGET if self.steady else BUDGET
        cores = np.where(told, cores_of(daily, asked, told.astype(np.float64), budget), np.nan)
        return held(cores)[midnights] if self.steady else cores


def _by_midnight(daily_cost: Floats | None, midnights: Ints, days: int) -> Floats | None:
    """(subjects, 1) or (subjects, days + 1): before the first midnight that is asked for as on it."""
    if daily_cost is None or daily_cost.ndim == 1:
        return None if daily_cost is None else daily_cost[:, None]
    row = np.searchsorted(midnights, np.arange(days + 1), side="right") - 1
    return daily_cost[np.maximum(row, 0)].T


def _worth(peak: Floats, daily_cost: Floats | None) -> Floats:
    """What a violation costs of each subject against the others: by what it is charged for now, where that is known.

    daily_cost: as `_by_midnight` has it. float64 (subjects, days + 1), 1 in the geometric mean. Where nobody's cost is known it is by the memory in use; where
    some are, whoever has none is taken for the middle.
    """
    cost = peak**_MEMORY_POWER
    if daily_cost is not None:
        cost = np.where(np.any(daily_cost > 0, axis=0), daily_cost**_COST_POWER, cost)
    told = cost > 0
    log = np.log(cost, out=np.zeros(peak.shape), where=told)
    return np.asarray(np.where(told, np.exp(log - log.sum(axis=0) / np.maximum(told.sum(axis=0), 1)), 1.0))


def _after_kills(daily: Daily, circumstances: Circumstances, midnights: Ints) -> Floats:
    """Bytes that a subject needs at least since the kernel killed it for memory; (midnights, subjects); NaN = no kill."""
    least = np.full((len(midnights), daily.subjects), np.nan)
    days = len(daily.start_ms)
    end_ms = np.append(daily.start_ms, daily.start_ms[-1:] + _DAY_MS)
    for subject, at_ms, limit_bytes in zip(
        circumstances.killed_subject,
        circumstances.killed_at_ms,
        circumstances.killed_limit_bytes,
        strict=True,
    ):
        day = int(np.searchsorted(daily.start_ms, at_ms, "right")) - 1
        had = (
            limit_bytes
            if np.isfinite(limit_bytes)
            else daily.memory_peak[subject, min(max(day, 0), days - 1)]
        )
        age_ms = end_ms[midnights] - at_ms
        recent = (age_ms > 0) & (age_ms <= _KILLED_DAYS * _DAY_MS)
        least[recent, subject] = np.fmax(least[recent, subject], _KILLED_MARGIN * had)
    return least


def _seen_before(seen_days: Ints, midnights: Ints) -> Ints:
    """On how many days before each midnight a subject was observed: (midnights, subjects)."""
    return np.pad(seen_days, ((0, 0), (1, 0)))[:, midnights].T


def _reasons(request: Floats, seen: Ints, autoscaled: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Why there is no advice, as indices into `REASONS`."""
    code = {reason: index for index, reason in enumerate(REASONS)}
    found = np.where(seen > 0, code[Reason.TOO_LITTLE_DATA], code[Reason.NOT_OBSERVED])
    found = np.where(seen >= FROM_DAYS, code[Reason.NOT_OBSERVED], found)  # long ago
    found = np.where(autoscaled, code[Reason.HPA_MANAGED], found)
    return np.where(np.isfinite(request), 0, found).astype(np.int8)


def _edges(samples: Samples, days_ms: Ints) -> Ints:
    """Midnights from before the first stretch to the last that is asked for: those asked for, and 24 h steps elsewhere."""
    first_ms = int(samples.at_ms.min(initial=days_ms[0]))
    edges_ms = [int(days_ms[0]) - _DAY_MS, int(days_ms[0])]  # one day at least, if only an empty one
    while edges_ms[0] > first_ms:
        edges_ms.insert(0, edges_ms[0] - _DAY_MS)
    for day_ms in days_ms[1:].tolist():
        while day_ms - edges_ms[-1] > 1.5 * _DAY_MS:
            edges_ms.append(edges_ms[-1] + _DAY_MS)
        edges_ms.append(day_ms)
    return np.array(edges_ms)

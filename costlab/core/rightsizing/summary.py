"""What a backtest says of a rule as a whole: by container-days, and weighted by what they cost now."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.samples import Samples
from costlab.core.rightsizing.score import ContainerDays, Exceeded, Use, exceeded

CHANGED = 0.10  # from one day's advice to the next: more counts as a change
BANDS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)  # of the promised risk
AGES = (1, 8)  # days: younger than the first, than the second, older
_DRAWS, _SEED = 200, 0


@dataclass(frozen=True, slots=True)
class Requests:
    """What each container-day requests by a rule: the advice, else what was in force, else what it used; arrays (k,).

    risk: the promised share of container-days with a violation of memory, NaN = none. advised: bool.
    """

    cores: Floats
    memory_bytes: Floats
    risk: Floats
    advised: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Band:
    """Container-days of like promised risk, or of like age in days: low <= it < high.

    mean: of the promises, or ages. violated: the share of them that had a violation of memory.
    """

    low: float
    high: float
    container_days: int
    mean: float
    violated: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A rule over all scored container-days. `cd` = each counts as one; `cw` = weighted by its cost as it is now.

    Shares are of 1; money is that of the scored days, NaN where no price is known. *_low, *_high: a 95 % interval, by
    drawing subjects anew. savings_gross: where the rule asks for less; savings_net: less what it asks for more elsewhere.
    """

    container_days: int
    subjects: int
    coverage_cw: float
    memory_violation_share_cd: float
    memory_violation_share_cd_low: float
    memory_violation_share_cd_high: float
    memory_violation_share_cw: float
    memory_violation_minutes_cd: float
    memory_episodes: int
    memory_shortfall_median: float
    memory_shortfall_max: float
    cpu_over_share_cd: float
    cpu_over_share_cw: float
    cpu_unserved_share: float
    memory_slack: float
    cpu_slack: float
    cost: float
    cost_of_now: float
    cost_of_now_low: float
    cost_of_now_high: float
    memory_cost: float
    cpu_cost: float
    savings_gross: float
    savings_net: float
    memory_changes_cd: float
    cpu_changes_cd: float
    lower_bound_only_cd: float


def requests_of(advised: Advised, days: ContainerDays, use: Use) -> Requests:
    """The requests of container-days by advice, whose rows are the scored days."""
    place = days.day, days.subject
    cores, memory = advised.cpu_request[place], advised.memory_request[place]
    told = np.isfinite(cores) & np.isfinite(memory)
    return Requests(
        _first_known(cores, days.cpu_request, use.cpu_p95),
        _first_known(memory, days.memory_request, use.memory_peak),
        advised.memory_risk[place],
        told,
    )


def in_force(days: ContainerDays, use: Use) -> Requests:
    """The requests that were in force."""
    nothing = np.full(len(days), np.nan)
    return Requests(
        _first_known(days.cpu_request, use.cpu_p95, use.cpu_p95),
        _first_known(days.memory_request, use.memory_peak, use.memory_peak),
        nothing,
        np.zeros(len(days), bool),
    )


def summarise(samples: Samples, days: ContainerDays, use: Use, asked: Requests) -> tuple[Summary, Exceeded]:
    """The figures of a rule, and those of each container-day."""
    found = exceeded(samples, days, asked.cores, asked.memory_bytes)
    now = in_force(days, use)
    now_cost = days.cost(now.cores, now.memory_bytes)
    weight = np.nan_to_num(now_cost)
    cost = days.cost(asked.cores, asked.memory_bytes)
    cpu_cost = np.where(np.isfinite(cost), days.cost(asked.cores, np.zeros(len(days))), np.nan)
    saved = now_cost - cost
    shortfall = found.shortfall[found.violated]
    intervals = _intervals(days, found.violated, cost, now_cost)
    return Summary(
        container_days=len(days),
        subjects=len(np.unique(days.subject)),
        coverage_cw=_mean(asked.advised, weight),
        memory_violation_share_cd=_mean(found.violated),
        memory_violation_share_cd_low=intervals[0, 0],
        memory_violation_share_cd_high=intervals[0, 1],
        memory_violation_share_cw=_mean(found.violated, weight),
        memory_violation_minutes_cd=_mean(found.violation_minutes),
        memory_episodes=int(found.episodes.sum()),
        memory_shortfall_median=float(np.median(shortfall)) if len(shortfall) else 0.0,
        memory_shortfall_max=float(shortfall.max(initial=0.0)),
        cpu_over_share_cd=_mean(found.over_share),
        cpu_over_share_cw=_mean(found.over_share, weight),
        cpu_unserved_share=_ratio(found.unserved.sum(), use.cpu_used.sum()),
        memory_slack=_slack(asked.memory_bytes, use.memory_p95),
        cpu_slack=_slack(asked.cores, use.cpu_p95),
        cost=_total(cost),
        cost_of_now=_ratio(np.nansum(cost), np.nansum(now_cost)),
        cost_of_now_low=intervals[1, 0],
        cost_of_now_high=intervals[1, 1],
        memory_cost=_total(cost - cpu_cost),
        cpu_cost=_total(cpu_cost),
        savings_gross=_total(np.maximum(saved, 0)),
        savings_net=_total(saved),
        memory_changes_cd=_changes(days, asked.memory_bytes),
        cpu_changes_cd=_changes(days, asked.cores),
        lower_bound_only_cd=_mean(use.capped),
    ), found


def calibration(asked: Requests, found: Exceeded) -> list[Band]:
    """Promised against observed risk, band by band; nothing of a rule that promises none."""
    bands = zip(BANDS[:-1], BANDS[1:], strict=True)
    return [
        band for low, high in bands if (band := _band(asked.risk, found.violated, low, high)).container_days
    ]


def by_age(use: Use, found: Exceeded) -> list[Band]:
    """Violations by the age of the subject, in days: the young ones apart."""
    edges = (0, *AGES, np.inf)
    bands = zip(edges[:-1], edges[1:], strict=True)
    return [_band(use.age.astype(np.float64), found.violated, low, high) for low, high in bands]


def _band(values: Floats, violated: NDArray[np.bool_], low: float, high: float) -> Band:
    within = (values >= low) & (values < high)
    return Band(low, high, int(within.sum()), _mean(values[within]), _mean(violated[within]))


def _first_known(first: Floats, second: Floats, third: Floats) -> Floats:
    return np.where(np.isfinite(first), first, np.where(np.isfinite(second), second, third))


def _mean(values: NDArray[np.bool_] | Floats, weight: Floats | None = None) -> float:
    """NaN of nothing."""
    given = np.ones(len(values)) if weight is None else weight
    return _ratio(np.sum(values * given), given.sum())


def _total(money: Floats) -> float:
    return float(np.nansum(money)) if np.isfinite(money).any() else np.nan


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan


def _slack(request: Floats, p95: Floats) -> float:
    """The part of all that is requested that lies above the 95th percentile of use: Autopilot's, over all at once."""
    known = np.isfinite(p95) & (request > 0)
    return _ratio((request - p95)[known].sum(), request[known].sum())


def _changes(days: ContainerDays, asked: Floats) -> float:
    """The part of container-days on which the request is another than on the day before."""
    after = (days.replica[1:] == days.replica[:-1]) & (days.day[1:] == days.day[:-1] + 1)
    changed = np.abs(asked[1:] - asked[:-1]) > (CHANGED + 1e-9) * asked[:-1]
    return _ratio(np.sum(after & changed), len(days))


def _intervals(days: ContainerDays, violated: NDArray[np.bool_], cost: Floats, now_cost: Floats) -> Floats:
    """95 % intervals, float64 (2, 2): of the share of container-days violated, and of the cost against the present one."""
    if not len(days):
        return np.full((2, 2), np.nan)
    known = np.isfinite(cost) & np.isfinite(now_cost)
    columns = [np.ones(len(days)), violated, np.where(known, cost, 0), np.where(known, now_cost, 0)]
    sums = np.column_stack([np.bincount(days.subject, column) for column in columns])
    sums = sums[sums[:, 0] > 0]
    drawn = np.random.default_rng(_SEED).integers(0, len(sums), (_DRAWS, len(sums)))
    totals = sums[drawn].sum(axis=1)
    priced = np.where(totals[:, 3] > 0, totals[:, 3], np.nan)
    shares = totals[:, 1] / totals[:, 0], totals[:, 2] / priced
    return np.array([np.quantile(share, [0.025, 0.975]) for share in shares])

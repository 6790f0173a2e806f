"""What the rules propose for the containers of workloads, by the rules' names."""

from collections.abc import Callable, Mapping

import numpy as np

from costlab.config.faults import meant
from costlab.config.settings import DAY_MS, Rightsizing
from costlab.core.kernels import Floats
from costlab.core.rightsizing.costlab.rule import PRICES, Costlab
from costlab.core.rightsizing.decisions import Codes, Proposals
from costlab.core.rightsizing.samples import Circumstances
from costlab.domain.errors import ConfigError
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.subjects import Subjects

# On how many of the days before a rule's own advice is tried.
_TRIED_DAYS = 14

Proposing = Callable[[Subjects, Rightsizing, Floats], Mapping[Resource, Proposals]]


def proposals_of(
    policy: str, subjects: Subjects, rules: Rightsizing, daily_cost: Floats
) -> Mapping[Resource, Proposals]:
    """What the rule of that name proposes. daily_cost: float64 (subjects,), money, NaN = not known.

    Raises ConfigError when there is no such rule.
    """
    if policy not in RULES:
        raise ConfigError(
            f"there is no policy {policy!r}{meant(policy, RULES)}", f"one of {', '.join(sorted(RULES))}"
        )
    return RULES[policy](subjects, rules, daily_cost)


def _costlab(
    subjects: Subjects, rules: Rightsizing, daily_cost: Floats, *, steady: bool = False
) -> Mapping[Resource, Proposals]:
    """The rule `costlab` at each class's risk, and how often its own advice of the last days was exceeded."""
    daily = subjects.past.daily
    risks = [rules.risk_of(name) for name in subjects.rows["class"].to_pylist()]
    rule = Costlab(np.array([[PRICES[risk]] for risk in risks]).reshape(-1, 1), steady)
    last = len(daily.start_ms)
    midnights = np.arange(max(1, last - _TRIED_DAYS), last + 1)
    advised = rule.advise_daily(daily, _circumstances(subjects, daily_cost), midnights)
    tried = midnights[:-1]
    words = tuple(f"risk {risk}" for risk in risks)
    return {
        Resource.CPU: _last(
            advised.cpu_request, advised.cpu_limit, advised.cpu_risk, advised.cpu_reason,
            subjects.past.cpu_p90[:, tried], words,
        ),
        Resource.MEMORY: _last(
            advised.memory_request, advised.memory_limit, advised.memory_risk, advised.memory_reason,
            daily.memory_peak[:, tried], words,
        ),
    }  # fmt: skip


def _last(
    request: Floats, limit: Floats, risk: Floats, reason: Codes, used: Floats, words: tuple[str, ...]
) -> Proposals:
    """The newest advice; the share of the days before on which what was used was above the advice of its day.

    request, limit, risk: float64 (midnights, subjects); used: float64 (subjects, midnights - 1), NaN = not observed.
    """
    before = request[:-1].T
    known = ~np.isnan(before) & ~np.isnan(used)
    days = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        share = np.where(days > 0, (known & (used > before)).sum(axis=1) / np.maximum(days, 1), np.nan)
    return Proposals(request[-1], limit[-1], risk[-1], share, reason[-1], words)


def _circumstances(subjects: Subjects, daily_cost: Floats) -> Circumstances:
    """What is known beside usage: kills, each at the end of its day, and what the requests cost."""
    whose, day = np.nonzero(subjects.past.oom_kills)
    ends_ms = np.append(subjects.past.daily.start_ms[1:], subjects.past.daily.start_ms[-1:] + DAY_MS)
    none = np.zeros(subjects.count, bool)
    return Circumstances(
        np.ones(subjects.count, np.int64),
        none,
        none,
        whose.astype(np.int64),
        ends_ms[day] - 1,
        subjects.floats("least_memory_limit")[whose],
        daily_cost,
    )


def _steady(subjects: Subjects, rules: Rightsizing, daily_cost: Floats) -> Mapping[Resource, Proposals]:
    return _costlab(subjects, rules, daily_cost, steady=True)


RULES: dict[str, Proposing] = {"costlab": _costlab, "costlab-steady": _steady}

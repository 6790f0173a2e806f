"""What the rules propose for the containers of workloads, by the rules' names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from costlab.config.advising import Rightsizing
from costlab.config.faults import meant
from costlab.core.arrays import Floats
from costlab.core.rightsizing.costlab.rule import PRICES, Costlab
from costlab.core.rightsizing.decisions import Codes, Proposals
from costlab.core.rightsizing.policies import POLICIES
from costlab.core.rightsizing.policy import Policy
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.domain.errors import ConfigError
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.circumstances import Kills
from costlab.jobs.rightsizing.subjects import Subjects

# On how many of the days before a rule's own advice is tried.
_TRIED_DAYS = 14

SamplesOf = Callable[[], Samples]


def proposals_of(
    policy: str,
    subjects: Subjects,
    rules: Rightsizing,
    daily_cost: Floats,
    kills: Kills,
    samples_of: SamplesOf,
) -> Mapping[Resource, Proposals]:
    """What the rule of that name proposes, and how often its own advice of the last days was exceeded.

    daily_cost: float64 (subjects,), money, NaN = not known. kills: up to the last day. samples_of: every stretch of usage, which the rules of others
    need; the default rule goes by the day. Raises ConfigError when there is no such rule.
    """
    if policy not in POLICIES:
        raise ConfigError(
            f"there is no policy {policy!r}{meant(policy, POLICIES)}", f"one of {', '.join(sorted(POLICIES))}"
        )
    classes = subjects.rows["class"].to_pylist()
    rule, daily = at_risk(POLICIES[policy](), classes, rules), subjects.past.daily
    last = len(daily.start_ms)
    midnights = np.arange(max(1, last - _TRIED_DAYS), last + 1)
    words = ("",) * subjects.count
    circumstances = _circumstances(subjects, daily_cost, kills)
    if isinstance(rule, Costlab):
        words = tuple(f"risk {rules.risk_of(name)}" for name in classes)
        advised = rule.advise_daily(daily, circumstances, midnights)
    else:
        ends_ms = np.append(daily.start_ms, _end_ms(subjects))
        advised = rule.advise(samples_of(), circumstances, ends_ms[midnights])
    tried = midnights[:-1]
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


def at_risk(rule: Policy, classes: Sequence[str], rules: Rightsizing) -> Policy:
    """The rule, at the risk that each subject's class may take, if it asks for one."""
    if not isinstance(rule, Costlab):
        return rule
    price = np.array([PRICES[rules.risk_of(name)] for name in classes], np.float64)
    return replace(rule, price=price)


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


def _circumstances(subjects: Subjects, daily_cost: Floats, kills: Kills) -> Circumstances:
    """What is known beside usage. Of autoscalers `decide` knows more than a rule does."""
    none = np.zeros(subjects.count, bool)
    return Circumstances(
        subjects.rows["containers_in_pod"].to_numpy(),
        none,
        none,
        kills.subject,
        kills.at_ms,
        kills.limit_bytes,
        daily_cost,
    )


def _end_ms(subjects: Subjects) -> int:
    """When the last day is over."""
    return int(subjects.past.daily.start_ms[-1]) + subjects.past.last_day_ms

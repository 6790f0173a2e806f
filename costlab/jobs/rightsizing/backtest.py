"""Rules side by side on the lake's own past: each advises for every day from the days before it, and is scored on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.advising import Rightsizing
from costlab.core.arrays import Floats
from costlab.core.rightsizing.policies import POLICIES, NoPolicy, policy_of
from costlab.core.rightsizing.policy import REASONS, Advised, Policy
from costlab.core.rightsizing.score import ContainerDays, Exceeded, Use, used
from costlab.core.rightsizing.summary import (
    Band,
    Requests,
    Summary,
    by_age,
    calibration,
    in_force,
    requests_of,
    summarise,
)
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import Filters
from costlab.jobs.rightsizing.proposals import at_risk
from costlab.jobs.rightsizing.samples import IDENTITY, Past, edges_ms, past_of
from costlab.render import figures
from costlab.store.warehouse import Warehouse

AS_REQUESTED = "as requested"
_SCHEMA = pa.schema(
    [("policy", pa.string()), *((name, pa.int64() if kind is int else pa.float64())
     for name, kind in Summary.__annotations__.items())]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Worst:
    """A container-day on which memory went furthest above what a rule advised."""

    policy: str
    namespace: str
    workload_kind: str
    workload: str
    container: str
    date: str
    requested_bytes: float
    peak_bytes: float
    violation_minutes: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a backtest found. rows: a row each policy, the columns of `Summary`; the first is what was requested.

    worst: of each policy, the worst first. calibration, ages: of each policy, its bands. refusals: of each policy, how
    many container-days got no advice, by reason.
    """

    rows: pa.Table
    currency: str | None
    worst: list[Worst]
    calibration: dict[str, list[Band]]
    ages: dict[str, list[Band]]
    refusals: dict[str, dict[str, int]]

    def details(self) -> dict[str, Any]:
        """What stands beside the rows, as JSON has it."""
        return {
            "worst": [asdict(worst) for worst in self.worst],
            "calibration": {
                name: [asdict(band) for band in bands] for name, bands in self.calibration.items()
            },
            "ages": {name: [asdict(band) for band in bands] for name, bands in self.ages.items()},
            "refusals": self.refusals,
        }


def policies_named(names: Sequence[str]) -> dict[str, Policy]:
    """The rules of these names, in their order; raises ConfigError for one that there is not."""
    try:
        return {name: policy_of(name) for name in names}
    except NoPolicy as unknown:
        hint = f"did you mean {unknown.close}?" if unknown.close else f"there are: {', '.join(POLICIES)}"
        raise ConfigError(f"--policy: {unknown}", hint) from None


def backtest(
    warehouse: Warehouse,
    policies: Mapping[str, Policy],
    window: Dates,
    train_days: int,
    filters: Filters,
    timezone: str,
    rules: Rightsizing,
    worst: int,
) -> Backtest:
    """Score the rules on each day of the window but the first `train_days`, which they only learn from.

    rules: the risk of each class, and how many days tell what a container costs, as where advice is made.
    Raises ConfigError when the window is not longer than that, and what `past_of` raises.
    """
    scored = Dates(min(window.start + timedelta(days=train_days), window.end), window.end)
    if not len(scored):
        raise ConfigError(
            f"the window of {figures.counted(len(window), 'day')} leaves none to be scored after {train_days} to learn from",
            "widen --window, or shorten --train",
        )
    past = past_of(warehouse, filters, window, scored, timezone, rules.days)
    if not len(past.days):
        raise ConfigError(
            f"no container ran from {scored.start} to {scored.end}", "widen --window, or shorten --train"
        )
    use = used(past.samples, past.days)
    found = _Found(past, use, scored, worst)
    found.add(AS_REQUESTED, in_force(past.days, use))
    for name, policy in policies.items():
        advised = advised_of(policy, past, scored, timezone, rules)
        found.add(name, requests_of(advised, past.days, use), advised)
    return found.backtest()


def advised_of(policy: Policy, past: Past, scored: Dates, timezone: str, rules: Rightsizing) -> Advised:
    """What a rule proposes for each scored day, as `recommend` would have had it at the end of the day before."""
    days_ms = edges_ms(scored, timezone)[:-1]
    return at_risk(policy, past.classes, rules).advise(past.samples, past.circumstances, days_ms)


class _Found:
    """What is found of one rule after the other."""

    def __init__(self, past: Past, use: Use, scored: Dates, worst: int) -> None:
        self._past, self._use, self._scored, self._most = past, use, scored, worst
        self._rows: list[dict[str, Any]] = []
        self._worst: list[Worst] = []
        self._bands: dict[str, list[Band]] = {}
        self._ages: dict[str, list[Band]] = {}
        self._refusals: dict[str, dict[str, int]] = {}

    def add(self, name: str, asked: Requests, advised: Advised | None = None) -> None:
        """Score the requests of one rule."""
        summary, exceeded = summarise(self._past.samples, self._past.days, self._use, asked)
        self._rows.append({"policy": name, **asdict(summary)})
        self._worst += self._worst_of(name, asked.memory_bytes, exceeded)
        self._ages[name] = by_age(self._use, exceeded)
        if bands := calibration(asked, exceeded):
            self._bands[name] = bands
        if advised is not None:
            self._refusals[name] = _refusals(advised, self._past.days)

    def backtest(self) -> Backtest:
        """All of it."""
        rows = pa.Table.from_pylist(self._rows, _SCHEMA)
        return Backtest(rows, self._past.currency, self._worst, self._bands, self._ages, self._refusals)

    def _worst_of(self, name: str, requested: Floats, exceeded: Exceeded) -> list[Worst]:
        order = np.lexsort((np.arange(len(requested)), -exceeded.shortfall))[: self._most]
        days = self._past.days
        found = []
        for i in order[exceeded.violated[order]].tolist():
            whose = {key: self._past.subjects[key][int(days.subject[i])].as_py() for key in IDENTITY[1:]}
            day = self._scored.start + timedelta(days=int(days.day[i]))
            found.append(
                Worst(
                    name, **whose, date=day.isoformat(), requested_bytes=float(requested[i]),
                    peak_bytes=float(self._use.memory_peak[i]),
                    violation_minutes=float(exceeded.violation_minutes[i]),
                )
            )  # fmt: skip
        return found


def _refusals(advised: Advised, days: ContainerDays) -> dict[str, int]:
    """How many container-days got no advice for CPU or memory, by `resource: reason`."""
    counts: dict[str, int] = {}
    for resource, codes in (("cpu", advised.cpu_reason), ("memory", advised.memory_reason)):
        for code, count in zip(*np.unique(codes[days.day, days.subject], return_counts=True), strict=True):
            if code:
                counts[f"{resource}: {REASONS[code]}"] = int(count)
    return counts

"""Whether what is to be applied keeps to its namespaces' ResourceQuotas and its teams' budgets."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isnan
from typing import Any

from costlab.config.advising import Budget
from costlab.domain.identity import WorkloadKey
from costlab.render import figures
from costlab.sources.manifests import Planned
from costlab.store.warehouse import Warehouse

_DAYS_A_MONTH = Decimal(365) / 12
_PLAIN = ("cpu", "memory", "ephemeral-storage")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bill:
    """What a workload of the manifests will cost a month, and whose it will be; None where that is not known."""

    each: Planned
    team: str
    pods: int
    monthly: Decimal | None


def beyond_quotas(
    warehouse: Warehouse, cluster: str, day: date, bills: Sequence[Bill], there: set[WorkloadKey]
) -> Iterator[str]:
    """What of a namespace's quota would be too little, for each of its keys; `there`: workloads that run already.

    What runs already is within what is used, so only more of what is new is held against a quota.
    """
    asked: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for bill in bills:
        if bill.each.workload not in there:
            for resource, amount in _keys(bill).items():
                asked[bill.each.workload.namespace, resource] += amount
    for quota in warehouse.query("present_quotas", cluster=cluster, day=day).to_pylist():
        namespace, resource = quota["namespace"], quota["resource"]
        used, more = quota["used"], float(asked.get((namespace, resource), Fraction(0)))
        if more and not isnan(used) and used + more > quota["hard"]:
            yield (
                f"namespace {namespace}: {resource} would be {_amount(resource, used + more)}, above the "
                f"{_amount(resource, quota['hard'])} of its ResourceQuota {quota['quota']}"
            )


def beyond_budgets(
    warehouse: Warehouse, cluster: str, days: tuple[date, int], bills: Sequence[Bill], budgets: Sequence[Budget],
    currency: str,
) -> Iterator[str]:  # fmt: skip
    """The teams whose budget would be too little for a month like the days before, with the manifests.

    days: the last one and how many. What a workload costs now is replaced by what it will cost.
    """
    limits = {budget.team: Decimal(str(budget.monthly)) for budget in budgets}
    last, count = days
    window = {
        "start": last - timedelta(count - 1),
        "until": last + timedelta(1),
        "cluster": cluster,
        "namespace": "",
    }
    for team in sorted({bill.team for bill in bills} & limits.keys()):
        rows = warehouse.query("subject_days", by="workload", team=team, **window).to_pylist()
        whole = sum(row["key"] is None for row in rows)
        if not whole:
            continue
        changed = {(w.namespace, w.kind, w.name) for w in (bill.each.workload for bill in bills)}
        kept = sum(
            (
                row["total_cost"] or Decimal(0)
                for row in rows
                if row["key"] and tuple(row["key"]) not in changed
            ),
            Decimal(0),
        )
        planned = sum((bill.monthly or Decimal(0) for bill in bills if bill.team == team), Decimal(0))
        month = kept / whole * _DAYS_A_MONTH + planned
        if month > limits[team]:
            yield (
                f"team {team}: a month like the last {figures.counted(whole, 'day')} would cost "
                f"{figures.money(month, currency)} with this, above its budget of {figures.money(limits[team], currency)}"
            )


def _keys(bill: Bill) -> dict[str, Fraction]:
    """What it adds to a quota, by the quota's keys: requests.cpu and cpu are one."""
    found = {"pods": Fraction(bill.pods), "count/pods": Fraction(bill.pods)}
    for resource, amount in bill.each.requests.items():
        found[f"requests.{resource}"] = bill.pods * amount
        if resource in _PLAIN:
            found[resource] = bill.pods * amount
    return found


def _amount(resource: str, value: float) -> str:
    return f"{figures.gib(value)} GiB" if resource.endswith("memory") else figures.quantity(value)

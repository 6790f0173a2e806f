"""What manifests will cost before they are applied: by what they request, and by what the like of them used."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import isnan
from statistics import median
from typing import Any

import pyarrow as pa

from costlab.config.book import plain_label
from costlab.config.charging import Basis
from costlab.config.device_resource import DeviceResources, charged, exposed
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError
from costlab.domain.identity import WorkloadKey
from costlab.domain.units import GIB, Resource, money
from costlab.jobs.allowances import Bill, beyond_budgets, beyond_quotas
from costlab.jobs.classes import class_of
from costlab.jobs.owners import UNALLOCATED
from costlab.sources.manifests import Plan, Planned
from costlab.store.warehouse import Warehouse

MONTH_HOURS = 730.0  # a twelfth of 365 days
_UNIT = {Resource.CPU: 1, Resource.MEMORY: GIB, Resource.GPU: 1}
_NAN = float("nan")

Row = dict[str, Any]

_MONEY = pa.decimal128(18, 6)
_COLUMNS = {
    "namespace": pa.string(),
    "workload_kind": pa.string(),
    "workload": pa.string(),
    "part": pa.string(),
    "resource": pa.string(),
    "pods": pa.float64(),
    "hours": pa.float64(),
    "request_per_pod": pa.float64(),
    "usage_per_pod": pa.float64(),
    "billed_per_pod": pa.float64(),
    "price": pa.float64(),
    "monthly_cost": _MONEY,
    "monthly_cost_low": _MONEY,
    "monthly_cost_high": _MONEY,
    "monthly_cost_unused": _MONEY,
    "like": pa.string(),
}
_SUMMED = ("monthly_cost", "monthly_cost_low", "monthly_cost_high", "monthly_cost_unused")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The rows, the total last; the currency of the nodes; and what a reader has to know beside them."""

    rows: pa.Table
    currency: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Like:
    """What a pod of the like used: an amount, or a share of what it requested. `name` says which like."""

    name: str
    amounts: Mapping[str, float]
    shares: Mapping[str, float]
    monthly_hours: float | None

    def used(self, resource: Resource, request: float) -> float:
        """Cores, GiB or GPUs of a pod that requests so much; NaN where that is not known."""
        return self.amounts.get(resource, self.shares.get(resource, _NAN) * request)


def predict(
    warehouse: Warehouse, settings: Settings, plan: Plan, day: date, days: int, *, cluster: str | None,
    hours: float | None,
) -> Prediction:  # fmt: skip
    """A row for each workload and resource, in the order of the manifests, and the total.

    Prices are those of the newest day up to `day`, of the nodes that a pod fits; usage is that of the `days` up to it.
    hours: how long each pod runs in a month; None is 730, and of a Job or CronJob the hours that one of its name ran.
    Amounts per pod are in cores, GiB and physical GPUs, NaN: not known. Money is null where a price or the hours are not
    known. Raises ConfigError when there is no workload, no node, or nodes of several clusters.
    """
    if not plan.workloads:
        raise ConfigError("no workload is in these manifests", "name a file with a Deployment, Job, Pod, …")
    nodes = warehouse.query("present_nodes", cluster=cluster or "", day=day).to_pylist()
    clusters = sorted({node["cluster"] for node in nodes})
    if len(clusters) != 1:
        raise ConfigError(
            f"the lake holds {', '.join(clusters)}" if clusters else f"the lake holds no node up to {day}",
            "choose one with --cluster" if clusters else "measure a day first: costlab nightly",
        )
    known = warehouse.query("usage_of_workloads", cluster=clusters[0], day=day, days=days).to_pylist()
    desk = _Desk(settings, charged(settings.device_resources), nodes, known, days, hours)
    rows: list[Row] = []
    notes = [f"{what} is not priced: costlab does not know what it runs" for what in plan.unpriced]
    bills: list[Bill] = []
    together = Counter[WorkloadKey]()
    for each in plan.workloads:
        together[each.workload] += each.pods or 0
    for each in plan.workloads:
        priced, said = desk.price(each, together[each.workload])
        rows += priced
        pods = int(priced[0]["pods"]) if priced else each.pods or 0
        bills.append(Bill(each, desk.team(each), pods, _sum(row.get("monthly_cost") for row in priced)))
        part = f" {each.part}" if each.part else ""
        notes += [f"{each.where} {each.workload.kind}/{each.workload.name}{part}: {text}" for text in said]
    currency = nodes[0]["currency"] or settings.prices.currency
    there = {WorkloadKey(row["namespace"], row["workload_kind"], row["workload"]) for row in known}
    notes += beyond_quotas(warehouse, clusters[0], day, bills, there)
    notes += beyond_budgets(
        warehouse, clusters[0], (nodes[0]["date"], days), bills, settings.budgets, currency
    )
    total = {"namespace": "(total)"} | {name: _sum(row.get(name) for row in rows) for name in _SUMMED}
    table = pa.Table.from_pylist([*rows, total], schema=pa.schema(_COLUMNS))
    return Prediction(table, currency, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every workload of the manifests is priced with."""

    settings: Settings
    resources: DeviceResources
    nodes: list[Row]
    known: list[Row]
    days: int
    hours: float | None

    def team(self, each: Planned) -> str:
        """Whose it will be: by its own labels, by configuration, or as what runs in its namespace."""
        labels = {plain_label(key): value for key, value in each.labels.items()}
        owner = self.settings.owner
        told = (labels.get(plain_label(label)) for label in owner.labels)
        configured = owner.namespaces.get(each.workload.namespace, UNALLOCATED)
        seen = (row["team"] for row in self.known if row["namespace"] == each.workload.namespace)
        return next(
            (team for team in told if team),
            next(seen, configured) if configured == UNALLOCATED else configured,
        )

    def price(self, each: Planned, together: int) -> tuple[list[Row], list[str]]:
        """Its rows, and what is to be said of it; together: how many pods all parts of the workload have."""
        notes: list[str] = []
        chosen = self._selected(each, notes)
        fitting = [node for node in chosen if self._fits(each.requests, node)]
        if chosen and not fitting and each.pods != 0:
            notes.append("no node has room for a pod of it: no price is known")
        like = self._like(each)
        pods = len(fitting) if each.pods is None else each.pods
        hours = self.hours
        if hours is None and each.lasting:
            hours = MONTH_HOURS
        elif hours is None and like.monthly_hours and pods:
            hours = like.monthly_hours / max(pods, together)
        if hours is None and pods:
            notes.append("how long it runs is not known: say it with --hours")
        rows = []
        for resource in Resource:
            requests = [
                self._request(each.requests, resource, node) for node in fitting or chosen or self.nodes
            ]
            request = sum(requests) / len(requests)
            used = like.used(resource, request)
            if not request and not used > 0:
                continue
            billed = self._billed(resource, request, used)
            rows.append(
                {
                    "namespace": each.workload.namespace,
                    "workload_kind": each.workload.kind,
                    "workload": each.workload.name,
                    "part": each.part or None,
                    "resource": resource.value,
                    "pods": float(pods),
                    "hours": _NAN if hours is None else hours,
                    "request_per_pod": request,
                    "usage_per_pod": used,
                    "billed_per_pod": billed,
                    **_priced(resource, fitting, billed, used, None if hours is None else pods * hours),
                    "like": like.name or None,
                }
            )
        if not rows:
            notes.append("it requests nothing, and nothing like it was measured: it counts as free")
        elif not like.name:
            notes.append("nothing like it was measured: it is priced by what it requests")
        return rows, notes

    def _selected(self, each: Planned, notes: list[str]) -> list[Row]:
        """The nodes that its nodeSelector allows, as far as the lake knows their labels."""
        wanted = {f"label_{plain_label(key)}": value for key, value in each.node_selector.items()}
        shown = {label for node in self.nodes for label, _ in node["labels"]}
        hidden = sorted(key for key in each.node_selector if f"label_{plain_label(key)}" not in shown)
        if hidden:
            notes.append(
                f"its nodeSelector asks for {', '.join(hidden)}, which no node is known to have: kube-state-metrics may "
                "not be allowed to expose it, and all nodes are taken"
            )  # fmt: skip
        found = [
            node
            for node in self.nodes
            if all(dict(node["labels"]).get(key) == value for key, value in wanted.items() if key in shown)
        ]
        if not found:
            notes.append("no node has the labels of its nodeSelector: no price is known")
        return found

    def _fits(self, requests: Mapping[str, Fraction], node: Row) -> bool:
        """Whether an empty node has room for a pod; what is not known of a node is room."""
        room = (
            (Resource(name), node[name], unit) for name, unit in (("cpu", 1), ("memory", GIB), ("gpu", 1))
        )
        return all(
            have is None or self._request(requests, resource, node) * unit <= have * (1 + 1e-9)
            for resource, have, unit in room
        )

    def _request(self, requests: Mapping[str, Fraction], resource: Resource, node: Row) -> float:
        """What a pod asks of a node, in cores, GiB or physical GPUs: how much of a device a slice is, its model says."""
        if resource is not Resource.GPU:
            return float(requests.get(resource.value, Fraction(0)) / _UNIT[resource])
        shares = ((self.resources.share(exposed(name), node["gpu_model"]), n) for name, n in requests.items())
        return sum(share * float(number) for share, number in shares if share is not None)

    def _billed(self, resource: Resource, request: float, used: float) -> float:
        basis = self.settings.billing.basis
        if resource is Resource.GPU or isnan(used) or basis is Basis.REQUEST:
            return request
        return used if basis is Basis.USAGE else max(request, used)

    def _like(self, each: Planned) -> _Like:
        """Its namesake, in its namespace or else in another; else its class, in its namespace or else in its team."""
        workload = each.workload
        gpu = any(exposed(name) in self.resources for name in each.requests)
        kind = class_of(workload, each.labels, self.settings.classes, gpu=gpu)
        team = self.team(each)
        namesakes = [
            row
            for row in self.known
            if (row["workload_kind"], row["workload"]) == (workload.kind, workload.name)
        ]
        own = [row for row in namesakes if row["namespace"] == workload.namespace]
        if own or namesakes:
            rows = own or namesakes
            where = sorted({row["namespace"] for row in rows})
            amounts = {
                resource.value: median(seen)
                for resource in Resource
                if (seen := [r["used"] for r in rows if r["resource"] == resource and not isnan(r["used"])])
            }
            name = f"{workload.kind}/{workload.name} in {', '.join(where)}, {_days(rows)}"
            pod_hours = median({row["namespace"]: row["pod_hours"] for row in rows}.values())
            monthly_hours = pod_hours / self.days * MONTH_HOURS / 24
            if each.part:  # the lake knows the mean of all its pods, of which the parts differ
                return _Like(name, {}, _shares(rows), monthly_hours)
            return _Like(name, amounts, {}, monthly_hours)
        for what, of in (("namespace", workload.namespace), ("team", team)):
            rows = [
                row for row in self.known if row["class"] == kind and row[what] == of and of != UNALLOCATED
            ]
            if rows:
                count = len({(row["namespace"], row["workload_kind"], row["workload"]) for row in rows})
                of_them = "workload" if count == 1 else "workloads"
                return _Like(
                    f"{count} {kind} {of_them} of {what} {of}, {_days(rows)}", {}, _shares(rows), None
                )
        return _Like("", {}, {}, None)


def _priced(
    resource: Resource, nodes: Sequence[Row], billed: float, used: float, pod_hours: float | None
) -> dict[str, Any]:
    """The mean price of what the nodes have, and the month's money by it and by the lowest and the highest."""
    priced = [(node[f"{resource}_price"], node[resource.value] or 0.0) for node in nodes]
    priced = [(price, amount) for price, amount in priced if price is not None and amount > 0]
    if not priced:
        return {"price": _NAN}
    mean = sum(price * amount for price, amount in priced) / sum(amount for _, amount in priced)
    if pod_hours is None:
        return {"price": mean}
    low, high = min(price for price, _ in priced), max(price for price, _ in priced)
    unused = None if isnan(used) else money((billed - min(billed, used)) * pod_hours * mean)
    month = [money(billed * pod_hours * price) for price in (mean, low, high)]
    return {"price": mean} | dict(zip(_SUMMED, [*month, unused], strict=True))


def _shares(rows: Sequence[Row]) -> dict[str, float]:
    """The median, over workloads, of used over requested; GPUs of those that have any."""
    found = {}
    for resource in Resource:
        ratios = [
            row["used"] / row["requested"]
            for row in rows
            if row["resource"] == resource and row["requested"] > 0
        ]
        ratios = [ratio for ratio in ratios if not isnan(ratio)]
        if ratios:
            found[resource.value] = median(ratios)
    return found


def _days(rows: Sequence[Row]) -> str:
    days = max(row["days"] for row in rows)
    return f"{days} day" if days == 1 else f"{days} days"


def _sum(amounts: Iterator[Decimal | None]) -> Decimal | None:
    """The sum of what is known; None where nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None

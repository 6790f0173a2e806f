"""The charges of a day: every node's price split over its containers, idle and system, to the micro-unit."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.settings import Basis, Settings
from costlab.core.charge import Bill, Claims, Levels, Rule, bill_node
from costlab.core.grid import Grid, grid_of
from costlab.core.kernels import Floats, Ints
from costlab.core.money import apportion, to_micros
from costlab.domain.errors import ReconcileError
from costlab.domain.findings import Finding, Severity
from costlab.domain.tables import TABLES
from costlab.domain.time import Day
from costlab.domain.units import GIB, Resource
from costlab.jobs.columns import milliseconds_of
from costlab.jobs.sharing import devices_expected
from costlab.store.schema import conform, empty

_RULES = {Basis.MAX: Rule.MAX, Basis.REQUEST: Rule.REQUEST, Basis.USAGE: Rule.USAGE}
_IDENTITY = (
    "namespace",
    "workload_kind",
    "workload",
    "pod",
    "pod_uid",
    "container",
    "team",
    "class",
    "pipeline",
)
# Every container has a few unobserved seconds before its first sample; a share like this is more than that.
NOTABLE = 0.01
COMPUTE_RULES = (
    "capacity_unknown",
    "price_unknown",
    "contention",
    "unobserved_usage",
    "allocatable_exceeds_capacity",
)


@dataclass(frozen=True, slots=True)
class Observed:
    """Usage of one resource by container: int64 keys (sorted), start and end; float64 values. All (n,)."""

    key: Ints
    start_ms: Ints
    end_ms: Ints
    value: Floats

    def of(self, key: int) -> slice:
        """Where the rows of one container stand."""
        return slice(*np.searchsorted(self.key, [key, key + 1]))


@dataclass(slots=True)
class _Rows:
    """Rows of `charges` as they are gathered."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def add(self, **values: Any) -> None:
        for name in TABLES["charges"].column_names[2:]:
            self.columns[name].append(values.get(name))


def charge_day(
    tables: Mapping[str, pa.Table], settings: Settings, cluster: str, day: Day
) -> tuple[pa.Table, list[Finding]]:
    """Rows of `charges` for the day's facts, and what is to be said about them.

    tables: containers, nodes, container_usage, gpu_usage. Raises ReconcileError when a node's parts are not its price.
    """
    window = day.window
    grid = grid_of(window.start_ms, window.end_ms, settings.billing.resolution_ms)
    nodes, containers = _by_node(tables["nodes"]), _by_node(tables["containers"])
    observed = {
        Resource.CPU: _observed(tables["container_usage"], "cpu_cores", 1.0),
        Resource.MEMORY: _observed(tables["container_usage"], "memory_bytes", float(GIB)),
        Resource.GPU: _observed(tables["gpu_usage"], "busy_ratio", 1.0),
    }
    rows = _Rows()
    findings: list[Finding] = []
    for node, resource in product(sorted(nodes), Resource):
        there = containers.get(node, [])
        split = _split(node, resource, nodes[node], there, observed[resource], grid, settings.billing.basis)
        if split is not None:
            _add(rows, split, settings.prices.currency)
            findings += _remarks(split)
    if not rows.columns:
        return empty("charges"), findings
    return _table(rows, cluster, day), findings


@dataclass(frozen=True, slots=True)
class _Split:
    """One resource of one node, billed. micros: three parts a container, idle, system; None without a price."""

    node: str
    resource: Resource
    levels: Levels
    groups: list[list[dict[str, Any]]]
    bill: Bill
    micros: Ints | None

    @property
    def usual_price(self) -> float:
        """The mean unit price over the node's life, for rows that were billed nothing."""
        return float(np.average(self.levels.price, weights=self.levels.end_ms - self.levels.start_ms))


def _split(
    node: str,
    resource: Resource,
    lives: list[dict[str, Any]],
    containers: list[dict[str, Any]],
    observed: Observed,
    grid: Grid,
    basis: Basis,
) -> _Split | None:
    """The bill of one resource of one node; None where there is none of it."""
    levels, groups = _levels(lives, resource), _grouped(containers, resource)
    if not groups and not np.nansum(levels.capacity) > 0:
        return None
    rule = Rule.SHARE if resource is Resource.GPU else _RULES[basis]
    bill = bill_node(grid, levels, _claims(groups, resource, observed), rule)
    return _Split(node, resource, levels, groups, bill, _micros(bill, levels, lives, node, resource))


def _add(rows: _Rows, split: _Split, currency: str) -> None:
    """A row for every container, and, where the capacity is known, for idle and system."""
    bill, price, count = split.bill, split.usual_price, len(split.groups)
    common = {
        "resource": split.resource.value,
        "node": split.node,
        "unit": split.resource.unit,
        "currency": currency,
    }
    for i, group in enumerate(split.groups):
        quantity = float(bill.parts_quantity[i].sum())
        parts = [None] * 3 if split.micros is None else split.micros[3 * i : 3 * i + 3].tolist()
        rows.add(
            kind="workload", **common, **{name: group[0][name] for name in _IDENTITY},
            requested_quantity=float(bill.requested[i]), used_quantity=float(bill.used[i]), billed_quantity=quantity,
            unit_price=_unit_price(float(bill.parts_amount[i].sum()), quantity, price),
            cost=None if split.micros is None else sum(parts),
            cost_used=parts[0], cost_unused=parts[1], cost_unobserved=parts[2], coverage=_coverage(split, i),
        )  # fmt: skip
    if split.levels.bounded:
        rests = (
            ("idle", bill.idle_quantity, bill.idle_amount),
            ("system", bill.system_quantity, bill.system_amount),
        )
        for j, (kind, quantity, amount) in enumerate(rests):
            rows.add(
                kind=kind, **common, billed_quantity=quantity, unit_price=_unit_price(amount, quantity, price),
                cost=None if split.micros is None else int(split.micros[3 * count + j]),
            )  # fmt: skip


def _coverage(split: _Split, i: int) -> float:
    """Observed / occupied time; a container of n devices is observed when all n are."""
    devices = 1.0
    if split.resource is Resource.GPU and split.groups[i][0]["gpu_resource"]:
        devices = max(
            devices_expected(r["gpu_resource"], r["gpu_request"], r["gpu_share"]) for r in split.groups[i]
        )
    occupied_s = float(split.bill.occupied_s[i]) * devices
    return min(1.0, float(split.bill.observed_s[i]) / occupied_s) if occupied_s else 0.0


def _micros(
    bill: Bill, levels: Levels, lives: list[dict[str, Any]], node: str, resource: Resource
) -> Ints | None:
    """Micro-units of every part, idle and system; None where no price is known.

    The total is the node's own, reckoned from capacity, price and life alone: the cells must agree with it.
    """
    amounts = np.append(bill.parts_amount.ravel(), [bill.idle_amount, bill.system_amount])
    if np.isnan(amounts).any():
        return None
    total = to_micros(float(amounts.sum()))
    if levels.bounded:
        stored = [row[f"{resource.value}_cost"] for row in lives]
        if None in stored:
            return None
        total = int(sum(stored, Decimal(0)).scaleb(6))
        if abs(float(amounts.sum()) * 1e6 - total) > 2:
            raise ReconcileError(
                f"{resource.value} of node {node}: its parts make {amounts.sum():.6f}, its price is {total / 1e6:.6f}",
                "this is a fault of costlab or of the lake: nothing was committed; report it with the day's log",
            )
    try:
        return apportion(amounts, total)
    except ValueError as error:
        raise ReconcileError(f"{resource.value} of node {node}: {error}", "nothing was committed") from error


def _remarks(split: _Split) -> Iterator[Finding]:
    """What a person should know of a bill."""
    bill, levels, micros = split.bill, split.levels, split.micros
    subject, unit = f"{split.node} {split.resource.value}", split.resource.hours
    if not levels.bounded:
        yield Finding(
            "capacity_unknown", Severity.WARNING, subject,
            "its capacity is not known: no idle, no system, and bills are not scaled to it",
        )  # fmt: skip
    if micros is None:
        hours = float(bill.parts_quantity.sum()) + bill.idle_quantity + bill.system_quantity
        yield Finding(
            "price_unknown", Severity.ERROR, subject, f"{hours:.3f} {unit} have no price and cost null"
        )
    if bill.contended_cells:
        yield Finding(
            "contention", Severity.INFO, subject,
            f"in {bill.contended_cells} cells more was asked or used than the node has; bills are scaled to its price",
        )  # fmt: skip
    if levels.bounded and bool(np.any(levels.allocatable > levels.capacity)):
        yield Finding(
            "allocatable_exceeds_capacity", Severity.WARNING, subject, "its allocatable exceeds its capacity",
            None if micros is None else Decimal(int(micros[-1])).scaleb(-6),
        )  # fmt: skip
    unseen, billed = float(bill.parts_quantity[:, 2].sum()), float(bill.parts_quantity.sum())
    if unseen > NOTABLE * billed:
        yield Finding(
            "unobserved_usage", Severity.WARNING, subject,
            f"{unseen:.3f} of {billed:.3f} {unit} were occupied while usage was not observed",
            None if micros is None else Decimal(int(micros[2:-2:3].sum())).scaleb(-6),
        )  # fmt: skip


def _by_node(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows by node, their instants as epoch milliseconds in start_ms and end_ms."""
    found = defaultdict(list)
    starts, ends = milliseconds_of(table.column("start")), milliseconds_of(table.column("end"))
    for row, start_ms, end_ms in zip(
        table.drop_columns(["labels"]).to_pylist(), starts.tolist(), ends.tolist(), strict=True
    ):
        found[row["node"]].append({**row, "start_ms": start_ms, "end_ms": end_ms})
    return found


def _observed(table: pa.Table, column: str, per_unit: float) -> Observed:
    table = table.filter(table.column("container_key").is_valid())
    key = table.column("container_key").to_numpy()
    start_ms = milliseconds_of(table.column("ts"))
    end_ms = start_ms + np.rint(table.column("dt_s").to_numpy().astype(np.float64) * 1000).astype(np.int64)
    value = table.column(column).to_numpy().astype(np.float64) / per_unit
    order = np.argsort(key, kind="stable")
    order = order[~np.isnan(value[order])]
    return Observed(key[order], start_ms[order], end_ms[order], value[order])


def _levels(lives: list[dict[str, Any]], resource: Resource) -> Levels:
    unit = float(GIB) if resource is Resource.MEMORY else 1.0

    def numbers(name: str) -> Floats:
        return np.array([np.nan if row[name] is None else row[name] for row in lives], np.float64)

    return Levels(
        np.array([row["start_ms"] for row in lives], np.int64),
        np.array([row["end_ms"] for row in lives], np.int64),
        numbers(f"{resource.value}_capacity") / unit,
        numbers(f"{resource.value}_allocatable") / unit,
        numbers(f"{resource.value}_price"),
    )


def _grouped(containers: list[dict[str, Any]], resource: Resource) -> list[list[dict[str, Any]]]:
    """The rows of each container that can be charged for the resource."""
    groups: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in containers:
        if resource is Resource.GPU and row["gpu_share"] is None:
            continue
        if resource is not Resource.GPU and not row["container"] and row[f"{resource.value}_request"] is None:
            continue
        groups[row["container_key"]].append(row)
    return list(groups.values())


def _claims(groups: list[list[dict[str, Any]]], resource: Resource, observed: Observed) -> Claims:
    asked_of = "gpu_share" if resource is Resource.GPU else f"{resource.value}_request"
    unit = float(GIB) if resource is Resource.MEMORY else 1.0
    asked = [
        (i, r["start_ms"], r["end_ms"], (r[asked_of] or 0.0) / unit)
        for i, group in enumerate(groups)
        for r in group
    ]
    used: list[tuple[Ints, Ints, Ints, Floats]] = []
    for i, group in enumerate(groups):
        born, died = min(r["start_ms"] for r in group), max(r["end_ms"] for r in group)
        if not group[0]["container"]:
            # What a pod reserves beyond its containers is used by nobody, and that is known.
            used.append((np.array([i]), np.array([born]), np.array([died]), np.zeros(1)))
            continue
        rows = observed.of(group[0]["container_key"])
        start_ms, end_ms = np.maximum(observed.start_ms[rows], born), np.minimum(observed.end_ms[rows], died)
        lived = start_ms < end_ms
        used.append(
            (np.full(int(lived.sum()), i), start_ms[lived], end_ms[lived], observed.value[rows][lived])
        )
    table = np.array(asked, np.float64).reshape(-1, 4)
    columns = [np.concatenate([part[c] for part in used]) if used else np.empty(0) for c in range(4)]
    return Claims(
        len(groups),
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].astype(np.int64), table[:, 3].copy(),
        columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.int64),
        columns[3].astype(np.float64),
    )  # fmt: skip


def _unit_price(amount: float, quantity: float, price: float) -> float | None:
    mean = amount / quantity if quantity > 0 else price
    return None if np.isnan(mean) else mean


def _table(rows: _Rows, cluster: str, day: Day) -> pa.Table:
    money = ("cost", "cost_used", "cost_unused", "cost_unobserved")
    texts = {"kind", "resource", "node", "unit", "currency", *_IDENTITY}
    columns: dict[str, Any] = {"cluster": cluster, "date": day.date}
    for name, values in rows.columns.items():
        kind = pa.int64() if name in money else pa.string() if name in texts else pa.float64()
        columns[name] = pa.array(values, kind)
    return conform("charges", columns)

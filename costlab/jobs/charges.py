"""The charges of a day: every node's price split over its containers, idle and system, and what stands beside nodes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.settings import Settings
from costlab.core.grid import grid_of
from costlab.core.money import to_micros
from costlab.domain.findings import Finding, Severity
from costlab.domain.tables import TABLES
from costlab.domain.time import Day
from costlab.domain.units import GIB, Resource
from costlab.jobs.bills import NodeBill, bill_resource, by_node, observed_in
from costlab.jobs.fees import fee_charges
from costlab.jobs.network import NETWORK_RULES, network_charges
from costlab.jobs.pods import rows_of
from costlab.jobs.storage import STORAGE_RULES, volume_charges
from costlab.jobs.unattributed import RULE as UNATTRIBUTED
from costlab.jobs.unattributed import unattributed
from costlab.store.schema import conform, empty

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
    "pipeline_task",
    "pipeline_run",
)
_WHOSE = tuple(name for name in _IDENTITY if name != "container")
# Every container has a few unobserved seconds before its first sample; a share like this is more than that.
NOTABLE = 0.01
COMPUTE_RULES = (
    "capacity_unknown",
    "price_unknown",
    "contention",
    "outside_node_life",
    "unobserved_usage",
    "allocatable_exceeds_capacity",
    UNATTRIBUTED,
    *STORAGE_RULES,
    *NETWORK_RULES,
)


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

    tables: containers, pods, nodes, volumes, container_usage, gpu_usage, gpus. Raises ReconcileError when the parts of a
    node, or of a claim, are not its price.
    """
    window = day.window
    grid = grid_of(window.start_ms, window.end_ms, settings.billing.resolution_ms)
    nodes, containers = by_node(tables["nodes"]), by_node(tables["containers"])
    observed = {
        Resource.CPU: observed_in(tables["container_usage"], "cpu_cores", 1.0),
        Resource.MEMORY: observed_in(tables["container_usage"], "memory_bytes", float(GIB)),
        Resource.GPU: observed_in(tables["gpu_usage"], "busy_ratio", 1.0),
    }
    rows = _Rows()
    findings: list[Finding] = []
    idle: dict[str, Decimal | None] = {}
    for node, resource in product(sorted(nodes), Resource):
        there = containers.get(node, [])
        split = bill_resource(
            node, resource, nodes[node], there, observed[resource], grid, settings.billing.basis
        )
        if split is not None:
            _add(rows, split, settings.prices.currency)
            findings += _remarks(split, settings.billing.max_gap_ms)
            if resource is Resource.GPU:
                idle[node] = None if split.micros is None else Decimal(int(split.micros[-2])).scaleb(-6)
    findings += unattributed(tables, idle)
    pods = rows_of(tables["pods"])
    volumes, said = volume_charges(tables["volumes"], pods, _WHOSE)
    traffic, more = network_charges(pods, settings.prices.network_gib, _WHOSE)
    for charge in (*volumes, *traffic, *fee_charges(settings.prices, cluster, day)):
        rows.add(currency=settings.prices.currency, **charge)
    findings += [*said, *more]
    if not rows.columns:
        return empty("charges"), findings
    return _table(rows, cluster, day), findings


def _add(rows: _Rows, split: NodeBill, currency: str) -> None:
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
            cost_used=parts[0], cost_unused=parts[1], cost_unobserved=parts[2], coverage=split.coverage(i),
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


def _remarks(split: NodeBill, max_gap_ms: int) -> Iterator[Finding]:
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
            None if np.isnan(split.scaled_away) else Decimal(to_micros(split.scaled_away)).scaleb(-6),
        )  # fmt: skip
    if split.beyond is not None and bool(np.any(split.beyond.occupied_s > max_gap_ms / 1000)):
        amount = float(split.beyond.parts_amount.sum())
        yield Finding(
            "outside_node_life", Severity.WARNING, subject,
            f"pods occupied {float(split.beyond.parts_quantity.sum()):.3f} {unit} while the node was not there or had "
            "none; nothing is billed for them",
            None if np.isnan(amount) else Decimal(to_micros(amount)).scaleb(-6),
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


def _unit_price(amount: float, quantity: float, price: float) -> float | None:
    mean = amount / quantity if quantity > 0 else price
    return None if np.isnan(mean) else mean


def _table(rows: _Rows, cluster: str, day: Day) -> pa.Table:
    money = ("cost", "cost_used", "cost_unused", "cost_unobserved")
    texts = {"kind", "resource", "node", "item", "unit", "currency", *_IDENTITY}
    columns: dict[str, Any] = {"cluster": cluster, "date": day.date}
    for name, values in rows.columns.items():
        kind = pa.int64() if name in money else pa.string() if name in texts else pa.float64()
        columns[name] = pa.array(values, kind)
    return conform("charges", columns)

"""The charges of a day: every node's price split over its containers, idle and system, and what stands beside nodes."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.settings import Settings
from costlab.core.arrays import Floats, Ints
from costlab.core.grid import grid_of
from costlab.core.money import told_amount
from costlab.domain.findings import Finding, Severity
from costlab.domain.tables import PARTITION, TABLES
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.bills import NodeBill, Residents, bill_resource, lives_of, residents_of
from costlab.jobs.fees import fee_charges
from costlab.jobs.network import NETWORK_RULES, network_charges
from costlab.jobs.observed import Usage
from costlab.jobs.pods import rows_of
from costlab.jobs.processors import processors
from costlab.jobs.storage import STORAGE_RULES, volume_charges
from costlab.jobs.unattributed import RULE as UNATTRIBUTED
from costlab.jobs.unattributed import unattributed
from costlab.store.rows import DayRows
from costlab.store.schema import conform, empty, ordered

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


def charge_day(
    tables: Mapping[str, pa.Table],
    gpu_usage: DayRows,
    usage: Usage,
    settings: Settings,
    cluster: str,
    day: Day,
) -> tuple[pa.Table, list[Finding]]:
    """Rows of `charges` for the day's facts, and what is to be said about them.

    tables: containers, pods, nodes, volumes, gpus. Raises ReconcileError when the parts of a node, or of a
    claim, are not its price.
    """
    bills = _bills(tables, usage, settings, day)
    findings = [remark for bill in bills for remark in _remarks(bill, settings.billing.max_gap_ms)]
    findings += unattributed(tables, gpu_usage, _idle_gpus(bills))
    pods = rows_of(tables["pods"])
    volumes, said = volume_charges(tables["volumes"], pods, _WHOSE)
    traffic, more = network_charges(pods, settings.prices.network_gib, _WHOSE)
    fees = fee_charges(settings.prices, cluster, day)
    parts = [_of_nodes(bills, tables["containers"]), _beside([*volumes, *traffic, *fees])]
    common = {"cluster": cluster, "date": day.date, "currency": settings.prices.currency}
    charges = [conform("charges", {**common, **columns}) for columns in parts if columns]
    rows = ordered("charges", pa.concat_tables([empty("charges"), *charges]))
    return rows, [*findings, *said, *more]


def _idle_gpus(bills: list[NodeBill]) -> dict[str, Decimal | None]:
    """Each node's money that is in its idle GPUs; None without a price."""
    return {
        bill.node: None if bill.micros is None else Decimal(int(bill.micros[-2])).scaleb(-6)
        for bill in bills
        if bill.resource is Resource.GPU
    }


def _bills(tables: Mapping[str, pa.Table], usage: Usage, settings: Settings, day: Day) -> list[NodeBill]:
    """Every bill of the day, node by node; as many at a time as there are processors, and the same with any number."""
    window = day.window
    grid = grid_of(window.start_ms, window.end_ms, settings.billing.resolution_ms)
    lives = lives_of(tables["nodes"])
    nodes = sorted(lives)
    residents = [
        residents_of(tables["containers"], nodes, resource, usage[resource]) for resource in Resource
    ]

    def bill(at: tuple[int, Residents]) -> NodeBill | None:
        node, there = at
        return bill_resource(node, nodes[node], lives[nodes[node]], there, grid, settings.billing.basis)

    with ThreadPoolExecutor(processors()) as pool:
        found = pool.map(bill, product(range(len(nodes)), residents))
        return [one for one in found if one is not None]


def _of_nodes(bills: list[NodeBill], containers: pa.Table) -> dict[str, Any]:
    """A row for every container of every bill, and, where the capacity is known, for idle and system."""
    if not bills:
        return {}
    owing = np.repeat(np.arange(len(bills)), [len(bill.rows) for bill in bills])
    bounded = [i for i, bill in enumerate(bills) if bill.levels.bounded]
    resting = np.repeat(np.array(bounded, np.int64), 2)
    of = np.concatenate([owing, resting])
    rows = np.concatenate([bill.rows for bill in bills])

    def each(figure: Callable[[NodeBill], Floats]) -> Floats:
        return np.concatenate([figure(bill) for bill in bills])

    def rest(figure: Callable[[NodeBill], tuple[float, float]]) -> Floats:
        return np.array([figure(bills[i]) for i in bounded], np.float64).ravel()

    def named(name: Callable[[NodeBill], str]) -> pa.Array:
        return pa.array([name(bill) for bill in bills], pa.string()).take(pa.array(of))

    def owed(figures: Floats) -> pa.Array:
        return pa.array(np.append(figures, np.zeros(len(resting))), mask=np.arange(len(of)) >= len(owing))

    quantity = np.append(
        each(lambda bill: _in_all(bill.bill.parts_quantity)),
        rest(lambda bill: (bill.bill.idle_quantity, bill.bill.system_quantity)),
    )
    amount = np.append(
        each(lambda bill: _in_all(bill.bill.parts_amount)),
        rest(lambda bill: (bill.bill.idle_amount, bill.bill.system_amount)),
    )
    price = np.array([bill.usual_price for bill in bills])[of]
    np.divide(amount, quantity, out=price, where=quantity > 0)
    parts, rests = _money(bills)
    unpriced = np.array([bill.micros is None for bill in bills])[of]
    beside = unpriced | (np.arange(len(of)) >= len(owing))
    nothing = np.zeros(len(resting), np.int64)
    nobody = pa.nulls(len(resting), pa.string())
    return {
        "kind": ["workload"] * len(owing) + ["idle", "system"] * len(bounded),
        "resource": named(lambda bill: bill.resource.value),
        "node": named(lambda bill: bill.node),
        **{
            name: pa.concat_arrays([containers.column(name).combine_chunks().take(pa.array(rows)), nobody])
            for name in _IDENTITY
        },
        "item": pa.nulls(len(of), pa.string()),
        "unit": named(lambda bill: bill.resource.unit),
        "requested_quantity": owed(each(lambda bill: bill.bill.requested)),
        "used_quantity": owed(each(lambda bill: bill.bill.used)),
        "billed_quantity": quantity,
        "unit_price": pa.array(price, mask=np.isnan(price)),
        "cost": pa.array(np.append(parts.sum(axis=1), rests), mask=unpriced),
        **{
            f"cost_{part}": pa.array(np.append(parts[:, i], nothing), mask=beside)
            for i, part in enumerate(("used", "unused", "unobserved"))
        },
        "coverage": owed(each(lambda bill: bill.coverage)),
    }


def _beside(charges: list[dict[str, Any]]) -> dict[str, Any]:
    """A row for each charge that is no node's: of volumes, traffic and fees."""
    own = [name for name in TABLES["charges"].column_names if name not in (*PARTITION, "currency")]
    return {name: [charge.get(name) for charge in charges] for name in own} if charges else {}


def _in_all(parts: Floats) -> Floats:
    return parts[:, 0] + parts[:, 1] + parts[:, 2]


def _money(bills: list[NodeBill]) -> tuple[Ints, Ints]:
    """Micro-units of the parts of every container, int64 (n, 3), and of idle and system; 0 where there is no price."""
    parts, rests = [np.empty((0, 3), np.int64)], [np.empty(0, np.int64)]
    for bill in bills:
        micros = np.zeros(3 * len(bill.rows) + 2, np.int64) if bill.micros is None else bill.micros
        parts.append(micros[:-2].reshape(-1, 3))
        if bill.levels.bounded:
            rests.append(micros[-2:])
    return np.concatenate(parts), np.concatenate(rests)


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
            told_amount(bill.scaled_away),
        )  # fmt: skip
    if split.beyond is not None and bool(np.any(split.beyond.occupied_s > max_gap_ms / 1000)):
        amount = float(split.beyond.parts_amount.sum())
        yield Finding(
            "outside_node_life", Severity.WARNING, subject,
            f"pods occupied {float(split.beyond.parts_quantity.sum()):.3f} {unit} while the node was not there or had "
            "none; nothing is billed for them",
            told_amount(amount),
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

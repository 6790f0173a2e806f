"""The nodes of a day with their unit prices, and what each of them cost."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.prices import Billed, NodeKind, PricedWindow, node_prices
from costlab.config.settings import Settings
from costlab.core.money import EXACT, apportion, to_micros
from costlab.domain.errors import ReconcileError
from costlab.domain.time import Day, Window
from costlab.domain.units import GIB
from costlab.jobs.billing import Bought
from costlab.jobs.columns import milliseconds_of
from costlab.jobs.machines import Machine, Size
from costlab.store.schema import conform, empty

_SIZES = ("cpu", "memory", "gpu")


def nodes_table(
    machines: list[Machine],
    settings: Settings,
    cluster: str,
    day: Day,
    billed: Mapping[Bought, Billed] = MappingProxyType({}),
) -> pa.Table:
    """Rows of `nodes`: each machine while its unit prices hold, and its price for that time.

    Raises ReconcileError for a node that costs more than can be told to a micro-unit.
    """
    rows = [
        (m, priced) for m in machines for priced in _priced(m, settings, billed.get((m.node, m.provider_id)))
    ]
    if not rows:
        return empty("nodes")
    columns: dict[str, Any] = {
        "cluster": cluster,
        "date": day.date,
        "node": [m.node for m, _ in rows],
        "start": np.array([p.start_ms for _, p in rows], np.int64),
        "end": np.array([p.end_ms for _, p in rows], np.int64),
        "gpu_model": pa.array([m.gpu_model for m, _ in rows], pa.string()),
        "labels": [sorted(m.labels.items()) for m, _ in rows],
        "capacity_type": pa.array([m.capacity_type for m, _ in rows], pa.string()),
        "provider_id": pa.array([m.provider_id for m, _ in rows], pa.string()),
        "price_source": [p.prices.source for _, p in rows],
    }
    costs = _costs(rows)
    for name in _SIZES:
        columns[f"{name}_capacity"] = _floats([getattr(m.capacity, name) for m, _ in rows])
        columns[f"{name}_allocatable"] = _floats([getattr(m.allocatable, name) for m, _ in rows])
        columns[f"{name}_price"] = _floats([getattr(p.prices, name) for _, p in rows])
        columns[f"{name}_cost"] = pa.array(costs[name], pa.int64())
    return conform("nodes", columns)


def machines_in(nodes: pa.Table) -> list[Machine]:
    """The machines behind rows of `nodes`, joined where only a price had parted them."""
    starts, ends = milliseconds_of(nodes.column("start")), milliseconds_of(nodes.column("end"))
    found: list[Machine] = []
    for row, start_ms, end_ms in zip(nodes.to_pylist(), starts.tolist(), ends.tolist(), strict=True):
        capacity, allocatable = (
            Size(*(row[f"{name}_{what}"] for name in _SIZES)) for what in ("capacity", "allocatable")
        )
        machine = Machine(
            row["node"],
            start_ms,
            end_ms,
            capacity,
            allocatable,
            row["gpu_model"],
            dict(row["labels"]),
            row["provider_id"],
        )
        last = found[-1] if found else None
        if last and last.end_ms == start_ms and _same(last, machine):
            found[-1] = replace(last, end_ms=end_ms)
        else:
            found.append(machine)
    return found


def _priced(machine: Machine, settings: Settings, billed: Billed | None) -> list[PricedWindow]:
    size = machine.capacity
    gib = None if size.memory is None else size.memory / GIB
    kind = NodeKind((size.cpu, gib, size.gpu), machine.gpu_model, machine.labels, machine.capacity_type)
    window = Window(machine.start_ms, machine.end_ms)
    return node_prices(kind, settings.prices, settings.book, window, settings.timezone, billed)


def _costs(rows: list[tuple[Machine, PricedWindow]]) -> dict[str, list[int | None]]:
    """Capacity × unit price × life of each row and resource in micro-units, rounded once a node.

    What a node costs is so the sum of its resources, to the micro-unit: an hourly price, or a bill.
    """
    costs: dict[str, list[int | None]] = {name: [None] * len(rows) for name in _SIZES}
    by_node: dict[str, list[int]] = defaultdict(list)
    for i, (machine, _) in enumerate(rows):
        by_node[machine.node].append(i)
    for mine in by_node.values():
        amounts = {name: {i: _amount(name, *rows[i]) for i in mine} for name in _SIZES}
        known = {name: {i: x for i, x in of.items() if x is not None} for name, of in amounts.items()}
        sums = np.array([sum(of.values()) for of in known.values()], np.float64)
        if not sums.sum() < EXACT:
            raise ReconcileError(
                f"node {rows[mine[0]][0].node} would cost {sums.sum():.3g} a day, more than can be told to a micro-unit",
                "look at the kube_node_status_capacity of that node, and at the prices that fit it",
            )
        totals = apportion(sums, to_micros(float(sums.sum())))
        for (name, of), total in zip(known.items(), totals.tolist(), strict=True):
            micros = apportion(np.array(list(of.values()), np.float64), total)
            for i, cost in zip(of, micros.tolist(), strict=True):
                costs[name][i] = cost
    return costs


def _amount(name: str, machine: Machine, priced: PricedWindow) -> float | None:
    capacity, price = getattr(machine.capacity, name), getattr(priced.prices, name)
    if capacity is None or price is None:
        return 0.0 if capacity == 0 else None
    size = capacity / GIB if name == "memory" else capacity
    return float(size * price * (priced.end_ms - priced.start_ms) / 3_600_000)


def _same(a: Machine, b: Machine) -> bool:
    return replace(a, start_ms=b.start_ms, end_ms=b.end_ms) == b


def _floats(values: list[float | None]) -> pa.Array:
    return pa.array(values, pa.float64())

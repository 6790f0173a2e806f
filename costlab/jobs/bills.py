"""The bill of one resource of one node, out of the lake's tables: what was asked, what was used, what it is worth."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.settings import Basis
from costlab.core.charge import Bill, Claims, Levels, Rule, bill_node
from costlab.core.grid import Grid
from costlab.core.kernels import Floats, Ints
from costlab.core.money import apportion, to_micros
from costlab.domain.errors import ReconcileError
from costlab.domain.units import GIB, Resource
from costlab.jobs.columns import milliseconds_of
from costlab.jobs.sharing import devices_expected

_RULES = {Basis.MAX: Rule.MAX, Basis.REQUEST: Rule.REQUEST, Basis.USAGE: Rule.USAGE}


@dataclass(frozen=True, slots=True)
class NodeBill:
    """One resource of one node, billed. micros: three parts a container, idle, system; None without a price.

    groups: the rows of each container that is charged. beyond: what containers would have been billed, at the nearest
    price known, for the time in which their node had none of the resource; None where there was no such time.
    scaled_away: money that was asked for beyond the node's price, NaN without one.
    """

    node: str
    resource: Resource
    levels: Levels
    groups: list[list[dict[str, Any]]]
    bill: Bill
    micros: Ints | None
    beyond: Bill | None
    scaled_away: float

    @property
    def usual_price(self) -> float:
        """The mean unit price over the node's life, for rows that were billed nothing."""
        return float(np.average(self.levels.price, weights=self.levels.end_ms - self.levels.start_ms))

    def coverage(self, i: int) -> float:
        """Observed / occupied time; a container of n devices is observed when all n are."""
        devices = 1.0
        if self.resource is Resource.GPU and self.groups[i][0]["gpu_resource"]:
            devices = max(
                devices_expected(r["gpu_resource"], r["gpu_request"], r["gpu_share"]) for r in self.groups[i]
            )
        occupied_s = float(self.bill.occupied_s[i]) * devices
        return min(1.0, float(self.bill.observed_s[i]) / occupied_s) if occupied_s else 0.0


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


def bill_resource(
    node: str,
    resource: Resource,
    lives: list[dict[str, Any]],
    containers: list[dict[str, Any]],
    observed: Observed,
    grid: Grid,
    basis: Basis,
) -> NodeBill | None:
    """The bill of one resource of one node; None where there is none of it."""
    levels, groups = _levels(lives, resource), _grouped(containers, resource)
    if not groups and not np.nansum(levels.capacity) > 0:
        return None
    rule = Rule.SHARE if resource is Resource.GPU else _RULES[basis]
    claims, beyond = _claims(groups, resource, observed), None
    outside = claims.beyond(*levels.there) if levels.bounded else None
    if outside is not None and len(outside.asked):
        # What is not there cannot be occupied: else a node's last cell would look contended, and the pods that
        # outlive it billed nothing in silence.
        beyond = bill_node(grid, levels.unbounded, outside, rule)
        charged = sorted(set(claims.within(*levels.there).asked_row.tolist()))
        groups = [groups[row] for row in charged]
        claims = _claims(groups, resource, observed).within(*levels.there)
    bill = bill_node(grid, levels, claims, rule)
    return NodeBill(
        node, resource, levels, groups, bill, _micros(bill, levels, lives, node, resource), beyond,
        _scaled_away(bill, grid, levels, claims, rule),
    )  # fmt: skip


def _scaled_away(bill: Bill, grid: Grid, levels: Levels, claims: Claims, rule: Rule) -> float:
    if not bill.contended_cells:
        return 0.0
    asked = bill_node(grid, levels.unbounded, claims, rule)
    return float(asked.parts_amount.sum() - bill.parts_amount.sum())


def by_node(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows by node, their instants as epoch milliseconds in start_ms and end_ms."""
    found = defaultdict(list)
    starts, ends = milliseconds_of(table.column("start")), milliseconds_of(table.column("end"))
    for row, start_ms, end_ms in zip(
        table.drop_columns(["labels"]).to_pylist(), starts.tolist(), ends.tolist(), strict=True
    ):
        found[row["node"]].append({**row, "start_ms": start_ms, "end_ms": end_ms})
    return found


def observed_in(table: pa.Table, column: str, per_unit: float) -> Observed:
    """One column of `container_usage` or `gpu_usage`, in units of `per_unit`, of containers that are known."""
    table = table.filter(table.column("container_key").is_valid())
    key = table.column("container_key").to_numpy()
    start_ms = milliseconds_of(table.column("ts"))
    end_ms = start_ms + np.rint(table.column("dt_s").to_numpy().astype(np.float64) * 1000).astype(np.int64)
    value = table.column(column).to_numpy().astype(np.float64) / per_unit
    order = np.argsort(key, kind="stable")
    order = order[~np.isnan(value[order])]
    return Observed(key[order], start_ms[order], end_ms[order], value[order])


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

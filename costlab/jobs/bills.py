"""The bill of one resource of one node, out of the lake's tables: what was asked, what was used, what it is worth."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.config.charging import Basis
from costlab.core.arrays import Floats, Ints
from costlab.core.charge import ALWAYS, Bill, Claims, Levels, Rule, between, bill_node
from costlab.core.grid import Grid
from costlab.core.money import apportion, to_micros
from costlab.domain.errors import ReconcileError
from costlab.domain.units import GIB, Resource
from costlab.jobs.columns import milliseconds_of
from costlab.jobs.observed import Observed
from costlab.jobs.sharing import devices_expected

_RULES = {Basis.MAX: Rule.MAX, Basis.REQUEST: Rule.REQUEST, Basis.USAGE: Rule.USAGE}


@dataclass(frozen=True, slots=True)
class NodeBill:
    """One resource of one node, billed. micros: three parts a container, idle, system; None without a price.

    rows: the first row in `containers` of each container that is charged. devices: how many each has.
    beyond: what containers would have been billed, at the nearest price known, for the time in which their node had
    none of the resource; None where there was no such time.
    """

    node: str
    resource: Resource
    levels: Levels
    rows: Ints
    devices: Floats
    bill: Bill
    micros: Ints | None
    beyond: Bill | None

    @property
    def usual_price(self) -> float:
        """The mean unit price over the node's life, for rows that were billed nothing."""
        return float(np.average(self.levels.price, weights=self.levels.end_ms - self.levels.start_ms))

    @property
    def coverage(self) -> Floats:
        """Observed / occupied time; a container of n devices is observed when all n are."""
        occupied_s = self.bill.occupied_s * self.devices
        shares = np.divide(
            self.bill.observed_s, occupied_s, out=np.zeros_like(occupied_s), where=occupied_s > 0
        )
        return np.minimum(1.0, shares)


@dataclass(frozen=True, slots=True)
class Residents:
    """What the containers of each node ask of one resource, node by node, container by container, in their order.

    row: int64 (n,), rows of `containers`. offsets: (containers + 1,), which of them are of one container.
    nodes: (nodes + 1,), which containers are on one node. Those that cannot be charged for the resource are left out.
    devices: float64 (containers,). seen: where their usage stands in `observed`.
    """

    resource: Resource
    row: Ints
    offsets: Ints
    nodes: Ints
    start_ms: Ints
    end_ms: Ints
    asked: Floats
    devices: Floats
    seen: Ints
    observed: Observed

    def on(self, node: int) -> tuple[Claims, slice]:
        """What is claimed on a node, and which of the containers claim it."""
        which = slice(self.nodes[node], self.nodes[node + 1])
        offsets = self.offsets[which.start : which.stop + 1]
        rows = slice(offsets[0], offsets[-1])
        claims = Claims(
            offsets - offsets[0], self.start_ms[rows], self.end_ms[rows], self.asked[rows], self.seen[which],
            self.observed.zero_ms, self.observed.start_ms, self.observed.end_ms, self.observed.usage[self.resource],
            1 / GIB if self.resource is Resource.MEMORY else 1.0,
        )  # fmt: skip
        return claims, which


def residents_of(containers: pa.Table, nodes: list[str], resource: Resource, observed: Observed) -> Residents:
    """Who asks for a resource of each of these nodes."""
    on_node = _integers(pc.index_in(containers.column("node"), value_set=pa.array(nodes, pa.string())), -1)
    key = containers.column("container_key").to_numpy()
    reserved = pc.equal(containers.column("container"), "").to_numpy()
    asked_of = containers.column("gpu_share" if resource is Resource.GPU else f"{resource.value}_request")
    told = asked_of.is_valid().to_numpy()
    charged = (on_node >= 0) & (told if resource is Resource.GPU else told | ~reserved)
    row = np.argsort(on_node, kind="stable")
    row = row[charged[row]]
    changed = (on_node[row][1:] != on_node[row][:-1]) | (key[row][1:] != key[row][:-1])
    first = np.flatnonzero(np.append(True, changed)[: len(row)])
    asked = pc.fill_null(asked_of, 0.0).to_numpy()[row]
    seen = observed.of(key[row[first]])
    # What a pod reserves beyond its containers is used by nobody, and that is known.
    seen[reserved[row[first]]] = -1
    return Residents(
        resource=resource,
        row=row,
        offsets=np.append(first, len(row)),
        nodes=np.searchsorted(on_node[row[first]], np.arange(len(nodes) + 1)),
        start_ms=milliseconds_of(containers.column("start"))[row],
        end_ms=milliseconds_of(containers.column("end"))[row],
        asked=asked / GIB if resource is Resource.MEMORY else asked,
        devices=_devices(containers, row, first) if resource is Resource.GPU else np.ones(len(first)),
        seen=seen,
        observed=observed,
    )


def bill_resource(
    node: int, name: str, lives: list[dict[str, Any]], residents: Residents, grid: Grid, basis: Basis
) -> NodeBill | None:
    """The bill of one resource of one node; None where there is none of it. Raises ReconcileError."""
    resource = residents.resource
    levels, (claims, which) = _levels(lives, resource), residents.on(node)
    rows, devices = residents.row[residents.offsets[which]], residents.devices[which]
    if not len(rows) and not np.nansum(levels.capacity) > 0:
        return None
    rule = Rule.SHARE if resource is Resource.GPU else _RULES[basis]
    if not levels.bounded or claims.lie_within(levels.there):
        spans, beyond = ALWAYS, None
    else:
        # What is not there cannot be occupied: else a node's last cell would look contended, and the pods that
        # outlive it billed nothing in silence.
        beyond = bill_node(grid, levels.unbounded, claims, rule, between(levels.there))
        charged = np.flatnonzero(claims.touch(levels.there))
        rows, devices = rows[charged], devices[charged]
        claims, spans = claims.of(charged), levels.there
    bill = bill_node(grid, levels, claims, rule, spans)
    micros = _micros(bill, levels, lives, name, resource)
    return NodeBill(name, resource, levels, rows, devices, bill, micros, beyond)


def lives_of(nodes: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows of `nodes` by node, their instants as epoch milliseconds in start_ms and end_ms."""
    found = defaultdict(list)
    starts, ends = milliseconds_of(nodes.column("start")), milliseconds_of(nodes.column("end"))
    for row, start_ms, end_ms in zip(
        nodes.drop_columns(["labels"]).to_pylist(), starts.tolist(), ends.tolist(), strict=True
    ):
        found[row["node"]].append({**row, "start_ms": start_ms, "end_ms": end_ms})
    return found


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


def _devices(containers: pa.Table, row: Ints, first: Ints) -> Floats:
    """The most devices that each container had at a time, as exporters show them."""
    some = containers.select(["gpu_resource", "gpu_request", "gpu_share"]).take(row)
    each = [
        devices_expected(r["gpu_resource"], r["gpu_request"], r["gpu_share"]) if r["gpu_resource"] else 1.0
        for r in some.to_pylist()
    ]
    return np.maximum.reduceat(np.array(each, np.float64), first) if len(first) else np.empty(0)


def _integers(column: pa.ChunkedArray, missing: int) -> NDArray[np.int64]:
    numbers: Ints = pc.fill_null(column, missing).to_numpy().astype(np.int64)
    return numbers

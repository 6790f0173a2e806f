"""What a window would have needed and cost on nodes of another shape: its pods placed on these, hour by hour."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.faults import meant
from costlab.config.prices import NodeKind, node_prices
from costlab.config.settings import Settings
from costlab.core.arrays import Ints
from costlab.core.packing.nodes import Need, needs
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import HOUR_MS, Day, instant
from costlab.domain.units import GIB, MICRO, money
from costlab.jobs.cost import refuse_mixed
from costlab.render import figures
from costlab.store.warehouse import Warehouse

MAX_PODS = 110
"""Pods that a kubelet takes unless it is told otherwise (maxPods)."""

_NAMED = 5  # workloads that do not fit; a cluster may have hundreds
_MILLI = 1000
_OF = ("cores", "GiB", "GPUs", "pods")
_UNITS = np.array([_MILLI, GIB, MICRO, 1])
_MOST = 1_000_000  # of anything that a node has: in small units it fits 64 bits
_MONEY = pa.decimal128(18, 6)
_COLUMNS = {
    "nodes": pa.string(),
    "nodes_least": pa.int64(),
    "nodes_most": pa.int64(),
    "node_hours_least": pa.float64(),
    "node_hours_most": pa.float64(),
    "cost_least": _MONEY,
    "cost_most": _MONEY,
    "difference_least": _MONEY,
    "difference_most": _MONEY,
}
_HOURLY = {
    "hour": pa.timestamp("us", "UTC"),
    "pods": pa.int64(),
    "cpu_cores": pa.float64(),
    "memory_gib": pa.float64(),
    "gpus": pa.float64(),
    "nodes_least": pa.int64(),
    "nodes_most": pa.int64(),
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeShape:
    """A node that does not exist yet. None of `hourly`: its price is that of its parts; of what is reserved: as today.

    Raises ConfigError for what no node can have.
    """

    cores: float
    gib: float
    gpus: float = 0.0
    pods: int = MAX_PODS
    gpu_model: str | None = None
    hourly: float | None = None
    reserved_cores: float | None = None
    reserved_gib: float | None = None

    def __post_init__(self) -> None:
        for name, amount in asdict(self).items():
            if isinstance(amount, int | float) and not 0 <= amount <= _MOST:
                raise ConfigError(
                    f"{name}: {amount:.6g} is no amount of a node", f"write a number from 0 to {_MOST:,}"
                )


@dataclass(frozen=True, slots=True)
class Replay:
    """today, fixed and autoscaled as rows; the same hour by hour; what a node of the shape is; and what has to be said.

    left_out: workloads with pods that no such node has room for, which are in today's cost and in nothing else; with any
    there is no difference.
    """

    rows: pa.Table
    hours: pa.Table
    currency: str
    node: Row
    left_out: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pods:
    """Stretches of pods: float64 or int64 of one length; amounts: int64 (stretches, 4) in whole small units."""

    rows: list[Row]
    start_ms: Ints
    end_ms: Ints
    amounts: Ints

    def where(self, chosen: Any) -> "_Pods":
        rows = [self.rows[i] for i in np.flatnonzero(chosen)]
        return _Pods(rows, self.start_ms[chosen], self.end_ms[chosen], self.amounts[chosen])


def replay(
    warehouse: Warehouse, settings: Settings, shape: NodeShape, window: Dates, timezone: str, *,
    cluster: str | None = None, like: str | None = None,
) -> Replay:  # fmt: skip
    """What the window's pods would have needed of such nodes, and cost there, beside what their nodes cost.

    like: a node; only its pool is replaced, the nodes that are as it is. Raises ConfigError when the window has no node, or
    those of several clusters or currencies, when `like` is none of them, and where a price or what a node keeps from pods
    is not known.
    """
    nodes = _chosen(warehouse, window, cluster, like)
    pools = sorted({node["pool"] for node in nodes}) if like else []
    table = warehouse.query(
        "pod_requests", cluster=nodes[0]["cluster"], start=window.start, until=window.end, pools=pools
    )
    pods = _pods(table)
    hourly, source = _price(settings, shape, window, timezone)
    daemons = np.array([row["workload_kind"] == "DaemonSet" for row in pods.rows], np.bool_)
    everywhere = _everywhere(pods.where(daemons))
    reserved = _reserved(shape, nodes)
    room = _room(shape, reserved, everywhere)
    others = pods.where(~daemons)
    fits = (others.amounts <= room).all(axis=1)
    left_out = tuple(_left_out(others.where(~fits), room))
    placed = others.where(fits)
    days = sorted({node["date"] for node in nodes})
    found = list(_by_hour(placed, room, days, timezone))
    today = _today(nodes)
    totals = everywhere.sum(axis=0)
    node = {
        "cores": shape.cores, "gib": shape.gib, "gpus": shape.gpus, "pods": shape.pods,
        "price_an_hour": money(hourly), "price_source": source,
        "reserved_cores": round(reserved[0], 6), "reserved_gib": round(reserved[1], 6), "daemonsets": len(everywhere),
        "daemonset_cores": float(totals[0]) / _MILLI, "daemonset_gib": float(totals[1]) / GIB,
    }  # fmt: skip
    homeless = _homeless(nodes, placed)
    # What holds less, or more, than today's nodes did is no saving.
    rows = [today, *_ways(found, hourly, None if left_out or homeless else today["cost_most"])]
    return Replay(
        pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)),
        pa.Table.from_pylist([_hour(*each) for each in found], schema=pa.schema(_HOURLY)),
        nodes[0]["currency"] or settings.prices.currency,
        node,
        left_out,
        tuple(_notes(nodes, placed, left_out, homeless)),
    )


def _chosen(warehouse: Warehouse, window: Dates, cluster: str | None, like: str | None) -> list[Row]:
    found = warehouse.query("window_nodes", cluster=cluster or "", start=window.start, until=window.end)
    nodes: list[Row] = found.to_pylist()
    clusters = sorted({node["cluster"] for node in nodes})
    if not nodes:
        raise ConfigError(
            f"the lake holds no node of {window.start} to {window.end}",
            "choose other days with --window, or measure them: costlab nightly",
        )
    if len(clusters) > 1:
        raise ConfigError(f"the lake holds {', '.join(clusters)}", "choose one with --cluster")
    refuse_mixed(found)
    if like is None:
        return nodes
    pools = {node["pool"] for node in nodes if node["node"] == like}
    if not pools:
        names = {node["node"] for node in nodes}
        raise ConfigError(
            f"the window has no node {like!r}{meant(like, names)}",
            "name one of those that `costlab cost --by node` lists",
        )
    return [node for node in nodes if node["pool"] in pools]


def _pods(table: pa.Table) -> _Pods:
    """In millicores, bytes, millionths of a GPU and pods: whole numbers, of which sums are exact.

    Parts of a GPU are cut to their millionth: three thirds are one.
    """
    of = {name: table[name].to_numpy() for name in ("cpu", "memory", "gpu")}
    amounts = np.column_stack(
        [
            np.rint(of["cpu"] * _MILLI),
            np.ceil(of["memory"]),
            np.floor(of["gpu"] * MICRO + 1e-3),
            np.ones(table.num_rows),
        ]
    ).astype(np.int64)
    start_ms, end_ms = (
        table[name].cast(pa.timestamp("ms", "UTC"), safe=False).cast("int64").to_numpy()
        for name in ("start", "end")
    )
    return _Pods(table.to_pylist(), start_ms, end_ms, amounts)


def _price(settings: Settings, shape: NodeShape, window: Dates, timezone: str) -> tuple[float, str]:
    """What such a node costs an hour, and where that is from: as it is told, else by its parts at the window's end."""
    if shape.hourly is not None:
        return shape.hourly, "as told"
    model, book = shape.gpu_model, settings.book
    if shape.gpus and model and not book.model_prices(model)[1]:
        known = book.gpu_models
        raise ConfigError(
            f"the price book has no price of a {model!r}{meant(model, known)}",
            f"known: {', '.join(sorted(known))}; or say what a node costs with --price"
            if known
            else "put it under gpu_models of the price book, or say what a node costs with --price",
        )
    kind = NodeKind((shape.cores, shape.gib, shape.gpus), model)
    unit = node_prices(
        kind, settings.prices, book, Day(window.end, timezone).previous.window, timezone
    )[-1].prices  # fmt: skip
    if shape.gpus and unit.gpu is None:
        raise ConfigError("no price of a GPU is known", "name its model with --gpu-model, or use --price")
    hourly = shape.cores * unit.cpu + shape.gib * unit.memory + shape.gpus * (unit.gpu or 0.0)
    return hourly, unit.source


def _everywhere(pods: _Pods) -> Ints:
    """What each DaemonSet asks of a node: the most that one of its pods did. int64 (DaemonSets, 4)."""
    most: dict[tuple[str, str], Ints] = {}
    for row, amounts in zip(pods.rows, pods.amounts, strict=True):
        key = (row["namespace"], row["workload"])
        most[key] = np.maximum(most.get(key, amounts), amounts)
    return np.array(list(most.values()), np.int64).reshape(-1, len(_OF))


def _reserved(shape: NodeShape, nodes: Sequence[Row]) -> tuple[float, float]:
    """Cores and GiB that a node keeps from pods: as told, else as the one of today's nodes that is nearest in size."""
    found = []
    for told, name, unit, size in (
        (shape.reserved_cores, "cpu", 1, shape.cores),
        (shape.reserved_gib, "memory", GIB, shape.gib),
    ):
        # Of nodes of one size, the one that keeps most.
        seen = [
            (abs(node[f"{name}_capacity"] / unit - size), -node[f"{name}_reserved"] / unit)
            for node in nodes
            if node[f"{name}_reserved"] is not None
        ]
        if told is None and not seen:
            raise ConfigError(
                "what nodes keep from pods is not known: kube_node_status_allocatable was not read",
                "say it with --reserved-cores and --reserved-gib",
            )
        found.append(-min(seen)[1] if told is None else told)
    return found[0], found[1]


def _room(shape: NodeShape, reserved: tuple[float, float], everywhere: Ints) -> Ints:
    """What a node has for pods that are not of a DaemonSet, in whole small units."""
    there = np.array([shape.cores - reserved[0], shape.gib - reserved[1], shape.gpus, shape.pods])
    room = np.floor(there * _UNITS + 1e-3).astype(np.int64) - everywhere.sum(axis=0)
    for name, left in zip(_OF, room.tolist(), strict=True):
        if left < 0 or (left == 0 and name != "GPUs"):
            raise ConfigError(
                f"such a node has no {name} for pods: what it keeps and DaemonSets ({len(everywhere)}) take them all",
                "describe a larger node, or say what it keeps with --reserved-cores and --reserved-gib",
            )
    found: Ints = room
    return found


def _by_hour(pods: _Pods, room: Ints, days: Sequence[date], timezone: str) -> Iterator[tuple[int, int, Need]]:
    """Start and length of each hour of the days in milliseconds, and what it needs."""
    dates = np.array([row["date"] for row in pods.rows], "datetime64[D]")
    for day in days:
        window = Day(day, timezone).window
        edges = np.append(np.arange(window.start_ms, window.end_ms, HOUR_MS), window.end_ms)
        mine = pods.where(dates == np.datetime64(day))
        found = needs(mine.start_ms, mine.end_ms, mine.amounts, room, edges)
        for begin_ms, until_ms, need in zip(edges[:-1].tolist(), edges[1:].tolist(), found, strict=True):
            yield begin_ms, until_ms - begin_ms, need


def _today(nodes: Sequence[Row]) -> Row:
    """The nodes as they were: the most at a time, their hours, and what they cost; null where a price is not known."""
    start, end = (np.sort([node[name].timestamp() for node in nodes]) for name in ("start", "end"))
    most = int((np.arange(len(start)) + 1 - np.searchsorted(end, start, "right")).max())
    hours = sum(node["hours"] for node in nodes)
    known = [node["cost"] for node in nodes if node["cost"] is not None]
    cost = sum(known, Decimal(0)) if len(known) == len(nodes) else None
    return _row("today", (most, most), (hours, hours), (cost, cost), cost)


def _ways(found: Sequence[tuple[int, int, Need]], hourly: float, today: Decimal | None) -> Iterator[Row]:
    """As many nodes all the time as the fullest hour needs; and in each hour as many as it needs, paid by the hour."""
    lengths = [Fraction(length, HOUR_MS) for _, length, _ in found]
    counts = [[getattr(need, bound) for _, _, need in found] for bound in ("least", "most")]
    peaks = (max(counts[0]), max(counts[1]))
    for way, hours in (
        ("fixed", [peak * sum(lengths) for peak in peaks]),
        ("autoscaled", [sum(n * h for n, h in zip(of, lengths, strict=True)) for of in counts]),
    ):
        costs = tuple(money(Fraction(each) * Fraction(hourly)) for each in hours)
        yield _row(way, peaks, tuple(map(float, hours)), costs, today)


def _row(
    way: str,
    nodes: tuple[int, ...],
    hours: tuple[float, ...],
    costs: tuple[Decimal | None, ...],
    today: Decimal | None,
) -> Row:
    differences = [None if cost is None or today is None else cost - today for cost in costs]
    return dict(zip(_COLUMNS, (way, *nodes, *hours, *costs, *differences), strict=True))


def _hour(begin_ms: int, _: int, need: Need) -> Row:
    cores, gib, gpus, _ = (need.asked / _UNITS).tolist()
    values = (instant(begin_ms), need.pods, cores, gib, gpus, need.least, need.most)
    return dict(zip(_HOURLY, values, strict=True))


def _left_out(pods: _Pods, room: Ints) -> Iterator[Row]:
    """The workloads of pods that no node has room for, with the most that a pod asks for, and what is too little."""
    most: dict[tuple[str, str, str], Ints] = {}
    names: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row, amounts in zip(pods.rows, pods.amounts, strict=True):
        key = (row["namespace"], row["workload_kind"], row["workload"])
        most[key] = np.maximum(most.get(key, amounts), amounts)
        names[key].add(row["pod"])
    for key in sorted(most):
        asked = (most[key] / _UNITS).tolist()
        over = [name for name, much in zip(_OF, (most[key] > room).tolist(), strict=True) if much]
        yield {
            **dict(zip(("namespace", "workload_kind", "workload"), key, strict=True)),
            "pods": len(names[key]),
            "cores": asked[0],
            "gib": asked[1],
            "gpus": asked[2],
            "too_few": over,
        }


def _homeless(nodes: Sequence[Row], pods: _Pods) -> set[str]:
    """The nodes that pods ran on and of which nothing else is known: they are in nobody's cost."""
    known = {(node["date"], node["node"]) for node in nodes}
    return {row["node"] for row in pods.rows if (row["date"], row["node"]) not in known}


def _notes(nodes: Sequence[Row], pods: _Pods, left_out: Sequence[Row], homeless: set[str]) -> Iterator[str]:
    for row in left_out[:_NAMED]:
        yield (
            f"{row['workload_kind']} {row['namespace']}/{row['workload']}: {figures.counted(row['pods'], 'pod')} with up to "
            f"{row['cores']:g} cores, {row['gib']:g} GiB and {row['gpus']:g} GPUs, for which such a node has too few "
            f"{' and '.join(row['too_few'])}"
        )
    if len(left_out) > _NAMED:
        rest = figures.counted(len(left_out) - _NAMED, "other workload")
        yield f"{rest} with pods that no such node has room for; -o json lists them"
    if left_out:
        yield "these pods are in today's cost and left out of the others, so there is no difference"
    if homeless:
        yield (
            f"pods ran on {', '.join(sorted(homeless))}, of which nothing is known: they are in the others and not in "
            "today's cost, so there is no difference"
        )
    unpriced = {node["node"] for node in nodes if node["cost"] is None}
    if unpriced:
        yield f"what {', '.join(sorted(unpriced))} cost is not known, and so today's cost is not"
    unsized = {(row["namespace"], row["pod"]) for row in pods.rows if row["unsized"]}
    if unsized:
        yield f"{figures.counted(len(unsized), 'pod')} with a container without a request of CPU or memory, which counts as 0"
    if (pods.amounts[:, 2] % MICRO).any():
        yield "parts of GPUs are taken to be shared on such nodes as they are on today's"

"""Batch and training workloads that are fit for spot nodes, by how long their runs were, and what those cost less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.prices import NodeKind, UnitPrices, node_prices
from costlab.config.settings import Settings
from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.time import Day, Window
from costlab.domain.units import GIB
from costlab.jobs.machines import as_spot
from costlab.jobs.rightsizing.held import KEYS, MONTH_HOURS, beside, lately, whole_window, window_hours
from costlab.store.schema import conform, empty
from costlab.store.warehouse import Warehouse

_LEAST_RUNS = 3  # from beginning to end
# What an interruption may cost: all of a run, for nobody tells whether it saves its work.
_LONGEST_HOURS = 6.0

# Each pod's container of a class that runs to its end: when it began and ended, where, and what it cost.
_RUNS = """
    with ran as (
        select namespace, workload_kind, workload, container, coalesce(nullif(pod_uid, ''), pod) as pod_id,
            any_value(team) as team, any_value(class) as class, arg_max(node, "end") as node, max(date) as date,
            min(start) as "start", max("end") as "end", sum(epoch("end" - start)) / 3600 as hours,
            max(coalesce(gpu_request, 0)) > 0 as has_gpu
        from containers
        where cluster = $cluster and date between $first and $last and class in ('batch', 'training') and container <> ''
        group by namespace, workload_kind, workload, container, pod_id
    ),
    paid as (
        select namespace, container, coalesce(nullif(pod_uid, ''), pod) as pod_id, cast(sum(cost) as double) as cost,
            cast(sum(cost_used) filter (where resource = 'cpu') as double) as cpu_used,
            cast(sum(cost_used) filter (where resource = 'memory') as double) as memory_used,
            cast(sum(cost_used) filter (where resource = 'gpu') as double) as gpu_used, any_value(currency) as currency
        from charges
        where cluster = $cluster and date between $first and $last and kind = 'workload'
        group by namespace, container, pod_id
    ),
    restarted as (
        select namespace, workload_kind, workload, container, sum(restarts) as restarts
        from profiles
        where cluster = $cluster and date between $first and $last and resource = 'cpu'
        group by all
    )
    select ran.*, paid.* exclude (namespace, container, pod_id), restarted.restarts
    from ran
    left join paid using (namespace, container, pod_id)
    left join restarted using (namespace, workload_kind, workload, container)
    order by namespace, workload_kind, workload, container, "start", pod_id
"""
_NODES = """
    select node, arg_max(labels, "end") as labels, arg_max(gpu_model, "end") as gpu_model,
        arg_max(capacity_type, "end") as capacity_type, max(cpu_capacity) as cpu, max(memory_capacity) as memory,
        max(gpu_capacity) as gpu
    from nodes
    where cluster = $cluster and date between $first and $last
    group by node
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A pod of a workload: hours it took, whether from beginning to end, and on which kind of node.

    used: money for what it used of cpu, memory and gpu. less: by which part spot is cheaper for each of them; None = the
    price book does not say.
    """

    hours: float
    full: bool
    capacity_type: str | None
    used: tuple[float, float, float]
    less: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Fitness:
    """What is said of a workload. saved: money of the window; None = nothing is promised."""

    reason: Reason
    evidence: Evidence
    saved: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def spot_advice(warehouse: Warehouse, settings: Settings, cluster: str, day: Day, days: int) -> pa.Table:
    """Rows of `advice` for every batch and training workload, by so many days up to this one.

    What it uses would cost less at the price book's prices of spot nodes; as what it does not use is other advice's, that
    is a fact (`monthly_saving`) and no saving to be added to the others.
    """
    given = {"cluster": cluster, "first": day.date - timedelta(days=days - 1), "last": day.date}
    nodes = {row["node"]: row for row in warehouse.sql(_NODES, given).to_pylist()}
    hours = window_hours(warehouse, cluster, day, days)
    window = whole_window(day, days)
    discounts = {name: _less(node, settings, day) for name, node in nodes.items()}
    subjects: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in warehouse.sql(_RUNS, given).to_pylist():
        subjects.setdefault(tuple(row[name] for name in KEYS), []).append(row)
    found = [
        _row(its, fitness([_run(row, window, nodes, discounts) for row in its], its[-1]["restarts"]), hours)
        for its in subjects.values()
        if lately(its[0]["workload_kind"], (day.date - max(row["date"] for row in its)).days)
    ]
    if not found:
        return empty("advice")
    common = {"cluster": cluster, "date": day.date, "action": Action.SPOT.value, "policy": "spot"}
    nothing = ("current_request", "proposed_request", "current_limit", "proposed_limit", "violation_rate",
               "promised_rate", "monthly_saving_gross", "monthly_saving_net")  # fmt: skip
    columns = {name: [row[name] for row in found] for name in found[0]}
    columns["monthly_cost"] = pa.array(columns["monthly_cost"], pa.int64())
    return conform("advice", common | dict.fromkeys(nothing) | columns)


def fitness(runs: Sequence[Run], restarts: int | None) -> Fitness:
    """Whether a workload is fit for spot nodes: its runs are short enough to be begun again when a node is taken away."""
    full = [run.hours for run in runs if run.full]
    facts = {"full_runs": str(len(full)), "restarts": "not known" if restarts is None else str(restarts)}
    if not full:
        return Fitness(Reason.NO_FULL_RUN, Evidence.REFUSED, facts=facts)
    longest = max(run.hours for run in runs)
    facts |= {"longest_hours": f"{longest:.4g}", "median_hours": f"{float(np.median(full)):.4g}"}
    if len(full) < _LEAST_RUNS:
        return Fitness(Reason.TOO_LITTLE_DATA, Evidence.REFUSED, facts=facts)
    if longest > _LONGEST_HOURS:
        return Fitness(Reason.RISK_TOO_HIGH, Evidence.MEASURED, facts=facts)
    dear = [run for run in runs if run.capacity_type != "spot"]
    if not dear:
        return Fitness(Reason.NEAR_ENOUGH, Evidence.MEASURED, facts=facts | {"runs_on": "spot"})
    if any(run.less is None for run in dear):
        told = facts | {"price": "the price book has no rule for such nodes with capacity_type: spot"}
        return Fitness(Reason.ADVISED, Evidence.MEASURED, facts=told)
    saved = sum(float(np.dot(run.used, run.less)) for run in dear if run.less)
    return Fitness(Reason.ADVISED, Evidence.MEASURED, None if np.isnan(saved) else saved, facts)


def _run(
    row: Mapping[str, Any], window: Window, nodes: Mapping[str, Mapping[str, Any]],
    discounts: Mapping[str, tuple[float, float, float] | None],
) -> Run:  # fmt: skip
    begins, ends = (round(row[edge].timestamp() * 1000) for edge in ("start", "end"))
    used = (row["cpu_used"] or 0.0, row["memory_used"] or 0.0, row["gpu_used"] or 0.0)
    return Run(
        row["hours"], begins > window.start_ms and ends < window.end_ms, nodes.get(row["node"], {}).get("capacity_type"),
        used, discounts.get(row["node"]),
    )  # fmt: skip


def _less(node: Mapping[str, Any], settings: Settings, day: Day) -> tuple[float, float, float] | None:
    """By which part each unit price would be lower, were the node bought as spot; None where the book has no such price."""
    labels = dict(node["labels"])
    spot, now = as_spot(labels), node["capacity_type"]
    chosen = [
        entry
        for entry in (*settings.book.nodes, *settings.book.discounts)
        if entry.holds(day.window.start_ms, day.timezone)
        and entry.chooses(spot, "spot")
        and not entry.chooses(labels, now)
    ]
    if not chosen:
        return None  # the same price, whatever it is bought as
    there, here = (_unit(node, name, kind, settings, day) for name, kind in ((spot, "spot"), (labels, now)))
    pairs = ((there.cpu, here.cpu), (there.memory, here.memory), (there.gpu, here.gpu))
    cpu, memory, gpu = (1 - a / b if a is not None and b else 0.0 for a, b in pairs)
    return cpu, memory, gpu


def _unit(
    node: Mapping[str, Any],
    labels: Mapping[str, str],
    capacity_type: str | None,
    settings: Settings,
    day: Day,
) -> UnitPrices:
    size = (node["cpu"], None if node["memory"] is None else node["memory"] / GIB, node["gpu"])
    kind = NodeKind(size, node["gpu_model"], labels, capacity_type)
    return node_prices(kind, settings.prices, settings.book, day.window, day.timezone)[0].prices


def _row(its: Sequence[Mapping[str, Any]], said: Fitness, hours: float) -> dict[str, Any]:
    costs = [row["cost"] for row in its]
    known = None not in costs
    return {
        **{name: its[0][name] for name in (*KEYS, "team", "class")},
        "resource": "gpu" if any(row["has_gpu"] for row in its) else "cpu",
        "replicas": sum(row["hours"] for row in its) / hours,
        "reason": said.reason.value,
        "evidence": said.evidence.value,
        "evidence_days": len({row["date"] for row in its}),
        "coverage": 1.0,
        "monthly_cost": int(np.floor(sum(costs) * MONTH_HOURS / hours * 1e6)) if known else None,
        "currency": next((row["currency"] for row in its if row["currency"]), ""),
        "facts": {**said.facts, **beside(said.saved, hours)},
    }

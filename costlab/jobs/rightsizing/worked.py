"""What workloads that can be scaled to nothing did in every hour of their past days, and what they cost."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.arrays import Floats, Ints
from costlab.domain.time import Day
from costlab.jobs.profiles import clock_of
from costlab.jobs.rightsizing.schedules import HOURS, Flags, Worked, ever_idle
from costlab.store.warehouse import Warehouse

_WORKLOAD = ("namespace", "workload_kind", "workload")


def worked_of(warehouse: Warehouse, cluster: str, day: Day, days: int) -> tuple[list[Worked], str]:
    """Those that still run and may have a schedule, over so many days up to this one; and the currency of their money."""
    rows = warehouse.query("scalable_workloads", cluster=cluster, day=str(day), days=days)
    dates = sorted(rows["date"].unique().to_pylist())
    if not dates or dates[-1] != day.date:
        return [], ""
    first = _first_of(rows, _WORKLOAD)
    last = np.append(first[1:], rows.num_rows) - 1
    whose = np.repeat(np.arange(len(first)), last - first + 1)
    on = pc.index_in(rows["date"], pa.array(dates)).to_numpy()
    there = np.zeros((len(first), len(dates)), bool)
    there[whose, on] = True
    most = np.full((*there.shape, HOURS), np.nan, np.float32)
    gaps = np.ones(most.shape, bool)
    names = _named(rows, _WORKLOAD).take(pa.array(first))
    for place, when in enumerate(dates):
        told, cores, unseen = _hours(warehouse, cluster, Day(when, day.timezone))
        code = pc.index_in(told, names).fill_null(-1).to_numpy()
        most[code[code >= 0], place] = cores[code >= 0]
        gaps[code[code >= 0], place] = unseen[code >= 0]
    weekday = np.array([when.weekday() for when in dates], np.int64)
    request = rows["cpu_request"].cast(pa.float64()).fill_null(np.nan).to_numpy()[last]
    chosen = np.flatnonzero(there[:, -1] & ever_idle(most, there, weekday, request))
    found = [
        _worked(
            rows.slice(first[i], last[i] - first[i] + 1).to_pylist(),
            most[i, there[i]].astype(np.float64),
            gaps[i, there[i]],
        )
        for i in chosen.tolist()
    ]
    return found, rows["currency"][0].as_py() or ""


def _worked(rows: list[Mapping[str, Any]], hourly_max: Floats, gaps: Flags) -> Worked:
    now = rows[-1]
    cost, unused, pod_hours = (
        np.array([row[name] for row in rows], np.float64) for name in ("cost", "unused_cost", "pod_hours")
    )
    coverage = np.average([row["coverage"] for row in rows], weights=pod_hours) if pod_hours.any() else 0.0
    return Worked(
        key=(now["namespace"], now["workload_kind"], now["workload"], ""),
        team=now["team"],
        workload_class=now["class"],
        day=np.array([row["date"].toordinal() for row in rows], np.int64),
        hourly_max=hourly_max,
        gaps=gaps,
        cpu_request=now["cpu_request"],
        cost=cost,
        unused=unused,
        pods=float(pod_hours.sum()) / (HOURS * len(rows)),
        coverage=min(1.0, float(coverage)),
        autoscaled=now["autoscaled"],
        labels=now,
    )


def _hours(warehouse: Warehouse, cluster: str, day: Day) -> tuple[pa.Array, Floats, Flags]:
    """The workloads that ran on the day, and of each the most that a pod of it used in each hour, and where that is not known.

    A pod's containers are added, which is no less than what they used at any time; a pod that lived through an hour in
    which nothing was seen of it is a gap. An hour that the clock leaves out is one in which nothing was used.
    """
    rows = warehouse.query("hourly_usage", cluster=cluster, day=str(day))
    if not rows.num_rows:
        return pa.array([], pa.string()), np.empty((0, HOURS)), np.empty((0, HOURS), bool)
    used = pc.list_flatten(rows["hourly_max"]).to_numpy().astype(np.float64).reshape(-1, HOURS)
    pods = _first_of(rows, (*_WORKLOAD, "pod"))
    seen = np.logical_or.reduceat(~np.isnan(used), pods)
    cores = np.where(seen, np.add.reduceat(np.nan_to_num(used), pods), np.nan)
    start_ms = np.minimum.reduceat(rows["start_ms"].to_numpy(), pods)
    end_ms = np.maximum.reduceat(rows["end_ms"].to_numpy(), pods)
    there, through = _lived(start_ms, end_ms, day)
    heads = rows.take(pa.array(pods))
    workloads = _first_of(heads, _WORKLOAD)
    gaps = np.logical_or.reduceat(through & ~seen, workloads)
    most = np.where(gaps, np.nan, np.fmax.reduceat(cores, workloads))
    most[:, ~there] = 0.0
    return _named(heads, _WORKLOAD).take(pa.array(workloads)), most, gaps


def _first_of(rows: pa.Table, names: tuple[str, ...]) -> Ints:
    """Where in ordered rows each new combination of names begins."""
    whole = _named(rows, names)
    changes = pc.not_equal(whole.slice(1), whole.slice(0, len(whole) - 1)).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.append(True, changes.astype(bool)))


def _named(rows: pa.Table, names: tuple[str, ...]) -> pa.Array:
    """Each row's names as one text: no name in Kubernetes has a slash."""
    joined = pc.binary_join_element_wise(*(rows[name] for name in names), "/")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _lived(start_ms: Ints, end_ms: Ints, day: Day) -> tuple[Flags, Flags]:
    """Which hours the clock shows on the day, bool (24,), and which of them each pod lived through, bool (pods, 24)."""
    edges_ms, hour = clock_of(day)
    edges_ms = edges_ms + day.window.start_ms
    there, through = np.zeros(HOURS, bool), np.ones((len(start_ms), HOURS), bool)
    for part, at in enumerate(hour):
        there[at] = True
        through[:, at] &= (start_ms <= edges_ms[part]) & (end_ms >= edges_ms[part + 1])
    return there, through & there

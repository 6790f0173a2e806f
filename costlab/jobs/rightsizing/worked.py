"""What workloads that can be scaled to nothing did in every hour of their past days, and what they cost."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.kernels import Floats, Ints
from costlab.domain.time import Day
from costlab.jobs.profiles import clock_of
from costlab.jobs.rightsizing.schedules import HOURS, Flags, Worked
from costlab.store.warehouse import Warehouse

_WORKLOAD = ("namespace", "workload_kind", "workload")
_Key = tuple[str, str, str]


def worked_of(warehouse: Warehouse, cluster: str, day: Day, days: int) -> tuple[list[Worked], str]:
    """Those that still run, over so many days up to this one; and the currency of their money."""
    rows = warehouse.query("scalable_workloads", cluster=cluster, day=str(day), days=days).to_pylist()
    hours = {
        (key, when.date): told
        for when in (Day(each, day.timezone) for each in sorted({row["date"] for row in rows}))
        for key, told in _hours(warehouse, cluster, when).items()
    }
    found = []
    for key, its in groupby(rows, lambda row: tuple(row[name] for name in _WORKLOAD)):
        told = list(its)
        if told[-1]["date"] == day.date:
            found.append(_worked((*key, ""), told, [hours.get((key, row["date"]), _NOTHING) for row in told]))
    return found, rows[0]["currency"] or "" if rows else ""


_NOTHING = np.full(HOURS, np.nan), np.ones(HOURS, bool)


def _worked(
    key: tuple[str, str, str, str], rows: list[Mapping[str, Any]], hours: list[tuple[Floats, Flags]]
) -> Worked:
    now = rows[-1]
    cost, unused, pod_hours = (
        np.array([row[name] for row in rows], np.float64) for name in ("cost", "unused_cost", "pod_hours")
    )
    coverage = np.average([row["coverage"] for row in rows], weights=pod_hours) if pod_hours.any() else 0.0
    return Worked(
        key=key,
        team=now["team"],
        workload_class=now["class"],
        day=np.array([row["date"].toordinal() for row in rows], np.int64),
        hourly_max=np.array([most for most, _ in hours]),
        gaps=np.array([gaps for _, gaps in hours]),
        cpu_request=now["cpu_request"],
        cost=cost,
        unused=unused,
        pods=float(pod_hours.sum()) / (HOURS * len(rows)),
        coverage=min(1.0, float(coverage)),
        autoscaled=now["autoscaled"],
        labels=now,
    )


def _hours(warehouse: Warehouse, cluster: str, day: Day) -> Mapping[_Key, tuple[Floats, Flags]]:
    """Of each workload that ran on the day the most that a pod of it used in each hour, and where that is not known.

    A pod's containers are added, which is no less than what they used at any time; a pod that lived through an hour in
    which nothing was seen of it is a gap. An hour that the clock leaves out is one in which nothing was used.
    """
    rows = warehouse.query("hourly_usage", cluster=cluster, day=str(day))
    if not rows.num_rows:
        return {}
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
    names = zip(*(heads[name].take(pa.array(workloads)).to_pylist() for name in _WORKLOAD), strict=True)
    return dict(zip(names, zip(most, gaps, strict=True), strict=True))


def _first_of(rows: pa.Table, names: tuple[str, ...]) -> Ints:
    """Where in ordered rows each new combination of names begins."""
    whole = pc.binary_join_element_wise(*(rows[name] for name in names), "/")
    changes = pc.not_equal(whole.slice(1), whole.slice(0, len(whole) - 1)).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.append(True, changes.astype(bool)))


def _lived(start_ms: Ints, end_ms: Ints, day: Day) -> tuple[Flags, Flags]:
    """Which hours the clock shows on the day, bool (24,), and which of them each pod lived through, bool (pods, 24)."""
    edges_ms, hour = clock_of(day)
    edges_ms = edges_ms + day.window.start_ms
    there, through = np.zeros(HOURS, bool), np.ones((len(start_ms), HOURS), bool)
    for part, at in enumerate(hour):
        there[at] = True
        through[:, at] &= (start_ms <= edges_ms[part]) & (end_ms >= edges_ms[part + 1])
    return there, through & there

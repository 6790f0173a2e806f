"""What is known of the containers of workloads beside their usage: kills, and who scales them, day by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.arrays import Floats, Ints
from costlab.domain.dates import Dates
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.past import names_of
from costlab.store.warehouse import Warehouse

SCALED = ("namespace", "workload_kind", "workload")


@dataclass(frozen=True, slots=True)
class Kills:
    """Days on which a subject was killed for want of memory, each heard of at its end; arrays (kills,).

    subject: int64, a place among the names that were asked for. at_ms: int64. limit_bytes: float64, NaN = none was set.
    """

    subject: Ints
    at_ms: Ints
    limit_bytes: Floats


def kills_of(warehouse: Warehouse, cluster: str, dates: Dates, timezone: str, named: pa.Array) -> Kills:
    """The kills of these subjects, named as `names_of` does."""
    rows = warehouse.query(
        "memory_kills", cluster=cluster, start=dates.start.isoformat(), until=dates.end.isoformat()
    )
    whose = pc.index_in(names_of(rows), named).fill_null(-1).to_numpy(zero_copy_only=False)
    rows, whose = rows.filter(pa.array(whose >= 0)), whose[whose >= 0].astype(np.int64)
    ends_ms = [Day(on, timezone).window.end_ms - 1 for on in rows["date"].to_pylist()]
    limits = rows["memory_limit"].cast(pa.float64()).fill_null(np.nan).to_numpy()
    return Kills(whose, np.array(ends_ms, np.int64), limits)


def scalings(
    warehouse: Warehouse, cluster: str, dates: Dates
) -> Mapping[tuple[date, str, str, str, Resource], float | None]:
    """What HorizontalPodAutoscalers aimed at, by day, the workload's name (`SCALED`) and resource; None = not known."""
    rows = warehouse.query(
        "autoscaled_workloads", cluster=cluster, start=dates.start.isoformat(), until=dates.end.isoformat()
    ).to_pylist()
    return {
        (row["date"], *(row[name] for name in SCALED), Resource(row["resource"])): row["target"]
        for row in rows
    }


def only(day: Day) -> Dates:
    """This day alone."""
    return Dates(day.date, day.date + timedelta(days=1))

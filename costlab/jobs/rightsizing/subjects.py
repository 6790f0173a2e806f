"""The containers of workloads that advice is about: how they are set up, what they used, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.kernels import Floats, Ints
from costlab.core.rightsizing.decisions import Flags
from costlab.core.rightsizing.savings import Levels
from costlab.core.sketch import levels
from costlab.domain.time import HOUR_MS, Day
from costlab.domain.units import Resource
from costlab.store.warehouse import Warehouse

ADVISED = (Resource.CPU, Resource.MEMORY)
KEYS = ("namespace", "workload_kind", "workload", "container")

# Who is made anew by its owner may not be there on the day itself, and is again next week.
_NOW_AND_THEN = ("Job", "CronJob")
_LATELY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Used:
    """What each subject used of a resource; arrays (subjects,), in the order of `Subjects`.

    usage: all levels, with the hours of all replicas. occupied_hours, observed_hours: float64. evidence_days: int64.
    mean, peak, throttled_ratio: float64; NaN = not observed. oom_kills, restarts: int64.
    """

    usage: Levels
    occupied_hours: Floats
    observed_hours: Floats
    evidence_days: Ints
    mean: Floats
    peak: Floats
    throttled_ratio: Floats
    oom_kills: Ints
    restarts: Ints


@dataclass(frozen=True, slots=True)
class Subjects:
    """Containers of workloads. rows: those of the query advisable_containers, in its order.

    used: by resource. lately: bool (subjects,), whether they still run, or will run again.
    """

    rows: pa.Table
    used: Mapping[Resource, Used]
    lately: Flags

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.rows.num_rows)

    def floats(self, column: str) -> Floats:
        """A column of numbers, float64 (subjects,), null as NaN."""
        return floats(self.rows.column(column))


def subjects_of(warehouse: Warehouse, cluster: str, day: Day, days: int) -> Subjects:
    """All that ran within the `days` days up to this one."""
    asked = {"cluster": cluster, "day": str(day), "days": days}
    rows = warehouse.query("advisable_containers", **asked)
    usage = warehouse.query("advisable_usage", **asked)
    used = {
        resource: _used(usage.filter(pc.equal(usage.column("resource"), resource.value)), rows.num_rows)
        for resource in ADVISED
    }
    return Subjects(rows, used, _lately(rows, day.date))


def floats(column: pa.ChunkedArray) -> Floats:
    """Numbers as float64, null as NaN."""
    numbers: Floats = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers


def _lately(rows: pa.Table, day: date) -> Flags:
    last = rows.column("last_date").to_numpy().astype("datetime64[D]")
    ago = (np.datetime64(day) - last).astype(np.int64)
    again = np.isin(rows.column("workload_kind").to_numpy(zero_copy_only=False), _NOW_AND_THEN)
    lately: Flags = (ago == 0) | again & (ago < _LATELY_DAYS)
    return lately


def _used(rows: pa.Table, subjects: int) -> Used:
    """What the query advisable_usage tells of one resource; subjects without a row were not observed."""
    whose = rows.column("subject").to_numpy()

    def spread(column: str, missing: float) -> Floats:
        found = np.full(subjects, missing, np.float64)
        found[whose] = floats(rows.column(column))
        return found

    def counted(column: str) -> Ints:
        return spread(column, 0).astype(np.int64)

    entries = np.zeros(subjects, np.int64)
    buckets, bucket_ms = (rows.column(name).combine_chunks() for name in ("buckets", "bucket_ms"))
    entries[whose] = buckets.value_lengths().to_numpy()
    return Used(
        Levels(
            np.append(0, np.cumsum(entries)),
            levels(buckets.flatten().to_numpy()),
            bucket_ms.flatten().to_numpy() / HOUR_MS,
        ),
        spread("occupied_hours", 0),
        spread("observed_hours", 0),
        counted("evidence_days"),
        spread("mean", np.nan),
        spread("peak", np.nan),
        spread("throttled_ratio", np.nan),
        counted("oom_kills"),
        counted("restarts"),
    )

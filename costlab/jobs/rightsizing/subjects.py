"""The containers of workloads that advice is about: how they are set up, and what they used."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from costlab.core.arrays import Floats
from costlab.core.rightsizing.decisions import Flags
from costlab.domain.dates import Dates
from costlab.domain.time import Day
from costlab.jobs.rightsizing.past import Past, past_of
from costlab.store.warehouse import Warehouse

# Who is made anew by its owner may not be there on the day itself, and is again next week.
_NOW_AND_THEN = ("Job", "CronJob")
_LATELY_DAYS = 7
# A rule may look further back than the window: what it learns of all of them is better founded.
_LOOK_BACK_DAYS = 56


@dataclass(frozen=True, slots=True)
class Subjects:
    """Containers of workloads. rows: those of the query advisable_containers, in its order.

    past: what they used. lately: bool (subjects,), whether they still run, or will run again.
    """

    rows: pa.Table
    past: Past
    lately: Flags

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.rows.num_rows)

    def looked_at(self, day: Day) -> Dates:
        """The days of `past`, of which this is the last."""
        until = day.date + timedelta(days=1)
        return Dates(until - timedelta(days=len(self.past.daily.start_ms)), until)

    def floats(self, column: str) -> Floats:
        """A column of numbers, float64 (subjects,), null as NaN."""
        return floats(self.rows.column(column))


def subjects_of(warehouse: Warehouse, cluster: str, day: Day, days: int) -> Subjects:
    """All that ran within the `days` days up to this one."""
    rows = warehouse.query("advisable_containers", cluster=cluster, day=str(day), days=days)
    # Up to the day and in the lake: the first of them may be later than the look-back begins.
    text = "select min(date) as first from runs where cluster = $cluster and date <= cast($day as date)"
    first = warehouse.sql(text, {"cluster": cluster, "day": str(day)})["first"][0].as_py() or day.date
    span = min(max(days, _LOOK_BACK_DAYS), (day.date - first).days + 1)
    past = past_of(warehouse, cluster, ending(day, span), min(days, span), rows)
    return Subjects(rows, past, _lately(rows, day.date))


def floats(column: pa.ChunkedArray) -> Floats:
    """Numbers as float64, null as NaN."""
    numbers: Floats = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers


def ending(day: Day, count: int) -> list[Day]:
    """So many days that follow one another, up to this one."""
    days = [day]
    while len(days) < count:
        days.insert(0, days[0].previous)
    return days


def _lately(rows: pa.Table, day: date) -> Flags:
    last = rows.column("last_date").to_numpy().astype("datetime64[D]")
    ago = (np.datetime64(day) - last).astype(np.int64)
    again = np.isin(rows.column("workload_kind").to_numpy(zero_copy_only=False), _NOW_AND_THEN)
    lately: Flags = (ago == 0) | again & (ago < _LATELY_DAYS)
    return lately

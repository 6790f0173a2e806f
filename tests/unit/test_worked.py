"""Hours of workloads out of the lake's profiles: containers of a pod together, the busiest replica, gaps as such."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.domain.identity import stable_key
from costlab.domain.tables import TABLES
from costlab.domain.time import Day, instant
from costlab.jobs.rightsizing.schedules import schedule_advice
from costlab.jobs.rightsizing.worked import worked_of
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

NAN = float("nan")
LAST = Day(date(2026, 11, 20))  # a Friday
BERLIN = Day(date(2026, 4, 3), "Europe/Berlin")
OFFICE = [0.01] * 8 + [2.0] * 10 + [0.01] * 6
FREE = [0.01] * 24


class Small:
    """A lake of containers that are added day by day."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.days: set[date] = set()

    def add(
        self,
        day: Day,
        pod: str,
        hours: list[float],
        container: str = "app",
        lives: tuple[float, float] = (0, 1),
    ) -> None:
        """A container of a pod of the Deployment `web`, that lives for a part of the day."""
        key = stable_key(pod, container)
        edges = [instant(day.window.start_ms + round(part * day.window.duration_ms)) for part in lives]
        part = {"cluster": "c", "date": day.date}
        names = {
            "namespace": "shop",
            "workload_kind": "Deployment",
            "workload": "web",
            "pod": pod,
            "container": container,
        }
        self.rows["containers"].append(
            part | names
            | {"container_key": key, "pod_uid": pod, "team": "shop", "class": "service", "cpu_request": 1.0,
               "start": edges[0], "end": edges[1], "labels": []}
        )  # fmt: skip
        lasted_s = (edges[1] - edges[0]).total_seconds()
        self.rows["profiles"].append(
            part | names
            | {"container_key": key, "resource": "cpu", "hourly_max": hours, "occupied_s": lasted_s, "observed_s": lasted_s}
        )  # fmt: skip
        self.rows["charges"].append(
            part | names
            | {"kind": "workload", "resource": "cpu", "cost": Decimal(24), "cost_unused": Decimal(20), "currency": "EUR"}
        )  # fmt: skip
        self.days.add(day.date)

    def warehouse(self) -> Warehouse:
        """Everything as tables."""
        self.rows["runs"] = [{"cluster": "c", "date": day} for day in sorted(self.days)]
        return Warehouse.over_tables(
            {name: pa.Table.from_pylist(rows, schema=arrow_schema(name)) for name, rows in self.rows.items()}
        )


def hours_of(day: Day) -> list[float]:
    return OFFICE if day.date.weekday() < 5 else FREE


def before(day: Day, days: int) -> list[Day]:
    return [Day(day.date - timedelta(days=ago), day.timezone) for ago in reversed(range(days))]


def test_two_weeks_of_office_hours_are_a_schedule_at_the_workloads_own_cost() -> None:
    small = Small()
    for day in before(LAST, 14):
        small.add(day, "web-1", hours_of(day))
        small.add(day, "web-1", FREE, "side")
    worked, currency = worked_of(small.warehouse(), "c", LAST, 14)
    (row,) = schedule_advice(worked, (), "c", LAST, currency).to_pylist()
    assert (row["workload"], row["container"], row["reason"], row["currency"]) == (
        "web",
        "",
        "advised",
        "EUR",
    )
    facts = dict(row["facts"])
    assert facts["down"] == "18:00 to 08:00, and all of Saturday and Sunday"
    # Each day costs 48, 40 of it unused: 14 of 24 hours of it are 28; all of a weekend's day would be more than unused.
    assert facts["monthly_saving"] == f"{(10 * 28 + 4 * 40) * 730 / 336:.2f}"
    assert (row["current_request"], row["replicas"], row["evidence_days"]) == (2.0, 1.0, 14)


def test_the_busiest_replica_counts_and_one_of_which_nothing_was_seen_is_a_gap() -> None:
    small = Small()
    small.add(LAST, "web-1", [1.0] * 24)
    small.add(LAST, "web-1", [0.5] + [NAN] * 23, "side")  # it shows beside the other that the pod was seen
    small.add(LAST, "web-2", [0.25] * 12 + [NAN] * 2 + [3.0] * 10)
    small.add(LAST, "web-3", [NAN] * 18 + [5.0] * 6, lives=(0.75, 1))  # not there before
    (one,), _ = worked_of(small.warehouse(), "c", LAST, 14)
    assert one.hourly_max[0, :14].tolist()[:12] == [1.5] + [1.0] * 11
    assert np.flatnonzero(one.gaps[0]).tolist() == [12, 13]
    assert np.isnan(one.hourly_max[0, 12:14]).all()
    assert one.hourly_max[0, 14:].tolist() == [3.0] * 4 + [5.0] * 6


def test_an_hour_that_the_clock_leaves_out_is_no_gap() -> None:
    small = Small()
    for day in before(BERLIN, 14):  # clocks go from 2 to 3 on Sunday, 29 March
        hours = [
            NAN if day.date == date(2026, 3, 29) and hour == 2 else cores
            for hour, cores in enumerate(hours_of(day))
        ]
        small.add(day, "web-1", hours)
    worked, currency = worked_of(small.warehouse(), "c", BERLIN, 14)
    (row,) = schedule_advice(worked, (), "c", BERLIN, currency).to_pylist()
    assert dict(row["facts"])["down"] == "18:00 to 08:00, and all of Saturday and Sunday"
    assert row["reason"] == "advised"


def test_what_is_no_more_and_what_is_not_there_at_night_has_no_schedule() -> None:
    gone, away = Small(), Small()
    for day in before(LAST, 14):
        if day != LAST:
            gone.add(day, "web-1", hours_of(day))
        away.add(day, f"web-{day}", [NAN] * 8 + [2.0] * 10 + [NAN] * 6, lives=(8 / 24, 18 / 24))
    gone.add(LAST, "web-1", FREE, "app")
    gone.rows["containers"][-1]["workload"] = gone.rows["profiles"][-1]["workload"] = "other"
    for small in (gone, away):
        worked, currency = worked_of(small.warehouse(), "c", LAST, 14)
        assert schedule_advice(worked, (), "c", LAST, currency).num_rows == 0

"""The named queries' answers over the made-up world, as the report asks for them."""

from dataclasses import replace
from functools import cache
from typing import Any

import pyarrow as pa
from hostile import HOSTILE
from world import CLUSTER, FIRST_DAY, LAST_DAY, WORK, Work, world

from costlab.config.settings import Settings
from costlab.domain.time import Day
from costlab.jobs.report import asked, render_report
from costlab.store.warehouse import Warehouse

# Each hostile name is a team, a namespace, a workload and a class of its own; all of them are cheap.
HOSTILE_WORK = tuple(
    Work(name, name, name, name, name, "cpu", 1, 0.1 + i / 1000, 0.1) for i, name in enumerate(HOSTILE)
)


@cache
def tables(*, hostile: bool = False) -> dict[str, pa.Table]:
    """The world's tables; with hostile names one day is enough, and only hostile ones live there."""
    if not hostile:
        return world()
    lost = tuple(replace(work, gpus=0, pool="cpu") for work in HOSTILE_WORK)
    made = world(LAST_DAY, (*lost, *WORK[:4]), first_day=LAST_DAY)
    findings = [
        {
            "cluster": CLUSTER,
            "date": LAST_DAY,
            "rule": name,
            "severity": "warning",
            "subject": name,
            "message": name,
        }
        for name in HOSTILE
    ]
    made["findings"] = pa.Table.from_pylist(findings, schema=made["findings"].schema)
    return made


@cache
def files(*, hostile: bool = False) -> dict[str, bytes]:
    """The report of the last day, by file name."""
    return render_report(Warehouse.over_tables(tables(hostile=hostile)), Settings(), CLUSTER, Day(LAST_DAY))


def answers(*, hostile: bool = False) -> dict[str, list[dict[str, Any]]]:
    """The rows behind it, by query."""
    warehouse = Warehouse.over_tables(tables(hostile=hostile))
    tables_of = asked(warehouse, Settings(), CLUSTER, Day(LAST_DAY))
    return {name: table.to_pylist() for name, table in tables_of.items()}


__all__ = ["CLUSTER", "FIRST_DAY", "HOSTILE", "LAST_DAY", "answers", "files", "tables"]

"""The named queries' answers over the made-up world, as the report asks for them."""

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa
from hostile import HOSTILE
from world import CLUSTER, FIRST_DAY, LAST_DAY, WORK, Work, world

from costlab.config.advising import Budget
from costlab.config.settings import Settings
from costlab.domain.dates import named_window
from costlab.domain.time import Day
from costlab.jobs.edition import render_edition
from costlab.jobs.report import asked, render_report
from costlab.store.schema import conform
from costlab.store.warehouse import Warehouse

# Each hostile name is a team, a namespace, a workload and a class of its own; all of them are cheap.
HOSTILE_WORK = tuple(
    Work(name, name, name, name, name, "cpu", 1, 0.1 + i / 1000, 0.1) for i, name in enumerate(HOSTILE)
)
BUDGETS = (
    Budget(cluster=CLUSTER, monthly=350_000),
    Budget(team="nlp-research", monthly=45_000),
    Budget(team="vision", monthly=90_000),
)
SETTINGS = Settings().model_copy(update={"budgets": BUDGETS})


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
    made["quota_advice"] = conform(
        "quota_advice",
        {
            "cluster": CLUSTER, "date": LAST_DAY, "namespace": list(HOSTILE), "resource": list(HOSTILE),
            "quotas": [[name] for name in HOSTILE], "spelled": [[name] for name in HOSTILE], "hard_now": 8.0,
            "used_now": 8.0, "used_p99": 8.0, "used_peak": 8.0, "expected_peak": None, "suggested_hard": 10.0,
            "suggested_after": None, "exhausted_on": None, "exhausted_earliest": None,
            # A quota that is exhausted is a finding too: all of them would leave no other among those that are shown.
            "reason": ["exhausted" if i < 5 else "over_large" for i in range(len(HOSTILE))], "evidence_days": 1,
        },
    )  # fmt: skip
    made["findings"] = pa.Table.from_pylist(findings, schema=made["findings"].schema)
    return made


@cache
def files(*, hostile: bool = False) -> dict[str, bytes]:
    """The report of the last day, by file name."""
    warehouse = Warehouse.over_tables(tables(hostile=hostile))
    return render_report(warehouse, SETTINGS, CLUSTER, Day(LAST_DAY))


@cache
def edition(name: str, *, hostile: bool = False) -> dict[str, bytes]:
    """The edition of a week or month, by suffix; October has September before it."""
    window = named_window(name)
    if window is None:
        raise ValueError(f"{name} is no week or month")
    made = (
        world(date(2026, 10, 31), first_day=date(2026, 9, 1))
        if name == "2026-10"
        else tables(hostile=hostile)
    )
    return render_edition(Warehouse.over_tables(made), SETTINGS, CLUSTER, window)


def answers(*, hostile: bool = False) -> dict[str, list[dict[str, Any]]]:
    """The rows behind it, by query."""
    warehouse = Warehouse.over_tables(tables(hostile=hostile))
    tables_of = asked(warehouse, Settings(), CLUSTER, Day(LAST_DAY))
    return {name: table.to_pylist() for name, table in tables_of.items()}


__all__ = ["BUDGETS", "CLUSTER", "FIRST_DAY", "HOSTILE", "LAST_DAY", "answers", "edition", "files", "tables"]

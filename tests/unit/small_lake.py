"""Lakes of a few rows: findings with a rule each, stretches of a GPU with its power, and the `runs` row beside them."""

from datetime import date
from typing import Any

import pyarrow as pa

from costlab.domain.time import Day
from costlab.store.lake import Lake
from costlab.store.schema import conform

DAY = Day(date(2026, 11, 22))


def findings(*rules: str, day: Day = DAY) -> pa.Table:
    n = len(rules)
    columns = {
        "cluster": ["prod"] * n, "date": [day.date] * n, "rule": list(rules), "severity": ["info"] * n,
        "subject": ["s"] * n, "message": ["m"] * n, "amount": pa.nulls(n, pa.decimal128(18, 6)),
    }  # fmt: skip
    return conform("findings", columns)


def run_row(**changes: Any) -> dict[str, Any]:
    return {
        "status": "complete", "coverage": 1.0, "signals": {}, "signal_coverage": {}, "scrape_interval_s": {}, "samples": 1, "source": "s",
        "engine": "e", "limits": {}, "warnings": [], "costlab_version": "0", "config_hash": "c", "prices_hash": "p", "forced": None, "unrecorded": None,
        "versions": {}, **changes,
    }  # fmt: skip


def commit(lake: Lake, rows: pa.Table, day: Day = DAY, **changes: Any) -> None:
    before = lake.run("prod", day)
    written = lake.write("findings", "prod", day, rows, before)
    lake.commit_run("prod", day, run_row(**changes), {"findings": written}, before)


def usage(*watts: int, day: Day = DAY) -> pa.Table:
    n = len(watts)
    columns = {
        "cluster": ["prod"] * n, "date": [day.date] * n, "gpu_key": list(range(n)), "container_key": [None] * n,
        "ts": pa.array([0] * n, pa.timestamp("us", tz="UTC")), "dt_s": pa.array([60] * n, pa.float32()),
        "busy_ratio": pa.array([0.5] * n, pa.float32()), "memory_used_bytes": [0.0] * n,
        "power_watts": pa.array(watts, pa.float32()),
    }  # fmt: skip
    return conform("gpu_usage", columns)


def replace_day(lake: Lake, tables: dict[str, pa.Table], day: Day = DAY, **changes: Any) -> None:
    before = lake.run("prod", day)
    with lake.replacing("prod", day, tables, before) as written:
        lake.commit_run("prod", day, run_row(**changes), written, before)

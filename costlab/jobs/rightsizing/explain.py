"""What is behind a workload's advice: its usage day by day, its price, and the raw usage that is still there."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from costlab.core.sketch import merged, nearest_rank
from costlab.domain.time import instant
from costlab.domain.units import Resource
from costlab.render.explanation import Explanation, UsageDay, steps
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

Row = Mapping[str, Any]

_KEYS = ("cluster", "namespace", "workload_kind", "workload", "container")
_RAW = {Resource.CPU: "cpu_cores", Resource.MEMORY: "memory_bytes"}


def explained(warehouse: Warehouse, rows: Sequence[Row], days: int, timezone: str) -> list[Explanation]:
    """Each row of advice with the so many days up to its own; nothing later, as it was made without that.

    timezone: the lake's, by whose clock hours are told.
    """
    return [_explained(warehouse, row, days, ZoneInfo(timezone)) for row in rows]


def explanation_table(told: Sequence[Explanation]) -> pa.Table:
    """The explanations for programs: the columns of advice, unit_price, words by heading, and the days."""
    rows = [{**each.row, "facts": list(each.row["facts"].items())} for each in told]
    table = pa.Table.from_pylist(rows, schema=arrow_schema("advice"))
    further = {
        "unit_price": pa.array([each.unit_price and float(each.unit_price) for each in told], pa.float64()),
        "words": pa.array([steps(each) for each in told], pa.map_(pa.string(), pa.string())),
        "days": pa.array([[asdict(day) for day in each.days] for each in told]),
    }
    for name, column in further.items():
        table = table.append_column(name, column)
    return table


def _explained(warehouse: Warehouse, row: Row, days: int, zone: ZoneInfo) -> Explanation:
    subject = {name: row[name] for name in (*_KEYS, "resource")}
    window = {"first": row["date"] - timedelta(days=days - 1), "last": row["date"]}
    profiles = warehouse.sql(_PROFILES, subject | window).to_pylist()
    of_day: dict[date, list[Row]] = defaultdict(list)
    for profile in profiles:
        of_day[profile["date"]].append(profile)
    [price] = warehouse.sql(_PRICE, subject | window).to_pylist()
    return Explanation(
        row,
        [_pooled(when, some) for when, some in sorted(of_day.items())],
        _pooled(row["date"], profiles) if profiles else None,
        None if price["unit_price"] is None else Decimal(f"{price['unit_price']:.6g}"),
        _peaks(warehouse, subject, window, zone),
    )


def _pooled(when: date, profiles: Sequence[Row]) -> UsageDay:
    """The profiles of replicas as one: sketches are merged, percentiles never averaged; the maximum is exact."""
    buckets = np.fromiter(chain.from_iterable(each["sketch_buckets"] for each in profiles), np.int32)
    weights = np.fromiter(chain.from_iterable(each["sketch_ms"] for each in profiles), np.int64)
    sketch = merged(buckets, weights)
    largest = [each["max"] for each in profiles if each["max"] == each["max"]]
    top = max(largest, default=float("nan"))
    # A level is the middle of its bucket, which may be above all that was in it.
    p50, p90, p95, p99 = (min(nearest_rank(*sketch, percent), top) for percent in (50, 90, 95, 99))
    return UsageDay(
        when, p50, p90, p95, p99,
        top,
        sum(each["occupied_s"] for each in profiles) / 3600,
        sum(each["observed_s"] for each in profiles) / 3600,
        _throttled(profiles),
    )  # fmt: skip


def _throttled(profiles: Sequence[Row]) -> float | None:
    """The share of the profiles' periods that was throttled, each for the time that it was observed; None: no limit."""
    limited = [each for each in profiles if each["throttled_ratio"] is not None]
    seen = [each for each in limited if not math.isnan(each["throttled_ratio"])]
    observed_s = sum(float(each["observed_s"]) for each in seen)
    if not observed_s:
        return float("nan") if limited else None
    return sum(float(each["throttled_ratio"] * each["observed_s"]) for each in seen) / observed_s


def _peaks(warehouse: Warehouse, subject: Row, window: Row, zone: ZoneInfo) -> list[tuple[datetime, float]]:
    """By the local clock; of an hour that is there twice, where clocks go back, the larger."""
    column = _RAW.get(subject["resource"])
    if column is None:
        return []
    peaks: dict[datetime, float] = {}
    for row in warehouse.sql(_QUARTERS.format(column=column), {**subject, **window}).to_pylist():
        hour = instant(row["quarter_ms"]).astimezone(zone).replace(minute=0, fold=0)
        peaks[hour] = max(peaks.get(hour, 0.0), row["peak"])
    return list(peaks.items())


_SUBJECT = " and ".join(f"{name} = ${name}" for name in (*_KEYS, "resource"))
_PROFILES = f"""
select date, occupied_s, observed_s, max, throttled_ratio, sketch_buckets, sketch_ms
from profiles
where {_SUBJECT} and date between $first and $last
order by date, container_key
"""  # noqa: S608 - made of the names above alone
# What an hour of a unit cost on average: the prices of the nodes that it ran on, weighted by what was billed there.
_PRICE = f"""
select sum(unit_price * billed_quantity) / sum(billed_quantity) as unit_price
from charges
where {_SUBJECT} and kind = 'workload' and date between $first and $last
    and billed_quantity > 0 and unit_price is not null
"""  # noqa: S608 - the same
# Of quarters of an hour, for there are zones whose hours begin within ours.
_QUARTERS = f"""
with subject as (
    select distinct cluster, date, container_key
    from profiles
    where {_SUBJECT} and date between $first and $last
)
select epoch_ms(ts) // 900000 * 900000 as quarter_ms, max({{column}}) as peak
from container_usage
inner join subject using (cluster, date, container_key)
where not isnan({{column}})
group by quarter_ms
order by quarter_ms
"""  # noqa: S608 - the same

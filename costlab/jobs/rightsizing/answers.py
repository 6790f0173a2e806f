"""What people ask of advice: a day's rows by cluster and owner, as a table for eyes and one for programs."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.units import Resource, format_bytes, format_cores
from costlab.jobs.asked import Filters
from costlab.jobs.rightsizing.gate import KEY
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

_TEXT = pa.string()
_DIFFERENCE = pa.schema(
    [
        *((name, _TEXT) for name in KEY),
        ("difference", _TEXT),
        ("request_before", pa.float64()),
        *((name, arrow_schema("advice").field(name).type) for name in (
            "proposed_request", "proposed_limit", "monthly_saving_gross", "monthly_saving_net",
        )),
    ]
)  # fmt: skip

_NONE = (("", "0001-01-01"),)  # no cluster has this name
_SAVINGS = (
    *KEY, "current_request", "proposed_request", "proposed_limit", "reason", "evidence", "evidence_days",
    "promised_rate", "violation_rate", "monthly_cost", "monthly_saving_gross", "monthly_saving_net",
)  # fmt: skip


def chosen(rows: pa.Table, filters: Filters) -> pa.Table:
    """The rows of these namespaces and teams."""
    for name in ("cluster", "namespace", "team"):
        wanted = getattr(filters, name)
        if wanted is not None:
            rows = rows.filter(pc.equal(rows[name], wanted))
    return rows


def ending(last: date, days: int) -> Dates:
    """So many days, the last of them named."""
    return Dates(last - timedelta(days=days - 1), last + timedelta(days=1))


def savings_table(
    warehouse: Warehouse, days: Sequence[tuple[str, str]], filters: Filters
) -> tuple[pa.Table, str | None]:
    """The changes worth making, of the clusters and their days given, their total in the last row; and the currency.

    Requests and limits are as Kubernetes writes them; proposed_limit is null where none is to be set. monthly_saving_gross
    is at the workload's own prices, monthly_saving_net what nodes give back; below 0 it costs more.
    Raises ConfigError for several currencies.
    """
    rows = pa.concat_tables(
        [warehouse.query("savings", cluster=cluster, day=day) for cluster, day in days or _NONE]
    )
    rows = chosen(rows, filters).sort_by([("monthly_saving_gross", "descending")])
    written = {
        name: pa.array(quantities(rows[name], rows["resource"]), pa.string())
        for name in ("current_request", "proposed_request", "proposed_limit")
    }
    parts = pa.table({name: written.get(name, rows[name]) for name in _SAVINGS})
    return _with_total(parts, sums=_SAVINGS[-3:]), currency_of(rows)


def quantities(values: pa.ChunkedArray, resources: pa.ChunkedArray) -> list[str | None]:
    """Cores, bytes or pieces as Kubernetes writes them; null stays."""
    return [
        None if value is None else _quantity(value, resource)
        for value, resource in zip(values.to_pylist(), resources.to_pylist(), strict=True)
    ]


def difference_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of `gate.differences` as a table."""
    named = [{name: row.get(name) for name in _DIFFERENCE.names} for row in rows]
    for row in named:
        for name in ("monthly_saving_gross", "monthly_saving_net"):
            row[name] = None if row[name] is None else Decimal(str(row[name]))
    return pa.Table.from_pylist(named, schema=_DIFFERENCE)


def advised_days(warehouse: Warehouse, until: str, cluster: str | None) -> list[tuple[str, str]]:
    """Each cluster with its last day of advice up to a date, by name."""
    rows = warehouse.sql(
        """
        select cluster, max(date) as day
        from advice
        where date <= cast($until as date) and ($cluster is null or cluster = $cluster)
        group by cluster
        order by cluster
        """,
        {"until": until, "cluster": cluster},
    )
    return [(row["cluster"], str(row["day"])) for row in rows.to_pylist()]


def idle_table(
    warehouse: Warehouse, window: Dates, filters: Filters, *, gpus: bool = False
) -> tuple[pa.Table, str | None]:
    """What was paid for and did nothing, dearest first, the total in the last row; and the currency.

    gpus: device by device; that money is inside what is idle and unused, not beside it. Raises ConfigError for several
    currencies.
    """
    asked = {"start": window.start, "until": window.end, "cluster": filters.cluster or ""}
    if gpus:
        rows, cost = warehouse.query("idle_devices", **asked), "not_busy_cost"
        rows = rows.drop_columns(["gpu_key"])
    else:
        owner = {"namespace": filters.namespace or "", "team": filters.team or ""}
        rows, cost = warehouse.query("idle_capacity", **asked, **owner), "cost"
    return _with_total(rows.drop_columns(["currency"]), sums=(cost,)), currency_of(rows)


def _with_total(rows: pa.Table, sums: Sequence[str]) -> pa.Table:
    """The rows, and one more: the sums of some columns of money, null in the others."""
    total = {name: pc.sum(rows[name]) for name in sums}
    last = {
        name: pa.array([total[name].as_py() if name in total else "(total)" if place == 0 else None], kind)
        for place, (name, kind) in enumerate(
            (field.name, total[field.name].type if field.name in total else field.type)
            for field in rows.schema
        )
    }
    end = pa.table(last)
    return pa.concat_tables([rows.cast(end.schema), end])


def currency_of(rows: pa.Table) -> str | None:
    """The currency of the rows, or None without any; raises ConfigError for several."""
    found = sorted(set(rows["currency"].to_pylist()) - {None, ""})
    if len(found) > 1:
        raise ConfigError(
            f"the rows are in {' and '.join(found)}, which do not add up", "narrow them with --cluster"
        )
    return found[0] if found else None


def _quantity(value: float, resource: str) -> str:
    if resource == Resource.CPU:
        return format_cores(value)
    return format_bytes(value) if resource == Resource.MEMORY else f"{value:g}"

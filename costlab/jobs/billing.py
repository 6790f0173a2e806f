"""Bills in the lake: import them, price nodes by them, and hold them against what was charged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from costlab.config.prices import Billed
from costlab.config.settings import Settings
from costlab.domain.bills import CostKind
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day, milliseconds
from costlab.store.content import content_hash
from costlab.store.focus_bill import Bill, Scope, read_bill
from costlab.store.lake import READABLE, Lake
from costlab.store.schema import arrow_schema, conform, empty, ordered
from costlab.store.warehouse import Warehouse

# A node and its name at the provider: under one node name there may be several machines on a day.
Bought = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Import:
    """What became of a bill. rows: a day each, the total last; stale: days whose charges are of before this bill."""

    rows: pa.Table
    lines: int
    stale: tuple[date, ...]


def import_bill(
    lake: Lake, settings: Settings, cluster: str, files: Sequence[Path], kind: CostKind, *, dry_run: bool = False
) -> Import:  # fmt: skip
    """Replace what the lake holds of this bill's accounts, billing periods and time, day by day; nothing if `dry_run`.

    Everything is read and checked before the first day is written. Raises ConfigError when the bill is at fault, or
    cuts through what an earlier one charges as one; LakeError.
    """
    bill = read_bill(files, lake.timezone, kind, settings.prices.currency)
    days = _days(lake, cluster, bill)
    states = lake.days(cluster)
    told, stale, nodes, bills = [], [], [], []
    changed = {}
    for day, fresh in days.items():
        before = lake.read("bills", cluster, day)
        kept = _kept(before, bill.scopes, day)
        rows = ordered("bills", pa.concat_tables([kept, fresh]))
        same = content_hash(rows) == content_hash(before)
        if not same:
            changed[day] = rows
        measured = states.get(day.date) in READABLE
        if measured:
            nodes.append(lake.read("nodes", cluster, day))
            if not same:
                stale.append(day.date)
        bills.append(rows)
        told.append(
            (day.date, fresh, "unchanged" if same else "replaced" if before.num_rows else "new", measured)
        )
    matched = _matched(nodes, bills)
    if not dry_run:
        for day, rows in changed.items():
            lake.write("bills", cluster, day, rows)
    return Import(_report(told, matched), bill.lines, tuple(stale))


def billed_nodes(nodes: pa.Table, bills: pa.Table, cluster: str, day: Day) -> Mapping[Bought, Billed]:
    """What a day's bill says that each of its nodes cost an hour.

    A node that the bill pays back more for than it charges is left out: there is no price below nothing.
    """
    if not bills.num_rows:
        return {}
    warehouse = Warehouse.over_tables({"nodes": nodes, "bills": bills})
    rows = warehouse.query("node_bills", cluster=cluster, day=str(day)).to_pylist()
    return {
        (row["node"], row["provider_id"] or None): _billed(row) for row in rows if row["billed_cost"] >= 0
    }


def reconciliation(warehouse: Warehouse, window: Dates, cluster: str | None) -> pa.Table:
    """The rows of `bill_reconciliation` for a window, their total last."""
    last = window.end.toordinal() - 1
    rows = warehouse.query(
        "bill_reconciliation", cluster=cluster, day=date.fromordinal(last).isoformat(), days=len(window)
    )
    return _with_total(rows, {"cluster": "(total)"})


def unmeasured(warehouse: Warehouse, window: Dates, cluster: str | None) -> dict[str, list[str]]:
    """The days of the window that a bill is of and the lake has not, or not as a whole, by cluster and what they are."""
    text = """
        select distinct bills.cluster, bills.date, coalesce(runs.status, 'missing') as status
        from bills
        left join runs on bills.cluster = runs.cluster and bills.date = runs.date
        where bills.date >= $start
            and bills.date < $until
            and ($cluster is null or bills.cluster = $cluster)
            and runs.status is distinct from 'complete'
        order by bills.cluster, status, bills.date
    """
    asked = {"start": window.start, "until": window.end, "cluster": cluster}
    found: dict[str, list[str]] = {}
    for row in warehouse.sql(text, asked).to_pylist():
        found.setdefault(f"{row['cluster']}, {row['status']}", []).append(str(row["date"]))
    return found


def _days(lake: Lake, cluster: str, bill: Bill) -> dict[Day, pa.Table]:
    """The bill's rows by day; a day without any of them, where the lake has rows that the bill may replace."""
    table = bill.rows
    starts = {date.fromordinal(d.toordinal()) for d in pc.unique(table["date"]).to_pylist()}
    held = set(lake.dates("bills", cluster))
    found = {}
    for at in sorted(starts | held):
        day = Day(at, lake.timezone)
        window = day.window
        if at in starts or any(
            scope.start < window.end and scope.end > window.start for scope in bill.scopes
        ):
            part = table.filter(pc.equal(table["date"], at)).drop_columns(["date"])
            columns = {name: part[name] for name in part.column_names}
            found[day] = (
                conform("bills", {"cluster": cluster, "date": at, **columns})
                if part.num_rows
                else empty("bills")
            )
    return found


def _kept(before: pa.Table, scopes: Iterable[Scope], day: Day) -> pa.Table:
    """What stays of a day: charges of other accounts, billing periods and times than the new bill's."""
    for scope in scopes:
        if not before.num_rows:
            break
        same = _all(
            pc.equal(before["billing_account"], scope.billing_account),
            pc.equal(
                before["billing_start"], pa.scalar(scope.billing_start, before.schema.field("start").type)
            ),
            pc.equal(pc.is_valid(before["charge_class"]), scope.corrections),
        )
        start, end = (pa.scalar(at, before.schema.field("start").type) for at in (scope.start, scope.end))
        for edge in (start, end):
            cut = before.filter(_all(same, pc.less(before["start"], edge), pc.greater(before["end"], edge)))
            if cut.num_rows:
                raise ConfigError(
                    f"the bill ends or begins at {edge.as_py():%Y-%m-%d %H:%M} UTC, in the midst of what "
                    f"{cut['file'][0]} charges as one on {day}",
                    "nothing was imported; import the export of the whole billing period",
                )
        replaced = _all(same, pc.greater_equal(before["start"], start), pc.less(before["start"], end))
        before = before.filter(pc.invert(replaced))
    return before


def _all(*conditions: pa.ChunkedArray) -> pa.ChunkedArray:
    found = conditions[0]
    for condition in conditions[1:]:
        found = pc.and_(found, condition)
    return found


def _billed(row: Mapping[str, Any]) -> Billed:
    more = f" and {row['files'] - 1} more" if row["files"] > 1 else ""
    return Billed(
        milliseconds(row["covered_start"]),
        milliseconds(row["covered_end"]),
        float(row["billed_cost"]) / row["billed_hours"],
        f"bill {row['file']}{more} ({row['cost_kind']})",
    )


def _matched(nodes: Sequence[pa.Table], bills: Sequence[pa.Table]) -> dict[date, Decimal]:
    """What of each day's bill is for a node."""
    tables = {
        name: pa.concat_tables([empty(name), *rows]) for name, rows in (("nodes", nodes), ("bills", bills))
    }
    rows = Warehouse.over_tables(tables).sql(
        "select date, sum(cost) as cost from bill_lines where node is not null group by date"
    )
    return {row["date"]: row["cost"] for row in rows.to_pylist()}


def _report(told: Sequence[tuple[date, pa.Table, str, bool]], matched: Mapping[date, Decimal]) -> pa.Table:
    rows = [
        {
            "date": at.isoformat(),
            "bill": state,
            "charges": "measured" if measured else "not measured",
            "lines": fresh.num_rows,
            "billed_cost": (billed := pc.sum(fresh["cost"]).as_py() or Decimal(0)),
            "matched_cost": (ours := matched.get(at, Decimal(0))),
            "unmatched_cost": billed - ours,
        }
        for at, fresh, state, measured in told
    ]
    return _with_total(pa.Table.from_pylist(rows), {"date": "(total)"})


def _with_total(rows: pa.Table, named: Mapping[str, str]) -> pa.Table:
    """The rows, and one that adds up their money and their counts."""
    total: dict[str, Any] = dict(named)
    # Inferred types have room for the rows alone, and a sum may have a digit more.
    money = arrow_schema("charges").field("cost").type
    rows = rows.cast(
        pa.schema([f.with_type(money) if pa.types.is_decimal(f.type) else f for f in rows.schema])
    )
    for field in rows.schema:
        if pa.types.is_decimal(field.type):
            total[field.name] = sum(filter(None, rows[field.name].to_pylist()), Decimal(0))
        elif pa.types.is_integer(field.type):
            total[field.name] = sum(rows[field.name].to_pylist())
    return pa.concat_tables([rows, pa.Table.from_pylist([total], schema=rows.schema)])

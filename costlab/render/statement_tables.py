"""The tables of a statement: charges by resource, workloads, and volumes, in the smallest amounts of the currency, that add up."""

from collections.abc import Sequence
from decimal import Decimal

from costlab.domain.dates import Dates, month_of
from costlab.render import figures
from costlab.render.cells import RESOURCES, ZERO, Row, blank, priced, total_of
from costlab.render.context import Cell, Column, Section, Table
from costlab.render.names import named
from costlab.render.owed import Period

# So that it is one page of A4: what is more is told together.
WORKLOADS_SHOWN = 10
VOLUMES_SHOWN = 3
_UNKNOWN = "Nothing is known of these days."

_QUANTITIES = {
    "gpu": ("gpu_hours", "GPU h"),
    "cpu": ("cpu_core_hours", "core h"),
    "memory": ("memory_gib_hours", "GiB h"),
    "storage": ("storage_gib_hours", "GiB h"),
}


def charges(rows: list[Row], currency: str, now: Period, before: Period) -> Section:
    """Charges by resource, then its part of what is shared, down to the sum."""
    beside = [
        (name, note, getattr(now.bill, part), getattr(before.bill, part))
        for name, note, part in (
            ("Idle and system capacity", "its part", "idle"),
            ("Shared cost", "its part; negative: borne by others", "shared"),
        )
        if getattr(now.bill, part) or getattr(before.bill, part)
    ]
    costs = [row["cost"] for row in rows] + [now_cost for _, _, now_cost, _ in beside]
    old = [row["cost_before"] for row in rows] + [old_cost for _, _, _, old_cost in beside]
    cost, was, change, sums = _compared(
        costs, old, now.bill.total, before.bill.total, known=before.known, to=figures.smallest(currency)
    )
    unused, all_unused = figures.column([row["cost_unused"] for row in rows], to=figures.smallest(currency))
    table = Table(
        "Charges by resource",
        (
            Column("Charge"),
            Column("Billed", numeric=True, minor=True),
            Column("Not used", currency, numeric=True, minor=True),
            *_money_columns(currency, before.window),
        ),
        tuple(
            (
                Cell(RESOURCES.get(row["resource"], row["resource"].capitalize())),
                Cell(_billed(row)),
                Cell(unused[i].replace(figures.NONE, "")),
                priced(cost[i], row),
                Cell(was[i]),
                Cell(change[i]),
            )
            for i, row in enumerate(rows)
        ),
        tuple(
            (Cell(name, note), *blank(2), Cell(cost[i]), Cell(was[i]), Cell(change[i]))
            for i, (name, note, _, _) in enumerate(beside, len(rows))
        ),
        (Cell("Sum"), Cell(""), Cell(all_unused), *map(Cell, sums)),
    )
    return Section("charges", "Charges", "", table, empty=_UNKNOWN)


def workloads(rows: list[Row], currency: str, now: Period, before: Period) -> Section:
    """The dearest workloads with their namespaces; the others together."""
    shown, hidden = _split(rows, WORKLOADS_SHOWN)
    others = [total_of(hidden, "cost")] if hidden else []
    old = [row["cost_before"] for row in shown] + ([total_of(hidden, "cost_before")] if hidden else [])
    cost, was, change, sums = _compared(
        [row["cost"] for row in shown] + others,
        old,
        now.bill.own,
        before.bill.own,
        known=before.known,
        to=figures.smallest(currency),
    )
    unused, all_unused = figures.column(
        [row["cost_unused"] for row in shown] + ([total_of(hidden, "cost_unused")] if hidden else []),
        to=figures.smallest(currency),
    )
    table = Table(
        "Its own charges by workload",
        (
            Column("Workload"),
            Column("Namespace"),
            Column("Not used", currency, numeric=True, minor=True),
            *_money_columns(currency, before.window),
        ),
        tuple(
            (
                Cell("no workload" if row["workload"] == "(none)" else named(row["workload"])),
                Cell(named(row["namespace"])),
                Cell(unused[i].replace(figures.NONE, "")),
                priced(cost[i], row),
                Cell(was[i]),
                Cell(change[i]),
            )
            for i, row in enumerate(shown)
        ),
        (
            (
                Cell(f"and {figures.counted(len(hidden), 'other')}"),
                Cell(""),
                Cell(unused[-1]),
                Cell(cost[-1]),
                Cell(was[-1]),
                Cell(change[-1]),
            ),
        )
        if hidden
        else (),
        (Cell("Its own charges"), Cell(""), Cell(all_unused), *map(Cell, sums)),
    )
    return Section("workloads", "By workload", "", table, empty=_UNKNOWN)


def volumes(rows: list[Row], currency: str) -> Section:
    """The dearest volumes, which are in the charges above."""
    rows = sorted(rows, key=lambda row: (-(row["cost"] or ZERO), row["namespace"], row["item"]))
    shown, hidden = _split(rows, VOLUMES_SHOWN)
    cost, total = figures.column(
        [row["cost"] for row in shown] + ([total_of(hidden, "cost")] if hidden else []),
        to=figures.smallest(currency),
    )
    hours = [row["storage_gib_hours"] for row in shown]
    table = Table(
        "Volumes, which are in the charges above",
        (
            Column("Volume"),
            Column("Namespace"),
            Column("Held", "GiB h", numeric=True),
            Column("Cost", currency, numeric=True),
        ),
        tuple(
            (
                Cell(named(row["item"])),
                Cell(named(row["namespace"])),
                Cell(figures.quantity(hours[i])),
                priced(cost[i], row),
            )
            for i, row in enumerate(shown)
        ),
        (
            (
                Cell(f"and {figures.counted(len(hidden), 'other')}"),
                Cell(""),
                Cell(figures.quantity(sum(row["storage_gib_hours"] for row in hidden))),
                Cell(cost[-1]),
            ),
        )
        if hidden
        else (),
        (Cell("Volumes"), *blank(2), Cell(total)),
    )
    return Section("volumes", "Volumes, within the charges above", "", table)


def _compared(
    costs: Sequence[Decimal | None],
    before: Sequence[Decimal | None],
    total: Decimal,
    total_before: Decimal,
    *,
    known: bool,
    to: Decimal,
) -> tuple[list[str], list[str], list[str], list[str]]:
    """Columns of cost, cost before and change, rounded to `to`, that add up, and the cells of their total row."""
    cost, all_cost = figures.column(costs, total=total, to=to)
    if not known:
        none = [figures.NONE] * len(costs)
        return cost, none, none, [all_cost, figures.NONE, figures.NONE]
    was, all_was = figures.column(before, total=total_before, to=to)
    changes = [(new or ZERO) - (old or ZERO) for new, old in zip(costs, before, strict=True)]
    change, all_change = figures.column(changes, signed=True, total=total - total_before, to=to)
    return cost, was, change, [all_cost, all_was, all_change]


def _money_columns(currency: str, before: Dates) -> tuple[Column, ...]:
    short = figures.month(before.start) if before == month_of(before.start) else "Before"
    return (
        Column("Cost", currency, numeric=True),
        Column(short, currency, numeric=True, minor=True),
        Column("Change", currency, numeric=True),
    )


def _split(rows: list[Row], most: int) -> tuple[list[Row], list[Row]]:
    """Those that are shown and the others; a single other one would take the same line."""
    return (rows, []) if len(rows) <= most + 1 else (rows[:most], rows[most:])


def _billed(row: Row) -> str:
    name, unit = _QUANTITIES.get(row["resource"], ("", ""))
    return f"{figures.quantity(row[name])} {unit}" if name and row[name] is not None else ""

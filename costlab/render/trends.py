"""The two charts' numbers: thirty days, and the month so far."""

from calendar import monthrange
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from costlab.render import figures
from costlab.render.cells import parts_of
from costlab.render.context import (
    Cell,
    Column,
    DailyChart,
    DayBar,
    MonthAhead,
    MonthChart,
    MonthLine,
    Part,
    Table,
)

Row = dict[str, Any]


def daily_chart(days: list[Row], currency: str) -> DailyChart:
    """Stacked bars of the days of daily_costs, from the first that the lake holds; the last one is labelled."""
    rows = since_the_first(days)
    bars = tuple(
        DayBar(
            row["date"],
            None if row["total_cost"] is None else {part: float(row[f"{part}_cost"]) for part in Part},
            None if row["usual_cost"] is None else float(row["usual_cost"]),
            row["status"] == "complete",
        )
        for row in rows
    )
    last = rows[-1]["total_cost"]
    known = [row for row in rows if row["total_cost"] is not None]
    return DailyChart(
        title=f"The last {len(rows)} days"
        if len(rows) == len(days)
        else f"Since {figures.medium_date(rows[0]['date'])}",
        summary=_summary(known, len(rows), currency),
        parts=parts_of(rows),
        bars=bars,
        currency=currency,
        last_label="" if last is None else figures.money(last, currency),
        table=_daily_table(rows, currency),
    )


def since_the_first(days: list[Row]) -> list[Row]:
    """The days from the first that is held on: what lies before a young lake is not missing from it."""
    held = [i for i, row in enumerate(days) if row["status"] != "missing"]
    return days[held[0] :] if held else days[-1:]


def month_chart(rows: list[Row], day: date, currency: str, ahead: MonthAhead) -> MonthChart:
    """The running total of the day's month, over the month before when that is complete; rows of month_costs."""
    month = day.replace(day=1)
    now = [row for row in rows if row["month"] == month]
    before = [row for row in rows if row["month"] < month]
    last = now[-1]["running_cost"]
    label = "" if last is None else figures.money(last, currency)
    whole = bool(before) and before[-1]["missing_days"] == 0
    summary = (
        f"Running total of {figures.month(day)}: {label or 'nothing known'} by {figures.medium_date(day)}"
    )
    if ahead.days:
        summary += f"; {expected_by_end(ahead, currency)} are expected by its end"
    return MonthChart(
        title=f"{figures.month(day)} so far" + (", and what is ahead" if ahead.days else ""),
        summary=f"{summary}.",
        now=_line(figures.month(day), now),
        before=_line(figures.month(before[-1]["date"]), before) if whole else None,
        days_in_month=monthrange(day.year, day.month)[1],
        currency=currency,
        last_label=label,
        table=_month_table(now, currency),
        ahead=ahead.days,
        end_label=figures.money(Decimal(ahead.days[-1].expected), currency) if ahead.days else "",
        budget=ahead.budget,
    )


def expected_by_end(ahead: MonthAhead, currency: str) -> str:
    """What the month will have cost, with its interval where that is known: $6,700 ($6,200 to $7,200)."""
    end = ahead.days[-1]
    expected, lower, upper = (
        figures.money(Decimal(amount), currency) if isfinite(amount) else ""
        for amount in (end.expected, end.lower, end.upper)
    )
    return f"{expected} ({lower} to {upper})" if upper else expected


def comparable(rows: list[Row], day: date) -> Row | None:
    """The row of the same day of the month before, None unless the lake holds both months without a gap."""
    if rows[-1]["missing_days"]:
        return None
    same = [row for row in rows if row["month"] < day.replace(day=1) and row["day_of_month"] == day.day]
    return same[0] if same and not same[0]["missing_days"] else None


def _line(title: str, rows: list[Row]) -> MonthLine:
    return MonthLine(
        title,
        tuple(
            (row["day_of_month"], None if row["total_cost"] is None else float(row["running_cost"]))
            for row in rows
        ),
    )


def _summary(known: list[Row], count: int, currency: str) -> str:
    if not known:
        return "No day has a known cost."
    costs: list[Decimal] = [row["total_cost"] for row in known]
    low, high = figures.money(min(costs), currency), figures.money(max(costs), currency)
    mean = figures.money(sum(costs, Decimal(0)) / len(costs), currency)
    return f"{len(known)} of {figures.counted(count, 'day')} known: between {low} and {high} a day, {mean} on average."


def _daily_table(rows: list[Row], currency: str) -> Table:
    parts = parts_of(rows)
    columns = (
        Column("Day"),
        *(Column(part.label, currency, numeric=True) for part in parts),
        Column("Total", currency, numeric=True),
        Column("Usual", currency, numeric=True),
    )
    return Table(
        "Cost of each day by what the money bought", columns, tuple(_daily_row(row, parts) for row in rows)
    )


def _daily_row(row: Row, parts: tuple[Part, ...]) -> tuple[Cell, ...]:
    state = "" if row["status"] == "complete" else row["status"]
    cells, total = figures.column([row[f"{part}_cost"] for part in parts])
    known = row["total_cost"] is not None
    usual = figures.NONE if row["usual_cost"] is None else figures.column([row["usual_cost"]])[1]
    return (
        Cell(f"{figures.weekday(row['date'])[:3]} {figures.short_date(row['date'])}", note=state),
        *(Cell(text) for text in cells),
        Cell(total if known else figures.NONE),
        Cell(usual),
    )


def _month_table(rows: list[Row], currency: str) -> Table:
    columns = (
        Column("Day"),
        Column("Cost", currency, numeric=True),
        Column("Month so far", currency, numeric=True),
    )
    return Table("Running total of the month", columns, tuple(map(_month_row, rows)))


def _month_row(row: Row) -> tuple[Cell, ...]:
    known = row["total_cost"] is not None
    return (
        Cell(figures.short_date(row["date"]), note="" if known else "missing"),
        Cell(figures.column([row["total_cost"]])[1] if known else figures.NONE),
        Cell(figures.column([row["running_cost"]])[1] if known else figures.NONE),
    )

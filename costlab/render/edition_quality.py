"""What an edition's figures rest on: the days that are there, the strip above the figures, and how they are made."""

from collections.abc import Iterator
from datetime import date

from costlab.domain.findings import Severity
from costlab.render import evidence, figures
from costlab.render.cells import Row
from costlab.render.context import Cell, Column, Notice, Section, Table
from costlab.render.edition_words import Compared, PeriodCost, days_named, within
from costlab.render.names import named
from costlab.render.statement import days_of

_LEVELS = tuple(severity.value for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO))


def notices(compared: Compared, days: list[Row], reconciliation: list[Row]) -> tuple[Notice, ...]:
    """A line for each thing that a reader of the figures must know, the gravest first."""
    said = _said(compared, days, reconciliation)
    return tuple(sorted(said, key=lambda notice: _LEVELS.index(notice.level)))


def measured(compared: Compared, days: list[Row]) -> Section:
    """How many days of both periods are in the lake, and how much of them was observed."""
    periods = (compared.before, compared.now)
    table = Table(
        "Days that the figures rest on",
        (
            Column("Period"),
            Column("Complete", "days", numeric=True),
            Column("Incomplete", "days", numeric=True, minor=True),
            Column("Missing", "days", numeric=True),
            Column("Observed", "of the time", numeric=True),
        ),
        tuple(
            (
                Cell(days_of(each.window)),
                Cell(f"{each.days - len(each.incomplete)} of {len(each.window)}"),
                Cell(str(len(each.incomplete))),
                Cell(str(len(each.missing))),
                Cell(_observed(days, each)),
            )
            for each in periods
        ),
    )
    return Section("measured", "What was measured", "", table)


def notes(compared: Compared) -> tuple[str, ...]:
    """How the figures are made, in sentences."""
    unit = "month" if compared.now.monthly else "week"
    said = [
        f"This {unit} is {days_of(compared.now.window)}, compared with {days_of(compared.before.window)}.",
        "A day that is missing is in no sum, and no change is told where one is missing from either period.",
    ]
    if compared.now.monthly:
        said.insert(1, "Months have 28 to 31 days: changes are of the cost of a day, never of the two sums.")
    said.append(
        f"costlab cost --cluster {named(compared.cluster)} --window {compared.now.window.name} gives the same total, by whatever it is asked by."
    )
    return tuple(said)


def coverage(days: list[Row], period: PeriodCost) -> float | None:
    """How much of the time usage was observed, on average over the period's days that are held; None without one."""
    known = [
        row["coverage"]
        for row in days
        if period.window.start <= row["date"] < period.window.end
        and row["coverage"] is not None
        and row["coverage"] == row["coverage"]
    ]
    return sum(known) / len(known) if known else None


def _observed(days: list[Row], period: PeriodCost) -> str:
    ratio = coverage(days, period)
    return figures.NONE if ratio is None else f"{ratio:.1%}"


def _said(compared: Compared, days: list[Row], reconciliation: list[Row]) -> Iterator[Notice]:
    now, before = compared.now, compared.before
    if any(row["difference"] for row in reconciliation):
        where = f"see \N{LEFT DOUBLE QUOTATION MARK}{evidence.RECONCILIATION}\N{RIGHT DOUBLE QUOTATION MARK}"
        yield Notice("error", f"The charges do not add up to the price of the nodes: {where}")
    if now.missing:
        yield Notice(
            "error", f"Missing, and in no figure here: {days_named(now.missing)}{_young(compared, now)}."
        )
    if now.open:
        yield Notice(
            "warning",
            f"What the nodes had is not known on {days_named(now.open)}: idle capacity is not in the total.",
        )
    if now.incomplete:
        yield Notice(
            "warning",
            f"Usage was observed too little on {days_named(now.incomplete)}{_least(days, now.incomplete)}.",
        )
    if compared.unpriced_charges:
        yield Notice("warning", f"{figures.unpriced(compared.unpriced_charges)} in no sum.")
    if before.missing and before.days:
        yield Notice(
            "info",
            f"Missing from {within(before.window)}: {days_named(before.missing)}{_young(compared, before)}.",
        )
    if before.incomplete:
        yield Notice(
            "info",
            f"In {within(before.window)}, usage was observed too little on {days_named(before.incomplete)}.",
        )


def _young(compared: Compared, period: PeriodCost) -> str:
    """That the missing days lie before the lake's first one, where all of them do."""
    young = all(day < compared.first for day in period.missing)
    return f", before the lake's first day, {figures.medium_date(compared.first)}" if young else ""


def _least(days: list[Row], incomplete: tuple[date, ...]) -> str:
    least = min((row["coverage"] for row in days if row["date"] in incomplete), default=None)
    return (
        ""
        if least is None
        else f": for {figures.share(least)} of the time" + (", at the least" if len(incomplete) > 1 else "")
    )

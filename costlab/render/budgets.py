"""Budgets of the month: what was spent, what is expected by its end, and how each stands."""

from decimal import Decimal
from math import isfinite

from costlab.render import figures
from costlab.render.context import BudgetLine, Cell, Column, Part, Section, Split, Table
from costlab.render.names import named

# State -> (words, tone); a sign in front, so that colour is not the only cue.
_STATES = {
    "exceeded": ("✕\N{NO-BREAK SPACE}exceeded", "bad"),
    "will_be_exceeded": ("▲\N{NO-BREAK SPACE}will be exceeded", "bad"),
    "may_be_exceeded": ("may be exceeded", ""),
    "kept": ("kept", "good"),
    "not_known": ("not known", "quiet"),
}


def section(budgets: tuple[BudgetLine, ...], currency: str) -> Section:
    """Each budget, in the configuration's order; amounts beside each other are rounded alike."""
    table = Table(
        "Budgets of the month",
        (
            Column("Budget"),
            Column("Monthly", currency, numeric=True),
            Column("Spent", currency, numeric=True),
            Column("By month's end", currency, numeric=True),
            Column("Stands"),
        ),
        tuple(map(_row, budgets)),
    )
    lead = "A cost counts in every budget that it is in; a team's, a namespace's and a pipeline's are over all clusters."
    return Section("budgets", "Budgets", lead, table)


def _row(line: BudgetLine) -> tuple[Cell, ...]:
    words, tone = _STATES[line.state]
    spent = None if line.spent is None else float(line.spent) / line.monthly
    known = isfinite(line.expected)
    between = f"{_amount(line.lower)} to {_amount(line.upper)}" if isfinite(line.upper) else ""
    return (
        Cell(named(line.subject), line.dimension),
        Cell(_amount(line.monthly)),
        Cell(
            figures.NONE if line.spent is None else _amount(line.spent),
            "" if spent is None else figures.share(spent),
            None if spent is None else Split(((Part.USED, min(1.0, spent)),)),
        ),
        Cell(_amount(line.expected) if known else figures.NONE, between, minor_note=True),
        Cell(words, tone=tone),
    )


def _amount(amount: float | Decimal) -> str:
    return figures.column([Decimal(amount)])[1]

"""What the figures rest on: findings, the reconciliation, and what was read."""

from decimal import Decimal

from costlab.render import figures
from costlab.render.audit_words import RULES
from costlab.render.cells import BESIDE, RESOURCES, ZERO, Row, parts_of, total_of
from costlab.render.context import Cell, Column, Part, Section, Table
from costlab.render.names import visible

FINDINGS_SHOWN = 20
RECONCILIATION = "Do the numbers add up?"

_SEVERITY = {"error": "✕\N{NO-BREAK SPACE}error", "warning": "▲\N{NO-BREAK SPACE}warning", "info": "info"}


def findings(rows: list[Row], currency: str) -> Section:
    """What a person should know."""
    shown, hidden = rows[:FINDINGS_SHOWN], rows[FINDINGS_SHOWN:]
    table = Table(
        "Findings",
        (Column("Finding"), Column("Severity"), Column("Amount", currency, numeric=True)),
        tuple(
            (
                Cell(visible(row["message"]), f"{visible(row['subject'])} · {visible(row['rule'])}"),
                Cell(_SEVERITY.get(row["severity"], visible(row["severity"]))),
                Cell(figures.NONE if row["amount"] is None else figures.column([row["amount"]])[1]),
            )
            for row in shown
        ),
        ((Cell(f"{len(hidden):,} more in findings.csv"), Cell(""), Cell("")),) if hidden else (),
    )
    return Section("findings", "Findings", "", table, "Nothing to report.")


def audit(rows: list[Row], currency: str) -> Section:
    """What has no request, owner, price, …: a row for each rule and resource, dearest first."""
    kinds: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row["rule"], row["resource"]), []).append(row)
    amounts = {kind: sum((row["amount"] or ZERO for row in found), ZERO) for kind, found in kinds.items()}
    table = Table(
        "To put right",
        (Column("What"), Column("How many", numeric=True), Column("Amount", currency, numeric=True)),
        tuple(
            (
                Cell(
                    _headed(RULES[rule].finding(resource)),
                    RULES[rule].mend(resource),
                ),
                Cell(f"{len(kinds[rule, resource]):,}"),
                Cell(figures.column([amount])[1] if amount else figures.NONE),
            )
            for (rule, resource), amount in sorted(amounts.items(), key=lambda item: (-item[1], str(item[0])))
        ),
    )
    lead = "One cost may be in several rows. costlab audit names each of them." if rows else ""
    return Section("audit", "Audit", lead, table, "Nothing lacks a request, a limit, an owner or a price.")


def _headed(text: str) -> str:
    return text[0].upper() + text[1:]


def reconciliation(rows: list[Row], currency: str, *, to: Decimal | None = None) -> Section:
    """An addition: the parts of each resource, and of all, over what was to be paid for it, rounded to `to`, else to the cent."""
    nodes, others = (
        [row for row in rows if row["resource"] not in BESIDE],
        [row for row in rows if row["resource"] in BESIDE],
    )
    resources = [RESOURCES.get(row["resource"], str(row["resource"])) for row in nodes]
    parts = parts_of(rows)
    beside = Part.BESIDE in parts
    names = (*(f"{part}_cost" for part in Part), "paid_cost", "difference")
    lines, paid = _addition(
        [*nodes, *({name: total_of(others, name) for name in names} for _ in others[:1])],
        parts,
        figures.smallest(currency) if to is None else to,
    )
    # What stands beside nodes is a line of its own, and would be nothing but noughts as a column.
    lines, paid = [_without(line, len(nodes)) for line in lines], _without(paid, len(nodes))
    differences = [row["difference"] for row in nodes]
    off = any(row["difference"] for row in rows)
    table = Table(
        f"{' + '.join(part.label[0].lower() + part.label[1:] for part in parts)} = "
        + ("total" if beside else "price of the nodes"),
        (
            Column("Part"),
            *(Column(name, currency, numeric=True) for name in resources),
            Column("All", currency, numeric=True),
        ),
        tuple(
            (Cell(("" if i == 0 else "+ ") + part.label), *_amounts(lines[i]))
            for i, part in enumerate(parts)
            if rows
        ),
        (
            (
                Cell("Difference"),
                *(Cell(f"{d:f}", tone="bad") for d in (*differences, total_of(rows, "difference"))),
            ),
        )
        if off
        else (),
        (Cell("= Total" if beside else "= Price of the nodes"), *_amounts(paid)),
    )
    what = "money" if beside else "price of the nodes"
    lead = f"Where the {what} went; checked to the millionth before a day is stored."
    unbounded = total_of(rows, "unbounded_cost")
    if unbounded:
        amount = figures.money(unbounded, currency)
        lead += f" {amount} more was charged on nodes whose capacity or price is not known."
    return Section("reconciliation", RECONCILIATION, lead, table, "There was no node with a known price.")


def signals(rows: list[Row]) -> Section:
    """What was read of each signal."""
    table = Table(
        "What was read",
        (
            Column("Signal"),
            Column("Samples", numeric=True),
            Column("Time observed", "of occupancy", numeric=True),
        ),
        tuple(
            (
                Cell(visible(row["signal"])),
                Cell(f"{row['samples'] or 0:,}"),
                Cell("" if row["coverage"] is None else f"{row['coverage']:.1%}"),
            )
            for row in rows
        ),
    )
    return Section("signals", "What was measured", "", table, "Nothing is recorded.", folded=True)


def _addition(
    rows: list[Row], parts: tuple[Part, ...], to: Decimal
) -> tuple[list[list[Decimal]], list[Decimal]]:
    """Amounts by part, and the sums, in steps of `to`; each line ends with its total.

    Rounded so that the printed figures add up both ways: the resources' prices and the parts' totals give that of all,
    by largest remainder, and so do the amounts between them. Where a day does not add up, nothing is made to look as if
    it did.
    """
    total = total_of(rows, "paid_cost").quantize(to)
    paid = figures.apportion([row["paid_cost"] for row in rows], to, total)
    exact = [[row[f"{part}_cost"] for part in parts] for row in rows]
    if any(row["difference"] for row in rows):
        columns = [[amount.quantize(to) for amount in column] for column in exact]
    else:
        columns = [figures.apportion(c, to, n) for c, n in zip(exact, paid, strict=True)]
        totals = [total_of(rows, f"{part}_cost") for part in parts]
        _shift(columns, exact, figures.apportion(totals, to, total) if rows else [], to)
    lines = [[column[i] for column in columns] for i in range(len(parts))]
    return [[*line, sum(line, ZERO)] for line in lines], [*paid, total]


def _shift(
    columns: list[list[Decimal]], exact: list[list[Decimal]], wanted: list[Decimal], to: Decimal
) -> None:
    """Move steps between the lines of a column, where it hurts least, until lines add up to what is wanted.

    An amount of nothing stays nothing; where no column can give and take, the lines stay as they are.
    """
    while True:
        over = [sum((c[i] for c in columns), ZERO) - want for i, want in enumerate(wanted)]
        moves = [
            (abs(column[down] - to - truth[down]) + abs(column[up] + to - truth[up]), n, down, up)
            for n, (column, truth) in enumerate(zip(columns, exact, strict=True))
            for down, more in enumerate(over)
            for up, less in enumerate(over)
            if more > 0 > less and column[down] and truth[up]
        ]  # fmt: skip
        if not moves:
            return
        _, n, down, up = min(moves)
        columns[n][down] -= to
        columns[n][up] += to


def _without(line: list[Decimal], place: int) -> list[Decimal]:
    """The cells before a place, and the line's total, its last."""
    return [*line[:place], line[-1]]


def _amounts(amounts: list[Decimal]) -> tuple[Cell, ...]:
    return tuple(Cell(f"{amount:,}", tone="" if amount else "quiet") for amount in amounts)

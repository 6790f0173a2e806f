"""The tables of an edition: teams in both periods, what grew and shrank, budgets, idle GPUs, and advice taken."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from costlab.render import figures, wording
from costlab.render.cells import ZERO, Row, bar, blank, priced, total_of, used
from costlab.render.context import Cell, Column, Part, Section, Split, Table
from costlab.render.devices import GPUS_SHOWN, gpu
from costlab.render.edition_words import Compared, why_not, within
from costlab.render.names import named

TEAMS_SHOWN = 25
MOVED_SHOWN = 6

_KINDS = {
    "idle": ("Idle capacity", "given to no pod"),
    "system": ("System", "not for pods"),
    "fee": ("Fees", "whatever runs"),
}
_WHY = {
    wording.Effect.NEW: "new",
    wording.Effect.GONE: "gone",
    wording.Effect.PRICE: "another price",
}


def teams(answers: Mapping[str, list[Row]], compared: Compared) -> Section:
    """What each team cost in both periods, and what belongs to none, down to the period's total."""
    rows = answers["teams"]
    shown, hidden = rows[:TEAMS_SHOWN], rows[TEAMS_SHOWN:]
    beside = [(Cell(*_KINDS.get(row["kind"], (named(row["kind"]), ""))), row) for row in answers["kinds"]]
    if hidden:
        others = {name: total_of(hidden, name) for name in ("total_cost", "before_cost", "unused_cost")}
        beside.insert(0, (Cell(figures.counted(len(hidden), "other team")), others))
    lines = [*shown, *(row for _, row in beside)]
    cost, total = figures.column([row["total_cost"] for row in lines], total=compared.now.total)
    was, all_was, change, all_change = _beside(lines, compared)
    unused, all_unused = figures.column(
        [row["unused_cost"] for row in shown + [r for _, r in beside[: bool(hidden)]]]
    )
    table = Table(
        "What each team cost in both periods",
        (
            Column("Team"),
            *money_columns(compared),
            Column("Used", "of what was observed"),
            Column("Not used", compared.currency, numeric=True, minor=True),
            Column("GPU hours", numeric=True, minor=True),
        ),
        tuple(
            (
                Cell(_team(row["team"])),
                priced(cost[i], row),
                Cell(was[i]),
                _changed(change[i], row, compared),
                used(row),
                Cell(unused[i]),
                Cell(figures.quantity(row["gpu_hours"])),
            )
            for i, row in enumerate(shown)
        ),
        tuple(
            (
                name,
                Cell(cost[i]),
                Cell(was[i]),
                _changed(change[i], row, compared),
                Cell(""),
                Cell(unused[i] if i < len(unused) else ""),
                Cell(""),
            )
            for i, (name, row) in enumerate(beside, len(shown))
        ),
        (
            Cell("Total"),
            Cell(figures.NONE if compared.now.total is None else total),
            Cell(all_was),
            Cell(all_change),
            Cell(""),
            Cell(all_unused),
            Cell(figures.quantity(sum(row["gpu_hours"] for row in rows))),
        ),
    )
    return Section("teams", "Teams", _basis(compared), table, "No workload ran in this period.")


def moved(rows: list[Row], causes: Sequence[wording.Contribution], compared: Compared) -> tuple[Section, ...]:
    """The workloads whose cost grew most, and those whose cost shrank most; none where nothing is compared."""
    if not compared.comparable:
        return ()
    prices = _prices(causes)
    changed = [(row, _change(row, compared), prices.get(_key(row), ZERO)) for row in rows]
    grew = sorted((each for each in changed if each[1] > 0), key=lambda each: -each[1])
    shrank = sorted((each for each in changed if each[1] < 0), key=lambda each: each[1])
    return (
        _moved("grew", "What grew most", "grew", grew, compared),
        _moved("shrank", "What shrank most", "shrank", shrank, compared),
    )


def budgets(rows: list[Row], compared: Compared) -> tuple[Section, ...]:
    """The month's budgets, each with what was spent of it; no section where there are none."""
    if not rows:
        return ()
    table = Table(
        "Budgets of the month",
        (
            Column("Budget"),
            Column("Monthly", compared.currency, numeric=True),
            Column("Spent", compared.currency, numeric=True),
            Column("Of it", minor=True),
            Column("Stands"),
        ),
        tuple(map(_budget, rows)),
    )
    lead = "A cost counts in every budget that it is in; a team's, a namespace's and a pipeline's are over all clusters."
    return (Section("budgets", f"Budgets of {within(compared.now.window)}", lead, table),)


def idle_gpus(rows: list[Row], compared: Compared) -> Section:
    """GPUs that were idle or barely busy, those of most days first."""
    shown, hidden = rows[:GPUS_SHOWN], rows[GPUS_SHOWN:]
    cost, total = figures.column(
        [row["not_busy_cost"] for row in shown] + ([total_of(hidden, "not_busy_cost")] if hidden else [])
    )
    table = Table(
        "GPUs that were idle or barely busy, those of most days first",
        (
            Column("GPU"),
            Column("Model", minor=True),
            Column("Idle", "days", numeric=True),
            Column("Allocated", "h", numeric=True, minor=True),
            Column("Busy", "on these days"),
            Column("Not busy", compared.currency, numeric=True),
        ),
        tuple(
            (
                gpu(row),
                Cell(named(row["model"])),
                Cell(f"{row['idle_days']} of {compared.now.days}"),
                Cell(figures.quantity(row["allocated_hours"])),
                bar(row["busy_mean"], Part.USED),
                Cell(cost[i]),
            )
            for i, row in enumerate(shown)
        ),
        ((Cell(figures.counted(len(hidden), "other")), *blank(4), Cell(cost[-1])),) if hidden else (),
        (Cell("All"), *blank(4), Cell(total)),
    )
    lead = (
        "Days on which it was busy below 10% on average. "
        "The money is part of what is not used and of idle capacity above, not beside it."
    )
    return Section("idle-gpus", "Longest idle GPUs", lead, table, "No observed GPU was idle on any day.")


def taken(rows: list[Row], compared: Compared) -> str:
    """What became of the advice that was open when the period began: a sentence, empty where there was none."""
    if not rows:
        return ""
    done = [row for row in rows if row["state"] == "taken"]
    cuts = [row for row in done if (row["monthly_saving_gross"] or ZERO) > 0]
    gone = sum(row["state"] == "gone" for row in rows)
    when = f"when the {'month' if compared.now.monthly else 'week'} began"
    said = f"Of {figures.counted(len(rows), 'change')} of requests that {'was' if len(rows) == 1 else 'were'} advised {when}, "
    said += f"{len(done) or 'none'} {'was' if len(done) < 2 else 'were'} made by its end"
    if cuts:
        said += f", which saves {figures.money(total_of(cuts, 'monthly_saving_gross'), compared.currency)} a month"
    if gone:
        said += f"; of {gone} the workload is gone"
    return f"{said}."


def money_columns(compared: Compared) -> tuple[Column, ...]:
    """The heads of cost, cost before and change; what a period lacks is said with it."""
    names = (
        (figures.month(compared.now.window.start), figures.month(compared.before.window.start))
        if compared.now.monthly
        else ("This week", "Week before")
    )
    units = [
        compared.currency + (f", {each.days} of {len(each.window)} days" if each.missing else "")
        for each in (compared.now, compared.before)
    ]
    if compared.other_currency:
        units[1] = compared.other_currency
    return (
        Column(names[0], units[0], numeric=True),
        Column(names[1], units[1], numeric=True, minor=True),
        Column("Change", compared.currency + compared.each, numeric=True),
    )


def _basis(compared: Compared) -> str:
    """What a change is of, or why none is told."""
    if not compared.comparable:
        return f"No change is told: {why_not(compared)}."
    if not compared.now.monthly:
        return ""
    now, before = (
        (figures.month(each.window.start), len(each.window)) for each in (compared.now, compared.before)
    )
    return f"The change is of the cost of a day: {now[0]} has {now[1]} of them, {before[0]} {before[1]}."


def _beside(lines: list[Row], compared: Compared) -> tuple[list[str], str, list[str], str]:
    """The cells of cost before and of the change, each with that of the total row."""
    none = [figures.NONE] * len(lines)
    before = compared.before.total
    if before is None or compared.other_currency:
        return none, figures.NONE, none, figures.NONE
    was, all_was = figures.column([row["before_cost"] for row in lines], total=before)
    if not compared.comparable:
        return was, all_was, none, figures.NONE
    change, all_change = figures.column(
        [_change(row, compared) for row in lines], signed=True, total=compared.change, to=compared.step
    )
    return was, all_was, change, all_change


def _moved(
    key: str, title: str, verb: str, changed: list[tuple[Row, Decimal, Decimal]], compared: Compared
) -> Section:
    # A single other one would take the same line.
    most = MOVED_SHOWN if len(changed) > MOVED_SHOWN + 1 else len(changed)
    shown, hidden = changed[:most], changed[most:]
    lines, amounts = [row for row, _, _ in shown], [change for _, change, _ in shown]
    if hidden:
        lines.append(_totals([row for row, _, _ in hidden]))
        amounts.append(sum((change for _, change, _ in hidden), ZERO))
    cost, total = figures.column([row["total_cost"] for row in lines])
    was, all_was = figures.column([row["before_cost"] for row in lines])
    change, all_change = figures.column(amounts, signed=True)
    table = Table(
        f"The workloads whose cost {verb} most",
        (
            Column("Workload"),
            Column("Team", minor=True),
            *money_columns(compared),
            Column("Why", minor=True),
        ),
        tuple(
            (
                _workload(row),
                Cell(_team(row["team"])),
                priced(cost[i], row),
                Cell(was[i]),
                Cell(change[i], tone="" if change[i] == "0" else "bad" if amount > 0 else "good"),
                Cell(_why(row, amount, price)),
            )
            for i, (row, amount, price) in enumerate(shown)
        ),
        (
            (
                Cell(figures.counted(len(hidden), "other workload")),
                Cell(""),
                Cell(cost[-1]),
                Cell(was[-1]),
                Cell(change[-1]),
                Cell(""),
            ),
        )
        if hidden
        else (),
        (Cell(f"All that {verb}"), Cell(""), Cell(total), Cell(all_was), Cell(all_change), Cell("")),
    )
    return Section(key, title, "", table, f"The cost of no workload {verb}.")


def _why(row: Row, change: Decimal, price: Decimal) -> str:
    """How a workload's cost came to change."""
    cost, before = row["total_cost"] or ZERO, row["before_cost"] or ZERO
    effect = wording.Cause("workload", "", "", "", "", change, cost, before, price).effect
    return _WHY.get(effect, "more of it" if change > 0 else "less of it")


def _prices(causes: Sequence[wording.Contribution]) -> dict[tuple[str, str, str], Decimal]:
    """What another price made of each workload's change."""
    found: dict[tuple[str, str, str], Decimal] = {}
    for each in causes:
        key = each.namespace, each.workload_kind, each.workload
        found[key] = found.get(key, ZERO) + each.price
    return found


def _key(row: Row) -> tuple[str, str, str]:
    return row["namespace"], row["workload_kind"], row["workload"]


def _totals(rows: list[Row]) -> Row:
    return {name: total_of(rows, name) for name in ("total_cost", "before_cost")}


def _change(row: Row, compared: Compared) -> Decimal:
    """A row's change as the periods are compared: of a month, by the day."""
    now, before = compared.parts
    return (row["total_cost"] or ZERO) / now - (row["before_cost"] or ZERO) / before


def _changed(text: str, row: Row, compared: Compared) -> Cell:
    """A change, with a colour for those that are none of everyday's; the sign says the same without it."""
    if not compared.comparable:
        return Cell(text, tone="quiet")
    change, cost = _change(row, compared), (row["total_cost"] or ZERO) / compared.parts[0]
    if abs(change) <= wording.FLAT * cost:
        return Cell(text)
    return Cell(text, tone="bad" if change > 0 else "good")


def _budget(row: Row) -> tuple[Cell, ...]:
    states = {
        "exceeded": ("✕\N{NO-BREAK SPACE}exceeded", "bad"),
        "kept": ("kept", "good"),
        "not_known": ("not known", "quiet"),
    }
    words, tone = states[row["state"]]
    spent = None if row["spent"] is None else float(row["spent"]) / row["monthly"]
    return (
        Cell(named(row["subject"]), row["dimension"]),
        Cell(figures.column([Decimal(row["monthly"])])[1]),
        Cell(figures.NONE if row["spent"] is None else figures.column([row["spent"]])[1]),
        Cell(figures.NONE, tone="quiet")
        if spent is None
        else Cell(figures.share(spent), mark=Split(((Part.USED, min(1.0, max(0.0, spent))),))),
        Cell(words, row["note"], tone=tone),
    )


def _workload(row: Row) -> Cell:
    if row["workload"] == "(none)":
        return Cell("Volumes without a pod", f"in {named(row['namespace'])}")
    return Cell(named(row["workload"]), f"{named(row['workload_kind'])} in {named(row['namespace'])}")


def _team(name: str) -> str:
    return "no team" if name == "(none)" else named(name)

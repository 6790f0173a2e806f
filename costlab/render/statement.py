"""A showback statement as a page of paper: what a team owes, for what, and how the figures are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from costlab.config.charging import Billing
from costlab.domain.dates import Dates, month_of
from costlab.domain.sharing import ShareIdle
from costlab.render import figures
from costlab.render.cells import RESOURCES, ZERO, Row, blank, priced, total_of
from costlab.render.context import Cell, Column, Notice, Part, Section, Split, Table, Tile
from costlab.render.names import named

# So that it is one page of A4: what is more is told together.
WORKLOADS_SHOWN = 10
VOLUMES_SHOWN = 3

_QUANTITIES = {
    "gpu": ("gpu_hours", "GPU h"),
    "cpu": ("cpu_core_hours", "core h"),
    "memory": ("memory_gib_hours", "GiB h"),
    "storage": ("storage_gib_hours", "GiB h"),
}
_SHARED_BY = {ShareIdle.EVEN: "as much to each team", ShareIdle.COST: "by cost"}


class Seen(Protocol):
    """How much of a window is in the lake."""

    @property
    def complete_days(self) -> int:
        """Days that are complete, over all clusters."""

    @property
    def days(self) -> int:
        """Days that there could be."""

    @property
    def coverage(self) -> float | None:
        """Observed / occupied time of the containers; None without any."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a team owes: its own charges, its part of idle capacity, and of other shared cost (what it gives away is negative)."""

    own: Decimal
    idle: Decimal
    shared: Decimal

    @property
    def total(self) -> Decimal:
        """What `costlab cost` tells of the team."""
        return self.own + self.idle + self.shared

    @property
    def parts(self) -> dict[str, Decimal]:
        """Each of them by name, the total last."""
        return {"own": self.own, "idle": self.idle, "shared": self.shared, "total": self.total}


@dataclass(frozen=True, slots=True)
class Period:
    """A window's bill with its rows, as `costlab cost` gives them; owed: the team's row."""

    window: Dates
    quality: Seen
    bill: Bill
    resources: list[Row]
    workloads: list[Row]
    volumes: list[Row]
    owed: Row = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the lake has a day of it."""
        return self.quality.complete_days > 0 or bool(self.resources)


@dataclass(frozen=True, slots=True)
class Page:
    """What is printed; `facts` and `notes` are pairs of a name and a text, or sentences."""

    title: str
    team: str
    period: str
    facts: tuple[tuple[str, str], ...]
    notices: tuple[Notice, ...]
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]


def statement(
    team: str,
    cluster: str | None,
    currency: str,
    now: Period,
    before: Period,
    answers: Mapping[str, Any],
    billing: Billing,
    share_idle: ShareIdle,
) -> Page:
    """The page. answers: resources and workloads with cost_before, volumes, energy, idle and budget; None: there is none."""
    return Page(
        title=f"Statement of {named(team)}, {period_name(now.window)}",
        team=named(team),
        period=period_name(now.window),
        facts=_facts(cluster, currency, now),
        notices=_notices(now, before),
        tiles=_tiles(currency, now, before, answers),
        sections=(
            _charges(answers["resources"], currency, now, before),
            _workloads(answers["workloads"], currency, now, before),
            *([_volumes(answers["volumes"], currency)] if answers["volumes"] else []),
        ),
        notes=_notes(currency, now, answers, billing, share_idle),
    )


def period_name(window: Dates) -> str:
    """November 2026; Week 47 of 2026; 3 to 9 November 2026 for any other days."""
    if window == month_of(window.start):
        return f"{figures.month(window.start)} {window.start.year}"
    year, week, _ = window.start.isocalendar()
    return f"Week {week} of {year}" if window.name else days_of(window)


def days_of(window: Dates) -> str:
    """1 to 30 November 2026; 28 September to 4 October 2026."""
    first, last = window.start, window.end - timedelta(days=1)
    if first == last:
        return f"{figures.medium_date(first)} {first.year}"
    if first.year != last.year:
        return f"{figures.medium_date(first)} {first.year} to {figures.medium_date(last)} {last.year}"
    start = str(first.day) if first.month == last.month else figures.medium_date(first)
    return f"{start} to {figures.medium_date(last)} {last.year}"


def _facts(cluster: str | None, currency: str, now: Period) -> tuple[tuple[str, str], ...]:
    seen = now.quality
    coverage = "" if seen.coverage is None else f", usage observed {figures.share(seen.coverage)} of the time"
    return (
        ("Days", days_of(now.window)),
        ("Cluster", named(cluster) if cluster else "all"),
        ("Currency", currency),
        ("Measured", f"{seen.complete_days} of {figures.counted(seen.days, 'day')}{coverage}"),
    )


def _notices(now: Period, before: Period) -> tuple[Notice, ...]:
    """What the figures lack."""
    said, seen = [], now.quality
    if seen.days and seen.days % len(now.window):
        said.append(Notice("warning", "The period is not over: this is what it cost so far."))
    elif not seen.days:
        said.append(Notice("warning", "The period has not begun to be measured."))
    if seen.complete_days < seen.days:
        missing = figures.counted(seen.days - seen.complete_days, "day is", "days are")
        said.append(Notice("warning", f"{missing} not complete; what is missing is not in the sum."))
    if unpriced := now.owed.get("unpriced_charges"):
        charges = figures.counted(unpriced, "charge has", "charges have")
        said.append(Notice("warning", f"{charges} no price and are in no sum."))
    if before.known and before.quality.complete_days < before.quality.days:
        told = f"{before.quality.complete_days} of {figures.counted(before.quality.days, 'day')}"
        said.append(
            Notice("info", f"Of {period_name(before.window)} {told} are known: the change is against those.")
        )
    return tuple(said)


def _tiles(currency: str, now: Period, before: Period, answers: Mapping[str, Any]) -> tuple[Tile, ...]:
    total = now.bill.total
    change = "nothing is known of the period before"
    if before.known:
        change = f"{figures.money(total - before.bill.total, currency, signed=True, to=figures.CENT)} on {period_name(before.window)}"
    unused = now.owed.get("cost_unused") or ZERO
    of_own = float(unused / now.bill.own) if now.bill.own > 0 else 0.0
    return (
        Tile("To show back", figures.money(total, currency, to=figures.CENT), change),
        Tile(
            "Paid for, not used",
            figures.money(unused, currency, to=figures.CENT),
            f"{figures.share(of_own)} of its own charges",
            Split(((Part.UNUSED, min(1.0, max(0.0, of_own))),)),
        ),
        Tile("GPU hours", figures.quantity(now.owed.get("gpu_hours") or 0.0), "billed"),
        _budget_tile(answers["budget"], total, currency) or _energy_tile(answers["energy"]),
    )


def _budget_tile(budget: float | None, total: Decimal, currency: str) -> Tile | None:
    if budget is None:
        return None
    spent = float(total) / budget
    return Tile(
        "Of the month's budget",
        figures.share(spent),
        f"of {figures.money(Decimal(budget), currency)}",
        Split(((Part.USED, min(1.0, max(0.0, spent))),)),
    )


def _energy_tile(energy: Row | None) -> Tile:
    if energy is None:
        return Tile("Energy", figures.NONE, "not measured")
    return Tile("Energy", f"{figures.quantity(energy['energy_kwh'])} kWh", _co2(energy))


def _co2(energy: Row) -> str:
    return f"{figures.quantity(energy['co2_kg'])} kg of CO2, as far as it was measured"


def _charges(rows: list[Row], currency: str, now: Period, before: Period) -> Section:
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
    cost, was, change, sums = _compared(costs, old, now.bill.total, before.bill.total, known=before.known)
    unused, all_unused = figures.column([row["cost_unused"] for row in rows], to=figures.CENT)
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
    return Section("charges", "Charges", "", table)


def _workloads(rows: list[Row], currency: str, now: Period, before: Period) -> Section:
    """The dearest workloads with their namespaces; the others together."""
    shown, hidden = _split(rows, WORKLOADS_SHOWN)
    others = [total_of(hidden, "cost")] if hidden else []
    old = [row["cost_before"] for row in shown] + ([total_of(hidden, "cost_before")] if hidden else [])
    cost, was, change, sums = _compared(
        [row["cost"] for row in shown] + others, old, now.bill.own, before.bill.own, known=before.known
    )
    unused, all_unused = figures.column(
        [row["cost_unused"] for row in shown] + ([total_of(hidden, "cost_unused")] if hidden else []),
        to=figures.CENT,
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
    return Section("workloads", "By workload", "", table)


def _volumes(rows: list[Row], currency: str) -> Section:
    """The dearest volumes, which are in the charges above."""
    rows = sorted(rows, key=lambda row: (-(row["cost"] or ZERO), row["namespace"], row["item"]))
    shown, hidden = _split(rows, VOLUMES_SHOWN)
    cost, total = figures.column(
        [row["cost"] for row in shown] + ([total_of(hidden, "cost")] if hidden else []), to=figures.CENT
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


def _notes(
    currency: str, now: Period, answers: Mapping[str, Any], billing: Billing, share_idle: ShareIdle
) -> tuple[str, ...]:
    """How the figures are made."""
    basis = {
        "max": "the larger of request and usage",
        "request": "what was requested",
        "usage": "what was used",
    }
    bill = now.bill
    said = [
        (
            f"The sum is {bill.total:,f} {currency} to the sixth decimal: own charges {bill.own:,f}, idle and system "
            f"capacity {bill.idle:,f}, shared cost {bill.shared:,f}. It is the total of costlab cost --team."
        ),
        (
            f"Billed is {basis[billing.basis]}, minute by minute, at the price of the node that it ran on. Not used is "
            "what was paid for, observed, and stood still."
        ),
    ]
    if share_idle is ShareIdle.NONE:
        idle = figures.money(answers["idle"] or ZERO, currency)
        said.append(f"Idle and system capacity, {idle} in all, is charged to no team here.")
    else:
        said.append(f"Idle and system capacity is shared day by day, {_SHARED_BY[share_idle]}.")
    if answers["energy"] and answers["budget"] is not None:
        energy = answers["energy"]
        said.append(f"Energy: {figures.quantity(energy['energy_kwh'])} kWh, {_co2(energy)}.")
    return tuple(said)


def _compared(
    costs: Sequence[Decimal | None],
    before: Sequence[Decimal | None],
    total: Decimal,
    total_before: Decimal,
    *,
    known: bool,
) -> tuple[list[str], list[str], list[str], list[str]]:
    """Columns of cost, cost before and change, in cents that add up, and the cells of their total row."""
    cost, all_cost = figures.column(costs, total=total, to=figures.CENT)
    if not known:
        none = [figures.NONE] * len(costs)
        return cost, none, none, [all_cost, figures.NONE, figures.NONE]
    was, all_was = figures.column(before, total=total_before, to=figures.CENT)
    changes = [(new or ZERO) - (old or ZERO) for new, old in zip(costs, before, strict=True)]
    change, all_change = figures.column(changes, signed=True, total=total - total_before, to=figures.CENT)
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

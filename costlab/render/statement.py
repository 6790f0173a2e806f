"""A showback statement as a page of paper: what a team owes, for what, and how the figures are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from costlab.config.charging import Billing
from costlab.domain.dates import Dates, month_of
from costlab.domain.sharing import ShareIdle
from costlab.render import figures
from costlab.render.cells import ZERO, Row
from costlab.render.context import Notice, Part, Section, Split, Tile
from costlab.render.names import named
from costlab.render.owed import Period
from costlab.render.statement_tables import charges, volumes, workloads

_SHARED_BY = {ShareIdle.EVEN: "as much to each team", ShareIdle.COST: "by cost"}


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
    """The page. answers: resources and workloads with cost_before, volumes, energy, idle and budget; None: there is none.

    Of a period that the lake has no day of nothing is told: it is not known to have cost nothing.
    """
    known = answers if now.known else {**answers, "resources": [], "workloads": [], "volumes": []}
    return Page(
        title=f"Statement of {named(team)}, {period_name(now.window)}",
        team=named(team),
        period=period_name(now.window),
        facts=_facts(cluster, currency, now),
        notices=_notices(now, before),
        tiles=_tiles(currency, now, before, answers),
        sections=(
            charges(known["resources"], currency, now, before),
            workloads(known["workloads"], currency, now, before),
            *([volumes(known["volumes"], currency)] if known["volumes"] else []),
        ),
        notes=_notes(currency, now, answers, billing, share_idle)
        if now.known
        else ("The lake has no day of the period, so no figure is told: what is missing is not nothing.",),
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
        said.append(Notice("warning", f"{figures.unpriced(unpriced)} in no sum."))
    if now.known and before.known and before.quality.complete_days < before.quality.days:
        told = f"{before.quality.complete_days} of {figures.counted(before.quality.days, 'day')}"
        said.append(
            Notice("info", f"Of {period_name(before.window)} {told} are known: the change is against those.")
        )
    return tuple(said)


def _tiles(currency: str, now: Period, before: Period, answers: Mapping[str, Any]) -> tuple[Tile, ...]:
    if not now.known:
        labels = ("To show back", "Paid for, not used", "GPU hours", "Energy")
        return tuple(Tile(label, figures.NONE, "not measured") for label in labels)
    total = now.bill.total
    change = "nothing is known of the period before"
    if before.known:
        change = f"{figures.money(total - before.bill.total, currency, signed=True, to=figures.smallest(currency))} on {period_name(before.window)}"
    unused = now.owed.get("cost_unused") or ZERO
    of_own = float(unused / now.bill.own) if now.bill.own > 0 else 0.0
    return (
        Tile("To show back", figures.money(total, currency, to=figures.smallest(currency)), change),
        Tile(
            "Paid for, not used",
            figures.money(unused, currency, to=figures.smallest(currency)),
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

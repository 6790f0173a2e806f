"""A weekly or monthly edition as a page: what a closed period cost, who of it, and what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from costlab.render import (
    changes,
    cost_tiles,
    devices,
    edition_quality,
    edition_tables,
    evidence,
    figures,
    trends,
    wording,
)
from costlab.render.cells import ZERO, Row, total_of
from costlab.render.context import DailyChart, Link, Page, Part, Section, Split, Tile
from costlab.render.edition_words import Compared, change_note, headline, within
from costlab.render.names import named


@dataclass(frozen=True, slots=True)
class Told:
    """What an edition is made of.

    compared: the two periods in figures. days: daily_costs of both. causes: what each workload and resource cost in both,
    as they are compared. answers: teams, kinds and workloads with before_cost; savings, advice_refused and advice_taken
    of `last`, the period's last day that is held; idle_gpus, gpu_models and reconciliation over the period; budgets.
    """

    compared: Compared
    days: list[Row]
    causes: Sequence[wording.Contribution]
    answers: Mapping[str, list[Row]]
    last: date

    @property
    def shown(self) -> list[Row]:
        """The period's own days."""
        return self.days[-len(self.compared.now.window) :]


def edition_page(told: Told) -> Page:
    """The page, which is whole without a script."""
    compared, answers, currency = told.compared, told.answers, told.compared.currency
    cause = None
    if compared.change:
        cause = wording.find_cause(told.causes, compared.change)
    name = compared.now.window.name or ""
    return Page(
        title=f"{named(compared.cluster)}, {within(compared.now.window)}",
        path=_path(compared),
        headline=headline(compared, cause),
        links=_links(compared),
        notices=edition_quality.notices(compared, told.days, answers["reconciliation"]),
        tiles=_tiles(told),
        daily=_chart(told),
        sections=(
            edition_tables.teams(answers, compared),
            *edition_tables.moved(answers["workloads"], told.causes, compared),
            *edition_tables.budgets(answers["budgets"], compared),
            _changes(told),
            edition_tables.idle_gpus(answers["idle_gpus"], compared),
            edition_quality.measured(compared, told.days),
            replace(
                evidence.reconciliation(
                    answers["reconciliation"], currency, to=figures.step(compared.now.total or ZERO, currency)
                ),
                lead="Where the money of these days went; each day was checked to the millionth before it was stored.",
            ),
        ),
        notes=edition_quality.notes(compared),
        downloads=(("JSON", f"{name}.json"),),
    )


def _path(compared: Compared) -> tuple[Link, ...]:
    return (
        Link("Clusters", "../../index.html"),
        Link(named(compared.cluster), "../index.html"),
        Link(_capital(within(compared.now.window))),
    )


def _links(compared: Compared) -> tuple[Link, ...]:
    """Where it leads: to days of the calendar, which knows what is there, so that no old edition is written again."""
    window, unit = compared.now.window, "month" if compared.now.monthly else "week"
    return (
        Link(f"{unit.capitalize()} before", f"../index.html#{compared.before.window.start}"),
        Link(f"Next {unit}", f"../index.html#{window.end}"),
        Link(f"Days of this {unit}", f"../index.html#{window.start}"),
        Link("Teams and workloads", "../index.html#teams"),
    )


def _chart(told: Told) -> DailyChart:
    """The period's days; of a week the week before as well, so that each weekday stands beside its like."""
    if told.compared.now.monthly:
        chart, both = trends.daily_chart(told.shown, told.compared.currency), False
    else:
        chart = trends.daily_chart(told.days, told.compared.currency)
        both = len(chart.bars) > len(told.compared.now.window)
    # The last day is one like the others here, and its amount no label of the whole.
    return replace(chart, title="Day by day, after the week before" if both else "Day by day", last_label="")


def _tiles(told: Told) -> tuple[Tile, ...]:
    compared, answers, currency = told.compared, told.answers, told.compared.currency
    total = compared.now.total or ZERO
    parts = {part: total_of(told.shown, f"{part}_cost") for part in Part}
    unused_gpu = sum((r["unused_cost"] for r in answers["reconciliation"] if r["resource"] == "gpu"), ZERO)
    return (
        cost_tiles.cost(
            f"Cost of {within(compared.now.window)}",
            change_note(compared),
            parts,
            compared.now.total,
            currency,
        ),
        cost_tiles.unused(parts[Part.UNUSED], unused_gpu, total, currency),
        devices.tile(answers["gpu_models"], known=True),
        _budget_tile(answers["budgets"], compared) or cost_tiles.idle(parts[Part.IDLE], total, currency),
        _savings_tile(told),
    )


def _budget_tile(budgets: list[Row], compared: Compared) -> Tile | None:
    """The cluster's budget of the month, where it has one."""
    own = next((row for row in budgets if row["dimension"] == "cluster"), None)
    if own is None or compared.now.total is None:
        return None
    spent = float(compared.now.total) / own["monthly"]
    over = compared.now.total - Decimal(own["monthly"])
    note = f"of {figures.money(Decimal(own['monthly']), compared.currency)}"
    if over > 0:
        note += f", exceeded by {figures.money(over, compared.currency)}"
    if compared.now.missing:
        note += f", with {figures.counted(len(compared.now.missing), 'day')} missing"
    return Tile(
        "Of the month's budget", figures.share(spent), note, Split(((Part.USED, min(1.0, max(0.0, spent))),))
    )


def _savings_tile(told: Told) -> Tile:
    savings = told.answers["savings"]
    if savings:
        return changes.tile(savings, told.compared.currency)
    return Tile("Savings to act on", figures.NONE, f"nothing is advised on {figures.medium_date(told.last)}")


def _changes(told: Told) -> Section:
    """The advice that is open at the period's end, and what became of that which was open at its beginning."""
    answers, currency = told.answers, told.compared.currency
    section = changes.section(answers["savings"], answers["advice_refused"], currency)
    taken = edition_tables.taken(answers["advice_taken"], told.compared)
    lead = f"As of {figures.medium_date(told.last)}. {section.lead}" if answers["savings"] else ""
    return replace(section, lead=f"{lead} {taken}".strip(), empty=f"{section.empty} {taken}".strip())


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

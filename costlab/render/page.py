"""A day's query results as the report's page: which figures, in which words, in which order."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from costlab.config.charging import Energy
from costlab.render import (
    budgets,
    changes,
    cost_tiles,
    devices,
    energy,
    evidence,
    figures,
    owners,
    quality,
    quota_headroom,
    trends,
    wording,
)
from costlab.render.context import Link, MonthAhead, Part, Report, Split, Tile
from costlab.render.names import named, visible

Row = dict[str, Any]
Answers = Mapping[str, list[Row]]

_OF_THE_WORLD = Energy()
_NOTHING_AHEAD = MonthAhead()


def links_of(when: date) -> tuple[Link, ...]:
    """Where a day's page leads: to days of the cluster's calendar, so that no old page has to be written again."""
    one = timedelta(days=1)
    return (
        Link("Previous day", f"../index.html#{when - one}"),
        Link("Next day", f"../index.html#{when + one}"),
        Link("All days", f"../index.html#{when}"),
        Link("Teams and workloads", "../index.html#teams"),
    )


def build(
    answers: Answers,
    currency: str,
    downloads: tuple[tuple[str, str], ...] = (),
    electricity: Energy = _OF_THE_WORLD,
    ahead: MonthAhead = _NOTHING_AHEAD,
) -> Report:
    """The page for the rows that the named queries gave: headline, daily_costs, teams and so on, by query name.

    currency: of a day without any charge. downloads: (title, file name) of what lies beside the report. electricity: the
    cluster's. ahead: the rest of the month.
    `headline` and `day_run` have one row each.
    """
    day = day_cost(answers, currency)
    cause = None
    if day.change is not None:
        cause = wording.find_cause(map(wording.Contribution.of, answers["cost_changes"]), day.change)
    return Report(
        title=f"{named(day.cluster)}, {figures.long_date(day.when)}",
        cluster=named(day.cluster),
        date=day.when,
        day=figures.long_date(day.when),
        headline=wording.headline(day, cause),
        notices=quality.notices(answers, day.currency),
        tiles=_tiles(answers, day, ahead),
        daily=trends.daily_chart(answers["daily_costs"], day.currency),
        month=trends.month_chart(answers["month_costs"], day.when, day.currency, ahead),
        sections=(
            owners.teams(answers, day),
            *([budgets.section(ahead.budgets, day.currency)] if ahead.budgets else []),
            owners.workloads(answers["workloads"], day.currency),
            changes.section(answers["savings"], answers["advice_refused"], day.currency),
            *changes.schedules(answers["schedules"], day.currency),
            owners.unused(answers["unused_workloads"], day.currency),
            devices.models(answers["gpu_models"], day),
            devices.idle(answers["idle_gpus"], day.currency),
            energy.energy(answers["energy_use"], electricity),
            *quota_headroom.sections(answers["quota_headroom"], answers["quota_totals"]),
            evidence.findings(answers["day_findings"], day.currency),
            evidence.audit(answers["audit"], day.currency),
            evidence.reconciliation(answers["reconciliation"], day.currency),
            evidence.signals(answers["day_signals"]),
        ),
        provenance=_provenance(answers["day_run"][0], day),
        downloads=downloads,
        links=links_of(day.when),
    )


def day_cost(answers: Answers, currency: str) -> wording.DayCost:
    """What the headline is made of. currency: of a day without any charge."""
    row = answers["headline"][0]
    return wording.DayCost(
        cluster=row["cluster"],
        when=row["date"],
        currency=row["currency"] or currency,
        total=row["total_cost"],
        usual=row["usual_cost"],
        previous=row["previous_cost"],
        first=row["first_date"],
        complete=row["status"] == "complete",
        coverage=row["coverage"],
        unpriced_nodes=row["unpriced_nodes"],
        capacity_known=quality.capacity_known(answers),
    )


def _tiles(answers: Answers, day: wording.DayCost, ahead: MonthAhead) -> tuple[Tile, ...]:
    row = answers["headline"][0]
    total = day.total or Decimal(0)
    parts = {part: row[f"{part}_cost"] for part in Part}
    unused_gpu = sum(
        (r["unused_cost"] for r in answers["reconciliation"] if r["resource"] == "gpu"), Decimal(0)
    )
    return (
        cost_tiles.cost(
            f"Cost of {figures.medium_date(day.when)}",
            wording.change_note(day),
            parts,
            day.total,
            day.currency,
        ),
        cost_tiles.unused(parts[Part.UNUSED], unused_gpu, total, day.currency),
        devices.tile(answers["gpu_models"], known=day.capacity_known),
        _month_tile(answers["month_costs"], day, ahead),
        _last_tile(answers, day),
    )


def _last_tile(answers: Answers, day: wording.DayCost) -> Tile:
    """The savings to act on; of a day without advice, its idle capacity."""
    if answers["savings"] or answers["advice_refused"]:
        return changes.tile(answers["savings"], day.currency)
    if not day.capacity_known:
        return Tile("Idle capacity", figures.NONE, "what the nodes have is not known")
    idle, total = answers["headline"][0]["idle_cost"], day.total or Decimal(0)
    return cost_tiles.idle(idle, total, day.currency)


def _month_tile(rows: list[Row], day: wording.DayCost, ahead: MonthAhead) -> Tile:
    """The month's end as it is expected, against the budget; where nothing is ahead, the month so far."""
    last = rows[-1]
    missing = last["missing_days"]
    note = figures.counted(last["day_of_month"], "day")
    if missing:
        note = f"{last['day_of_month'] - missing} of {note}; {missing} not known, not counted"
    if ahead.days and last["running_cost"] is not None:
        return _month_end_tile(last["running_cost"], missing, day, ahead)
    before = trends.comparable(rows, day.when)
    if before is not None:
        note += (
            f"; {figures.money(before['running_cost'], day.currency)} by {figures.short_date(before['date'])}"
        )
    running = last["running_cost"]
    value = figures.NONE if running is None else figures.money(running, day.currency)
    days = monthrange(day.when.year, day.when.month)[1]
    elapsed = Split(((Part.SYSTEM, last["day_of_month"] / days),))
    return Tile(f"{figures.month(day.when)} so far", value, note, elapsed)


def _month_end_tile(spent: Decimal, missing: int, day: wording.DayCost, ahead: MonthAhead) -> Tile:
    end = ahead.days[-1]
    value, budget = figures.money(Decimal(end.expected), day.currency), ahead.budget
    if budget:
        of_budget = f"{figures.share(end.expected / budget)} of the budget of {figures.money(Decimal(budget), day.currency)}"
    else:
        of_budget = ""
    between = trends.expected_by_end(ahead, day.currency).removeprefix(value).strip(" ()")
    so_far = f"{figures.money(spent, day.currency)} so far"
    if missing:
        so_far += f", {figures.counted(missing, 'day')} not known and not counted"
    note = "; ".join(part for part in (of_budget, between, so_far) if part)
    share = float(spent) / max(end.expected, budget or 0.0, float(spent), 1e-9)
    return Tile(f"{figures.month(day.when)}'s end, expected", value, note, Split(((Part.USED, share),)))


def _provenance(run: Row, day: wording.DayCost) -> tuple[tuple[str, str], ...]:
    return (
        ("Source", f"{visible(run['source'])}, read as {visible(run['engine'])}"),
        ("Samples", f"{run['samples']:,}"),
        ("Coverage", f"{run['coverage']:.1%} of the time of all containers"),
        ("Currency", day.currency or "none"),
        ("Prices", run["prices_hash"][:12]),
        ("Configuration", run["config_hash"][:12]),
        ("Measured by", f"costlab {run['costlab_version']}"),
    )

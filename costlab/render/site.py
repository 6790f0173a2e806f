"""The pages around the daily reports: all clusters, a cluster's calendar, a team, a workload."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby

from costlab.domain.dates import Dates
from costlab.render import addresses, changes, figures, owners, ownership, trends, wording
from costlab.render.cells import RESOURCES, ZERO, Row, bar, total_of
from costlab.render.context import (
    Cell,
    Column,
    Link,
    Page,
    Part,
    Section,
    Split,
    Table,
    Tile,
)
from costlab.render.month_calendar import calendar
from costlab.render.names import named
from costlab.render.page import day_cost
from costlab.render.statement import period_name

Answers = Mapping[str, list[Row]]

CHART_DAYS = 30
# What a page shows of its owner alone.
OF_TEAMS = ("teams", "team_days", "workloads", "savings", "schedules", "unused_workloads")
OF_WORKLOADS = ("workload_days", "cost_changes", "savings", "schedules")
_ALL = 1_000_000  # a page of its own has room for every row


def clusters_page(clusters: Iterable[tuple[str, Row | None]]) -> Page:
    """The front: each cluster with its last day, a row of daily_costs; None for one that the lake does not hold."""
    rows = tuple(
        (Cell(named(cluster), address=f"{cluster}/index.html"), *_last(row), Cell("latest report", address=f"{cluster}/latest/index.html"))
        for cluster, row in clusters
    )  # fmt: skip
    columns = (
        Column("Cluster"),
        Column("Last day"),
        Column("Cost", numeric=True),
        Column("Change", "on the usual weekday", numeric=True),
        Column("Report"),
    )
    section = Section("clusters", "Clusters", "", Table("Clusters", columns, rows), "There is no report yet.")
    return Page(
        "costlab",
        (Link("Clusters"),),
        f"Cost reports of {figures.counted(len(rows), 'cluster')}",
        sections=(section,),
        downloads=(("JSON", "index.json"),),
    )


def cluster_page(
    answers: Answers, currency: str, reports: Collection[date], editions: Mapping[Dates, str]
) -> Page:
    """A cluster's days by month, its teams and its workloads. reports: the days that have one; editions: addresses, by period.

    answers: what `jobs/site.py` asks, by query; daily_costs reaches from the calendar's first day to the last.
    """
    day = day_cost(answers, currency)
    cause = None
    if day.change is not None:
        cause = wording.find_cause(map(wording.Contribution.of, answers["cost_changes"]), day.change)
    paged = {ownership.workload(row) for row in answers["workload_days"]}
    teamed = {row["team"] for row in answers["team_days"]}

    def of_team(row: Row) -> str:
        return f"team/{addresses.team(row['team'])}.html" if row["team"] in teamed else ""

    def of_workload(row: Row) -> str:
        return (
            f"workload/{addresses.workload(*ownership.workload(row))}.html"
            if ownership.workload(row) in paged
            else ""
        )

    latest = max(reports, default=None)
    return Page(
        title=named(day.cluster),
        path=(Link("Clusters", "../index.html"), Link(named(day.cluster))),
        headline=wording.headline(day, cause),
        links=(
            *([Link(f"Report of {figures.medium_date(latest)}", "latest/index.html")] if latest else []),
            *_latest_editions(editions),
            Link("Teams", "#teams"),
            Link("Workloads", "#workloads"),
        ),
        daily=trends.daily_chart(answers["daily_costs"][-CHART_DAYS:], day.currency),
        months=calendar(answers["daily_costs"], day.currency, reports, editions),
        sections=(
            owners.teams(answers, day, of_team, _ALL),
            replace(
                owners.workloads(answers["workloads"], day.currency, of_workload, max(len(paged), owners.WORKLOADS_SHOWN)),
                title="Workloads",
            ),
        ),
        downloads=(("JSON", "index.json"),),
    )  # fmt: skip


def _latest_editions(editions: Mapping[Dates, str]) -> list[Link]:
    """The last week and the last month that have an edition, where they always lie."""
    last = {address.rpartition("/")[0]: window for window, address in sorted(editions.items())}
    return [
        Link(period_name(window), f"{folder}/latest.html")
        for folder, window in sorted(last.items(), reverse=True)
    ]


def team_page(team: str, rows: Answers, answers: Answers, currency: str, reports: Collection[date]) -> Page:
    """A team's days, its workloads, and what is worth changing. rows: the team's own of the answers OF_TEAMS."""
    day = day_cost(answers, currency)
    [told] = rows["teams"] or [
        {"total_cost": ZERO, "usual_cost": None, "unused_cost": ZERO, "gpu_hours": 0.0}
    ]
    owed = replace(
        day, total=told["total_cost"], usual=told["usual_cost"], previous=_previous(rows["team_days"], day)
    )
    paged = {ownership.workload(row) for row in answers["workload_days"]}

    def of_workload(row: Row) -> str:
        return (
            f"../workload/{addresses.workload(*ownership.workload(row))}.html"
            if ownership.workload(row) in paged
            else ""
        )

    return Page(
        title=f"{named(team)}, {named(day.cluster)}",
        path=_path(day, named(team)),
        headline=wording.owed(team, owed),
        links=_to_latest(reports, day, "teams"),
        tiles=_tiles(owed, told["unused_cost"], told["gpu_hours"], rows, answers),
        sections=(
            replace(owners.workloads(rows["workloads"], day.currency, of_workload, _ALL), title="Workloads"),
            _changes(rows["savings"], day.currency, "costlab explain WORKLOAD"),
            *changes.schedules(rows["schedules"], day.currency),
            owners.unused(rows["unused_workloads"], day.currency),
            _days(rows["team_days"], answers["daily_costs"], owed, reports),
        ),
        downloads=(("JSON", f"{addresses.team(team)}.json"),),
    )  # fmt: skip


def workload_page(
    key: tuple[str, str, str], rows: Answers, answers: Answers, currency: str, reports: Collection[date]
) -> Page:
    """A workload's days, what it paid for on the last one, and what is worth changing.

    key: namespace, kind, name. rows: the workload's own of the answers OF_WORKLOADS.
    """
    day = day_cost(answers, currency)
    namespace, kind, name = key
    parts = rows["workload_days"]
    today = [row for row in parts if row["date"] == day.when]
    usual = None if day.usual is None else total_of(rows["cost_changes"], "usual_cost")
    days = [_summed(list(of_day)) for _, of_day in groupby(parts, key=lambda row: row["date"])]
    owed = replace(day, total=days[-1]["total_cost"], usual=usual, previous=_previous(days, day))
    team = today[0]["team"]
    gpu_hours = sum(row["billed_quantity"] for row in today if row["resource"] == "gpu")
    return Page(
        title=f"{named(name)}, {named(day.cluster)}",
        path=(*_path(day, named(team), f"../team/{addresses.team(team)}.html"), Link(named(name))),
        headline=wording.owed(f"{kind} {name} in {namespace}", owed),
        links=_to_latest(reports, day, "workloads"),
        tiles=_tiles(owed, total_of(today, "unused_cost"), gpu_hours, rows, answers),
        sections=(
            _resources(today, day.currency),
            _changes(rows["savings"], day.currency, f"costlab explain {named(namespace)}/{named(name)}"),
            *changes.schedules(rows["schedules"], day.currency),
            _days(days, answers["daily_costs"], owed, reports),
        ),
        downloads=(("JSON", f"{addresses.workload(*key)}.json"),),
    )


def _last(row: Row | None) -> tuple[Cell, ...]:
    if row is None:
        return (Cell("not in this lake", tone="quiet"), Cell(""), Cell(""))
    total, usual = row["total_cost"], row["usual_cost"]
    state = "" if row["status"] == "complete" else row["status"]
    cost = figures.NONE if total is None else figures.money(total, row["currency"] or "")
    ratio = wording.signed_share(total / usual - 1) if total is not None and usual else figures.NONE
    return (Cell(figures.long_date(row["date"]), note=state), Cell(cost), Cell(ratio))


def _path(day: wording.DayCost, name: str, address: str = "") -> tuple[Link, ...]:
    return (
        Link("Clusters", "../../index.html"),
        Link(named(day.cluster), "../index.html"),
        Link(name, address),
    )


def _to_latest(reports: Collection[date], day: wording.DayCost, section: str) -> tuple[Link, ...]:
    report = Link(f"Report of {figures.medium_date(day.when)}", f"../{day.when}/index.html")
    return (*([report] if day.when in reports else []), Link(f"All {section}", f"../index.html#{section}"))


def _previous(days: list[Row], day: wording.DayCost) -> Decimal | None:
    before = [row["total_cost"] for row in days if row["date"] == day.when - timedelta(days=1)]
    return before[0] if before else None


def _tiles(
    owed: wording.DayCost,
    unused: Decimal,
    gpu_hours: float,
    rows: Answers,
    answers: Answers,
) -> tuple[Tile, ...]:
    days = rows.get("team_days") or rows.get("workload_days") or []
    held = sum(row["status"] != "missing" for row in answers["daily_costs"][-CHART_DAYS:])
    total = owed.total or ZERO
    part = Split(((Part.UNUSED, float(unused / total)),)) if total else None
    return (
        Tile(
            f"Cost of {figures.medium_date(owed.when)}",
            figures.NONE if owed.total is None else figures.money(owed.total, owed.currency),
            wording.change_note(owed),
        ),
        Tile(
            "Paid for, not used",
            figures.money(unused, owed.currency),
            f"{figures.share(float(unused / total))} of its cost" if total else "of nothing",
            part,
        ),
        Tile("GPU hours", figures.quantity(gpu_hours), f"on {figures.medium_date(owed.when)}"),
        Tile(
            f"The last {CHART_DAYS} days",
            figures.money(total_of(days, "total_cost"), owed.currency),
            f"of which {figures.counted(held, 'day is', 'days are')} known",
        ),
        changes.tile(rows["savings"], owed.currency)
        if rows["savings"]
        else Tile("Savings to act on", figures.NONE, "nothing is advised"),
    )


def _changes(rows: list[Row], currency: str, ask: str) -> Section:
    """What is advised; or that nothing is, and what tells why."""
    section = changes.section(rows, [], currency)
    return section if rows else replace(section, lead="", empty=f"Nothing is advised; {ask} says why.")


def _days(rows: list[Row], days: list[Row], owed: wording.DayCost, reports: Collection[date]) -> Section:
    """Day by day, the latest first; on a day that is held and has no row it cost nothing."""
    costs = {row["date"]: row for row in rows}
    shown = trends.since_the_first(days[-CHART_DAYS:])[::-1]
    largest = max((row["total_cost"] or ZERO for row in rows), default=ZERO)
    amounts = [None if day["status"] == "missing" else _of(costs, day, "total_cost") for day in shown]
    unused = [None if day["status"] == "missing" else _of(costs, day, "unused_cost") for day in shown]
    cost, total = figures.column(amounts)
    wasted, all_wasted = figures.column(unused)
    table = Table(
        "Cost of each day",
        (
            Column("Day"),
            Column("Used, not used, not observed", minor=True),
            Column("Cost", owed.currency, numeric=True),
            Column("Not used", owed.currency, numeric=True),
        ),
        tuple(
            (
                Cell(
                    f"{figures.weekday(day['date'])[:3]} {figures.short_date(day['date'])}",
                    note="" if day["status"] == "complete" else day["status"],
                    address=f"../{day['date']}/index.html" if day["date"] in reports else "",
                    key=str(day["date"]),
                ),
                Cell("", mark=_stack(costs.get(day["date"]), largest)),
                Cell(cost[i]),
                Cell(wasted[i]),
            )
            for i, day in enumerate(shown)
        ),
        (),
        (Cell("All"), Cell(""), Cell(total), Cell(all_wasted)),
    )
    return Section("days", f"The last {figures.counted(len(shown), 'day')}", "", table)


def _of(costs: Mapping[date, Row], day: Row, name: str) -> Decimal | None:
    row = costs.get(day["date"])
    return ZERO if row is None else row[name]


def _stack(row: Row | None, largest: Decimal) -> Split | None:
    if row is None or not largest:
        return None
    parts = (Part.USED, Part.UNUSED, Part.UNOBSERVED)
    beside = (row["total_cost"] or ZERO) - sum((row[f"{part}_cost"] for part in parts), ZERO)
    amounts = (*((part, row[f"{part}_cost"]) for part in parts), (Part.BESIDE, max(ZERO, beside)))
    return Split(tuple((part, float(amount / largest)) for part, amount in amounts))


def _resources(rows: list[Row], currency: str) -> Section:
    """What the workload reserved and paid for, resource by resource, dearest first."""
    rows = sorted(rows, key=lambda row: (-(row["total_cost"] or ZERO), row["resource"]))
    cost, total = figures.column([row["total_cost"] for row in rows])
    unused, all_unused = figures.column([row["unused_cost"] for row in rows])
    table = Table(
        "What it paid for, by resource",
        (
            Column("Resource"),
            Column("Reserved", numeric=True, minor=True),
            Column("Used", "of what was observed"),
            Column("Cost", currency, numeric=True),
            Column("Not used", currency, numeric=True),
        ),
        tuple(
            (
                Cell(RESOURCES.get(row["resource"], row["resource"].capitalize())),
                Cell(f"{figures.quantity(row['requested_quantity'])} {owners.UNITS.get(row['unit'], '')}".strip()),
                Cell("") if row["used_ratio"] is None else bar(row["used_ratio"], Part.USED),
                Cell(cost[i], "not all priced" if row["unpriced_charges"] else ""),
                Cell(unused[i]),
            )
            for i, row in enumerate(rows)
        ),
        (),
        (Cell("All"), Cell(""), Cell(""), Cell(total), Cell(all_unused)),
    )  # fmt: skip
    return Section("resources", "By resource", "", table, "It did not run on this day.")


def _summed(rows: list[Row]) -> Row:
    """The resources of a workload's day as one row."""
    known = [row["total_cost"] for row in rows if row["total_cost"] is not None]
    parts = {
        f"{part}_cost": total_of(rows, f"{part}_cost") for part in (Part.USED, Part.UNUSED, Part.UNOBSERVED)
    }
    return {"date": rows[0]["date"], "total_cost": sum(known, ZERO) if known else None, **parts}  # fmt: skip

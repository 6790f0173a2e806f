"""Write what leads to the daily reports: the front, a calendar a cluster, a page a team and a workload of the last day."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day, day_of
from costlab.jobs.asked import refuse_unknown
from costlab.jobs.both_ends import ProcessBeside, done_from_both_ends
from costlab.jobs.cost import quality
from costlab.jobs.editions import address, closed_editions, editions_in
from costlab.jobs.pages import PageOf, Writer, opened, pages_of, writing
from costlab.jobs.report import CHANGED, Gathered, days_of_reports
from costlab.jobs.report import QUESTIONS as REPORTED
from costlab.publish.files import put, take_away
from costlab.render import addresses, ownership
from costlab.render.context import Page
from costlab.render.envelope import envelope, json_bytes, plain
from costlab.render.html import page_html
from costlab.render.ownership import by_owner
from costlab.render.site import (
    CHART_DAYS,
    OF_TEAMS,
    OF_WORKLOADS,
    cluster_page,
    clusters_page,
    team_page,
    workload_page,
)
from costlab.store.lake import READABLE, Lake
from costlab.store.warehouse import Warehouse

Row = dict[str, Any]
Answers = dict[str, list[Row]]

CALENDAR_DAYS = 90  # at least; further back as long as there are reports
FEWEST_APART = 12  # pages that are worth a second process, which takes a second or two to begin
WORKLOADS = 50  # of a cluster that have a page, the dearest ones
FRONT = ("index.html", "index.json")

# What is asked of the lake, with what it needs beside cluster and day; daily_costs depends on the calendar.
QUESTIONS: dict[str, dict[str, int | str]] = {
    "headline": {},
    "cost_changes": {"against": ""},
    "teams": {},
    "team_days": {"days": CHART_DAYS},
    "workloads": {},
    "workload_days": {"days": CHART_DAYS, "most": WORKLOADS},
    "savings": {},
    "schedules": {},
    "unused_workloads": {},
    "day_findings": {},
}
_FOLDERS = ("team", "workload")


def write_reports(
    lake: Lake,
    settings: Settings,
    days: Sequence[tuple[str, Day]],
    out: Path,
    editions: Sequence[tuple[str, Dates]] = (),
    *,
    processes: int = 1,
) -> Iterator[Path]:
    """Write the reports of these days of clusters and these editions, then what leads to them; each page.

    processes: how many may write, 1 or 2, where there are enough pages; the other one opens the lake of the settings.
    Raises what `gather`, `put_report`, `write_edition` and `done_from_both_ends` do; what was written by then is led to
    all the same.
    """
    pages = pages_of(days, editions)
    apart = processes > 1 and len(pages) >= FEWEST_APART
    # Before this process opens the lake: the other does so at the same time.
    beside = ProcessBeside[PageOf, Path](writing, settings, pages, out) if apart else None
    writer = Writer(opened(lake, pages), settings, out, None if len(pages) > 1 else {})
    try:
        if beside:
            yield from done_from_both_ends(pages, writer.write_of_many, beside)
        else:
            yield from map(writer.write, pages)
    finally:
        write_site(lake, settings, out, writer.warehouse, writer.gathered)


def days_kept(
    lake: Lake, settings: Settings, clusters: Sequence[str], now: datetime
) -> list[tuple[str, Day]]:
    """The days of these clusters that can be reported and whose reports are kept, the latest first.

    In this order `latest/` is written once.

    Raises ConfigError for a cluster that the lake does not know, and when there is no such day.
    """
    since = settings.report.kept_since(day_of(now, lake.timezone).date)
    states = lake.states()
    for cluster in clusters:
        refuse_unknown(cluster, {name for name, _ in states})
    days = [
        (cluster, Day(day, lake.timezone))
        for (cluster, day), state in reversed(states.items())
        if cluster in clusters and state in READABLE and day >= since
    ]
    if not days:
        raise ConfigError(
            f"the lake holds no day since {since}",
            "measure one with costlab nightly, or keep reports longer: report.keep",
        )
    return days


def editions_kept(
    days: Sequence[tuple[str, Day]], settings: Settings, today: date
) -> list[tuple[str, Dates]]:
    """The weeks and months of these days that are over, whose editions are kept; of each cluster the latest last."""
    held: dict[str, list[date]] = {}
    for cluster, day in days:
        held.setdefault(cluster, []).append(day.date)
    since = settings.report.kept_since(today)
    return [
        (cluster, window) for cluster, own in held.items() for window in closed_editions(own, today, since)
    ]


def write_site(
    lake: Lake,
    settings: Settings,
    out: Path,
    warehouse: Warehouse | None = None,
    gathered: Mapping[str, Gathered] | None = None,
) -> list[Path]:
    """The pages above and beside the daily reports in `out`, of every cluster that has a folder there; the front first.

    They tell what the lake and the folders hold now: pages of teams and workloads that are no more on the last day go.
    Each file is replaced as a whole; a second run on the same lake changes no byte. warehouse: one that is open over the
    lake; of ninety days, opening another takes a second. gathered: what it told of a cluster's day, which is not asked
    again. Raises ConfigError when a file cannot be written.
    """
    folders = sorted(_clusters(out))
    if not folders:
        return []
    warehouse = warehouse or Warehouse.over(lake)
    held: dict[str, list[date]] = {}
    for row in warehouse.sql("select cluster, date from runs order by cluster, date").to_pylist():
        held.setdefault(row["cluster"], []).append(row["date"])
    written: list[Path] = []
    last: list[tuple[str, Row | None]] = []
    for cluster in folders:
        if cluster not in held:
            last.append((cluster, None))
            continue
        reports = days_of_reports(out, cluster)
        shown = max(set(held[cluster]) & set(reports), default=max(held[cluster]))
        told = (gathered or {}).get(cluster)
        answers = asked(warehouse, cluster, Day(shown, lake.timezone), reports, told)
        last.append((cluster, answers["daily_costs"][-1]))
        files = render_cluster(warehouse, settings, cluster, answers, reports, editions_in(out, cluster))
        written += [put(out / cluster / name, content) for name, content in files.items()]
        for folder in _FOLDERS:
            take_away(out / cluster / folder, _stale(out / cluster / folder, folder, files))
    rows = [{"cluster": cluster, "page": f"{cluster}/index.html", **(row or {})} for cluster, row in last]
    front = {
        "index.html": page_html(clusters_page(last)),
        "index.json": json_bytes(envelope("costlab.site/1", None, None, None, rows=rows)),
    }
    return [*(put(out / name, content) for name, content in front.items()), *written]


def asked(
    warehouse: Warehouse, cluster: str, day: Day, reports: Collection[date], gathered: Gathered | None = None
) -> Answers:
    """What the cluster's pages are made of, by query; the calendar reaches back to the first of the reports.

    gathered: what was asked for a report; where it is of the same day, its answers are taken.
    """
    first = min([*reports, day.date - timedelta(days=CALENDAR_DAYS - 1)])
    questions: dict[str, dict[str, int | str]] = {
        **QUESTIONS,
        "daily_costs": {"days": (day.date - first).days + 1},
    }
    known = gathered.answers if gathered and gathered.day == day else {}
    return {
        name: known[name]
        if name in known and REPORTED.get(name) == extra and name not in CHANGED
        else warehouse.query(name, cluster=cluster, day=str(day), **extra).to_pylist()
        for name, extra in questions.items()
    }


def render_cluster(
    warehouse: Warehouse,
    settings: Settings,
    cluster: str,
    answers: Answers,
    reports: Collection[date],
    editions: Collection[Dates] = (),
) -> dict[str, bytes]:
    """The files of a cluster's pages by name, each page with its JSON beside it."""
    currency = answers["headline"][0]["currency"] or settings.prices.currency
    days = answers["daily_costs"]
    window = Dates(days[0]["date"], days[-1]["date"] + timedelta(days=1))
    told = quality(warehouse, window, cluster, window.end)
    files = {}
    for name, page, rows, beside in _pages(answers, currency, reports, editions):
        files[f"{name}.html"] = page_html(page)
        schema = f"costlab.site.{name.partition('/')[0] if '/' in name else 'cluster'}/1"
        counted = (told.complete_days, told.days, told.coverage)
        head = envelope(schema, window, currency, counted, cluster=cluster)
        files[f"{name}.json"] = json_bytes({**head, "rows": rows, **beside})
    return files


def _pages(
    answers: Answers, currency: str, reports: Collection[date], editions: Collection[Dates]
) -> Iterator[tuple[str, Page, list[Row], dict[str, Any]]]:
    """Each page with its address, and what its JSON has, as JSON says it: rows, and parts beside them."""
    told: Answers = {name: [plain(row) for row in answers[name]] for name in _TOLD}
    days = [
        {**row, "report": f"{row['date']}/index.html" if date.fromisoformat(row["date"]) in reports else None}
        for row in told["daily_costs"]
    ]
    teams = sorted({row["team"] for row in answers["team_days"]})
    keys = dict.fromkeys(map(ownership.workload, answers["workload_days"]))
    beside = {
        "editions": [{"name": window.name, "page": address(window)} for window in editions],
        "teams": [{**row, "page": f"team/{addresses.team(row['team'])}.html"} for row in told["teams"] if row["team"] in teams],
        "workloads": [
            {**row, "page": f"workload/{addresses.workload(*key)}.html" if key in keys else None}
            for row, key in zip(told["workloads"], map(ownership.workload, told["workloads"]), strict=True)
        ],
    }  # fmt: skip
    periods = {window: address(window) for window in editions}
    yield "index", cluster_page(answers, currency, reports, periods), days, beside
    shown, beside_it = by_owner(answers, OF_TEAMS, ownership.team), by_owner(told, _OF_TEAMS, ownership.team)
    for team in teams:
        page, own = team_page(team, shown[team], answers, currency, reports), dict(beside_it[team])
        yield f"team/{addresses.team(team)}", page, own.pop("team_days"), {"team": team, **own}
    shown = by_owner(answers, OF_WORKLOADS, ownership.workload)
    beside_it = by_owner(told, _OF_WORKLOADS, ownership.workload)
    for key in keys:
        page, own = workload_page(key, shown[key], answers, currency, reports), dict(beside_it[key])
        named = dict(zip(("namespace", "workload_kind", "workload"), key, strict=True))
        yield f"workload/{addresses.workload(*key)}", page, own.pop("workload_days"), {**named, **own}


# What is in the JSON beside a page.
_OF_TEAMS = ("team_days", "workloads", "savings", "schedules")
_OF_WORKLOADS = ("workload_days", "savings", "schedules")
_TOLD = ("daily_costs", "teams", *_OF_TEAMS, "workload_days")


def _clusters(out: Path) -> Iterator[str]:
    """The folders in which reports of a cluster lie, or lay."""
    for home in out.iterdir() if out.is_dir() else ():
        if home.is_dir() and (
            days_of_reports(out, home.name)
            or editions_in(out, home.name)
            or all((home / name).is_file() for name in FRONT)
        ):
            yield home.name  # fmt: skip


def _stale(home: Path, folder: str, files: Collection[str]) -> list[str]:
    """The pages that lie there and are none of these; what no page is called stays."""
    names = [entry.name for entry in home.iterdir()] if home.is_dir() else []
    return sorted(
        name
        for name in names
        if name.endswith((".html", ".json"))
        and addresses.ADDRESS.fullmatch(name[:-5])
        and f"{folder}/{name}" not in files
    )

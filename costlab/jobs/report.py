"""Write the daily report of one cluster: HTML, Markdown, JSON and CSV, from named queries over the lake."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.ahead import ahead, with_findings
from costlab.jobs.anomalies import alarms_of
from costlab.jobs.asked import Filters
from costlab.jobs.audit import audit_table
from costlab.jobs.consumption import energy_used
from costlab.publish.files import put, take_away
from costlab.render.columns import plain_rows, table_csv
from costlab.render.context import MonthAhead
from costlab.render.envelope import envelope, json_bytes, plain
from costlab.render.html import report_html
from costlab.render.page import build
from costlab.render.text import report_markdown, rows_csv
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

DAYS = 30
# What is asked of the lake, with what it needs beside cluster and day.
QUESTIONS: dict[str, dict[str, int | str]] = {
    "headline": {},
    "cost_changes": {"against": ""},
    "daily_costs": {"days": DAYS},
    "month_costs": {},
    "teams": {},
    "team_days": {"days": DAYS},
    "workloads": {},
    "savings": {},
    "advice_refused": {},
    "schedules": {},
    "unused_workloads": {},
    "gpu_models": {},
    "idle_gpus": {},
    "quota_headroom": {},
    "quota_totals": {},
    "day_findings": {},
    "reconciliation": {},
    "day_signals": {},
    "day_run": {},
    "day_charges": {},
}

# Answers that a report has with more in them than the query tells.
CHANGED = ("day_findings",)

# What lies beside the report, and is not in it.
_UNSHOWN = ("day_charges",)

# Queries whose rows lie beside the report as they are: (title, file name).
DOWNLOADS = {
    "day_charges": ("every charge", "charges.csv"),
    "teams": ("teams", "teams.csv"),
    "workloads": ("workloads", "workloads.csv"),
    "savings": ("changes worth making", "changes.csv"),
    "unused_workloads": ("paid for and not used", "unused.csv"),
    "idle_gpus": ("idle GPUs", "idle-gpus.csv"),
    "energy_use": ("energy", "energy.csv"),
    "day_findings": ("findings", "findings.csv"),
    "daily_costs": (f"{DAYS} days", "days.csv"),
}

FILES = ("index.html", "report.md", "report.json", *(file for _, file in DOWNLOADS.values()))

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the lake tells of a day: the answers by query, as rows for the page and as tables, and the rest of the month.

    Answers that are in CHANGED have more rows than their tables. Every charge is in tables alone: no page shows them.
    """

    cluster: str
    day: Day
    currency: str
    answers: dict[str, list[dict[str, Any]]]
    tables: dict[str, pa.Table]
    month: MonthAhead


def write_report(
    warehouse: Warehouse, settings: Settings, cluster_id: str, day: Day, out: Path
) -> list[Path]:
    """The files of the day's report, in `out/<cluster>/<date>/`, and in `latest/` when no later day is there.

    Each file is replaced as a whole; a second run on the same lake changes no byte. Raises ConfigError when the day
    is not in the lake or the folder cannot be written.
    """
    return put_report(render_report(warehouse, settings, cluster_id, day), cluster_id, day, out)


@dataclass(frozen=True, slots=True)
class Told:
    """A day's report, file by file, and what of its cost is far from its level."""

    files: Mapping[str, bytes]
    alarms: tuple[str, ...]


def told_of(lake: Lake, settings: Settings, cluster_id: str, day: Day) -> Told:
    """What a night tells of a day. Raises ConfigError when the day is not in the lake."""
    warehouse = Warehouse.over(lake)
    files = render_report(warehouse, settings, cluster_id, day)
    return Told(files, tuple(alarm.message for alarm in alarms_of(warehouse, cluster_id, day.date)))


def put_report(
    files: Mapping[str, bytes], cluster_id: str, day: Day, out: Path, newest: date = date.min
) -> list[Path]:
    """Put the files of a day's report where `write_report` puts them. newest: the last day of those being written."""
    home = out / cluster_id
    others = home.iterdir() if home.exists() else ()
    later = any(_DATE.fullmatch(other.name) and other.name > str(day) for other in others)
    latest = newest <= day.date and not later
    # The day's own folder last: `reported` looks there, so that a run that is killed in between is made up for.
    folders = [home / "latest", home / str(day)] if latest else [home / str(day)]
    written = [put(folder / name, content) for folder in folders for name, content in files.items()]
    return written[-len(files) :] + written[: -len(files)]


def reported(out: Path, cluster_id: str, day: Day) -> bool:
    """Whether every file of the day's report is there."""
    return all((out / cluster_id / str(day) / name).is_file() for name in FILES)


def days_of_reports(out: Path, cluster_id: str) -> list[date]:
    """The days of which there is a report to read, oldest first."""
    home = out / cluster_id
    names = sorted(entry.name for entry in home.iterdir()) if home.is_dir() else []
    return [
        date.fromisoformat(name)
        for name in names
        if _DATE.fullmatch(name) and (home / name / "index.html").is_file()
    ]


def clear_reports(out: Path, cluster_id: str, before: date) -> list[str]:
    """Remove the files of the reports of earlier days, and nothing else; those days, oldest first.

    Raises ConfigError when one cannot be removed.
    """
    home = out / cluster_id
    days = (
        sorted(entry.name for entry in home.iterdir() if _DATE.fullmatch(entry.name)) if home.is_dir() else ()
    )
    return [day for day in days if day < before.isoformat() and take_away(home / day, FILES)]


def asked(warehouse: Warehouse, settings: Settings, cluster_id: str, day: Day) -> dict[str, pa.Table]:
    """What the report is made of, by query."""
    answers = {
        name: warehouse.query(name, cluster=cluster_id, day=str(day), **extra)
        for name, extra in QUESTIONS.items()
    }
    whole = Dates(day.date, day.next.date)
    answers["energy_use"] = energy_used(warehouse, settings, ["team"], whole, Filters(cluster_id))
    answers["audit"] = audit_table(warehouse, whole, Filters(cluster_id))
    return answers


def render_report(warehouse: Warehouse, settings: Settings, cluster_id: str, day: Day) -> dict[str, bytes]:
    """The report's files by name. Raises ConfigError when the day is not in the lake."""
    return rendered(gather(warehouse, settings, cluster_id, day), settings)


def gather(warehouse: Warehouse, settings: Settings, cluster_id: str, day: Day) -> Gathered:
    """All that the day's report is made of. Raises ConfigError when the day is not in the lake."""
    tables = asked(warehouse, settings, cluster_id, day)
    answers: dict[str, list[dict[str, Any]]] = {
        name: table.to_pylist() for name, table in tables.items() if name not in _UNSHOWN
    }
    if not answers["headline"]:
        raise ConfigError(
            f"{day} of cluster {cluster_id} is not in the lake",
            f"measure it first: costlab nightly --date {day}",
        )
    month, findings = ahead(warehouse, cluster_id, day, settings.forecast, settings.budgets)
    # What is far from its level is told by other days, and so is no finding of the day's measurement.
    money = answers["headline"][0]["currency"] or settings.prices.currency
    alarms = [asdict(each) | {"currency": money} for each in alarms_of(warehouse, cluster_id, day.date)]
    answers["day_findings"] = with_findings(answers["day_findings"], [*alarms, *findings])
    return Gathered(cluster_id, day, money, answers, tables, month)


def rendered(told: Gathered, settings: Settings) -> dict[str, bytes]:
    """The report's files by name, of what was gathered: nothing more is asked."""
    answers = told.answers
    report = build(
        answers,
        settings.prices.currency,
        (("Markdown", "report.md"), ("JSON", "report.json"), *DOWNLOADS.values()),
        settings.electricity(told.cluster),
        told.month,
    )
    files = {
        "index.html": report_html(report),
        "report.md": report_markdown(report),
        "report.json": json_bytes(_envelope(told)),
    }
    for name, (_, file) in DOWNLOADS.items():
        table = told.tables[name]
        files[file] = rows_csv(table.column_names, answers[name]) if name in CHANGED else table_csv(table)
    return files


def _envelope(told: Gathered) -> dict[str, Any]:
    """The report's answers by query, in the envelope of the command line's. Every single charge is in charges.csv."""
    [run] = told.answers["headline"]
    head = envelope(
        "costlab.report/1",
        Dates(told.day.date, told.day.next.date),
        told.currency,
        (int(run["status"] == "complete"), 1, run["coverage"]),
        cluster=told.cluster,
    )
    answers = {
        name: plain(told.answers[name]) if name in CHANGED else plain_rows(told.tables[name])
        for name in told.answers
    }
    return {**head, "answers": answers}

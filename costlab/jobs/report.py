"""Write the daily report of one cluster: HTML, Markdown and CSV, from named queries over the lake."""

import re
from pathlib import Path
from typing import Any

from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.publish.files import put
from costlab.render.html import report_html
from costlab.render.page import build
from costlab.render.text import report_markdown, rows_csv
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

DAYS = 30

# What is asked of the lake, with what it needs beside cluster and day.
QUESTIONS: dict[str, dict[str, int]] = {
    "headline": {},
    "cost_changes": {},
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
    "day_findings": {},
    "reconciliation": {},
    "day_signals": {},
    "day_run": {},
    "day_charges": {},
}

# Queries whose rows lie beside the report as they are: (title, file name).
DOWNLOADS = {
    "day_charges": ("every charge", "charges.csv"),
    "teams": ("teams", "teams.csv"),
    "workloads": ("workloads", "workloads.csv"),
    "savings": ("changes worth making", "changes.csv"),
    "unused_workloads": ("paid for and not used", "unused.csv"),
    "idle_gpus": ("idle GPUs", "idle-gpus.csv"),
    "day_findings": ("findings", "findings.csv"),
    "daily_costs": (f"{DAYS} days", "days.csv"),
}

FILES = ("index.html", "report.md", *(file for _, file in DOWNLOADS.values()))

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def write_report(lake: Lake, settings: Settings, cluster_id: str, day: Day, out: Path) -> list[Path]:
    """The files of the day's report, in `out/<cluster>/<date>/`, and in `latest/` when no later day is there.

    Each file is replaced as a whole; a second run on the same lake changes no byte. Raises ConfigError when the day
    is not in the lake or the folder cannot be written.
    """
    files = render_report(Warehouse.over(lake), settings.prices.currency, cluster_id, day)
    home = out / cluster_id
    written = [put(home / str(day) / name, content) for name, content in files.items()]
    if not any(_DATE.fullmatch(other.name) and other.name > str(day) for other in home.iterdir()):
        written += [put(home / "latest" / name, content) for name, content in files.items()]
    return written


def reported(out: Path, cluster_id: str, day: Day) -> bool:
    """Whether every file of the day's report is there."""
    return all((out / cluster_id / str(day) / name).is_file() for name in FILES)


def render_report(warehouse: Warehouse, currency: str, cluster_id: str, day: Day) -> dict[str, bytes]:
    """The report's files by name; `currency` is that of a day without any charge."""
    answers: dict[str, list[dict[str, Any]]] = {}
    columns: dict[str, list[str]] = {}
    for name, extra in QUESTIONS.items():
        table = warehouse.query(name, cluster=cluster_id, day=str(day), **extra)
        answers[name], columns[name] = table.to_pylist(), table.column_names
    if not answers["headline"]:
        raise ConfigError(
            f"{day} of cluster {cluster_id} is not in the lake",
            f"measure it first: costlab nightly --date {day}",
        )
    report = build(answers, currency, (("Markdown", "report.md"), *DOWNLOADS.values()))
    files = {"index.html": report_html(report), "report.md": report_markdown(report)}
    for name, (_, file) in DOWNLOADS.items():
        files[file] = rows_csv(columns[name], answers[name])
    return files

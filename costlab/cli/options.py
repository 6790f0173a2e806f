"""The options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"
    YAML = "yaml"
    PARQUET = "parquet"
    XLSX = "xlsx"


class LogFormat(StrEnum):
    """How log lines are written on stderr."""

    CONSOLE = "console"
    JSON = "json"


Output = Annotated[
    Format | None,
    typer.Option("-o", "--output", help="Format; by default that of --out's suffix, else a table."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write to a file, whole or not at all.")
]
ClusterId = Annotated[str | None, typer.Option("--cluster", metavar="ID", help="Only this cluster.")]
Namespace = Annotated[
    str | None, typer.Option("-n", "--namespace", metavar="NAME", help="Only this namespace.")
]
Team = Annotated[str | None, typer.Option("--team", metavar="NAME", help="Only this team.")]
WindowText = Annotated[
    str,
    typer.Option(
        "--window",
        metavar="W",
        help="7d, 2026-11, 2026-W47, last-week, last-month, 2026-11-01..2026-11-08 (end exclusive) or a date.",
    ),
]
DateText = Annotated[str, typer.Option("--date", metavar="DATE", help="yesterday, today, -2d or 2026-11-22.")]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="dask://HOST:PORT",
        help="Let the workers of a dask scheduler do the work; needs the extra dask.",
    ),
]


def _told(reason: str | None) -> str | None:
    """A reason; raises BadParameter for none, as of a variable that is not set, which would force nothing."""
    if reason is not None and not reason.strip():
        raise typer.BadParameter("a reason is needed, and is kept with the day")
    return reason


Reason = Annotated[
    str | None,
    typer.Option(
        "--force",
        metavar="REASON",
        callback=_told,
        help="Replace a day even by a worse one; the reason is kept.",
    ),
]

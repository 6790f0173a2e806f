"""`costlab export`: the lake's charges in the form of others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from costlab.cli.options import ClusterId, Out, WindowText
from costlab.cli.question import Question, say_incomplete, warn
from costlab.domain.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Write the lake's charges in the form of others.")


class Form(StrEnum):
    """How rows are written that are never held all at once."""

    CSV = "csv"
    PARQUET = "parquet"


@app.callback()
def exports() -> None:  # without it, typer would take the one command for the group itself
    """Write the lake's charges in the form of others."""


@app.command()
def focus(
    ctx: typer.Context,
    window: WindowText = "yesterday",
    cluster: ClusterId = None,
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="Who provides the nodes, and bills them.")
    ] = "Kubernetes",
    output: Annotated[
        Form | None, typer.Option("-o", "--output", help="By default that of --out's suffix, else CSV.")
    ] = None,
    out: Out = None,
) -> None:
    """Write charges as FOCUS 1.3 rows: each node's cost split over its pods, idle and system."""
    from costlab import __version__
    from costlab.jobs.focus_export import VERSION, focus_rows, unpriced
    from costlab.publish.streams import write_csv, write_parquet

    form = output or (Form.PARQUET if out and out.suffix == ".parquet" else Form.CSV)
    question = Question.of(ctx.obj, window, cluster)
    warehouse, dates = question.warehouse, question.dates
    rows = focus_rows(warehouse, dates, cluster, question.lake.timezone, provider)
    with _opened(out, form) as file:
        if form is Form.CSV:
            write_csv(rows, file)
        else:
            write_parquet(rows, file, {"focus_version": VERSION, "data_generator": f"costlab {__version__}"})
    say_incomplete(question.quality())
    if charges := unpriced(warehouse, dates, cluster):
        warn(f"{charges} charges have no price and are left out")


@contextmanager
def _opened(out: Path | None, form: Form) -> Iterator[BinaryIO]:
    """Where the rows go: stdout, or a file that is written whole or not at all."""
    from costlab.store.durable import replacing

    if out is None:
        if form is Form.PARQUET and sys.stdout.isatty():
            raise ConfigError("Parquet is nothing to look at", "name a file with --out, or pipe it")
        yield sys.stdout.buffer
        return
    try:
        with replacing(out) as file:
            yield file
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}",
            "name another file with --out; its folder must exist",
        ) from error

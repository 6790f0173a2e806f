"""`costlab export`: the lake's charges in the form of others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from costlab.cli.filters import demand_known
from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Out, WindowText
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
    from costlab.domain.dates import parse_window
    from costlab.domain.time import day_of
    from costlab.jobs.cost import quality
    from costlab.jobs.focus_export import VERSION, focus_rows, unpriced
    from costlab.publish.streams import write_csv, write_parquet
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    form = output or (Form.PARQUET if out and out.suffix == ".parquet" else Form.CSV)
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    dates, warehouse = parse_window(window, desk.now, lake.timezone), Warehouse.over(lake)
    rows = focus_rows(warehouse, dates, cluster, lake.timezone, provider)
    with _opened(out, form) as file:
        if form is Form.CSV:
            write_csv(rows, file)
        else:
            write_parquet(rows, file, {"focus_version": VERSION, "data_generator": f"costlab {__version__}"})
    seen = quality(warehouse, dates, cluster, day_of(desk.now, lake.timezone).date)
    if seen.complete_days < seen.days:
        typer.echo(f"warning: {seen.complete_days} of {seen.days} days are complete", err=True)
    if charges := unpriced(warehouse, dates, cluster):
        typer.echo(f"warning: {charges} charges have no price and are left out", err=True)


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

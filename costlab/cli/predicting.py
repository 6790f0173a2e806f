"""The command that prices manifests before they are applied."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Out, Output
from costlab.cli.question import demand_known
from costlab.domain.errors import ConfigError


def predict(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Option("-f", "--filename", metavar="FILE|-", help="Manifests in YAML, - for stdin.")
    ],
    hours: Annotated[
        float | None,
        typer.Option(
            "--hours",
            min=0,
            max=744,
            metavar="H",
            help="How long each pod runs in a month; by default 730, and for Jobs what their namesake ran.",
        ),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, metavar="N", help="Over how many days usage of the like is taken.")
    ] = 14,
    namespace: Annotated[
        str, typer.Option("-n", "--namespace", metavar="NAME", help="Of objects that name none.")
    ] = "default",
    cluster: ClusterId = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What manifests will cost a month: by their requests, and what the like of them used; the last row is the total."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.domain.time import day_of
    from costlab.jobs.predict import predict as predicted
    from costlab.sources.manifests import planned
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    text, path = _read(file)
    desk: Desk = ctx.obj
    settings, plan = desk.settings(), planned(text, path, namespace)
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    today = day_of(desk.now, lake.timezone).date
    found = predicted(Warehouse.over(lake), settings, plan, today, days, cluster=cluster, hours=hours)
    show(
        Answer(
            "costlab.predict/1",
            found.rows,
            None,
            found.currency,
            total=True,
            beside={"notes": list(found.notes)},
        ),
        output,
        out,
    )
    for note in found.notes:
        typer.echo(f"warning: {note}", err=True)


def _read(file: str) -> tuple[str, Path]:
    try:
        if file == "-":
            return sys.stdin.read(), Path("stdin")
        return Path(file).read_text(encoding="utf-8-sig"), Path(file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text", "manifests are YAML or JSON") from error
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}", "name a file with -f, or - for stdin"
        ) from error

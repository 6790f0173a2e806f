"""Commands that keep the lake: prune."""

from typing import Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import Out, Output


def prune(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")] = False,
    output: Output = None,
    out: Out = None,
) -> None:
    """Delete what is older than `retention` says, table by table; `runs` keeps saying what was there."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.prune import prune as job
    from costlab.store.lake import Lake

    desk: Desk = ctx.obj
    settings = desk.settings()
    rows, told = job(Lake.open(settings.lake, settings.timezone), settings, desk.now, dry_run=dry_run)
    show(Answer("costlab.prune/1", rows), output, out)
    if dry_run:
        typer.echo("nothing was deleted: --dry-run", err=True)
    typer.echo(told, err=True)

"""Commands that keep the lake: prune, backup, restore, migrate."""

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


def backup(
    ctx: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="PLACE", help="Where the backups of this lake lie: a folder, or s3://bucket/folder."
        ),
    ],
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="N", help="Delete all backups but the newest N.")
    ] = None,
) -> None:
    """Copy the lake, whole and at one moment; a later backup into the same place copies only what is new."""
    from costlab.jobs.backup import backup as job
    from costlab.store.lake import Lake

    desk: Desk = ctx.obj
    typer.echo(job(Lake.open(desk.settings().lake), place, desk.now, keep))


def restore(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="Where the backups lie.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="MOMENT", help="Which backup; by default the newest.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Verify every file of the backup; write nothing.")
    ] = False,
) -> None:
    """Put a backup back where there is no lake, verified file by file; `--lake PATH` says where."""
    from costlab.jobs.restore import restore as job

    desk: Desk = ctx.obj
    typer.echo(job(place, desk.settings().lake, at, dry_run=dry_run))


def migrate(
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the lake lacks; write nothing.")
    ] = False,
    output: Output = None,
    out: Out = None,
) -> None:
    """Bring a lake that an older costlab wrote to this version, day by day; make a backup first."""
    from costlab.cli.formats import Answer
    from costlab.cli.logs import voice
    from costlab.cli.show import show
    from costlab.jobs.migrate import migrate as job
    from costlab.store.lake import Lake

    desk: Desk = ctx.obj
    settings = desk.settings()
    lake = Lake.open(settings.lake, settings.timezone)
    with voice(desk) as told:
        rows, line = job(lake, settings, dry_run=dry_run, step=told.step)
    show(Answer("costlab.migrate/1", rows), output, out)
    typer.echo(f"{line}; nothing was written: --dry-run" if dry_run else line, err=True)

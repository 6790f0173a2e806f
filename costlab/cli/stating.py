"""`costlab statement`: what a team is shown of its cost, on one page."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.options import ClusterId, Team
from costlab.cli.question import Question, say_incomplete
from costlab.domain.errors import ConfigError
from costlab.domain.sharing import ShareIdle

if TYPE_CHECKING:  # pyarrow waits until the command runs
    from costlab.jobs.statement import Told


class Form(StrEnum):
    """How a statement is written."""

    HTML = "html"
    PDF = "pdf"
    MD = "md"
    JSON = "json"


def statement(
    ctx: typer.Context,
    team: Team = None,
    window: Annotated[
        str,
        typer.Option("--window", metavar="W", help="2026-11, last-month, last-week or any other window."),
    ] = "last-month",
    share_idle: Annotated[
        ShareIdle,
        typer.Option(
            "--share-idle", help="Share idle and system capacity: as much to each team, or by cost."
        ),
    ] = ShareIdle.NONE,
    cluster: ClusterId = None,
    output: Annotated[
        Form | None,
        typer.Option(
            "-o", "--output", help="Format; by default that of --out's suffix, md on stdout, else html."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Write to this file; without --team, into this folder."),
    ] = None,
) -> None:
    """A team's showback statement on one page: charges, its part of what is shared, the month before. All teams without --team."""
    from costlab.jobs.statement import Asked, statement_of, teams_of
    from costlab.publish.files import put_out
    from costlab.render.addresses import team as address

    form = _form(output, out, team)
    question = Question.of(ctx.obj, window, cluster, None, team)
    asked = Asked(question.dates, share_idle, cluster)
    teams = [team] if team is not None else teams_of(question.warehouse, asked)
    for name in teams:
        told = statement_of(question.warehouse, question.settings, name, asked, question.today)
        content = _written(told, form)
        if out is None:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            typer.echo(put_out(out if team is not None else out / f"{address(name)}.{form}", content))
    say_incomplete(question.quality())


def _form(output: Form | None, out: Path | None, team: str | None) -> Form:
    """The format that was asked for. Raises ConfigError where its statements have no place to go."""
    if team is None and out is None:
        raise ConfigError(
            "whose statement? no --team is named",
            "name one, or a folder for those of all teams: --out FOLDER",
        )
    suffix = out.suffix.removeprefix(".") if out and team is not None else ""
    form = output or (Form(suffix) if suffix in set(Form) else Form.HTML if out else Form.MD)
    if form is Form.PDF and out is None and sys.stdout.isatty():
        raise ConfigError("PDF is nothing to look at", "name a file with --out, or pipe it")
    if team is None and out is not None and out.is_file():
        raise ConfigError(f"{out} is a file", "without --team, --out names a folder: one statement a team")
    return form


def _written(told: "Told", form: Form) -> bytes:
    from costlab.publish.pdf import browser, printed
    from costlab.render.html import statement_html
    from costlab.render.text import statement_markdown

    if form is Form.JSON:
        return told.json
    if form is Form.MD:
        return statement_markdown(told.page)
    page = statement_html(told.page)
    return printed(page, browser()) if form is Form.PDF else page

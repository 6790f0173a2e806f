"""The commands, in the groups of `costlab --help`, and the options in front of all of them."""

import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from costlab import __version__
from costlab.cli import (
    advising,
    asking,
    backtesting,
    billing,
    configuring,
    deploying,
    explaining,
    exporting,
    forecasting,
    keeping,
    notifying,
    patching,
    predicting,
    quotas,
    replaying,
    running,
    setting_up,
    stating,
    watching,
)
from costlab.cli.frame import Desk, Front
from costlab.cli.options import LogFormat
from costlab.domain.errors import ExitCode

app = typer.Typer(
    cls=Front,
    name="costlab",
    help="What every pod of a Kubernetes ML platform cost, and what was paid for and not used.",
    epilog="`--config`, `--lake`, `-v`, `--log-format` and `--debug` may stand anywhere on the line.",
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _say_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"costlab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def front(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Configuration file.", show_default="costlab.yaml"),
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(
            "--lake", metavar="PATH", help="Lake, instead of the configured one: a folder or s3://…."
        ),
    ] = None,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say every step.")] = 0,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="Log lines.")] = LogFormat.CONSOLE,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001 - read in frame
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What every pod of a Kubernetes ML platform cost, and what was paid for and not used."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(ExitCode.USAGE)
    desk = ctx.obj or Desk(os.environ, datetime.now(UTC))
    ctx.obj = replace(
        desk, config=config, lake=lake, verbosity=verbose, json_logs=log_format is LogFormat.JSON
    )


SET_UP, MAIN_JOB, ASK, ACT = "Set-up", "Main job", "Ask", "Act"

app.command(rich_help_panel=SET_UP)(setting_up.init)
app.command(rich_help_panel=SET_UP)(setting_up.doctor)
app.command(rich_help_panel=SET_UP)(setting_up.demo)
app.add_typer(configuring.app, name="config", rich_help_panel=SET_UP)
app.command(rich_help_panel=MAIN_JOB)(running.nightly)
app.command(rich_help_panel=MAIN_JOB)(running.extract)
app.command(rich_help_panel=MAIN_JOB)(running.compute)
app.command(rich_help_panel=MAIN_JOB)(advising.recommend)
app.command(rich_help_panel=MAIN_JOB)(quotas.quota)
app.command(rich_help_panel=MAIN_JOB)(running.report)
app.command(rich_help_panel=MAIN_JOB)(notifying.notify)
app.command(rich_help_panel=MAIN_JOB)(keeping.prune)
app.command(rich_help_panel=MAIN_JOB)(keeping.backup)
app.command(rich_help_panel=MAIN_JOB)(keeping.restore)
app.command(rich_help_panel=MAIN_JOB)(keeping.migrate)
app.add_typer(billing.app, name="bill", rich_help_panel=ASK)
app.command(rich_help_panel=ASK)(asking.cost)
app.command(rich_help_panel=ASK)(stating.statement)
app.command(rich_help_panel=ASK)(asking.energy)
app.command(rich_help_panel=ASK)(advising.savings)
app.command(rich_help_panel=ASK)(advising.idle)
app.command(rich_help_panel=ASK)(forecasting.forecast)
app.command(rich_help_panel=ASK)(watching.anomalies)
app.command(rich_help_panel=ASK)(watching.audit)
app.command(rich_help_panel=ASK)(backtesting.backtest)
app.command(rich_help_panel=ASK)(explaining.explain)
app.command(rich_help_panel=ASK)(predicting.predict)
app.command(rich_help_panel=ASK)(replaying.whatif)
app.command(rich_help_panel=ASK)(asking.sql)
app.command(rich_help_panel=ASK)(asking.queries)
app.command(rich_help_panel=ASK)(asking.tables)
app.command(rich_help_panel=ACT)(patching.patch)
app.add_typer(exporting.app, name="export", rich_help_panel=ACT)
app.command(rich_help_panel=ACT)(deploying.deploy)


@app.command(rich_help_panel=SET_UP)
def version() -> None:
    """Show the version, and that of Python."""
    typer.echo(f"costlab {__version__}, Python {platform.python_version()}")

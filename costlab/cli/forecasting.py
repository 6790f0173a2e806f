"""The command `forecast`."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.filters import demand_known, say_unmatched
from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Namespace, Out, Output, Team, WindowText
from costlab.domain.errors import ConfigError, ExitCode

if TYPE_CHECKING:  # they wait until a command runs
    from costlab.jobs.outlook import Outlook

# What a person looks for; programs get every column.
_BRIEF = (
    "month_cost", "month_end_cost", "month_end_cost_lower", "month_end_cost_upper", "budget", "budget_state",
    "next_cost", "no_forecast",
)  # fmt: skip
_FURTHEST = 366


class FailOn(StrEnum):
    """What ends the command with exit code 10."""

    BUDGET = "budget"


def forecast(
    ctx: typer.Context,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="A",
            help="team, namespace, pipeline, cluster or total; with ,date each day ahead instead of the month.",
        ),
    ] = "team",
    horizon: Annotated[str, typer.Option("--horizon", metavar="Nd", help="How many days ahead.")] = "30d",
    window: WindowText = "182d",
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on", help="End with exit code 10 where a budget is exceeded, or is expected to be."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw the past and the days ahead of all that was asked for: .svg or .png.",
        ),
    ] = None,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What it will cost by the end of the month and after, how sure that is, and whether budgets will do."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.domain.dates import parse_window
    from costlab.domain.time import day_of
    from costlab.jobs.alerts import budget_findings
    from costlab.jobs.asked import Filters
    from costlab.jobs.cost import quality
    from costlab.jobs.forecasts import forecasts
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    days, filters = _days(horizon), Filters(cluster, namespace, team)
    _refuse(plot, fail_on=fail_on if filters != Filters() else None)
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    warehouse, dates = Warehouse.over(lake), parse_window(window, desk.now, lake.timezone)
    found = forecasts(warehouse, [part.strip() for part in by.split(",")], dates, filters, settings, days)
    seen = quality(warehouse, found.looked_at(dates), cluster, day_of(desk.now, lake.timezone).date)
    currency = found.currency or settings.prices.currency
    rows = found.rows if output or out or found.daily else found.rows.select([found.dimension, *_BRIEF])
    show(Answer("costlab.forecast/1", rows, dates, currency, seen), output, out)
    if plot:
        _draw(found.outlooks, days, currency, plot)
    _warn(f"{seen.complete_days} of {seen.days} days are complete", when=seen.complete_days < seen.days)
    if not say_unmatched(warehouse, filters, dates):
        _warn("no charge of the window fits what was asked for", when=not found.outlooks)
    _warn(
        f"{found.unpriced_charges} charges have no price and are in no sum", when=found.unpriced_charges > 0
    )
    for finding in budget_findings(found.standings):
        typer.echo(f"{finding.severity}: {finding.subject}: {finding.message}", err=True)
    if fail_on and any(standing.over for standing in found.standings):
        raise typer.Exit(ExitCode.POLICY_HIT)


def _refuse(plot: Path | None, *, fail_on: FailOn | None) -> None:
    if fail_on:
        raise ConfigError(
            f"--fail-on {fail_on} looks at all that budgets are for",
            "leave out --cluster, --namespace and --team",
        )
    if plot and plot.suffix not in (".svg", ".png"):
        raise ConfigError(f"--plot {plot}: not a picture that can be drawn", "name a file.svg or a file.png")


def _days(horizon: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,2})d", horizon)
    if not found or int(found[1]) > _FURTHEST:
        raise ConfigError(
            f"--horizon {horizon!r} is not a number of days", f"write 30d, at most {_FURTHEST}d"
        )
    return int(found[1])


def _draw(found: "list[Outlook]", days: int, currency: str, plot: Path) -> None:
    from costlab.render.outlook_chart import MOST_PANELS, Panel, outlook_chart
    from costlab.store.durable import write_atomically

    dearest = sorted(found, key=lambda outlook: (-float(outlook.month_cost), outlook.subject))
    panels = [
        Panel(
            outlook.subject,
            outlook.last_day,
            outlook.past,
            *(
                part[:days]
                for part in (outlook.ahead.days.level, outlook.ahead.days.lower, outlook.ahead.days.upper)
            ),
        )
        for outlook in dearest
    ]
    some = f", the {MOST_PANELS} dearest of {len(panels)}" if len(panels) > MOST_PANELS else ""
    try:
        content = outlook_chart(
            panels, f"Cost a day, and what is ahead{some}", currency, plot.suffix.removeprefix(".")
        )
        write_atomically(plot, content)
    except OSError as error:
        raise ConfigError(
            f"{plot} cannot be written: {error.strerror}",
            "name another file with --plot; its folder must exist",
        ) from error


def _warn(text: str, *, when: bool) -> None:
    if when:
        typer.echo(f"warning: {text}", err=True)

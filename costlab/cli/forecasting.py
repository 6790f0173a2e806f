"""The command `forecast`."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.options import ClusterId, Namespace, Out, Output, Team, WindowText
from costlab.cli.plotting import form_of, refuse_form, save_plot
from costlab.cli.question import Question, say_incomplete, warn
from costlab.domain.errors import ConfigError, ExitCode
from costlab.render import figures

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
    from costlab.jobs.alerts import budget_findings
    from costlab.jobs.asked import Filters
    from costlab.jobs.forecasts import forecasts

    days = _days(horizon)
    refuse_form(plot)
    _refuse_part(fail_on, narrowed=Filters(cluster, namespace, team) != Filters())
    question = Question.of(ctx.obj, window, cluster, namespace, team)
    dates, settings, asked = question.dates, question.settings, [part.strip() for part in by.split(",")]
    found = forecasts(question.warehouse, asked, dates, question.filters, settings, days)
    seen = question.quality(found.looked_at(dates))
    currency = found.currency or settings.prices.currency
    rows = found.rows if output or out or found.daily else found.rows.select([found.dimension, *_BRIEF])
    show(Answer("costlab.forecast/1", rows, dates, currency, seen), output, out)
    if plot:
        _draw(found.outlooks, days, currency, plot)
    say_incomplete(seen)
    if not question.say_unmatched():
        warn("no charge of the window fits what was asked for", when=not found.outlooks)
    warn(f"{figures.unpriced(found.unpriced_charges)} in no sum", when=found.unpriced_charges > 0)
    for finding in budget_findings(found.standings):
        typer.echo(f"{finding.severity}: {finding.subject}: {finding.message}", err=True)
    if fail_on and any(standing.over for standing in found.standings):
        raise typer.Exit(ExitCode.POLICY_HIT)


def _refuse_part(fail_on: FailOn | None, *, narrowed: bool) -> None:
    if fail_on and narrowed:
        raise ConfigError(
            f"--fail-on {fail_on} looks at all that budgets are for",
            "leave out --cluster, --namespace and --team",
        )


def _days(horizon: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,2})d", horizon)
    if not found or int(found[1]) > _FURTHEST:
        raise ConfigError(
            f"--horizon {horizon!r} is not a number of days", f"write 30d, at most {_FURTHEST}d"
        )
    return int(found[1])


def _draw(found: "list[Outlook]", days: int, currency: str, plot: Path) -> None:
    from costlab.render.outlook_chart import MOST_PANELS, Panel, outlook_chart

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
    title = f"Cost a day, and what is ahead{some}"
    save_plot(plot, outlook_chart(panels, title, currency, form_of(plot)))

"""The command `backtest`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.options import ClusterId, Namespace, Out, Output, Team, WindowText
from costlab.cli.plotting import form_of, refuse_form, save_plot
from costlab.cli.question import Question, say_incomplete
from costlab.domain.errors import ConfigError

if TYPE_CHECKING:  # they wait until a command runs
    from costlab.jobs.rightsizing.backtest import Backtest

# What a person compares; programs get every column of `Summary`.
_BRIEF = (
    "policy", "container_days", "coverage_cw", "cost", "cost_of_now", "savings_net", "memory_violation_share_cd",
    "memory_violation_share_cw", "memory_episodes", "cpu_over_share_cd", "cpu_unserved_share", "memory_slack",
    "cpu_slack", "memory_changes_cd",
)  # fmt: skip
_USUAL = "costlab,krr-simple,krr-simple-limit,vpa,crane,autopilot-window,kubecost"


def backtest(
    ctx: typer.Context,
    policy: Annotated[str, typer.Option("--policy", metavar="P,…", help="The rules, with commas.")] = _USUAL,
    train: Annotated[
        str, typer.Option("--train", metavar="Nd", help="The first days of the window: only learnt from.")
    ] = "14d",
    window: WindowText = "30d",
    worst: Annotated[
        int, typer.Option("--worst", min=0, metavar="N", help="How many of the worst days are named in JSON.")
    ] = 10,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw cost against violations: .svg or .png."),
    ] = None,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """Rules for requests side by side on the lake's own past: what each would have cost, and what it would have missed."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.rightsizing.backtest import backtest as scored
    from costlab.jobs.rightsizing.backtest import policies_named

    if not (days := re.fullmatch(r"([1-9][0-9]{0,3})d", train)):
        raise ConfigError(f"--train {train!r} is not a number of days", "write 14d")
    refuse_form(plot)
    policies = policies_named([name.strip() for name in policy.split(",")])
    question = Question.of(ctx.obj, window, cluster, namespace, team)
    dates, zone, rules = question.dates, question.lake.timezone, question.settings.rightsizing
    found = scored(question.warehouse, policies, dates, int(days[1]), question.filters, zone, rules, worst)
    seen = question.quality()
    rows = found.rows if output or out else found.rows.select(_BRIEF)
    answer = Answer("costlab.backtest/1", rows, dates, found.currency, seen, beside=found.details())
    show(answer, output, out)
    if plot:
        _draw(found, f"{dates.start} to {dates.end}", plot)
    question.say_unmatched()
    say_incomplete(seen)


def _draw(found: "Backtest", when: str, plot: Path) -> None:
    from costlab.render.frontier import Point, frontier

    points = [
        Point(
            row["policy"], row["cost_of_now"], row["memory_violation_share_cd"],
            row["memory_violation_share_cd_low"], row["memory_violation_share_cd_high"],
            own=row["policy"].startswith("costlab"),
        )
        for row in found.rows.to_pylist()
    ]  # fmt: skip
    title = f"Rules for requests, {when}: {found.rows['container_days'][0].as_py():,} container-days"
    save_plot(plot, frontier(points, title, form_of(plot)))

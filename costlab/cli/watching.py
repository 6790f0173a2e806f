"""Commands that look for what a person should see to: anomalies, audit."""

from typing import Annotated

import typer

from costlab.cli.options import ClusterId, Namespace, Out, Output, Team, WindowText
from costlab.cli.question import Question, say_incomplete, warn
from costlab.domain.errors import ExitCode


def anomalies(
    ctx: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="team, namespace or workload.")] = "team",
    window: WindowText = "7d",
    fail: Annotated[bool, typer.Option("--fail", help="End with 10 when there is any.")] = False,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """Costs that are far from their robust level on the same weekday, each with its one cause; a row an episode."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.anomalies import anomalies as found_in

    question = Question.of(ctx.obj, window, cluster, namespace, team)
    dates = question.dates
    found = found_in(question.warehouse, by, dates, question.filters)
    seen = question.quality()
    currency = found.currency or question.settings.prices.currency
    show(Answer("costlab.anomalies/1", found.rows, dates, currency, seen), output, out)
    if not question.say_unmatched():
        warn(
            f"{found.judged} of {found.subjects} could be judged: that takes 18 complete days before, "
            "two of them of the same weekday",
            when=found.judged < found.subjects or not found.subjects,
        )
    if fail and found.rows.num_rows:
        raise typer.Exit(ExitCode.POLICY_HIT)


def audit(
    ctx: typer.Context,
    window: WindowText = "7d",
    fail: Annotated[bool, typer.Option("--fail", help="End with 10 when anything is found.")] = False,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What has no request, limit, owner, quota, user, metrics or price: what it cost in the window, and the remedy."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.audit import audit_table

    question = Question.of(ctx.obj, window, cluster, namespace, team)
    dates = question.dates
    rows = audit_table(question.warehouse, dates, question.filters)
    seen = question.quality()
    show(Answer("costlab.audit/1", rows, dates, question.currency(), seen), output, out)
    question.say_unmatched()
    say_incomplete(seen)
    if fail and rows.num_rows:
        raise typer.Exit(ExitCode.POLICY_HIT)

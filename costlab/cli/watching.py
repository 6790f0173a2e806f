"""Commands that look for what a person should see to: anomalies, audit."""

from typing import Annotated

import typer

from costlab.cli.filters import demand_known, say_unmatched
from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Namespace, Out, Output, Team, WindowText
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
    from costlab.domain.dates import parse_window
    from costlab.domain.time import day_of
    from costlab.jobs.anomalies import anomalies as found_in
    from costlab.jobs.asked import Filters
    from costlab.jobs.cost import quality
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    dates = parse_window(window, desk.now, lake.timezone)
    warehouse, filters = Warehouse.over(lake), Filters(cluster, namespace, team)
    found = found_in(warehouse, by, dates, filters)
    seen = quality(warehouse, dates, cluster, day_of(desk.now, lake.timezone).date)
    show(
        Answer("costlab.anomalies/1", found.rows, dates, found.currency or settings.prices.currency, seen),
        output,
        out,
    )
    unmatched = say_unmatched(warehouse, filters, dates)
    if not unmatched and (found.judged < found.subjects or not found.subjects):
        typer.echo(
            f"warning: {found.judged} of {found.subjects} could be judged: that takes 18 complete days before, "
            "two of them of the same weekday",
            err=True,
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
    from costlab.domain.dates import parse_window
    from costlab.domain.time import day_of
    from costlab.jobs.asked import Filters
    from costlab.jobs.audit import audit_table
    from costlab.jobs.cost import currency_of, quality
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    dates = parse_window(window, desk.now, lake.timezone)
    warehouse, filters = Warehouse.over(lake), Filters(cluster, namespace, team)
    rows = audit_table(warehouse, dates, filters)
    seen = quality(warehouse, dates, cluster, day_of(desk.now, lake.timezone).date)
    currency = currency_of(warehouse, dates, filters) or settings.prices.currency
    show(Answer("costlab.audit/1", rows, dates, currency, seen), output, out)
    say_unmatched(warehouse, filters, dates)
    if seen.complete_days < seen.days:
        typer.echo(f"warning: {seen.complete_days} of {seen.days} days are complete", err=True)
    if fail and rows.num_rows:
        raise typer.Exit(ExitCode.POLICY_HIT)

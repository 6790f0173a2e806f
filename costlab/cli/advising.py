"""Commands of advice: recommend, savings, idle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, DateText, Namespace, Out, Output, Team, WindowText
from costlab.cli.question import Question, demand_known, say_incomplete, say_unmatched
from costlab.domain.errors import ConfigError, ExitCode

if TYPE_CHECKING:  # DuckDB waits until a command runs
    from typing import Any

    from costlab.config.settings import Settings
    from costlab.jobs.rightsizing.gate import FailOn
    from costlab.store.lake import Lake


def recommend(
    ctx: typer.Context,
    date: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="DATE", help="The last day that it rests on.", show_default="yesterday"
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window", metavar="W", help="Other days than rightsizing.window; nothing is written then."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="NAME", help="Another rule than rightsizing.policy; nothing is written then."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it; write nothing.")] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on", metavar="M>X", help="End with 10 when savings, net, raises or changes are above X."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Only what differs from an earlier answer in JSON."),
    ] = None,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What containers should request, from the days up to one; written into the lake for the report."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.domain.dates import parse_day, parse_window
    from costlab.domain.time import Day
    from costlab.jobs.asked import Filters
    from costlab.jobs.rightsizing.answers import chosen, currency_of, difference_table, ending
    from costlab.jobs.rightsizing.gate import SCHEMA, FailOn, differences
    from costlab.jobs.rightsizing.recommend import recommended
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    settings, bounds = desk.settings(), [FailOn.parse(text) for text in fail_on or ()]
    if date and window:
        raise ConfigError("--date and --window exclude each other", "a window names its own last day")
    earlier = _baseline(baseline) if baseline else None
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    if window:
        dates = parse_window(window, desk.now, lake.timezone)
    else:
        dates = ending(
            parse_day(date or "yesterday", desk.now, lake.timezone).date, settings.rightsizing.days
        )
    day = Day(dates.end, lake.timezone).previous
    keep = not (dry_run or window or policy)
    rows = recommended(
        lake, settings, clusters_of(lake, settings, cluster), day, len(dates), policy=policy, keep=keep
    )
    filters = Filters(cluster, namespace, team)
    rows = chosen(rows, filters)
    currency, advice = currency_of(rows), rows.to_pylist()
    if earlier is not None:
        advice = differences(advice, earlier)
        rows = difference_table(advice)
    show(Answer(SCHEMA, rows, dates, currency), output, out)
    say_unmatched(Warehouse.over(lake), filters)
    _hold(bounds, [row for row in advice if row.get("difference") != "gone"])


def savings(
    ctx: typer.Context,
    date: DateText = "yesterday",
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """The changes worth making, as the night left them: money, risk and evidence; the last row is the total."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.domain.dates import parse_day
    from costlab.jobs.asked import Filters
    from costlab.jobs.rightsizing.answers import advised_days, savings_table
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    day = parse_day(date, desk.now, lake.timezone)
    warehouse = Warehouse.over(lake)
    days = advised_days(warehouse, str(day), cluster)
    filters = Filters(cluster, namespace, team)
    rows, currency = savings_table(warehouse, days, filters)
    show(
        Answer("costlab.savings/1", rows, currency=currency or settings.prices.currency, total=True),
        output,
        out,
    )
    if not days:
        typer.echo(f"warning: the lake holds no advice up to {day}: costlab recommend makes it", err=True)
    say_unmatched(warehouse, filters)


def idle(
    ctx: typer.Context,
    window: WindowText = "7d",
    gpus: Annotated[
        bool, typer.Option("--gpus", help="The GPUs that were idle or barely busy, device by device.")
    ] = False,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What was paid for and did nothing: nodes' idle capacity, unused reservations, idle GPUs; a total in the last row."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.rightsizing.answers import idle_table

    if gpus and (namespace or team):
        raise ConfigError("--gpus goes with neither --namespace nor --team", "a device has no owner")
    question = Question.of(ctx.obj, window, cluster, namespace, team)
    rows, currency = idle_table(question.warehouse, question.dates, question.filters, gpus=gpus)
    seen, currency = question.quality(), currency or question.settings.prices.currency
    show(Answer("costlab.idle/1", rows, question.dates, currency, seen, total=True), output, out)
    question.say_unmatched()
    say_incomplete(seen)


def clusters_of(lake: "Lake", settings: "Settings", cluster: str | None) -> list[str]:
    """The cluster that was asked for, else those of the configuration, else those that the lake knows."""
    known = lake.clusters()
    return [cluster] if cluster else [each.id for each in settings.clusters] or known


def _baseline(file: Path) -> "list[dict[str, Any]]":
    """The rows of an earlier answer; raises ConfigError when the file holds none."""
    import orjson

    from costlab.jobs.rightsizing.gate import baseline

    try:
        return baseline(orjson.loads(file.read_bytes()), str(file))
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}", "name a file with --baseline"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{file} is no JSON", "write one: costlab recommend -o json --out FILE") from error


def _hold(bounds: "list[FailOn]", advice: "list[dict[str, Any]]") -> None:
    """End with 10 where the advice is above a bound."""
    hit = [bound for bound in bounds if bound.reached(advice) > bound.bound]
    for bound in hit:
        typer.echo(f"fail-on: {bound.measure} are {bound.reached(advice):.2f}, above {bound.bound}", err=True)
    if hit:
        raise typer.Exit(ExitCode.POLICY_HIT)

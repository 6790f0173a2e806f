"""The command `notify`: the day's posts, and what a night posts."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, DateText, Out, Output, Team
from costlab.cli.question import say_unmatched
from costlab.domain.errors import ConfigError, CostlabError, ExitCode

if TYPE_CHECKING:  # DuckDB and requests wait until the command runs
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from costlab.config.settings import Settings
    from costlab.jobs.posts import Post, Postman


def notify(
    ctx: typer.Context,
    date: DateText = "yesterday",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be posted (-o json: all of it); send nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was posted already, or is no news.")
    ] = False,
    cluster: ClusterId = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """Post what matters of a day to each team's channel or mailbox: its own costs alone, when there is news, and never twice."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.domain.dates import parse_day
    from costlab.jobs.asked import Filters, refuse_unknown
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    settings = desk.settings()
    if not settings.notify:
        raise ConfigError("the configuration names no destination", "add one under `notify:`; docs/notify.md")
    lake = Lake.open(settings.lake)
    day = parse_day(date, desk.now, lake.timezone)
    known = lake.clusters()
    if cluster:
        refuse_unknown(cluster, known)
    postman = postman_of(settings, desk, sends=not dry_run, again=again, team=team)
    ids = [cluster] if cluster else [each.id for each in settings.clusters] or known
    made: list[Post] = []
    faults: dict[str, CostlabError] = {}
    with nullcontext() if dry_run else lake.locked():
        for name in ids:
            try:
                for post in postman.posts(lake, name, day):
                    made.append(post)  # noqa: PERF402 - what was posted before a fault has to be told
            except CostlabError as fault:  # a cluster without the day keeps no other's teams from their posts
                faults[name] = fault
    if faults and not made:
        raise next(iter(faults.values()))
    payloads = [
        {"team": post.slot.team, "destination": post.slot.destination, "payload": post.payload}
        for post in made
        if post.payload
    ]
    show(Answer("costlab.notify/1", _rows(made), beside={"messages": payloads}), output, out)
    _complain(made, faults)
    if team and not made:
        say_unmatched(Warehouse.over(lake), Filters(cluster, team=team))
    codes = [*(post.exit_code for post in made), *(fault.exit_code for fault in faults.values())]
    if code := max(codes, default=ExitCode.DONE):
        raise typer.Exit(code)


def postman_of(
    settings: "Settings", desk: Desk, *, sends: bool, again: bool = False, team: str | None = None
) -> "Postman":
    """How posts are made: sent, or (without `sends`) only shown."""
    from costlab.jobs.couriers import Couriers
    from costlab.jobs.posts import Postman
    from costlab.publish.announcing import announce
    from costlab.publish.commenting import comment
    from costlab.publish.mailing import send
    from costlab.publish.posting import post

    couriers = Couriers(post, send, comment, announce) if sends else None
    return Postman(settings, desk.environ, desk.now, couriers, again, team)


def _rows(made: "Sequence[Post]") -> "pa.Table":
    import pyarrow as pa

    rows = [
        {
            "cluster": post.slot.cluster,
            "date": post.slot.day,
            "team": post.slot.team,
            "destination": post.slot.destination,
            "state": post.state.value,
            "address": post.address or None,
            "title": post.message.title if post.message else None,
            "note": post.note or None,
        }
        for post in made
    ]
    names = ("team", "destination", "state", "address", "title", "note")
    kinds = [("cluster", pa.string()), ("date", pa.date32()), *((name, pa.string()) for name in names)]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _complain(made: "Sequence[Post]", faults: "Mapping[str, CostlabError]") -> None:
    from costlab.jobs.posts import State

    for cluster, fault in faults.items():
        typer.echo(f"warning: {cluster}: nothing more was posted: {fault.message}", err=True)
    for post in made:
        if post.state in (State.FAILED, State.NO_SUCH_TEAM) or not post.sure:
            typer.echo(f"warning: {post.line}", err=True)
    hints = [*(post.hint for post in made), *(fault.hint for fault in faults.values())]
    for hint in dict.fromkeys(filter(None, hints)):
        typer.echo(f"hint: {hint}", err=True)

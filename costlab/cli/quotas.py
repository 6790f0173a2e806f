"""`costlab quota`: what ResourceQuotas should allow, and manifests of them; nothing is applied here."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.advising import clusters_of
from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, DateText, Format, Namespace, Out, Output
from costlab.cli.question import demand_known, say_unmatched

if TYPE_CHECKING:  # DuckDB and YAML wait until the command runs
    from costlab.domain.dates import Dates
    from costlab.jobs.quotas.answers import Quotas

_NOTHING = "no namespace that was asked for has demand or a quota"


def quota(
    ctx: typer.Context,
    date: DateText = "yesterday",
    after_rightsizing: Annotated[
        bool, typer.Option("--after-rightsizing", help="Manifests for once the advised requests are made.")
    ] = False,
    all_keys: Annotated[
        bool, typer.Option("--all-keys", help="Manifests with keys, too, that no quota of the namespace has.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it; write nothing.")] = False,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What each namespace's quotas should allow and when they run out; -o yaml: ResourceQuota manifests."""
    from costlab.cli.show import form_of
    from costlab.domain.dates import parse_day
    from costlab.jobs.asked import Filters
    from costlab.jobs.quotas.answers import quotas_of
    from costlab.jobs.quotas.suggest import suggested
    from costlab.jobs.rightsizing.answers import ending
    from costlab.render.manifests.quota import Manner
    from costlab.store.lake import Lake

    desk: Desk = ctx.obj
    settings = desk.settings()
    filters = Filters(cluster, namespace)
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    day = parse_day(date, desk.now, lake.timezone)
    clusters = clusters_of(lake, settings, cluster)
    warehouse = suggested(lake, settings, clusters, day, keep=not dry_run)
    found = quotas_of(warehouse, clusters, day, filters)
    if form_of(output, out) is Format.YAML:
        _put(found.manifests(Manner(after_rightsizing, all_keys)), out)
    else:
        _show(found, ending(day.date, settings.quota.days), output, out)
    say_unmatched(warehouse, filters)


def _show(found: "Quotas", window: "Dates", output: Format | None, out: Path | None) -> None:
    from costlab.cli.formats import Answer
    from costlab.cli.show import form_of, show
    from costlab.render import quota_words

    for_eyes = form_of(output, out) in (Format.TABLE, Format.MD)
    beside = {"totals": found.totals, "default_requests": found.defaults}
    rows = found.table() if for_eyes else found.rows
    show(Answer("costlab.quota/1", rows, window, beside=beside), output, out)
    if not found.rows.num_rows:
        typer.echo(f"warning: {_NOTHING}", err=True)
    for row in found.totals if for_eyes else ():
        typer.echo(f"{row['cluster']} {quota_words.total(row)}", err=True)


def _put(manifests: str, out: Path | None) -> None:
    from costlab.publish.files import put_out

    if not manifests:
        typer.echo(f"no quota to write: {_NOTHING}", err=True)
    elif out is None:
        sys.stdout.write(manifests)
    else:
        put_out(out, manifests.encode())

"""`costlab bill`: import what the provider billed, and hold it against what was charged."""

from pathlib import Path
from typing import Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Out, Output, WindowText
from costlab.cli.question import Question, warn
from costlab.domain.bills import CostKind
from costlab.domain.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Import the provider's bill, and hold it against the charges.")


@app.command("import")
def import_(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="All files of the bill: FOCUS, CSV or Parquet.")
    ],
    cluster: ClusterId = None,
    cost: Annotated[
        CostKind, typer.Option("--cost", help="EffectiveCost (amortised), or BilledCost (as invoiced).")
    ] = CostKind.EFFECTIVE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do; write nothing.")] = False,
    output: Output = None,
    out: Out = None,
) -> None:
    """Import a bill in the FOCUS format; `costlab compute` then prices the nodes of its days by it."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.domain.dates import windows_of
    from costlab.jobs.billing import import_bill
    from costlab.store.lake import Lake

    desk: Desk = ctx.obj
    settings = desk.settings()
    chosen = settings.chosen(cluster)
    if len(chosen) > 1:
        named = ", ".join(each.id for each in chosen)
        raise ConfigError(f"the bill may be of any of {named}", "say which one with --cluster")
    lake = Lake.open(settings.lake, settings.timezone)
    with lake.locked():
        done = import_bill(lake, settings, chosen[0].id, files, cost, dry_run=dry_run)
    show(Answer("costlab.bill/1", done.rows, currency=settings.prices.currency, total=True), output, out)
    if dry_run:
        typer.echo("nothing was written: --dry-run", err=True)
    for days in windows_of(done.stale):
        typer.echo(f"next: costlab compute --cluster {chosen[0].id} --window {days}", err=True)


@app.command()
def reconcile(
    ctx: typer.Context,
    window: WindowText = "7d",
    cluster: ClusterId = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """Show the bill beside the charges, node by node and day, with the reason of each difference; the last row is the total."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.billing import reconciliation, unmeasured

    question = Question.of(ctx.obj, window, cluster)
    warehouse, dates = question.warehouse, question.dates
    rows = reconciliation(warehouse, dates, cluster)
    show(
        Answer("costlab.bill-reconcile/1", rows, dates, question.settings.prices.currency, total=True),
        output,
        out,
    )
    for what, days in unmeasured(warehouse, dates, cluster).items():
        warn(f"billed days of {what}: {', '.join(days)}")

"""`costlab explain`: every number behind one recommendation, in words and a figure."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Namespace, Out, Team
from costlab.cli.plotting import form_of, refuse_form, save_plot
from costlab.cli.question import demand_known

if TYPE_CHECKING:  # pyarrow waits until the command runs
    from costlab.render.explanation import Explanation


class Form(StrEnum):
    """How an explanation is written."""

    TABLE = "table"
    JSON = "json"
    MD = "md"


def explain(
    ctx: typer.Context,
    workload: Annotated[
        str,
        typer.Argument(metavar="WORKLOAD", help="WORKLOAD, NAMESPACE/WORKLOAD or NAMESPACE/KIND/WORKLOAD."),
    ],
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="The advice of this day.", show_default="the latest"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw usage, request, limit and proposal: .svg or .png."),
    ] = None,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="Format.")] = Form.TABLE,
    out: Out = None,
) -> None:
    """Every number behind a workload's advice, in words: usage, rule, risk, evidence, saving step by step."""
    from costlab.domain.dates import parse_day
    from costlab.domain.time import HOUR_MS
    from costlab.jobs.asked import Filters
    from costlab.jobs.rightsizing.explain import explained
    from costlab.jobs.rightsizing.named import Wanted, advice_named
    from costlab.publish.files import put_out
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    refuse_form(plot)
    desk: Desk = ctx.obj
    wanted, settings = Wanted.parse(workload), desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    day = parse_day(date, desk.now, lake.timezone).date if date else None
    warehouse = Warehouse.over(lake)
    rows = advice_named(warehouse, Filters(cluster, namespace, team), [wanted], day)
    days = max(1, settings.rightsizing.window_ms // (24 * HOUR_MS))
    told = explained(warehouse, rows, days, lake.timezone)
    content = _written(told, output)
    if out is not None:
        put_out(out, content)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    if plot is not None:
        from costlab.render.explanation_chart import drawn

        requests = [each for each in told if each.row["action"] == "request"]
        save_plot(plot, drawn(requests, form_of(plot)))


def _written(told: "list[Explanation]", form: Form) -> bytes:
    from costlab.cli.formats import Answer, written
    from costlab.cli.options import Format
    from costlab.jobs.rightsizing.explain import explanation_table
    from costlab.render.explanation import as_markdown, text

    if form is Form.JSON:
        answer = Answer("costlab.explain/1", explanation_table(told), currency=told[0].row["currency"])
        return written(answer, Format.JSON)
    return (as_markdown(told) if form is Form.MD else text(told)).encode()

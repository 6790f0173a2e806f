"""The command that replays a window's pods on nodes of another shape."""

from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.options import ClusterId, Out, Output, WindowText
from costlab.cli.question import Question, say_incomplete, warn

if TYPE_CHECKING:  # DuckDB and NumPy wait until the command runs
    from costlab.jobs.other_nodes import Replay


def whatif(
    ctx: typer.Context,
    cores: Annotated[float, typer.Option("--cores", min=0, metavar="N", help="Cores of such a node.")],
    gib: Annotated[float, typer.Option("--gib", min=0, metavar="N", help="Its memory in GiB.")],
    gpus: Annotated[int, typer.Option("--gpus", min=0, metavar="N", help="Its GPUs.")] = 0,
    gpu_model: Annotated[
        str | None,
        typer.Option("--gpu-model", metavar="NAME", help="Their model, as the price book names it."),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            "--price", min=0, metavar="P", help="What it costs an hour; by default what its parts do."
        ),
    ] = None,
    pods: Annotated[
        int, typer.Option("--pods", min=1, metavar="N", help="Pods that it takes: maxPods.")
    ] = 110,
    reserved_cores: Annotated[
        float | None,
        typer.Option(
            "--reserved-cores", min=0, metavar="N", help="Cores that it keeps from pods; by default as today."
        ),
    ] = None,
    reserved_gib: Annotated[
        float | None,
        typer.Option("--reserved-gib", min=0, metavar="N", help="GiB that it keeps from pods; likewise."),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool", metavar="NODE", help="Only the pods of this node and of nodes that are as it is."
        ),
    ] = None,
    by_hour: Annotated[bool, typer.Option("--by-hour", help="Nodes that each hour needs, as rows.")] = False,
    window: WindowText = "7d",
    cluster: ClusterId = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What nodes of another shape would have cost: the window's pods placed on them, hour by hour.

    The least is a bound by sums, the most is what placing every pod needs (first-fit decreasing). Selectors, taints and
    affinities are not in metrics: pods go wherever there is room.
    """
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.other_nodes import NodeShape, replay

    shape = NodeShape(cores, gib, float(gpus), pods, gpu_model, price, reserved_cores, reserved_gib)
    question = Question.of(ctx.obj, window, cluster)
    warehouse, settings, dates, zone = (
        question.warehouse,
        question.settings,
        question.dates,
        question.lake.timezone,
    )
    found = replay(warehouse, settings, shape, dates, zone, cluster=cluster, like=pool)
    seen = question.quality()
    rows = found.hours if by_hour else found.rows
    beside = {"node": found.node, "left_out": list(found.left_out), "notes": list(found.notes)}
    show(Answer("costlab.whatif/1", rows, dates, found.currency, seen, beside=beside), output, out)
    _say(found)
    say_incomplete(seen)


def _say(found: "Replay") -> None:
    node = found.node
    typer.echo(
        f"a node: {node['cores']:g} cores, {node['gib']:g} GiB, {node['gpus']:g} GPUs for "
        f"{node['price_an_hour']:.2f} {found.currency} an hour ({node['price_source']}); it keeps "
        f"{node['reserved_cores']:.3g} cores and {node['reserved_gib']:.3g} GiB from pods, and DaemonSets "
        f"({node['daemonsets']}) ask for {node['daemonset_cores']:.3g} cores and {node['daemonset_gib']:.3g} GiB of it",
        err=True,
    )
    for note in found.notes:
        warn(note)

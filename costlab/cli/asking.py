"""Commands that ask the lake: cost, energy, sql, queries, tables."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Namespace, Out, Output, Team, WindowText
from costlab.cli.question import Question, say_incomplete, warn
from costlab.domain.errors import ConfigError
from costlab.domain.sharing import ShareIdle
from costlab.render import figures


def _queries(incomplete: str) -> list[str]:
    """What the shell may complete: names of queries, with the @ that `costlab sql` takes where one is begun."""
    from costlab.store.warehouse import queries as named

    sign = "@" if incomplete.startswith("@") else ""
    return [f"{sign}{name}" for name in named() if f"{sign}{name}".startswith(incomplete)]


def _tables(incomplete: str) -> list[str]:
    from costlab.domain.tables import TABLES

    return [name for name in TABLES if name.startswith(incomplete)]


def cost(
    ctx: typer.Context,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="A,B,…",
            help="team, namespace, workload, workload_kind, pod, node, resource, kind, item, pipeline, pipeline_task, "
            "pipeline_run, class, date, cluster, label:NAME.",
        ),
    ] = "team",
    window: WindowText = "7d",
    share_idle: Annotated[
        ShareIdle,
        typer.Option("--share-idle", help="Share idle and system capacity: as much to each row, or by cost."),
    ] = ShareIdle.NONE,
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What it cost: used, paid for and not used, unobserved; the last row is the total."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.cost import cost_table, unknown_labels

    question = Question.of(ctx.obj, window, cluster, namespace, team)
    warehouse, dates, filters = question.warehouse, question.dates, question.filters
    asked = [part.strip() for part in by.split(",")]
    rows = cost_table(
        warehouse, asked, dates, filters, idle=share_idle, share=question.settings.billing.share
    )
    seen = question.quality()
    show(Answer("costlab.cost/1", rows, dates, question.currency(), seen, total=True), output, out)
    say_incomplete(seen)
    if not question.say_unmatched():
        warn("no charge of the window fits what was asked for", when=rows.num_rows == 1)
    for label in unknown_labels(rows):
        warn(
            f"no pod shows the label {label!r}; kube-state-metrics shows those of --metric-labels-allowlist",
            when=rows.num_rows > 1,
        )
    unpriced = rows["unpriced_charges"][-1].as_py()
    warn(f"{figures.unpriced(unpriced)} in no sum", when=unpriced > 0)


def energy(
    ctx: typer.Context,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="A,B,…",
            help="team, namespace, workload, pod, node, source, pipeline, pipeline_task, pipeline_run, class, date, "
            "cluster.",
        ),
    ] = "team",
    window: WindowText = "7d",
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """What electricity it used, as far as that was measured, and the CO2 of it; the last row is the total."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.consumption import energy_used

    question = Question.of(ctx.obj, window, cluster, namespace, team)
    warehouse, dates, filters = question.warehouse, question.dates, question.filters
    rows = energy_used(warehouse, question.settings, [part.strip() for part in by.split(",")], dates, filters)
    seen = question.quality()
    show(Answer("costlab.energy/1", rows, dates, quality=seen), output, out)
    say_incomplete(seen)
    if not question.say_unmatched():
        unmeasured = rows["energy_kwh"][-1].as_py() is None
        warn("nothing tells of energy: no GPU's power or energy, and no Kepler", when=unmeasured)


def sql(
    ctx: typer.Context,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY|-|@NAME", help="SQL, - for stdin, @ for a named query.", autocompletion=_queries
        ),
    ],
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="Value of $K in the query, as text.")
    ] = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """Ask the lake in SQL (DuckDB): one view a table, complete days only. `costlab tables` lists them."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    params = _params(param or [])
    desk: Desk = ctx.obj
    warehouse = Warehouse.over(Lake.open(desk.settings().lake))
    if query.startswith("@"):
        rows = warehouse.query(query[1:], **params)
    else:
        rows = warehouse.sql(sys.stdin.read() if query == "-" else query, params or None)
    show(Answer("costlab.sql/1", rows), output, out)


def queries(
    query: Annotated[
        str | None, typer.Argument(help="A query, for its text.", autocompletion=_queries)
    ] = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """List the named queries, or show the text of one: run it with `costlab sql @NAME --param …`."""
    import pyarrow as pa

    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.store.warehouse import find_query
    from costlab.store.warehouse import queries as named

    if query is not None:
        one = find_query(query.removeprefix("@"))
        if output is None and out is None:
            typer.echo(one.text, nl=False)
            return
        inputs, params = ", ".join(one.inputs), " ".join(sorted(one.params))
        rows = [{**asdict(one), "inputs": inputs, "params": params}]
    else:
        rows = [
            {"query": q.name, "kind": q.folder, "answers": q.about, "params": " ".join(sorted(q.params))}
            for q in named().values()
        ]
    show(Answer("costlab.queries/1", pa.Table.from_pylist(rows)), output, out)


def tables(
    table: Annotated[
        str | None, typer.Argument(help="A table, for its columns.", autocompletion=_tables)
    ] = None,
    output: Output = None,
    out: Out = None,
) -> None:
    """List the lake's tables, or the columns of one with their units."""
    import pyarrow as pa

    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.config.faults import meant
    from costlab.domain.tables import TABLES

    if table is not None and table not in TABLES:
        raise ConfigError(f"there is no table {table!r}{meant(table, TABLES)}", "`costlab tables` lists them")
    if table is None:
        rows = [
            {"table": spec.name, "one_row_is": spec.grain, "columns": len(spec.columns)}
            for spec in TABLES.values()
        ]
    else:
        rows = [
            {
                "column": c.name,
                "type": c.type.value,
                "unit": c.unit,
                "meaning": c.doc,
                "null_means": c.null or None,
            }
            for c in TABLES[table].columns
        ]
    show(Answer("costlab.tables/1", pa.Table.from_pylist(rows)), output, out)


def _params(pairs: list[str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--param {pair!r} is not NAME=VALUE", "write --param cluster=prod")
        params[name] = value
    return params

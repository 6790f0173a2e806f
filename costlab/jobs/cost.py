"""What it cost, by whatever it is asked by: one table with a total row, and how far it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches

import pyarrow as pa

from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.store.warehouse import Warehouse

# What can be asked by, and the columns that tell it apart: two namespaces may each have a workload `api`.
_DIMENSIONS = {
    "cluster": ("cluster",),
    "team": ("team",),
    "namespace": ("namespace",),
    "workload": ("namespace", "workload_kind", "workload"),
    "pod": ("namespace", "pod"),
    "node": ("node",),
    "resource": ("resource",),
    "kind": ("kind",),
    "pipeline": ("pipeline",),
    "class": ("class",),
    "date": ("date",),
}
_LABEL = "label:"

# Columns that idle, system and fee rows have not got: there their kind is written instead.
_OWNED = {"team", "namespace", "workload_kind", "workload", "pod", "class"}


@dataclass(frozen=True, slots=True)
class Filters:
    """Only the charges of these; None means all."""

    cluster: str | None = None
    namespace: str | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """How much of a window is in the lake: days counted per cluster; coverage None when there is none."""

    complete_days: int
    days: int
    coverage: float | None


@dataclass(frozen=True, slots=True)
class _By:
    """A column of the answer: its name, and the SQL behind it."""

    name: str
    sql: str
    label: str | None = None


def cost_table(warehouse: Warehouse, by: Sequence[str], window: Dates, filters: Filters) -> pa.Table:
    """The cost of the window by some dimensions, dearest first (by date: in its order), the total in the last row.

    Columns: the dimensions as text, then cost, cost_used, cost_unused, cost_unobserved (null: no price known),
    cpu_core_hours, memory_gib_hours, gpu_hours, and how many charges have no price and so are not in `cost`.
    What nobody owns is in rows named (idle), (system) and (fee). Raises ConfigError for an unknown dimension, and when the
    window holds several currencies.
    """
    columns = _columns(by)
    params = _params(window, filters) | {f"label_{i}": c.label for i, c in enumerate(columns) if c.label}
    _refuse_mixed(warehouse, window, filters)
    return warehouse.sql(_statement(columns, filters, in_order=by[0] == "date"), params)


def currency_of(warehouse: Warehouse, window: Dates, filters: Filters) -> str | None:
    """The currency of the window's charges; None when there is none."""
    text = f"select min(currency) as currency from charges where {_where(filters)}"  # noqa: S608 - fixed conditions
    found: str | None = warehouse.sql(text, _params(window, filters))["currency"][0].as_py()
    return found


def quality(warehouse: Warehouse, window: Dates, cluster: str | None, today: date) -> Quality:
    """How many of the window's days before today are complete, over the chosen cluster or all that the lake knows."""
    text = """
        select
            count(*) filter (where status = 'complete' and date >= $start and date < $end) as complete,
            count(distinct cluster) as clusters,
            avg(coverage) filter (where not isnan(coverage) and date >= $start and date < $end) as coverage
        from runs
        where $cluster is null or cluster = $cluster
    """
    [row] = warehouse.sql(text, _params(window, Filters()) | {"cluster": cluster}).to_pylist()
    past = Dates(window.start, max(window.start, min(window.end, today)))
    return Quality(row["complete"], len(past) * max(1, row["clusters"]), row["coverage"])


def _columns(by: Sequence[str]) -> list[_By]:
    columns: dict[str, _By] = {}
    for dimension in by:
        if dimension.startswith(_LABEL):
            name = dimension.removeprefix(_LABEL)
            exposed = "label_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
            columns.setdefault(dimension, _By(dimension, "", exposed))
        elif dimension in _DIMENSIONS:
            for name in _DIMENSIONS[dimension]:
                columns.setdefault(name, _By(name, _expression(name)))
        else:
            close = get_close_matches(dimension, _DIMENSIONS, 1)
            raise ConfigError(
                f"--by {dimension}: no such dimension" + (f"; did you mean {close[0]!r}?" if close else ""),
                f"one or more of {', '.join(_DIMENSIONS)}, label:NAME",
            )
    numbered = enumerate(columns.values())
    return [
        replace(c, sql=f"coalesce({_OF_NOBODY}, pods.labels[$label_{i}], '(none)')") if c.label else c
        for i, c in numbered
    ]


_OF_NOBODY = "if(kind in ('idle', 'system', 'fee'), '(' || kind || ')', null)"


def _expression(name: str) -> str:
    if name == "date":
        return "cast(date as varchar)"
    if name == "pipeline":
        return f"coalesce(pipeline, {_OF_NOBODY}, '(none)')"
    return f"coalesce({name}, {_OF_NOBODY}, '(none)')" if name in _OWNED | {"node"} else name


def _statement(columns: Sequence[_By], filters: Filters, *, in_order: bool) -> str:
    """Fixed words, columns from `_DIMENSIONS` and `$` parameters; a label only names a column, in quotes."""
    keys = [f"by_{i}" for i in range(len(columns))]
    made = ", ".join(f"{column.sql} as {key}" for column, key in zip(columns, keys, strict=True))
    totals = ["'(total)'", *["null"] * (len(keys) - 1)]
    shown = ", ".join(
        f"if(is_total, {total}, {key}) as {_quoted(column.name)}"
        for total, key, column in zip(totals, keys, columns, strict=True)
    )
    order = ", ".join(keys if in_order else ["cost desc nulls last", *keys])
    return f"""
        with pods as (
            select cluster, date, namespace, pod, pod_uid, any_value(labels) as labels
            from containers
            where date >= $start and date < $end
            group by all
        ),
        chosen as (
            select {made}, resource, billed_quantity, cost, cost_used, cost_unused, cost_unobserved
            from charges
            left join pods using (cluster, date, namespace, pod, pod_uid)
            where {_where(filters)}
        ),
        summed as (
            select
                {", ".join(keys)},
                grouping({keys[0]}) = 1 as is_total,
                cast(sum(cost) as decimal(18, 6)) as cost,
                cast(sum(cost_used) as decimal(18, 6)) as cost_used,
                cast(sum(cost_unused) as decimal(18, 6)) as cost_unused,
                cast(sum(cost_unobserved) as decimal(18, 6)) as cost_unobserved,
                round(coalesce(sum(billed_quantity) filter (where resource = 'cpu'), 0), 6) as cpu_core_hours,
                round(coalesce(sum(billed_quantity) filter (where resource = 'memory'), 0), 6) as memory_gib_hours,
                round(coalesce(sum(billed_quantity) filter (where resource = 'gpu'), 0), 6) as gpu_hours,
                count(*) filter (where cost is null and billed_quantity > 0) as unpriced_charges
            from chosen
            group by grouping sets (({", ".join(keys)}), ())
        )
        select {shown}, * exclude ({", ".join(keys)}, is_total)
        from summed
        order by is_total, {order}
    """  # noqa: S608 - see above


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _where(filters: Filters) -> str:
    conditions = ["charges.date >= $start", "charges.date < $end"]
    conditions += [f"charges.{name} = ${name}" for name in _given(filters)]
    return " and ".join(conditions)


def _params(window: Dates, filters: Filters) -> dict[str, object]:
    return {"start": window.start, "end": window.end, **_given(filters)}


def _given(filters: Filters) -> Mapping[str, str]:
    pairs = (("cluster", filters.cluster), ("namespace", filters.namespace), ("team", filters.team))
    return {name: value for name, value in pairs if value is not None}


def _refuse_mixed(warehouse: Warehouse, window: Dates, filters: Filters) -> None:
    text = f"select distinct currency from charges where {_where(filters)} order by currency"  # noqa: S608 - fixed
    found = warehouse.sql(text, _params(window, filters))["currency"].to_pylist()
    if len(found) > 1:
        raise ConfigError(
            f"the window holds {' and '.join(found)}, which do not add up",
            "narrow it with --window or --cluster",
        )

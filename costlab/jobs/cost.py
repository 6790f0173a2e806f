"""What it cost, by whatever it is asked by: one table with a total row, and how far it can be trusted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from costlab.config.book import plain_label
from costlab.config.settings import Share
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.sharing import ShareIdle
from costlab.store.warehouse import Warehouse

# What can be asked by, and the columns that tell it apart: two namespaces may each have a workload `api`.
_DIMENSIONS = {
    "cluster": ("cluster",),
    "team": ("team",),
    "namespace": ("namespace",),
    "workload": ("namespace", "workload_kind", "workload"),
    "workload_kind": ("workload_kind",),
    "pod": ("namespace", "pod"),
    "node": ("node",),
    "resource": ("resource",),
    "kind": ("kind",),
    "pipeline": ("pipeline",),
    "pipeline_task": ("pipeline_task",),
    "pipeline_run": ("pipeline_run",),
    "item": ("item",),
    "class": ("class",),
    "date": ("date",),
}
_LABEL = "label:"
_UNSHARED = Share()

# The order in which queries/marts/costs.sql puts them into a key; labels come after them.
_KEY = (
    "date", "cluster", "kind", "resource", "node", "team", "namespace", "workload_kind", "workload", "pod", "class",
    "pipeline", "pipeline_task", "pipeline_run", "item",
)  # fmt: skip


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


def cost_table(
    warehouse: Warehouse,
    by: Sequence[str],
    window: Dates,
    filters: Filters,
    *,
    idle: ShareIdle = ShareIdle.NONE,
    share: Share = _UNSHARED,
) -> pa.Table:
    """The cost of the window by some dimensions, dearest first (by date: in its order), the total in the last row.

    Columns: the dimensions as text, then cost, cost_used, cost_unused, cost_unobserved (null: no price known),
    cost_idle where idle capacity is shared, cost_shared where anything else is (both are within cost, and negative
    where it is given away), used_ratio, cpu_core_hours, memory_gib_hours, gpu_hours, storage_gib_hours, and how many charges have no
    price and so are not in `cost`. What nobody owns is in rows named (idle), (system) and (fee).
    Raises ConfigError for an unknown dimension, an empty filter, and when the window holds several currencies.
    """
    _refuse_empty(filters)
    names = _columns(by)
    labels = [name for name in names if name.startswith(_LABEL)]
    dimensions = [name for name in _KEY if name in names]
    rows = warehouse.query(
        "costs",
        start=window.start,
        until=window.end,
        by=",".join(dimensions),
        labels=",".join(map(_exposed, labels)),
        **{name: wanted or "" for name, wanted in asdict(filters).items()},
        share_idle=idle,
        namespaces=",".join(share.namespaces),
        teams=",".join(share.teams),
        fees=str(share.fees).lower(),
        method=share.method,
        across=share.across,
    )
    _refuse_mixed(rows)
    key = dict(zip([*dimensions, *labels], range(len(names)), strict=True))
    told = {name: pc.list_element(rows["key"][:-1], key[name]).to_pylist() for name in names}
    totals = ["(total)", *[None] * (len(names) - 1)]
    ends = {
        name: pa.array([*told[name], total], pa.string()) for name, total in zip(names, totals, strict=True)
    }
    shared = {"cost_idle": idle is not ShareIdle.NONE, "cost_shared": share != _UNSHARED}
    figures = [name for name in rows.column_names[2:] if shared.get(name, True)]
    return pa.table({**ends, **{name: rows[name] for name in figures}})


def currency_of(warehouse: Warehouse, window: Dates, filters: Filters) -> str | None:
    """The currency of the window's charges; None when there is none."""
    text = """
        select min(currency) as currency
        from charges
        where date >= $start
            and date < $end
            and ($cluster is null or cluster = $cluster)
            and ($namespace is null or namespace = $namespace)
            and ($team is null or team = $team)
    """
    params = {"start": window.start, "end": window.end, **asdict(filters)}
    found: str | None = warehouse.sql(text, params)["currency"][0].as_py()
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
    [row] = warehouse.sql(text, {"start": window.start, "end": window.end, "cluster": cluster}).to_pylist()
    past = Dates(window.start, max(window.start, min(window.end, today)))
    return Quality(row["complete"], len(past) * max(1, row["clusters"]), row["coverage"])


def _columns(by: Sequence[str]) -> list[str]:
    """The answer's key columns, in the order in which they were asked for."""
    names: dict[str, None] = {}
    for dimension in by:
        if dimension.startswith(_LABEL):
            names[dimension] = None
        elif dimension in _DIMENSIONS:
            names |= dict.fromkeys(_DIMENSIONS[dimension])
        else:
            close = get_close_matches(dimension, _DIMENSIONS, 1)
            raise ConfigError(
                f"--by {dimension}: no such dimension" + (f"; did you mean {close[0]!r}?" if close else ""),
                f"one or more of {', '.join(_DIMENSIONS)}, label:NAME",
            )
    return list(names)


def _exposed(label: str) -> str:
    """The name under which kube-state-metrics exposes a label."""
    return "label_" + plain_label(label.removeprefix(_LABEL))


def _refuse_empty(filters: Filters) -> None:
    for name, wanted in asdict(filters).items():
        if wanted == "":  # a shell's variable that is not set: it must not become the cost of everything
            raise ConfigError(f"--{name} is empty", f"name one, or leave --{name} out")


def _refuse_mixed(rows: pa.Table) -> None:
    found = sorted(set(rows["currency"].to_pylist()) - {None})
    if len(found) > 1:
        raise ConfigError(
            f"the window holds {' and '.join(found)}, which do not add up",
            "narrow it with --window or --cluster",
        )

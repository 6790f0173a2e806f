"""What it cost, by whatever it is asked by: one table with a total row, and how far it can be trusted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

import pyarrow as pa

from costlab.config.book import plain_label
from costlab.config.charging import Share
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.sharing import ShareIdle
from costlab.jobs.asked import LABEL, OF_PODS, Filters, key_columns, keyed
from costlab.store.warehouse import Warehouse

_DIMENSIONS = {
    **OF_PODS,
    "workload_kind": ("workload_kind",),
    "resource": ("resource",),
    "kind": ("kind",),
    "item": ("item",),
}
_UNSHARED = Share()

# The order in which queries/marts/costs.sql puts them into a key; labels come after them.
_KEY = (
    "date", "cluster", "kind", "resource", "node", "team", "namespace", "workload_kind", "workload", "pod", "class",
    "pipeline", "pipeline_task", "pipeline_run", "item",
)  # fmt: skip


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
    where it is given away), used_ratio, cpu_core_hours, memory_gib_hours, gpu_hours, storage_gib_hours, and how many
    charges have no price and so are not in `cost`. What nobody owns is in rows named (idle), (system) and (fee).
    Raises ConfigError for an unknown dimension, and when the window holds several currencies.
    """
    names = key_columns(by, _DIMENSIONS, labels=True)
    labels = [name for name in names if name.startswith(LABEL)]
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
    refuse_mixed(rows)
    shared = {"cost_idle": idle is not ShareIdle.NONE, "cost_shared": share != _UNSHARED}
    figures = [name for name in rows.column_names[2:] if shared.get(name, True)]
    ends = keyed(rows["key"], [*dimensions, *labels], names)
    return pa.table(ends | {name: rows[name] for name in figures})


def unknown_labels(rows: pa.Table) -> list[str]:
    """The labels among the columns of a cost table that no pod in it has."""
    return [
        name.removeprefix(LABEL)
        for name in rows.column_names
        if name.startswith(LABEL)
        and all(value is None or value.startswith("(") for value in rows[name].to_pylist())
    ]


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


def _exposed(label: str) -> str:
    """The name under which kube-state-metrics exposes a label."""
    return "label_" + plain_label(label.removeprefix(LABEL))


def refuse_mixed(rows: pa.Table) -> None:
    """Raise ConfigError when an answer's `currency` names several."""
    found = sorted(set(rows["currency"].to_pylist()) - {None})
    if len(found) > 1:
        raise ConfigError(
            f"the window holds {' and '.join(found)}, which do not add up",
            "narrow it with --window or --cluster",
        )

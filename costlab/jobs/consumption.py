"""What was used of electricity, by whatever it is asked by, and the CO2 of it: one table with a total row."""

from collections.abc import Sequence

import pyarrow as pa

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.jobs.asked import OF_PODS, Filters, key_columns
from costlab.store.warehouse import Warehouse

_DIMENSIONS = {**OF_PODS, "source": ("source",)}


def energy_used(
    warehouse: Warehouse, settings: Settings, by: Sequence[str], window: Dates, filters: Filters
) -> pa.Table:
    """Energy and CO2 of the window by some dimensions, the most first (by date: in its order), the total last.

    Columns: the dimensions as text, then gpu_kwh, cpu_memory_kwh (by Kepler) and energy_kwh, as the machines used it;
    co2_kg, with what the data centre draws beside it; and coverage, observed / occupied time of the containers. null:
    nothing was measured. What nobody is known to have used is in rows named (nobody), without coverage.

    Raises ConfigError for an unknown dimension.
    """
    columns = key_columns(by, _DIMENSIONS)
    clusters = warehouse.sql("select distinct cluster from energy order by cluster")["cluster"].to_pylist()
    grams = {cluster: _grams_per_kwh(settings, cluster) for cluster in clusters}
    given = {
        "cluster": filters.cluster, "namespace": filters.namespace, "team": filters.team,
        "start": window.start, "end": window.end, "clusters": list(grams), "grams": list(grams.values()),
    }  # fmt: skip
    order = "date" if by[0] == "date" else "energy_kwh desc nulls last"
    return warehouse.sql(_statement(columns, order), given)


def _grams_per_kwh(settings: Settings, cluster: str) -> float:
    """CO2 of a kilowatt-hour that the machines use."""
    of = settings.electricity(cluster)
    return of.grams_co2_per_kwh * of.pue


def _statement(columns: Sequence[str], order: str) -> str:
    """Fixed words, columns from `_DIMENSIONS` and `$` parameters."""
    keys = ", ".join(f'"{name}"' for name in columns)
    told = ", ".join(f'{_told(name)} as "{name}"' for name in columns)
    named = ", ".join(
        f'if(is_total, {total}, "{name}") as "{name}"'
        for name, total in zip(columns, ["'(total)'", *["null"] * (len(columns) - 1)], strict=True)
    )
    return f"""
        with chosen as (
            select
                {told},
                source as meter,
                if(isnan(energy_kwh), null, energy_kwh) as kwh,
                list_extract($grams, list_position($clusters, energy.cluster)) as grams_per_kwh,
                occupied_hours,
                occupied_hours * coverage as observed_hours
            from energy
            where energy.date >= $start
                and energy.date < $end
                and ($cluster is null or energy.cluster = $cluster)
                and ($namespace is null or energy.namespace = $namespace)
                and ($team is null or energy.team = $team)
        ),
        summed as (
            select
                {keys},
                grouping("{columns[0]}") = 1 as is_total,
                sum(kwh) filter (where meter = 'gpu') as gpu_kwh,
                sum(kwh) filter (where meter = 'kepler') as cpu_memory_kwh,
                sum(kwh) as energy_kwh,
                sum(kwh * grams_per_kwh) / 1000 as co2_kg,
                sum(observed_hours) / nullif(sum(occupied_hours), 0) as coverage
            from chosen
            group by grouping sets (({keys}), ())
        )
        select {named}, * exclude ({keys}, is_total)
        from summed
        order by is_total, {order}, {keys}
    """  # noqa: S608 - see above


def _told(name: str) -> str:
    if name == "date":
        return "cast(energy.date as varchar)"
    if name in ("cluster", "source"):
        return name
    nobodys = "" if name == "node" else "if(pod is null, '(nobody)', null), "
    return f"coalesce(energy.{name}, {nobodys}'(none)')"

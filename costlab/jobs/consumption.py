"""What was used of electricity, by whatever it is asked by, and the CO2 of it: one table with a total row."""

from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.jobs.asked import OF_PODS, Filters, key_columns, keyed
from costlab.store.warehouse import Warehouse

_DIMENSIONS = {**OF_PODS, "source": ("source",)}

# The order in which queries/marts/energy_use.sql puts them into a key.
_KEY = (
    "date", "cluster", "source", "node", "team", "namespace", "workload_kind", "workload", "pod", "class",
    "pipeline", "pipeline_task", "pipeline_run",
)  # fmt: skip


def energy_used(
    warehouse: Warehouse, settings: Settings, by: Sequence[str], window: Dates, filters: Filters
) -> pa.Table:
    """Energy and CO2 of the window by some dimensions, the most first (by date: in its order), the total last.

    Columns: the dimensions as text, then gpu_kwh, cpu_memory_kwh (by Kepler) and energy_kwh, as the machines used it;
    co2_kg, with what the data centre draws beside it; and coverage, observed / occupied time of the containers. null:
    nothing was measured. What nobody is known to have used is in rows named (nobody), without coverage.

    Raises ConfigError for an unknown dimension.
    """
    names = key_columns(by, _DIMENSIONS)
    dimensions = [name for name in _KEY if name in names]
    clusters = warehouse.sql("select distinct cluster from energy order by cluster")["cluster"].to_pylist()
    rows = warehouse.query(
        "energy_use",
        start=window.start,
        until=window.end,
        by=",".join(dimensions),
        **{name: wanted or "" for name, wanted in asdict(filters).items()},
        clusters=",".join(clusters),
        grams=",".join(str(_grams_per_kwh(settings, cluster)) for cluster in clusters),
    )
    return pa.table(
        keyed(rows["key"], dimensions, names) | {name: rows[name] for name in rows.column_names[1:]}
    )


def _grams_per_kwh(settings: Settings, cluster: str) -> float:
    """CO2 of a kilowatt-hour that the machines use."""
    of = settings.electricity(cluster)
    return of.grams_co2_per_kwh * of.pue

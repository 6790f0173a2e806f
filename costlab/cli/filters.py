"""What a question may be narrowed to: a cluster that is known, and names of which the lake holds something."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # DuckDB waits until a command runs
    from costlab.config.settings import Settings
    from costlab.domain.dates import Dates
    from costlab.jobs.asked import Filters
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse


def demand_known(cluster: str | None, lake: "Lake", settings: "Settings") -> None:
    """Raise ConfigError for a cluster that is neither configured nor in the lake."""
    from costlab.jobs.asked import refuse_unknown

    configured = [each.id for each in settings.clusters]
    if cluster is not None and cluster not in configured:
        refuse_unknown(cluster, {*configured, *(name for name, _ in lake.states())})


def say_unmatched(warehouse: "Warehouse", filters: "Filters", window: "Dates | None" = None) -> bool:
    """Whether the filters name what no charge is of; it is said on stderr, with the nearest name."""
    from costlab.jobs.asked import unmatched

    said = unmatched(warehouse, filters, window)
    for text in said:
        typer.echo(f"warning: {text}", err=True)
    return bool(said)

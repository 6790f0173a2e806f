"""A question of the lake: the window it is of, what it is narrowed to, and what is said beside the answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from costlab.cli.frame import Desk

if TYPE_CHECKING:  # DuckDB waits until a command runs
    from datetime import date

    from costlab.config.settings import Settings
    from costlab.domain.dates import Dates
    from costlab.jobs.asked import Filters
    from costlab.jobs.cost import Quality
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Question:
    """What a command asks: of which days, and of whose."""

    settings: "Settings"
    lake: "Lake"
    warehouse: "Warehouse"
    dates: "Dates"
    filters: "Filters"
    today: "date"

    @classmethod
    def of(
        cls,
        desk: Desk,
        window: str,
        cluster: str | None = None,
        namespace: str | None = None,
        team: str | None = None,
    ) -> "Question":
        """Raises ConfigError for a lake, a cluster or a window that is none, and for an empty filter."""
        from costlab.domain.dates import parse_window
        from costlab.domain.time import day_of
        from costlab.jobs.asked import Filters
        from costlab.store.lake import Lake
        from costlab.store.warehouse import Warehouse

        settings = desk.settings()
        lake = Lake.open(settings.lake)
        filters = Filters(cluster, namespace, team)
        demand_known(cluster, lake, settings)
        dates, today = parse_window(window, desk.now, lake.timezone), day_of(desk.now, lake.timezone).date
        return cls(settings, lake, Warehouse.over(lake), dates, filters, today)

    def quality(self, dates: "Dates | None" = None) -> "Quality":
        """How much of its window is in the lake, or of other dates."""
        from costlab.jobs.cost import quality

        return quality(self.warehouse, dates or self.dates, self.filters.cluster, self.today)

    def currency(self) -> str:
        """That of its charges; without any, the configured one."""
        from costlab.jobs.cost import currency_of

        return currency_of(self.warehouse, self.dates, self.filters) or self.settings.prices.currency

    def say_unmatched(self) -> bool:
        """Whether it is narrowed to what no charge of the window is of; it is said, with the nearest name."""
        return say_unmatched(self.warehouse, self.filters, self.dates)


def demand_known(cluster: str | None, lake: "Lake", settings: "Settings") -> None:
    """Raise ConfigError for a cluster that is neither configured nor in the lake."""
    from costlab.jobs.asked import refuse_unknown

    configured = [each.id for each in settings.clusters]
    if cluster is not None and cluster not in configured:
        refuse_unknown(cluster, {*configured, *lake.clusters()})


def say_unmatched(warehouse: "Warehouse", filters: "Filters", window: "Dates | None" = None) -> bool:
    """Whether the filters name what no charge is of; it is said on stderr, with the nearest name."""
    from costlab.jobs.asked import unmatched

    said = unmatched(warehouse, filters, window)
    for text in said:
        warn(text)
    return bool(said)


def say_incomplete(seen: "Quality") -> None:
    """Say on stderr that days are missing from an answer."""
    warn(f"{seen.complete_days} of {seen.days} days are complete", when=seen.complete_days < seen.days)


def warn(text: str, *, when: bool = True) -> None:
    """Say something on stderr that the answer does not."""
    if when:
        typer.echo(f"warning: {text}", err=True)

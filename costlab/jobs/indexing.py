"""Bring days into Elasticsearch: what it has as the lake has it is left alone, and a day is whole once its own document is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from costlab.config.servers import Elasticsearch
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.documents import DayDocuments, day_documents, template
from costlab.publish.elasticsearch import PATIENT, Indices, opened
from costlab.publish.posting import Patience
from costlab.store.lake import READABLE, Lake
from costlab.store.warehouse import Warehouse

_UNDER_WAY = "under_way"


@dataclass(frozen=True, slots=True)
class Indexed:
    """What became of a day: how many documents were sent, and how many that are no more were deleted."""

    cluster: str
    day: Day
    documents: int
    sent: int = 0
    deleted: int = 0

    @property
    def line(self) -> str:
        """What a night says of it."""
        return f"{self.cluster} {self.day}: {self.sent:,} documents sent, {self.deleted:,} deleted"


@dataclass(frozen=True, slots=True)
class Indexer:
    """How days are brought there. again: also those that are there as the lake has them."""

    named: Elasticsearch
    environ: Mapping[str, str]
    again: bool = False
    patience: Patience = PATIENT

    def index(self, lake: Lake, days: Iterable[tuple[str, Day]]) -> Iterator[Indexed]:
        """What becomes of each day, as soon as it is known.

        Raises ConfigError for a server, a key or a mapping that is wrong, and PostError when the server is not available; what
        was sent before stays, and the next run goes on from there.
        """
        wanted = list(days)
        if not wanted:
            return
        warehouse = Warehouse.over(lake)
        with opened(self.named, self.environ, self.patience) as indices:
            indices.put_template(self.named.index, template(self.named.index))
            for cluster, day in wanted:
                made = day_documents(warehouse, cluster, day, self.named.index)
                yield self._brought(indices, made, cluster, day)

    def _brought(self, indices: Indices, made: DayDocuments, cluster: str, day: Day) -> Indexed:
        count, whole = len(made.charges) + 1, made.whole
        found = indices.source_of(whole.index, whole.id)
        if found and found.get("costlab.run") == made.run:
            if not self.again:
                return Indexed(cluster, day, count)
        elif found:
            # Broken off from here on, the day is whole neither as it was nor as it is, and says so: else what it had been
            # would be taken for there, should the lake come back to that.
            indices.send([replace(whole, source={**found, "costlab.run": _UNDER_WAY})])
        sent = indices.send(made.charges)
        deleted = indices.delete_others(made.charges_index, made.others)
        return Indexed(cluster, day, count, sent + indices.send([whole]), deleted)


def days_in(lake: Lake, clusters: Iterable[str]) -> Iterator[tuple[str, Day]]:
    """The clusters' days that can be read, oldest first."""
    for cluster in clusters:
        for date, state in sorted(lake.days(cluster).items()):
            if state in READABLE:
                yield cluster, Day(date, lake.timezone)


def demanded(named: Elasticsearch | None) -> Elasticsearch:
    """What the configuration names; raises ConfigError when it names none."""
    if named is None:
        raise ConfigError(
            "the configuration names no Elasticsearch",
            "add one under `elasticsearch:`; docs/elasticsearch.md",
        )
    return named

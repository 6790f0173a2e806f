"""What people ask of quotas: a day's suggestions as a table for eyes and one for programs, and as manifests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.asked import Filters
from costlab.render import quota_words
from costlab.render.manifests.quota import Manner, resource_quotas
from costlab.store.schema import empty
from costlab.store.warehouse import Warehouse

Row = dict[str, Any]

_AMOUNTS = ("hard_now", "used_p99", "used_peak", "suggested_hard", "suggested_after")
_COLUMNS = (
    "namespace", "key", "hard now", "used p99", "peak", "suggested", "after rightsizing", "runs out", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quotas:
    """rows: of `quota_advice`. totals: of quota_totals, which know of no namespace. defaults: of quota_defaults."""

    rows: pa.Table
    totals: list[Row]
    defaults: list[Row]

    def table(self) -> pa.Table:
        """The rows for eyes, what runs out first."""
        named = [
            dict(
                zip(
                    _COLUMNS,
                    (
                        row["namespace"],
                        row["resource"],
                        *(quota_words.amount(row[name], row["resource"]) for name in _AMOUNTS),
                        quota_words.runs_out(row),
                        row["reason"],
                    ),
                    strict=True,
                )
            )
            for row in self.rows.to_pylist()
        ]
        return pa.Table.from_pylist(named, schema=pa.schema([(name, pa.string()) for name in _COLUMNS]))

    def manifests(self, manner: Manner) -> str:
        """One stream of documents. Raises ConfigError for several clusters."""
        rows = self.rows.to_pylist()
        if len({row["cluster"] for row in rows}) > 1:
            raise ConfigError("manifests are of one cluster", "name it with --cluster")
        return resource_quotas(rows, self.defaults, manner)


def quotas_of(warehouse: Warehouse, clusters: Sequence[str], day: Day, filters: Filters) -> Quotas:
    """What was suggested on a day, with what it is held against."""
    rows, totals, defaults = [], [], []
    for cluster in clusters:
        asked = {"cluster": cluster, "day": str(day)}
        rows.append(warehouse.query("quota_headroom", **asked))
        totals += [
            {"cluster": cluster, **row} for row in warehouse.query("quota_totals", **asked).to_pylist()
        ]
        defaults += warehouse.query("quota_defaults", **asked).to_pylist()
    if not rows:
        return Quotas(empty("quota_advice"), [], [])
    every = pa.concat_tables(rows)
    if filters.namespace is not None:
        every = every.filter(pc.equal(every["namespace"], filters.namespace))
        defaults = [row for row in defaults if row["namespace"] == filters.namespace]
    return Quotas(every, totals, defaults)

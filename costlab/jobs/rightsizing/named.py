"""The advice that a person names: the latest day's, by workload, owner and cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from costlab.config.faults import meant
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import Filters
from costlab.store.warehouse import Warehouse

_PARTS = 3  # namespace/kind/workload

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workload as a person names it; None: any."""

    text: str
    workload: str
    namespace: str | None = None
    kind: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        """`api`, `prod/api` or `prod/Deployment/api`; raises ConfigError for anything else."""
        parts = text.split("/")
        if not all(parts) or len(parts) > _PARTS:
            raise ConfigError(
                f"{text!r} names no workload",
                "write WORKLOAD, NAMESPACE/WORKLOAD or NAMESPACE/KIND/WORKLOAD",
            )
        return cls(
            text,
            parts[-1],
            parts[0] if len(parts) > 1 else None,
            parts[1].casefold() if len(parts) == _PARTS else None,
        )

    def fits(self, row: Row) -> bool:
        """Whether a row of advice is this workload's."""
        return (
            row["workload"] == self.workload
            and self.namespace in (None, row["namespace"])
            and self.kind in (None, row["workload_kind"].casefold())
        )


def advice_named(
    warehouse: Warehouse, filters: Filters, wanted: Sequence[Wanted] = (), day: date | None = None
) -> list[Row]:
    """The advice of each cluster's latest day (or of one day) for these workloads, or for all; in the order of their names.

    Raises ConfigError when there is no advice at all, and for a workload that has none.
    """
    rows = warehouse.sql(_ADVICE, {"day": day, "cluster": filters.cluster}).to_pylist()
    if not rows:
        where = f" of cluster {filters.cluster}" if filters.cluster else ""
        when = f" on {day}" if day else ""
        raise ConfigError(
            f"the lake holds no advice{where}{when}",
            f"make it first: costlab recommend{f' --date {day}' if day else ''}",
        )
    rows = [
        row
        for row in rows
        if filters.namespace in (None, row["namespace"]) and filters.team in (None, row["team"])
    ]
    for each in wanted:
        if not any(each.fits(row) for row in rows):
            raise ConfigError(
                f"there is no advice for {each.text!r}{meant(each.text, _names(rows, each))}",
                '`costlab sql "select distinct namespace, workload_kind, workload from advice"` lists them',
            )
    found = [row for row in rows if not wanted or any(each.fits(row) for each in wanted)]
    return [row | {"facts": dict(row["facts"] or ())} for row in found]


def _names(rows: list[Row], wanted: Wanted) -> set[str]:
    """What could have been meant, named as much in full as the text does."""
    columns = ["workload"]
    if wanted.namespace is not None:
        columns = ["namespace", *(["workload_kind"] if wanted.kind else []), "workload"]
    return {"/".join(row[column] for column in columns) for row in rows}


_ADVICE = """
with latest as (
    select cluster, max(date) as date
    from advice
    where ($day is null or date = $day) and ($cluster is null or cluster = $cluster)
    group by cluster
)
select advice.*
from advice
inner join latest using (cluster, date)
order by cluster, namespace, workload_kind, workload, container, resource, action
"""

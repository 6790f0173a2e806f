"""Every stretch of observed usage of some days: what the rules of others want, and what a backtest is scored against."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.core.arrays import Ints
from costlab.core.rightsizing.samples import Samples
from costlab.domain.dates import Dates
from costlab.domain.time import Day
from costlab.jobs.asked import Filters
from costlab.jobs.rightsizing.past import names_of
from costlab.jobs.rightsizing.subjects import Subjects
from costlab.store.warehouse import Warehouse


def samples_of(warehouse: Warehouse, cluster: str, day: Day, days: int, subjects: Subjects) -> Samples:
    """What the replicas of the subjects used in so many days up to this one."""
    keys = warehouse.query("advisable_keys", cluster=cluster, day=str(day), days=days)
    subject = (
        pc.index_in(names_of(keys), names_of(subjects.rows)).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    order = np.argsort(subject, kind="stable")
    until = day.date + timedelta(days=1)
    dates, key = Dates(until - timedelta(days=days), until), keys["container_key"].to_numpy()[order]
    return stretches_of(warehouse, Filters(cluster), dates, key, subject[order])


def stretches_of(warehouse: Warehouse, filters: Filters, dates: Dates, key: Ints, subject: Ints) -> Samples:
    """What containers of one cluster used; those of which no sample is kept any more have no stretch.

    key, subject: int64 (replicas,), the container_key of each, and whose it is: rising.
    """
    rows = warehouse.query(
        "usage_stretches", cluster=filters.cluster, namespace=filters.namespace or "", team=filters.team or "",
        start=dates.start.isoformat(), until=dates.end.isoformat(),
    )  # fmt: skip
    owner = rows["container_key"].to_numpy()
    spans = [np.searchsorted(owner, key, side) for side in ("left", "right")]
    begin, end = (edges.astype(np.int64) for edges in spans)
    own = [slice(*span) for span in zip(begin.tolist(), end.tolist(), strict=True)]

    # Each column goes as soon as it is in order: all of them twice would be most of what a backtest takes.
    columns = [rows[name] for name in ("at_ms", "lasted_ms", "cpu_cores", "memory_bytes")]
    del rows, owner
    ordered = []
    while columns:
        values: NDArray[Any] = columns.pop(0).to_numpy()
        ordered.append(np.concatenate([values[:0], *(values[some] for some in own)]))
    at_ms, lasted_ms, cpu_cores, memory_bytes = ordered
    offsets = np.append(0, np.cumsum(end - begin))
    return Samples(subject, offsets, at_ms, lasted_ms.astype(np.int64), cpu_cores, memory_bytes)

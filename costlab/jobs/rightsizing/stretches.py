"""Every stretch of observed usage in the window, as the rules of others want it; costlab's own does with profiles."""

import numpy as np
import pyarrow.compute as pc

from costlab.core.rightsizing.samples import Samples
from costlab.domain.time import Day
from costlab.jobs.rightsizing.past import names_of
from costlab.jobs.rightsizing.subjects import Subjects
from costlab.store.warehouse import Warehouse


def samples_of(warehouse: Warehouse, cluster: str, day: Day, days: int, subjects: Subjects) -> Samples:
    """What the replicas of the subjects used; those of which no sample is kept any more have no stretch."""
    asked = {"cluster": cluster, "day": str(day), "days": days}
    keys = warehouse.query("advisable_keys", **asked)
    subject = (
        pc.index_in(names_of(keys), names_of(subjects.rows)).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    order = np.argsort(subject, kind="stable")
    key = keys["container_key"].to_numpy()[order]
    rows = warehouse.query("usage_stretches", **asked)
    owner = rows["container_key"].to_numpy()
    begin, end = np.searchsorted(owner, key, "left"), np.searchsorted(owner, key, "right")
    offsets = np.append(0, np.cumsum(end - begin))
    place = np.repeat(begin - offsets[:-1], end - begin) + np.arange(offsets[-1])
    return Samples(
        subject[order],
        offsets,
        *(rows[name].to_numpy()[place] for name in ("at_ms", "lasted_ms", "cpu_cores", "memory_bytes")),
    )

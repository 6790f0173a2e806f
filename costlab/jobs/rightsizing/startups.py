"""What the containers of workloads used while they started, by the hours of the days on which they did."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.arrays import Floats
from costlab.core.kernels.profiling import HOURS
from costlab.core.rightsizing.decisions import Flags
from costlab.core.rightsizing.startups import Startups, startups_of
from costlab.domain.time import MINUTE_MS, Day
from costlab.domain.units import Resource
from costlab.jobs.profiles import clock_of
from costlab.jobs.rightsizing.past import ADVISED, names_of
from costlab.jobs.rightsizing.subjects import Subjects, ending, floats
from costlab.store.warehouse import Warehouse

_PHASE_MS = 15 * MINUTE_MS  # the hours that it lies in are the phase: usage is kept by the hour
# One could be anything that came at that hour; but of memory the next one that needs it ends in a kill.
_LEAST_STARTS = {Resource.CPU: 2, Resource.MEMORY: 1}


def startups(
    warehouse: Warehouse, cluster: str, day: Day, days: int, subjects: Subjects
) -> Mapping[Resource, Startups]:
    """The start-up phases within the so many days up to this one, by resource."""
    looked_at = ending(day, min(days, len(subjects.past.daily.start_ms)))
    rows = warehouse.query(
        "startups",
        cluster=cluster,
        dates=[str(each) for each in looked_at],
        midnights_ms=[each.window.start_ms for each in looked_at],
    )
    whose = pc.index_in(names_of(rows), names_of(subjects.rows)).fill_null(-1).to_numpy().astype(np.int64)
    phase = _phases(rows, looked_at)
    found = {}
    for resource in ADVISED:
        some = (whose >= 0) & pc.equal(rows["resource"], resource.value).to_numpy()
        those = rows.filter(pa.array(some))
        used = pc.list_flatten(those["hourly_max"]).to_numpy().astype(np.float64).reshape(-1, HOURS)
        found[resource] = startups_of(
            whose[some],
            used,
            phase[some] | _first_seen(used),
            floats(those["most_otherwise"]),
            subjects.count,
            _LEAST_STARTS[resource],
        )
    return found


def _phases(rows: pa.Table, days: Sequence[Day]) -> Flags:
    """The hours that the first quarter of an hour of each row's container lies in: bool (rows, 24)."""
    phase = np.zeros((rows.num_rows, HOURS), bool)
    on = pc.index_in(rows["date"], pa.array([each.date for each in days])).to_numpy()
    for place, day in enumerate(days):
        some = np.flatnonzero(on == place)
        since_ms = rows["start_ms"].to_numpy()[some] - day.window.start_ms
        edges_ms, hour = clock_of(day)
        for at_ms in (since_ms, since_ms + _PHASE_MS):
            phase[some, hour[np.minimum(np.searchsorted(edges_ms, at_ms, "right"), len(hour)) - 1]] = True
    return phase


def _first_seen(used: Floats) -> Flags:
    """The first hour with an observation: images are pulled, and init containers run, before a container starts."""
    seen = ~np.isnan(used)
    first: Flags = seen & (np.cumsum(seen, axis=1) == 1)
    return first

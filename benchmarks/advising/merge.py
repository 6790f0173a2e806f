"""The sketches of a lake's days merged in a process of its own: what that took, and what reading them did."""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from charging.peer import peak_mib

from advising.world import CLUSTER, LAST
from costlab.core.rightsizing.costlab.percentiles import window_ranks
from costlab.domain.time import Day, days_between
from costlab.jobs.rightsizing.past import past_of
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

_SHARES = np.array([0.95])


class Timed:
    """A warehouse that counts the seconds, wall and CPU, for which it is asked."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.wall_s = self.cpu_s = 0.0
        self._warehouse = warehouse

    def query(self, name: str, **params: Any) -> pa.Table:
        """As the warehouse's own."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        rows = self._warehouse.query(name, **params)
        self.wall_s += time.perf_counter() - wall_s
        self.cpu_s += time.process_time() - cpu_s
        return rows


def main() -> None:
    """Merge the days of the lake that the command line names, once to compile and once to measure."""
    warehouse, days = Warehouse.over(Lake.open(Path(sys.argv[1]))), int(sys.argv[2])
    subjects = warehouse.query("advisable_containers", cluster=CLUSTER, day=str(LAST), days=days)
    _merge(Timed(warehouse), 1, subjects)
    timed = Timed(warehouse)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    _merge(timed, days, subjects)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    told = {
        "read_s": timed.wall_s, "merge_s": wall_s - timed.wall_s, "read_cpu_s": timed.cpu_s,
        "merge_cpu_s": cpu_s - timed.cpu_s, "peak_mib": peak_mib(),
    }  # fmt: skip
    print(json.dumps(told))


def _merge(warehouse: Timed, count: int, subjects: pa.Table) -> None:
    """Read and merge day by day, then as one: as advice does it."""
    days: tuple[Day, ...] = days_between(Day(LAST.date - timedelta(days=count - 1)), LAST)
    asked = cast(Warehouse, warehouse)  # it is asked for nothing else
    daily = past_of(asked, CLUSTER, days, count, subjects).daily
    offsets, buckets, seconds = daily.cpu_offsets, daily.cpu_buckets, daily.cpu_seconds
    window_ranks(offsets, buckets, seconds, count, count, count, _SHARES)


if __name__ == "__main__":
    main()

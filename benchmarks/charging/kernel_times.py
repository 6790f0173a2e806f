"""What the kernels alone take, beside a mere sum of the arrays that they read, and the decoding of their Parquet.

Processor time on one thread, which others on the machine change little, and time on the clock on as many threads as there
are processors, as a night does it. A loop that only adds up what the two kernels
read says how fast any such kernel could be: both read every sample of each of the two resources.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from charging.world import CLUSTER, DAY, settings_of
from costlab.core._jit import kernel
from costlab.core.arrays import Brief, Ints, Singles
from costlab.core.kernels import billing, profiling
from costlab.jobs.charges import charge_day
from costlab.jobs.facts import BULKY
from costlab.jobs.observed import usage_in
from costlab.jobs.processors import processors
from costlab.jobs.profiles import profile_day
from costlab.store.lake import Lake
from costlab.store.rows import batches

COLUMNS = ("container_key", "ts", "dt_s", "cpu_cores", "memory_bytes")
TIMES = 15

Work = Callable[[], object]


def main() -> None:
    """Print seconds, the best of fifteen: of one thread's processor time, and of the clock with all processors."""
    folder = Path(sys.argv[1])
    settings = settings_of(folder)
    lake = Lake.open(settings.lake)
    tables = {
        name: lake.read(name, CLUSTER, DAY) for name in ("containers", "pods", "nodes", "gpus", "volumes")
    }
    files = {name: lake.filed(name, CLUSTER, DAY) for name in BULKY}
    usage = usage_in(files, DAY)
    bills: list[Work] = []
    profiles: list[Work] = []
    reads: list[Work] = []
    billing.bill = _recording(
        billing.bill, bills, lambda a: reads.append(lambda: read(a[4], a[6], a[7], a[8]))
    )
    profiling.profile = _recording(
        profiling.profile, profiles, lambda a: reads.append(lambda: read(a[0], a[3], a[4], a[5]))
    )
    charge_day(tables, files["gpu_usage"], usage, settings, CLUSTER, DAY)
    profile_day(tables["containers"], usage, CLUSTER, DAY)
    observed = next(iter(usage.values()))
    arrays = [observed.start_ms, observed.end_ms, *observed.usage.values()]

    def decoded() -> int:
        return sum(rows.num_rows for rows in batches(files["container_usage"], COLUMNS))

    works = {"bill": bills, "profile": profiles, "kernels": [*bills, *profiles], "read": reads}
    several = pa.cpu_count()
    with ThreadPoolExecutor(processors()) as pool:
        many = {
            "decode": _best(decoded),
            **{name: _best(_shared(pool, calls)) for name, calls in works.items()},
        }
    pa.set_cpu_count(1)
    one = {
        "sum": _best(lambda: [np.sum(array) for array in arrays], time.process_time),
        "decode": _best(decoded, time.process_time),
        **{name: _best(_all(calls), time.process_time) for name, calls in works.items()},
    }
    told = {"bytes": sum(array.nbytes for array in arrays), "threads": [processors(), several]}
    print(json.dumps({**told, "one": one, "many": many}))


@kernel
def read(seen: Ints, start_ms: Brief, end_ms: Brief, values: Singles) -> tuple[int, float]:
    """The sum of how long the stretches of these rows lasted, and of their values."""
    lasted_ms, total = 0, 0.0
    for r in range(len(seen)):
        for i in range(seen[r, 0], seen[r, 1]):
            lasted_ms += end_ms[i] - start_ms[i]
            total += values[i]
    return lasted_ms, total


def _recording(
    loop: Callable[..., Any], calls: list[Work], heard: Callable[[tuple[Any, ...]], None]
) -> Callable[..., Any]:
    def recorded(*arguments: Any) -> Any:
        calls.append(lambda: loop(*arguments))
        heard(arguments)
        return loop(*arguments)

    return recorded


def _all(calls: list[Work]) -> Work:
    def work() -> None:
        for call in calls:
            call()

    return work


def _shared(pool: ThreadPoolExecutor, calls: list[Work]) -> Work:
    """Each thread takes its part of the calls in one go: to hand them over one by one would be measured too."""
    parts = [_all(calls[first :: processors()]) for first in range(processors())]

    def work() -> None:
        for _ in pool.map(lambda part: part(), parts):
            pass

    return work


def _best(work: Work, clock: Callable[[], float] = time.perf_counter) -> float:
    taken = []
    for _ in range(TIMES):
        begun = clock()
        work()
        taken.append(clock() - begun)
    return min(taken)


if __name__ == "__main__":
    main()

"""What the kernels alone take, beside a mere sum of the arrays that they read, and the decoding of their Parquet."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from charging.world import CLUSTER, DAY, settings_of
from costlab.core import kernels
from costlab.jobs.charges import charge_day
from costlab.jobs.facts import BULKY
from costlab.jobs.observed import usage_in
from costlab.jobs.profiles import profile_day
from costlab.store.lake import Lake
from costlab.store.rows import batches

COLUMNS = ("container_key", "ts", "dt_s", "cpu_cores", "memory_bytes")


def main() -> None:
    """Print seconds, the best of five: sum, decode, bill, profile; all on one processor."""
    folder = Path(sys.argv[1])
    settings = settings_of(folder)
    lake = Lake.open(settings.lake)
    tables = {
        name: lake.read(name, CLUSTER, DAY) for name in ("containers", "pods", "nodes", "gpus", "volumes")
    }
    files = {name: lake.filed(name, CLUSTER, DAY) for name in BULKY}
    usage = usage_in(files, DAY)
    calls: dict[str, list[tuple[Any, ...]]] = {"bill": [], "profile": []}
    loops: dict[str, Callable[..., Any]] = {name: getattr(kernels, name) for name in calls}
    for name, kept in calls.items():
        setattr(kernels, name, _recording(loops[name], kept))
    charge_day(tables, files["gpu_usage"], usage, settings, CLUSTER, DAY)
    profile_day(tables["containers"], usage, CLUSTER, DAY)
    observed = next(iter(usage.values()))
    arrays = [observed.start_ms, observed.end_ms, *observed.usage.values()]
    taken = {
        "sum": _best(lambda: [np.sum(array) for array in arrays]),
        "decode": _best(lambda: sum(rows.num_rows for rows in batches(files["container_usage"], COLUMNS))),
        **{name: _best(partial(_again, loops[name], kept)) for name, kept in calls.items()},
    }
    print(json.dumps({"bytes": sum(array.nbytes for array in arrays), **taken}))


def _recording(loop: Callable[..., Any], calls: list[tuple[Any, ...]]) -> Callable[..., Any]:
    def recorded(*arguments: Any) -> Any:
        calls.append(arguments)
        return loop(*arguments)

    return recorded


def _again(loop: Callable[..., Any], calls: list[tuple[Any, ...]]) -> None:
    for call in calls:
        loop(*call)


def _best(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


if __name__ == "__main__":
    main()

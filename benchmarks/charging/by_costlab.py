"""costlab: `compute_day`, which also profiles, checks and commits; first in a fresh process, then with all loaded."""

import json
import sys
import time
from pathlib import Path

import pandas as pd  # noqa: F401 - PyArrow loads it at the first array it makes
import pyarrow.compute as pc

from charging.peer import peak_mib
from charging.world import CLUSTER, DAY, settings_of
from costlab.jobs.measure import compute_day
from costlab.store.lake import Lake


def main() -> None:
    """Charge the lakes in the folders that the command line names, one after the other, and print what it took."""
    seconds, peaks, sums = [], [], {}
    for folder in map(Path, sys.argv[1:]):
        settings = settings_of(folder)
        lake = Lake.open(settings.lake)
        begun = time.perf_counter()
        with lake.locked():
            compute_day(lake, settings, CLUSTER, DAY)
        seconds.append(time.perf_counter() - begun)
        peaks.append(peak_mib())
        sums = _sums(lake)
    print(json.dumps({"seconds": seconds, "peak_mib": peaks[0], "sums": sums}))


def _sums(lake: Lake) -> dict[str, float]:
    rows = lake.read("charges", CLUSTER, DAY)
    found = {}
    for resource in ("cpu", "memory"):
        mine = rows.filter(pc.equal(rows["resource"], resource))
        for part in ("used", "unused", "unobserved"):
            found[f"{resource} {part}"] = float(pc.sum(mine[f"cost_{part}"]).as_py())
        for kind in ("idle", "system"):
            found[f"{resource} {kind}"] = float(
                pc.sum(mine.filter(pc.equal(mine["kind"], kind))["cost"]).as_py()
            )
    return found


if __name__ == "__main__":
    main()

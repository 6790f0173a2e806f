"""A night's advice for 50,000 containers over 14 days: seconds and memory, out of a lake of made-up profiles.

It reads every profile, pools replicas, runs the rule `costlab` on each of the days, reckons what it is worth, and commits.
The first round compiles what is not in the kernels' cache. $COSTLAB_BENCH_DIR keeps the lake for the next time.
"""

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from keeping.alone import CHECKOUT, told_by
from keeping.lakes import kept

ROUNDS = 3
DAYS, MAIN, SCALES = 14, 50_000, (10_000, 50_000)


def main() -> None:
    """Print the table, and what must be reached."""
    with tempfile.TemporaryDirectory() as scratch:
        lakes = kept("advising", Path(scratch), CHECKOUT / "benchmarks" / "advising" / "world.py")
        for containers in SCALES:
            lake = lakes / str(containers)
            if not (lake / "runs").exists():
                shutil.rmtree(lake, ignore_errors=True)
                lake.mkdir(parents=True)
                told_by("advising.world", str(lake), str(containers), str(DAYS))
        print(f"{'containers':>10}{'round':>7}{'seconds':>9}{'peak MiB':>10}{'rows':>9}{'advised':>9}")
        taken = {
            containers: [_night(lakes / str(containers), Path(scratch) / "lake") for _ in range(ROUNDS)]
            for containers in SCALES
        }
        for containers, rounds in taken.items():
            for number, told in enumerate(rounds, 1):
                print(
                    f"{containers:10,}{number:7}{told['seconds']:9.1f}{told['peak_mib']:10.0f}"
                    f"{told['rows']:9,}{told['advised']:9,}"
                )
        seconds = statistics.median(told["seconds"] for told in taken[MAIN])
        peak_mb = max(told["peak_mib"] for told in taken[MAIN]) * 2**20 / 1e6
        print(f"\nmust reach, for {MAIN:,} containers over {DAYS} days")
        for words, reached, bound in (("seconds", seconds, 30), ("MB at most", peak_mb, 2000)):
            print(
                f"  {words:12}{reached:9.1f}  {'reached' if reached < bound else 'missed':8} (under {bound})"
            )


def _night(lake: Path, copy: Path) -> dict[str, Any]:
    """What `recommend_day` took in a copy of the lake, which has no advice yet."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(lake, copy)
    return told_by("advising.night", str(copy))


if __name__ == "__main__":
    main()

"""A night's advice for 50,000 containers over 14 days: seconds and memory, out of a lake of made-up profiles.

It reads every profile, pools replicas, runs the rule `costlab` on each of the days, reckons what it is worth, and commits.
The first round compiles what is not in the kernels' cache. $COSTLAB_BENCH_DIR keeps the lake for the next time.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from keeping.lakes import kept

ROUNDS = 3
DAYS, MAIN, SCALES = 14, 50_000, (10_000, 50_000)
CHECKOUT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print the table, and what must be reached."""
    with tempfile.TemporaryDirectory() as scratch:
        lakes = kept("advising", Path(scratch), CHECKOUT / "benchmarks" / "advising" / "world.py")
        for containers in SCALES:
            lake = lakes / str(containers)
            if not (lake / "runs").exists():
                shutil.rmtree(lake, ignore_errors=True)
                lake.mkdir(parents=True)
                run("world", str(lake), str(containers), str(DAYS))
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
    return run("night", str(copy))


def run(module: str, *arguments: str) -> dict[str, Any]:
    """What a module of `advising` tells, run in a process of its own."""
    paths = os.pathsep.join(map(str, (CHECKOUT, CHECKOUT / "benchmarks")))
    command = [sys.executable, "-m", f"advising.{module}", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    if done.returncode:
        raise SystemExit(f"{module}: {done.stderr.strip()[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout or "{}")
    return told


if __name__ == "__main__":
    main()

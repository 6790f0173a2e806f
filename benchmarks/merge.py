"""The sketches of 30 days of 50,000 containers merged, against reading them, in the same run.

Reading is the query `usage_profiles`, day by day: DuckDB out of Parquet, on all cores. Merging is everything that advice
makes of its rows: replicas pooled, days joined, one percentile of CPU for each of 5,000 workloads, on one core.
$COSTLAB_BENCH_DIR keeps the lake for the next time.
"""

import os
import shutil
import statistics
import tempfile
from pathlib import Path

from keeping.alone import told_by

ROUNDS, DAYS, CONTAINERS, MOST = 3, 30, 50_000, 1.5


def main() -> None:
    """Print the rounds, and what must be reached."""
    with tempfile.TemporaryDirectory() as scratch:
        lake = Path(os.environ.get("COSTLAB_BENCH_DIR", scratch)) / "merge" / str(CONTAINERS)
        if not (lake / "runs").exists():
            shutil.rmtree(lake, ignore_errors=True)
            lake.mkdir(parents=True)
            told_by("advising.world", str(lake), str(CONTAINERS), str(DAYS))
        print(f"{'round':>5}{'read s':>9}{'merge s':>9}{'ratio':>7}{'CPU s':>9}{'CPU s':>9}{'peak MiB':>10}")
        ratios = []
        for number in range(1, ROUNDS + 1):
            told = told_by("advising.merge", str(lake), str(DAYS))
            ratios.append(told["merge_s"] / told["read_s"])
            print(
                f"{number:5}{told['read_s']:9.2f}{told['merge_s']:9.2f}{ratios[-1]:7.2f}{told['read_cpu_s']:9.2f}"
                f"{told['merge_cpu_s']:9.2f}{told['peak_mib']:10.0f}"
            )
        reached = statistics.median(ratios)
        print(f"\nmust reach: merged in at most {MOST} times the time of reading")
        print(f"  {reached:.2f}  {'reached' if reached <= MOST else 'missed'}")


if __name__ == "__main__":
    main()

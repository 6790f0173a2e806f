"""Charging a day of 5,000 containers out of the lake, beside DuckDB, Polars and pandas doing the same; all in one run.

Every peer is in a process of its own, with its libraries imported; three rounds, and the table has the medians. The
peers read the lake's Parquet files, split every stretch of usage over the minutes of the day, charge max(request,
usage) scaled to the node, and write used, unused, unobserved, idle and system as one Parquet file. costlab also makes
the profiles, checks what it made, and commits it. $COSTLAB_BENCH_DIR keeps the made-up days for the next time.
"""

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from charging.world import DAY
from keeping.alone import CHECKOUT, told_by
from keeping.lakes import kept

ROUNDS = 3
MAIN, SCALES = 5_000, (1_000, 5_000, 20_000)
FRESH, LOADED = "costlab, in a fresh process", "costlab, kernels loaded"
PEERS = {"DuckDB": "by_duckdb", "Polars": "by_polars", "pandas": "by_pandas"}
AGREE = 1e-6  # of what the resource costs


def main() -> None:
    """Print the table, and what must be reached."""
    with tempfile.TemporaryDirectory() as scratch:
        days = kept("charging", Path(scratch), CHECKOUT / "benchmarks" / "charging" / "world.py")
        samples = {alive: _made(days / str(alive), alive) for alive in SCALES}
        print(
            f"{samples[MAIN]:,} container samples of a day, {MAIN:,} containers at a time; medians of {ROUNDS} rounds"
        )
        rounds = [_round(days / str(MAIN), Path(scratch)) for _ in range(ROUNDS)]
        taken = {name: statistics.median(each[name][0] for each in rounds) for name in rounds[0]}
        peak = {name: statistics.median(each[name][1] for each in rounds) for name in rounds[0]}
        print(f"{'':30}{'seconds':>9}{'M samples/s':>13}{'× costlab':>11}{'peak MiB':>10}")
        for name, seconds in taken.items():
            rate, ratio = samples[MAIN] / seconds / 1e6, seconds / taken[LOADED]
            print(f"{name:30}{seconds:9.2f}{rate:13.2f}{ratio:11.2f}{peak[name]:10.0f}")
        alone = told_by("charging.kernel_times", str(days / str(MAIN)))
        _print_kernels(alone)
        print("\ncostlab by size")
        cost = {}
        for alive in SCALES:
            seconds, mib = _costlab(days / str(alive), Path(scratch))[LOADED]
            cost[alive] = 1e9 * seconds / samples[alive]
            print(f"  {alive:6,} containers{seconds:9.2f} s{cost[alive]:9.0f} ns a sample{mib:9.0f} MiB")
    print("\nmust reach")
    one, many = alone["one"], alone["many"]
    for words, reached, bound, enough in (
        *((f"times {name}", taken[name] / taken[LOADED], f"at least {least}", taken[name] >= least * taken[LOADED])
          for name, least in (("DuckDB", 4), ("Polars", 4), ("pandas", 8))),
        ("MB at most", peak[FRESH] * 2**20 / 1e6, "under 700", peak[FRESH] * 2**20 < 700e6),
        ("times np.sum, both kernels, each on one thread", one["kernels"] / one["sum"], "at most 20", one["kernels"] <= 20 * one["sum"]),
        ("times the decoding, both kernels, each on all", many["kernels"] / many["decode"], "at most 1", many["kernels"] <= many["decode"]),
        ("times the time a sample, 20,000 to 5,000", cost[20_000] / cost[MAIN], "about 1", cost[20_000] < 1.25 * cost[MAIN]),
    ):  # fmt: skip
        print(f"  {words:48}{reached:9.1f}  {'reached' if enough else 'missed':8} ({bound})")


def _made(folder: Path, alive: int) -> int:
    """The samples of the made-up day in `folder`, which is made where there is none.

    In a process of its own: the peak of what a process held is also that of those which it starts.
    """
    told = folder / "samples"
    if not told.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        told.write_text(str(told_by("charging.world", str(folder), str(alive))["samples"]))
    return int(told.read_text())


def _round(folder: Path, scratch: Path) -> dict[str, tuple[float, float]]:
    """Seconds and MiB of everybody. Raises SystemExit when two of them do not charge the same."""
    found = _costlab(folder, scratch)
    ours = found.pop("sums")
    for name, module in PEERS.items():
        told = told_by(
            f"charging.{module}",
            str(folder / "lake"),
            str(DAY.window.start_ms),
            str(scratch / f"{module}.parquet"),
        )
        found[name] = told["seconds"][0], told["peak_mib"]
        for resource in ("cpu", "memory"):
            whole = sum(amount for what, amount in ours.items() if what.startswith(resource))
            for what, amount in ours.items():
                if what.startswith(resource) and abs(told["sums"][what] - amount) > AGREE * whole:
                    raise SystemExit(f"{name} charges {told['sums'][what]} for {what}, costlab {amount}")
    return found


def _costlab(folder: Path, scratch: Path) -> dict[str, Any]:
    copies = [scratch / name for name in ("first", "second")]
    for copy in copies:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
    os.sync()  # else the commit, which is synced, waits for what was copied
    told = told_by("charging.by_costlab", *map(str, copies))
    return {
        FRESH: (told["seconds"][0], told["peak_mib"]),
        LOADED: (told["seconds"][1], told["peak_mib"]),
        "sums": told["sums"],
    }


def _print_kernels(alone: dict[str, Any]) -> None:
    one, many = alone["one"], alone["many"]
    print(
        f"\nthe arrays are {alone['bytes'] / 1e6:.0f} MB; threads: {alone['threads'][0]}, Arrow's: {alone['threads'][1]}"
    )
    print(f"{'':48}{'CPU, a thread':>14}{'× np.sum':>10}{'clock, all':>12}")
    for name, words in {
        "sum": "np.sum over them", "decode": "decoding their Parquet", "bill": "kernel bill",
        "profile": "kernel profile", "kernels": "both kernels", "read": "a loop that only reads what both read",
    }.items():  # fmt: skip
        every = f"{1e3 * many[name]:9.1f} ms" if name in many else ""
        print(f"  {words:46}{1e3 * one[name]:11.1f} ms{one[name] / one['sum']:10.1f}{every:>12}")


if __name__ == "__main__":
    main()

"""Questions at size: every named query over ninety days of 50,000 containers a day, the commands, the report, the site.

Each query is asked in a process of its own: cold is the first answer, warm the best of three more; the operating system
may have the files in memory all along. CPU time stands beside the clock's, as the machine may be busy: one thread asks,
so it is what an idle one takes, and "under 1 s" goes by it. Each is asked
for as many days as the commands ask when nothing else is said, and those of a window for the whole lake as well.
$COSTLAB_BENCH_DIR keeps the lakes for the next time.
usage: asking.py [QUERY …]     those alone
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from keeping.alone import CHECKOUT, told_by
from keeping.lakes import kept
from large_lake.questions import usual, whole

from costlab.store.warehouse import queries

DAYS = 90
LARGE = (50_000, 5_000)  # containers, workloads
REPORTED = (10_000, 5_000)
SOURCES = [
    CHECKOUT / "benchmarks" / name
    for name in ("large_lake/fleet.py", "large_lake/world.py", "advising/world.py")
]
# Every day of the lake is reported, whenever that is.
_ENVIRONMENT = {"PYTHONPATH": str(CHECKOUT), "COSTLAB_REPORT__KEEP": "10000d"}
WEEK, EVER = "2026-11-16..2026-11-23", "2026-08-25..2026-11-23"
COMMANDS = (
    ("cost", "--window", WEEK), ("cost", "--by", "workload", "--window", WEEK), ("cost", "--window", EVER),
    ("savings", "--date", "2026-11-22"), ("idle", "--window", WEEK), ("forecast", "--window", EVER),
    ("anomalies", "--window", WEEK), ("audit", "--window", WEEK),
)  # fmt: skip


def main() -> None:
    """Print the tables, and what must be reached."""
    with tempfile.TemporaryDirectory() as scratch:
        lakes = kept("asking", Path(scratch), *SOURCES)
        large, reported = (_made(lakes, *size) for size in (LARGE, REPORTED))
        wanted = sys.argv[1:]
        slow = _print_queries(large, wanted or [q.name for q in queries().values() if q.folder != "staging"])
        if wanted:
            return
        _print_commands(large)
        reports = _print_reports(large, reported, Path(scratch))
        print("\nmust reach")
        for words, reached, bound in (
            ("queries that take a second or more, warm", float(slow), 1.0),
            *reports,
        ):
            print(
                f"  {words:56}{reached:9.1f}  {'reached' if reached < bound else 'missed':8} (under {bound:g})"
            )


def _made(lakes: Path, containers: int, workloads: int) -> Path:
    """The lake of that size; it takes about eight minutes."""
    lake = lakes / f"{containers}-{workloads}"
    if not (lake / "made").exists():
        shutil.rmtree(lake, ignore_errors=True)
        lake.mkdir(parents=True)
        told_by("large_lake.world", str(lake), str(containers), str(workloads), str(DAYS))
        (lake / "made").touch()
    return lake


def _print_queries(lake: Path, names: list[str]) -> int:
    """A line a query and window; how many took a second or more of what commands ask."""
    print(f"{LARGE[0]:,} containers a day, {LARGE[1]:,} workloads, {DAYS} days; one thread")
    print(f"{'query':24}{'days':>5}{'rows':>11}{'cold s':>8}{'warm s':>8}{'CPU s':>8}{'MiB':>7}  under 1 s")
    slow = 0
    for name in names:
        check = queries()[name].folder == "checks"
        asked = [(usual(name), "day" if check else "lake"), (whole(name, DAYS), "lake")]
        for number, (each, of) in enumerate(asked):
            if each is None or (each, of) in asked[:number]:
                continue
            took = told_by("large_lake.asker", str(lake), name, json.dumps(each[0]), of)
            slow += number == 0 and took["warm_cpu_s"] >= 1
            print(
                f"{name:24}{each[1]:5}{took['rows']:11,}{took['cold_s']:8.2f}{took['warm_s']:8.2f}"
                f"{took['warm_cpu_s']:8.2f}{took['peak_mib']:7.0f}  {'yes' if took['warm_cpu_s'] < 1 else 'no'}",
                flush=True,
            )
    return slow


def _print_commands(lake: Path) -> None:
    print(f"\n{'command, the whole of it':56}{'seconds':>9}{'CPU s':>8}{'MiB':>7}")
    for command in COMMANDS:
        seconds, cpu_s, mib = _command(lake, *command, "-o", "json")
        print(f"costlab {' '.join(command):48}{seconds:9.2f}{cpu_s:8.2f}{mib:7.0f}", flush=True)


def _print_reports(large: Path, reported: Path, scratch: Path) -> list[tuple[str, float, float]]:
    """The day's report and the site of all days; what they must reach."""
    print(f"\n{'report':56}{'seconds':>9}{'CPU s':>8}{'MiB':>7}{'kB':>7}")
    found = []
    for lake, (containers, workloads) in ((reported, REPORTED), (large, LARGE)):
        out = scratch / f"day-{containers}"
        took = _command(lake, "report", "--date", "2026-11-22", "--out", str(out))
        size = (out / "big" / "2026-11-22" / "index.html").stat().st_size / 1000
        words = f"a day, {workloads:,} workloads, {containers:,} containers"
        print(f"{words:56}{took[0]:9.2f}{took[1]:8.2f}{took[2]:7.0f}{size:7.0f}", flush=True)
        found.append((words, *took, size))
    took = _command(reported, "report", "--all", "--out", str(scratch / "site"))
    words = f"{DAYS} days and the site, {REPORTED[1]:,} workloads"
    print(f"{words:56}{took[0]:9.2f}{took[1]:8.2f}{took[2]:7.0f}", flush=True)
    day = found[0]
    return [
        ("seconds, a day's report", day[1], 5.0), ("MB, a day's report", day[3] * 2**20 / 1e6, 1000.0),
        ("kB, a day's report", day[4], 300.0), (f"seconds, {words}", took[0], 60.0),
        (f"MB, {words}", took[2] * 2**20 / 1e6, 1000.0),
    ]  # fmt: skip


def _command(lake: Path, *arguments: str) -> tuple[float, float, float]:
    """Seconds by the clock and of the CPU, and MiB at most, of a command of costlab."""
    command = [sys.executable, "-m", "costlab", "--lake", str(lake), *arguments]
    begun = time.perf_counter()
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **_ENVIRONMENT})
    _, status, used = os.wait4(started.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        raise SystemExit(f"{' '.join(command)}: {os.waitstatus_to_exitcode(status)}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()

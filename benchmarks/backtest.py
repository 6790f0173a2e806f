"""How long a backtest takes: 300 containers for 90 days at 60 s, six rules side by side, from a lake on disk.

It runs `costlab backtest` as people do, in a fresh process, after one that warms nothing but the kernels on disk.
"""

import resource
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from keeping.lakes import kept

from costlab.domain.tables import TABLES
from costlab.domain.time import MINUTE_MS, Day
from costlab.domain.units import GIB
from costlab.store.lake import Lake
from costlab.store.schema import conform

CONTAINERS, DAYS, LAST = 300, 90, date(2026, 11, 22)
POLICIES = "krr-simple,krr-simple-limit,vpa,crane,autopilot-window,kubecost"
CLUSTER, SAMPLES = "made-up", 1440


def main() -> None:
    """Make the lake once, run the backtest, print seconds and memory."""
    folder = kept("backtest", Path(__file__).resolve().parents[1] / ".tools" / "bench", Path(__file__))
    lake = make(folder / "lake")
    first = LAST - timedelta(days=DAYS - 1)
    window = f"{first}..{LAST + timedelta(days=1)}"
    asked = ["--policy", POLICIES, "--window", window, "--train", "14d", "--plot", str(folder / "plot.svg")]
    command = [sys.executable, "-m", "costlab", "--lake", str(lake), "backtest", *asked]
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - begun
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    samples = CONTAINERS * DAYS * SAMPLES
    print(f"{samples:,} stretches, {CONTAINERS} containers, {DAYS} days, 6 rules")
    print(f"{seconds:.1f} s in all, {seconds / samples * 1e9:.0f} ns a stretch, {peak_mib:,.0f} MiB at most")
    print(f"under a minute: {'reached' if seconds < 60 else 'missed'}")


def make(path: Path) -> Path:
    """A lake with usage alone, the same every time; kept for the next run."""
    done = path.parent / "done"
    if done.exists():
        return path
    random = np.random.default_rng(0)
    cores, size = random.lognormal(-1.5, 1.0, CONTAINERS), random.lognormal(0.2, 0.8, CONTAINERS) * GIB
    kind = random.integers(0, 6, CONTAINERS)
    lake = Lake.create(path)
    with lake.locked():
        for number in range(DAYS):
            day = Day(LAST - timedelta(days=DAYS - 1 - number))
            tables = {
                "containers": containers(day, cores, size),
                "container_usage": usage(random, day, number, kind, cores, size),
                "charges": charges(day),
            }
            with lake.replacing(CLUSTER, day, tables, None) as written:
                lake.commit_run(CLUSTER, day, RUN, written, None)
    done.touch()
    return path


RUN = {
    "status": "complete", "coverage": 1.0, "signals": {}, "signal_coverage": {}, "scrape_interval_s": {}, "samples": 0,
    "source": "made up", "engine": "none", "limits": {}, "warnings": [], "costlab_version": "0", "config_hash": "",
    "prices_hash": "", "forced": None,
}  # fmt: skip


def usage(
    random: np.random.Generator, day: Day, number: int, kind: np.ndarray, cores: np.ndarray, size: np.ndarray
) -> pa.Table:
    """Level, days and nights, weekends, bursts, a slow rise, and a shift on the sixtieth day."""
    minute = np.arange(SAMPLES)
    wave = 1 + 0.6 * np.sin(2 * np.pi * (minute / SAMPLES - 0.3))
    weekend = 0.3 if day.date.weekday() >= 5 else 1.0
    shapes = np.array([
        np.ones(SAMPLES), wave, wave * weekend, 1 + 3 * (random.random(SAMPLES) < 0.01),
        np.full(SAMPLES, 1 + number / DAYS), np.full(SAMPLES, 1.0 if number < 60 else 1.8),
    ])[kind]  # fmt: skip
    busy = cores[:, None] * shapes * random.gamma(8, 1 / 8, shapes.shape)
    held = size[:, None] * (0.7 + 0.3 * shapes) * (1 + 0.02 * random.standard_normal(shapes.shape))
    at_ms = day.window.start_ms + minute * MINUTE_MS
    return conform(
        "container_usage",
        {
            "cluster": CLUSTER, "date": day.date, "container_key": np.repeat(np.arange(CONTAINERS), SAMPLES),
            "ts": np.tile(at_ms, CONTAINERS), "dt_s": 60.0, "cpu_cores": busy.ravel().astype(np.float32),
            "memory_bytes": held.ravel().astype(np.float32),
        },
    )  # fmt: skip


def containers(day: Day, cores: np.ndarray, size: np.ndarray) -> pa.Table:
    """They request three times their mean of CPU, and twice that of memory."""
    names = [f"w{number:03d}" for number in range(CONTAINERS)]
    given = {
        "cluster": CLUSTER, "date": day.date, "container_key": np.arange(CONTAINERS), "pod_uid": names, "namespace": "ns",
        "workload_kind": "Deployment", "workload": names, "pod": names, "container": "main", "node": "n", "team": "x",
        "class": "service", "labels": pa.array([[]] * CONTAINERS, pa.map_(pa.string(), pa.string())),
        "start": day.window.start,
        "end": day.window.end,
        "cpu_request": 3 * cores, "memory_request": 2 * size,
    }  # fmt: skip
    return conform("containers", {name: given.get(name) for name in TABLES["containers"].column_names})


def charges(day: Day) -> pa.Table:
    """No more of them than a backtest reads: who, and at which unit price."""
    names = [f"w{number:03d}" for number in range(CONTAINERS)] * 2
    half = [CONTAINERS * [resource] for resource in ("cpu", "memory")]
    given = {
        "cluster": CLUSTER, "date": day.date, "kind": "workload", "resource": half[0] + half[1], "namespace": "ns",
        "workload_kind": "Deployment", "workload": names, "pod": names, "pod_uid": names, "container": "main",
        "node": "n", "team": "x", "class": "service", "unit": "", "billed_quantity": 1.0,
        "unit_price": CONTAINERS * [0.1] + CONTAINERS * [0.05], "currency": "USD",
    }  # fmt: skip
    return conform("charges", {name: given.get(name) for name in TABLES["charges"].column_names})


if __name__ == "__main__":
    main()

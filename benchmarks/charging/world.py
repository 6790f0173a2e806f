"""A made-up day in a real lake: observed and committed, and not yet charged; the same for the same seed."""

import json
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.config.settings import Settings
from costlab.domain.time import MINUTE_MS, SECOND_MS, Day
from costlab.domain.units import GIB
from costlab.jobs.commit import commit, findings_table
from costlab.jobs.facts import Facts
from costlab.jobs.machines import Machine, Size
from costlab.jobs.pricing import nodes_table
from costlab.store.lake import DayState, Lake
from costlab.store.schema import conform, empty

DAY = Day(date(2026, 11, 22))
CLUSTER = "big"
CORES, GIBS = 64.0, 256.0
ALLOCATABLE = 0.94
SLOTS_A_NODE = 40
LASTING = 0.7  # of the slots; in the others pod follows pod
BRIEF_MS = 6 * 3_600_000  # mean life in those
MISSED = 0.01  # of the scrapes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pods:
    """Who ran where, and when on the day: all arrays (pods,), in the order of their keys."""

    key: Ints
    node: Ints
    start_ms: Ints
    end_ms: Ints


def settings_of(folder: Path) -> Settings:
    """The configuration that all peers charge by: the defaults."""
    return Settings.model_validate({"lake": "lake"}, context={"folder": folder})


def make_lake(folder: Path, alive: int) -> int:
    """Commit the facts of a day with `alive` containers at a time; the number of container samples in it."""
    random = np.random.default_rng(alive)
    settings = settings_of(folder)
    pods = _pods(random, alive)
    usage, samples = _usage(random, pods)
    tables = {
        "containers": _containers(random, pods),
        "nodes": _nodes(alive // SLOTS_A_NODE, settings),
        "container_usage": usage,
        "gpu_usage": empty("gpu_usage"),
        **{name: empty(name) for name in ("pods", "gpus", "volumes")},
        "findings": findings_table([], CLUSTER, DAY),
    }
    facts = Facts(
        tables=tables, findings=(), coverage=1.0, signal_coverage={"cpu": 1.0, "memory": 1.0},
        samples={"container_cpu": samples, "container_memory": samples}, scrape_interval_s={},
        source="made up", engine="none", limits={}, warnings=(),
    )  # fmt: skip
    lake = Lake.create(settings.lake)
    with lake.locked():
        commit(lake, CLUSTER, DAY, tables, facts, settings, DayState.EXTRACTED)
    return samples


def _pods(random: np.random.Generator, alive: int) -> Pods:
    """Lasting pods all day, and in the other slots one after the other, a minute or so apart."""
    day, slots = DAY.window, np.arange(alive)
    lasting = random.random(alive) < LASTING
    slot, start, end = (
        [slots[lasting]],
        [np.full(lasting.sum(), day.start_ms)],
        [np.full(lasting.sum(), day.end_ms)],
    )
    waiting, now = slots[~lasting], np.full((~lasting).sum(), day.start_ms)
    while len(waiting):
        ends = np.minimum(now + 1 + random.exponential(BRIEF_MS, len(waiting)).astype(np.int64), day.end_ms)
        slot, start, end = [*slot, waiting], [*start, now], [*end, ends]
        now = ends + random.integers(SECOND_MS, 2 * MINUTE_MS, len(ends))
        waiting, now = waiting[now < day.end_ms], now[now < day.end_ms]
    key = np.sort(random.integers(1, 2**62, sum(map(len, slot))))
    mixed = random.permutation(len(key))
    return Pods(
        key,
        np.concatenate(slot)[mixed] // SLOTS_A_NODE,
        np.concatenate(start)[mixed],
        np.concatenate(end)[mixed],
    )


def _usage(random: np.random.Generator, pods: Pods) -> tuple[pa.Table, int]:
    """Rows of `container_usage`: CPU from the start to the last scrape, memory from the first scrape to the end."""
    phase = random.integers(0, MINUTE_MS, pods.node.max() + 1)[pods.node] + DAY.window.start_ms
    first = -(-(pods.start_ms + 1 - phase) // MINUTE_MS)
    count = np.maximum(-(-(pods.end_ms - phase) // MINUTE_MS) - first, 0)
    pod = np.repeat(np.arange(len(count)), count + 1)  # one stretch more than there are scrapes
    number = np.arange(len(pod)) - np.repeat(np.cumsum(count + 1) - count - 1, count + 1)
    begin = np.where(number == 0, pods.start_ms[pod], phase[pod] + (first[pod] + number - 1) * MINUTE_MS)
    kept = (number == 0) | (random.random(len(pod)) >= MISSED)
    pod, begin, number = pod[kept], begin[kept], number[kept]
    last = np.append(pod[1:] != pod[:-1], True)
    until = np.where(last, pods.end_ms[pod], np.append(begin[1:], 0))
    cores = random.lognormal(-1.5, 1.2, len(count)).astype(np.float32)
    size = (random.lognormal(0.2, 1.0, len(count)) * GIB).astype(np.float32)
    busy = cores[pod] * random.gamma(4, 0.25, len(pod)).astype(np.float32)
    held = size[pod] * (1 + 0.05 * random.standard_normal(len(pod)).astype(np.float32))
    busy[last], held[number == 0] = np.nan, np.nan
    rows = conform(
        "container_usage",
        {
            "cluster": CLUSTER, "date": DAY.date, "container_key": pods.key[pod], "ts": begin,
            "dt_s": (until - begin) / 1000, "cpu_cores": busy, "memory_bytes": held,
        },
    )  # fmt: skip
    return rows, int((number > 0).sum())


def _containers(random: np.random.Generator, pods: Pods) -> pa.Table:
    count = len(pods.key)
    names = [f"{number:06d}" for number in range(count)]
    spaces = random.integers(0, 40, count).tolist()

    def request(mean: float, sigma: float, unit: float) -> pa.Array:
        return pa.array(random.lognormal(mean, sigma, count) * unit, mask=random.random(count) < 0.05)

    columns = {
        "cluster": CLUSTER, "date": DAY.date, "container_key": pods.key, "pod_uid": [f"uid-{name}" for name in names],
        "namespace": [f"research-team-{space:02d}" for space in spaces],
        "workload_kind": "Deployment", "workload": [f"workload-{number % 600}" for number in range(count)],
        "pod": [f"pod-{name}" for name in names], "container": "main",
        "node": [f"node-{number:04d}" for number in pods.node.tolist()],
        "team": [f"team-{space % 12}" for space in spaces], "class": "service", **dict.fromkeys(("pipeline", "pipeline_task", "pipeline_run")), "labels": [[]] * count,
        "start": pods.start_ms, "end": pods.end_ms, "gpu_resource": None,
        "cpu_request": request(-0.7, 1.0, 1.0), "memory_request": request(0.8, 0.8, GIB),
        "gpu_request": None, "cpu_limit": None, "memory_limit": None, "gpu_share": None,
        "restarts": None, "oom_kills": None, "cpu_periods": None, "cpu_throttled_periods": None,
    }  # fmt: skip
    return conform("containers", columns)


def _nodes(count: int, settings: Settings) -> pa.Table:
    day = DAY.window
    capacity = Size(CORES, GIBS * GIB, None)
    free = Size(CORES * ALLOCATABLE, GIBS * ALLOCATABLE * GIB, None)
    machines = [
        Machine(f"node-{number:04d}", day.start_ms, day.end_ms, capacity, free, None, {})
        for number in range(count)
    ]
    return nodes_table(machines, settings, CLUSTER, DAY)


if __name__ == "__main__":
    print(json.dumps({"samples": make_lake(Path(sys.argv[1]), int(sys.argv[2]))}))

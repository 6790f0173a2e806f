"""A lake of days with many containers: profiles, requests and charges as nights would have left them, made up and seeded."""

import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from costlab import __version__
from costlab.domain.time import Day, days_between
from costlab.jobs.columns import lists
from costlab.store.lake import DayState, Lake
from costlab.store.schema import conform

CLUSTER = "big"
LAST = Day(date(2026, 11, 22))
PER_WORKLOAD, PER_NODE = 1.0, 50
_DAY_MS = 86_400_000
_MIB = 2.0**20
_LISTS = ("hourly_max", "sketch_buckets", "sketch_ms")


def main() -> None:
    """Make the lake in the folder, for so many containers and days, that the command line names."""
    folder, containers, days = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    lake = Lake.create(folder)
    fleet = _Fleet(containers)
    for day in days_between(Day(LAST.date - timedelta(days=days - 1)), LAST):
        with lake.replacing(CLUSTER, day, fleet.tables(day)) as written:
            lake.commit_run(CLUSTER, day, _run(), written)


class _Fleet:
    """Containers of workloads that ask for two to four times of what they use; some of them grow."""

    def __init__(self, containers: int) -> None:
        rng = np.random.default_rng(2026)
        self.count = containers
        self.workload = np.sort(rng.integers(0, round(containers / PER_WORKLOAD), containers))
        scale = rng.lognormal(-1.5, 1.2, self.workload[-1] + 1)[self.workload]
        self.cpu_mean = np.maximum(scale * rng.lognormal(0, 0.1, containers), 0.002)
        self.memory_mean = np.maximum(scale * 2**30 * rng.lognormal(0.5, 0.1, containers), 20 * _MIB)
        generous = rng.uniform(1.2, 4, self.workload[-1] + 1)[self.workload]
        self.cpu_request = np.ceil(1000 * self.cpu_mean * generous * 1.5) / 1000
        self.memory_request = np.ceil(self.memory_mean * generous / _MIB) * _MIB
        self.names = {
            "namespace": [f"ns-{w % 200}" for w in self.workload],
            "workload_kind": "Deployment",
            "workload": [f"workload-{w}" for w in self.workload],
            "pod": [f"workload-{w}-{i}" for i, w in enumerate(self.workload)],
            "container": "main",
        }
        self.key = np.arange(containers, dtype=np.int64) + 1
        self.node = [f"node-{i // PER_NODE}" for i in range(containers)]

    def tables(self, day: Day) -> dict[str, pa.Table]:
        """A day of it."""
        rng = np.random.default_rng(day.date.toordinal())
        part = {"cluster": CLUSTER, "date": day.date}
        start = datetime.combine(day.date, time(), UTC)
        whole = {"start": start, "end": start + timedelta(days=1)}
        owner = {
            "team": "t",
            "class": "service",
            "pipeline": None,
            "pipeline_task": None,
            "pipeline_run": None,
        }
        stays = {
            name: pa.array([at] * self.count, pa.timestamp("us", tz="UTC")) for name, at in whole.items()
        }
        containers = conform("containers", {
            **part, **self.names, **owner, **stays, "container_key": self.key, "pod_uid": self.names["pod"],
            "node": self.node, "labels": [[]] * self.count, "cpu_request": self.cpu_request,
            "memory_request": self.memory_request, "gpu_request": None, "cpu_limit": None,
            "memory_limit": self.memory_request * 1.5, "gpu_resource": None, "gpu_share": None,
            "restarts": None, "oom_kills": None, "cpu_periods": None, "cpu_throttled_periods": None,
        })  # fmt: skip
        cpu = levels_of(rng, self.cpu_mean, 0.6, (40, 160))
        memory = levels_of(rng, self.memory_mean, 0.05, (4, 18))
        profiles = conform("profiles", {
            **part, **{name: _twice(values) for name, values in self.names.items()},
            "container_key": np.tile(self.key, 2),
            "resource": ["cpu"] * self.count + ["memory"] * self.count, "occupied_s": 86400.0, "observed_s": 86370.0,
            **{name: np.concatenate([cpu[name], memory[name]]) for name in ("mean", "p50", "p90", "p95", "p99", "max")},
            "throttled_ratio": None, "oom_kills": None, "restarts": None,
            **{name: pa.concat_arrays([cpu[name], memory[name]]) for name in _LISTS},
        })  # fmt: skip
        return {"containers": containers, "profiles": profiles, **self._money(part, whole)}

    def _money(self, part: dict[str, Any], whole: dict[str, datetime]) -> dict[str, pa.Table]:
        nodes = sorted(set(self.node))
        size = {
            "cpu": self.cpu_request.sum() / len(nodes) * 1.25,
            "memory": self.memory_request.sum() / len(nodes) * 1.25,
        }
        stays = {
            name: pa.array([at] * len(nodes), pa.timestamp("us", tz="UTC")) for name, at in whole.items()
        }
        lives = conform("nodes", {
            **part, **stays, "node": nodes, **{f"{r}_{k}": size[r] for r in size for k in ("capacity", "allocatable")},
            "gpu_capacity": None, "gpu_allocatable": None, "gpu_model": None, "labels": [[]] * len(nodes),
            "capacity_type": None, "provider_id": None, "cpu_price": 0.1, "memory_price": 0.05, "gpu_price": None,
            "price_source": "default", **dict.fromkeys(("cpu_cost", "memory_cost", "gpu_cost")),
        })  # fmt: skip
        request = np.concatenate([self.cpu_request, self.memory_request / 2**30]) * 24
        used = np.concatenate([self.cpu_mean, self.memory_mean / 2**30]) * 24
        price = np.repeat([0.1, 0.05], self.count)
        cost, own = (np.rint(1e6 * price * amount).astype(np.int64) for amount in (request, used))
        common = {
            **part,
            "currency": "USD",
            "item": None,
            "pipeline": None,
            "pipeline_task": None,
            "pipeline_run": None,
        }
        work = conform("charges", {
            **common, **{name: _twice(values) for name, values in self.names.items()}, "kind": "workload",
            "resource": ["cpu"] * self.count + ["memory"] * self.count, "node": self.node * 2,
            "pod_uid": _twice(self.names["pod"]), "team": "t", "class": "service",
            "unit": ["core_hour"] * self.count + ["gib_hour"] * self.count, "requested_quantity": request,
            "used_quantity": used, "billed_quantity": request, "unit_price": price, "cost": cost, "cost_used": own,
            "cost_unused": cost - own, "cost_unobserved": np.zeros(len(cost), np.int64), "coverage": 1.0,
        })  # fmt: skip
        idle_hours = np.repeat([24 * size["cpu"] / 5, 24 * size["memory"] / 2**30 / 5], len(nodes))
        nobody = dict.fromkeys(
            ("namespace", "workload_kind", "workload", "pod", "pod_uid", "container", "team", "class", "requested_quantity",
             "used_quantity", "cost_used", "cost_unused", "cost_unobserved", "coverage")
        )  # fmt: skip
        price = np.repeat([0.1, 0.05], len(nodes))
        idle = conform("charges", {
            **common, **nobody, "kind": "idle", "resource": ["cpu"] * len(nodes) + ["memory"] * len(nodes),
            "node": nodes * 2, "unit": ["core_hour"] * len(nodes) + ["gib_hour"] * len(nodes),
            "billed_quantity": idle_hours, "unit_price": price,
            "cost": np.rint(1e6 * price * idle_hours).astype(np.int64),
        })  # fmt: skip
        return {"nodes": lives, "charges": pa.concat_tables([work, idle])}


def levels_of(
    rng: np.random.Generator, mean: np.ndarray, spread: float, buckets: tuple[int, int]
) -> dict[str, Any]:
    """Profiles of levels that follow one another, with weights that fall to both sides of the mean."""
    count = len(mean)
    length = rng.integers(*buckets, count)
    own = np.repeat(np.arange(count), length)
    place = np.arange(len(own)) - np.repeat(np.cumsum(length) - length, length)
    middle = (mean.astype(np.float32).view(np.int32) >> 17).astype(np.int32)
    found = (np.repeat(middle - length // 2, length) + place).astype(np.int32)
    weight = np.exp(-(((place - np.repeat(length / 2, length)) / np.repeat(length / 4 + 1, length)) ** 2))
    weight *= rng.uniform(0.5, 1.5, len(own))
    total = np.bincount(own, weight)
    ms = np.maximum(np.rint(weight / total[own] * _DAY_MS), 1).astype(np.int32)
    offsets = pa.array(np.append(0, np.cumsum(length)).astype(np.int32))
    sigma = spread * np.exp(rng.normal(0, 0.2, count))
    ranks = {"p50": 0.0, "p90": 1.28, "p95": 1.64, "p99": 2.33, "max": 3.3}
    swing = np.cos((np.arange(24) - 14) * 2 * np.pi / 24)
    hourly_max = mean[:, None] * np.exp(sigma[:, None] * ranks["max"] / 2 * (1 + swing))
    return {
        "mean": mean,
        **{name: mean * np.exp(sigma * z) for name, z in ranks.items()},
        "hourly_max": lists(hourly_max.astype(np.float32)),
        "sketch_buckets": pa.ListArray.from_arrays(offsets, pa.array(found)),
        "sketch_ms": pa.ListArray.from_arrays(offsets, pa.array(ms)),
    }


def _twice(values: Any) -> Any:
    return values * 2 if isinstance(values, list) else values


def _run() -> dict[str, Any]:
    none: dict[str, str] = {}
    return {
        "status": DayState.COMPLETE.value, "coverage": 1.0, "signals": none, "signal_coverage": none,
        "scrape_interval_s": none, "samples": 0, "source": "made up", "engine": "none", "limits": none, "warnings": [],
        "costlab_version": __version__, "config_hash": "", "prices_hash": "", "forced": None, "unrecorded": None,
    }  # fmt: skip


if __name__ == "__main__":
    main()

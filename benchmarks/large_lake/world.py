"""A lake of days with many containers, every table of it: as nights would have left it, made up and seeded.

Money reconciles as a committed day's does. Raw usage is there on the last day alone: a day of it is 72 million rows.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from advising.world import levels_of

from costlab import __version__
from costlab.domain.time import Day, days_between
from costlab.store.lake import DayState, Lake
from costlab.store.rows import Rows
from costlab.store.schema import conform, empty
from large_lake.fleet import CORES, GIBS, GPUS, Fleet, Pods, bytes_of, micros, text

CLUSTER = "big"
LAST = Day(date(2026, 11, 22))
HOURS = 24.0
PRICES = {"cpu": 0.1, "memory": 0.05, "gpu": 2.5}
UNITS = {"cpu": "core_hour", "memory": "gib_hour", "gpu": "gpu_hour"}
SYSTEM = 0.06  # of a node
SCRAPE_S = 60
USED_AT_ONCE = 2_000  # containers
SPACE_KEYS = {
    "cpu": 40.0, "memory": bytes_of(np.array(160.0)).item(), "pods": 60.0, "nvidia.com/gpu": 8.0,
    "storage": bytes_of(np.array(2000.0)).item(), "persistentvolumeclaims": 12.0,
}  # fmt: skip

Tables = dict[str, Rows]


def main() -> None:
    """Make the lake in the folder, for so many containers, workloads and days, that the command line names."""
    folder, [containers, workloads, days] = Path(sys.argv[1]), map(int, sys.argv[2:])
    lake, fleet = Lake.create(folder), Fleet(containers, workloads)
    random = np.random.default_rng(1)
    cpu = levels_of(random, fleet.cpu_request * fleet.used, 0.5, (40, 160))
    memory = levels_of(random, bytes_of(fleet.memory_request) * fleet.used, 0.05, (4, 18))
    levels = {name: _joined(cpu[name], memory[name]) for name in cpu}
    for day in days_between(Day(LAST.date - timedelta(days=days - 1)), LAST):
        made = _MadeDay(fleet, day, levels)
        lake.write("bills", CLUSTER, day, made.bills())
        with lake.observing(CLUSTER, day) as room:
            raw: Tables = {name: empty(name) for name in ("container_usage", "gpu_usage")}
            if day == LAST:
                kept = room("container_usage")
                for rows in made.container_usage():
                    kept.add(rows)
                raw = {"container_usage": kept.rows(), "gpu_usage": made.gpu_usage()}
            with lake.replacing(CLUSTER, day, {**made.tables(), **raw}) as written:
                lake.commit_run(CLUSTER, day, _run(), written)


class _MadeDay:
    """The rows of one day."""

    def __init__(self, fleet: Fleet, day: Day, levels: dict[str, Any]) -> None:
        self.fleet, self.day, self.levels = fleet, day, levels
        self.number = day.date.toordinal()
        self.random = np.random.default_rng(self.number)
        self.start = datetime.combine(day.date, time(), UTC)
        self.end = self.start + timedelta(days=1)
        self.part = {"cluster": CLUSTER, "date": day.date}
        self.pods: Pods = fleet.pods(self.number)
        count = fleet.count
        begin = np.where(fleet.lasting, 0, self.random.integers(0, 12 * 3600, count))
        lasted = np.where(fleet.lasting, 86_400, self.random.integers(600, 12 * 3600, count))
        self.began_s, self.lasted_s = begin, lasted
        self.hours = lasted / 3600.0
        weekly = 1 + 0.2 * np.sin(self.number * 2 * np.pi / 7)
        noise = self.random.lognormal(0, 0.15, fleet.workloads)[fleet.workload]
        self.used = np.minimum(fleet.used * weekly * noise, 1.0)
        self.node_names = text("ip-10-0-", np.arange(fleet.nodes))

    def tables(self) -> Tables:
        """Every table but raw usage and bills."""
        return {
            "containers": self.containers(), "pods": self.pod_rows(), "nodes": self.nodes(), "gpus": self.gpus(),
            "gpu_profiles": self.gpu_profiles(), "energy": self.energy(), "volumes": self.volumes(),
            "autoscalers": self.autoscalers(), "quotas": self.quotas(), "charges": self.charges(),
            "profiles": self.profiles(), "demand": self.demand(), "advice": self.advice(),
            "quota_advice": self.quota_advice(), "findings": self.findings(),
        }  # fmt: skip

    def _stays(self) -> dict[str, Any]:
        start = self.day.window.start_ms + 1000 * self.began_s
        return {"start": start, "end": start + 1000 * self.lasted_s}

    def _owner(self, places: Any = slice(None)) -> dict[str, Any]:
        names = {
            name: column.take(pa.array(np.arange(self.fleet.count)[places]))
            for name, column in self.fleet.names.items()
        }
        return {**names, "pipeline_task": None, "pipeline_run": None}

    def containers(self) -> pa.Table:
        fleet, random = self.fleet, self.random
        without = fleet.without_request
        killed = random.random(fleet.count) < 0.002
        gpu = np.where(fleet.gpu, 1.0, 0.0)
        return conform("containers", {
            **self.part, **self._owner(), **self._stays(), "container_key": self.pods.key,
            "pod": self.pods.name, "pod_uid": self.pods.uid, "node": fleet.node_name, "labels": fleet.labels,
            "cpu_request": pa.array(fleet.cpu_request, mask=without),
            "memory_request": pa.array(bytes_of(fleet.memory_request), mask=without),
            "gpu_request": pa.array(gpu, mask=~fleet.gpu), "cpu_limit": None,
            "memory_limit": pa.array(bytes_of(1.5 * fleet.memory_request), mask=without),
            "gpu_resource": pa.array(["nvidia_com_gpu"] * fleet.count, mask=~fleet.gpu),
            "gpu_share": pa.array(gpu, mask=~fleet.gpu), "restarts": np.where(killed, 1, 0),
            "oom_kills": np.where(killed, 1, 0), "cpu_periods": None, "cpu_throttled_periods": None,
        })  # fmt: skip

    def pod_rows(self) -> pa.Table:
        fleet = self.fleet
        owner = {name: column for name, column in self._owner().items() if name != "container"}
        return conform("pods", {
            **self.part, **owner, **self._stays(), "pod": self.pods.name, "pod_uid": self.pods.uid,
            "node": fleet.node_name, "claims": [[]] * fleet.count, "network": "pod", "sent_bytes": None,
            "sent_coverage": None,
        })  # fmt: skip

    def nodes(self) -> pa.Table:
        count = self.fleet.nodes
        gpu = np.where(np.arange(count) < self.fleet.gpu_nodes, GPUS, 0.0)
        has = gpu > 0
        sizes = {
            "cpu": np.full(count, CORES),
            "memory": np.full(count, bytes_of(np.array(GIBS)).item()),
            "gpu": gpu,
        }
        totals = self._totals()
        return conform("nodes", {
            **self.part, "node": self.node_names, "start": pa.array([self.start] * count),
            "end": pa.array([self.end] * count),
            **{f"{name}_capacity": size for name, size in sizes.items()},
            **{f"{name}_allocatable": size if name == "gpu" else (1 - SYSTEM) * size for name, size in sizes.items()},
            "gpu_model": pa.array(["NVIDIA A100-SXM4-80GB"] * count, mask=~has),
            "labels": [[("label_topology_kubernetes_io_zone", "a")]] * count, "capacity_type": "on-demand",
            "provider_id": text("aws:///eu-central-1a/i-", np.arange(count)), "cpu_price": 0.1, "memory_price": 0.05,
            "gpu_price": pa.array(np.full(count, 2.5), mask=~has), "price_source": "default",
            **{f"{name}_cost": pa.array(totals[name]) for name in sizes},
        })  # fmt: skip

    def _totals(self) -> dict[str, np.ndarray]:
        """What each node costs, in micro-units, by resource."""
        count = self.fleet.nodes
        gpus = np.where(np.arange(count) < self.fleet.gpu_nodes, GPUS, 0.0)
        sizes = {"cpu": np.full(count, CORES), "memory": np.full(count, GIBS), "gpu": gpus}
        return {name: micros(PRICES[name], HOURS * size) for name, size in sizes.items()}

    def charges(self) -> pa.Table:
        fleet = self.fleet
        wanted = {"cpu": fleet.cpu_request, "memory": fleet.memory_request, "gpu": np.ones(fleet.count)}
        parts = []
        for resource, request in wanted.items():
            places = np.flatnonzero(fleet.gpu) if resource == "gpu" else np.arange(fleet.count)
            hours = self.hours[places] * request[places]
            used = hours * self.used[places]
            cost, own = micros(PRICES[resource], hours), micros(PRICES[resource], used)
            parts.append(self._workload_charges(resource, places, hours, used, cost, own))
            owed = np.bincount(fleet.node[places], cost, fleet.nodes).astype(np.int64)
            parts.append(self._node_charges(resource, owed))
        parts.append(self._volume_charges())
        return conform("charges", _stacked(parts))

    def _workload_charges(
        self, resource: str, places: np.ndarray, hours: np.ndarray, used: np.ndarray, cost: np.ndarray, own: np.ndarray
    ) -> pa.Table:  # fmt: skip
        fleet, rows = self.fleet, pa.array(places)
        requested = pa.array(hours, mask=fleet.without_request[places])
        unobserved = self.random.random(len(places)) < 0.01
        return conform("charges", {
            **self.part, **self._owner(places), "kind": "workload", "resource": resource,
            "node": fleet.node_name.take(rows), "pod": self.pods.name.take(rows), "pod_uid": self.pods.uid.take(rows),
            "item": None, "unit": UNITS[resource], "requested_quantity": requested.fill_null(0.0),
            "used_quantity": np.where(unobserved, np.nan, used), "billed_quantity": hours,
            "unit_price": PRICES[resource], "cost": cost, "cost_used": np.where(unobserved, 0, own),
            "cost_unused": np.where(unobserved, 0, cost - own), "cost_unobserved": np.where(unobserved, cost, 0),
            "currency": "USD", "coverage": np.where(unobserved, 0.0, 1.0),
        })  # fmt: skip

    def _node_charges(self, resource: str, owed: np.ndarray) -> pa.Table:
        total = self._totals()[resource]
        system = (
            np.rint(SYSTEM * total).astype(np.int64) if resource != "gpu" else np.zeros(len(total), np.int64)
        )
        there = total > 0
        parts = {"idle": (total - owed - system)[there], "system": system[there]}
        nobody = dict.fromkeys((
            "namespace", "workload_kind", "workload", "pod", "pod_uid", "container", "item", "team", "class",
            "pipeline", "pipeline_task", "pipeline_run", "requested_quantity", "used_quantity", "cost_used",
            "cost_unused", "cost_unobserved", "coverage",
        ))  # fmt: skip
        names = self.node_names.filter(pa.array(there))
        return pa.concat_tables(
            conform("charges", {
                **self.part, **nobody, "kind": kind, "resource": resource, "node": names, "unit": UNITS[resource],
                "billed_quantity": cost / 1e6 / PRICES[resource], "unit_price": PRICES[resource], "cost": cost,
                "currency": "USD",
            })
            for kind, cost in parts.items()
        )  # fmt: skip

    def _claims(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each claim its namespace, its size in GiB and its cost in micro-units."""
        space = np.repeat(np.arange(self.fleet.spaces), 10)
        size = 10 * (1 + np.arange(len(space)) % 50).astype(np.float64)
        return space, size, micros(0.0001, HOURS * size)

    def _volume_charges(self) -> pa.Table:
        space, size, cost = self._claims()
        nothing = dict.fromkeys((
            "node", "workload_kind", "workload", "pod", "pod_uid", "container", "class", "pipeline", "pipeline_task",
            "pipeline_run", "used_quantity", "cost_used", "cost_unused", "cost_unobserved", "coverage",
        ))  # fmt: skip
        return conform("charges", {
            **self.part, **nothing, "kind": "volume", "resource": "storage", "namespace": text("research-", space),
            "item": text("claim-", np.arange(len(space))), "team": text("team-", space % self.fleet.teams),
            "unit": "gib_hour", "requested_quantity": HOURS * size, "billed_quantity": HOURS * size,
            "unit_price": 0.0001, "cost": cost, "currency": "USD",
        })  # fmt: skip

    def volumes(self) -> pa.Table:
        space, size, cost = self._claims()
        count = len(space)
        place, ago = np.arange(count), LAST.date.toordinal() - self.number
        full = 0.15 + 0.7 * (place % 50) / 50 - 0.0005 * (place % 10) * ago  # some of them grow
        used = np.clip(full * self.random.uniform(0.99, 1.01, count), 0.01, 1)
        return conform("volumes", {
            **self.part, "namespace": text("research-", space), "claim": text("claim-", np.arange(count)),
            "volume": text("pv-", np.arange(count)), "start": pa.array([self.start] * count),
            "end": pa.array([self.end] * count), "class": "fast", "team": text("team-", space % self.fleet.teams),
            "requested_bytes": bytes_of(size), "used_bytes": bytes_of(size) * used,
            "mounted_hours": np.where(np.arange(count) % 20 == 0, 0.0, HOURS), "price": 0.0001, "cost": cost,
        })  # fmt: skip

    def profiles(self) -> pa.Table:
        fleet = self.fleet
        names = {name: fleet.names[name] for name in ("namespace", "workload_kind", "workload", "container")}
        twice = {name: pa.concat_arrays([column, column]) for name, column in names.items()}
        pods = pa.concat_arrays([self.pods.name, self.pods.name])
        factor = np.tile(self.used / fleet.used, 2)
        scaled = {name: self.levels[name] * factor for name in ("mean", "p50", "p90", "p95", "p99", "max")}
        lasted = np.tile(self.lasted_s.astype(np.float64), 2)
        return conform("profiles", {
            **self.part, **twice, "pod": pods, "container_key": np.tile(self.pods.key, 2),
            "resource": ["cpu"] * fleet.count + ["memory"] * fleet.count, "occupied_s": lasted,
            "observed_s": lasted - 30, **scaled, "throttled_ratio": None, "oom_kills": None, "restarts": None,
            **{name: self.levels[name] for name in ("hourly_max", "sketch_buckets", "sketch_ms")},
        })  # fmt: skip

    def gpus(self) -> pa.Table:
        places = np.flatnonzero(self.fleet.gpu)  # a device each
        count = len(places)
        busy = np.minimum(self.random.exponential(0.4, count), 1.0)
        node = np.arange(count) // int(GPUS)
        return conform("gpus", {
            **self.part, "gpu_key": np.arange(count) + 1, "uuid": text("GPU-", np.arange(count)),
            "gpu_index": text("", np.arange(count) % int(GPUS)), "mig_profile": None, "model": "NVIDIA A100-SXM4-80GB",
            "node": text("ip-10-0-", node), "gpu_share": 1.0, "observed_hours": HOURS, "allocated_hours": HOURS,
            "busy_mean": busy, "busy_p95": np.minimum(2 * busy, 1.0), "busy_max": 1.0, "memory_max_bytes": 6e10,
            "memory_total_bytes": 8.6e10, "energy_kwh": 0.02 * self.hours[places],
        })  # fmt: skip

    def gpu_profiles(self) -> pa.Table:
        places = np.flatnonzero(self.fleet.gpu)
        count = len(places)
        busy = np.minimum(self.random.exponential(0.4, count), 0.99)
        ten = np.arange(count)[:, None] % 7 + np.arange(10)[None, :] * 8
        offsets = pa.array(np.arange(count + 1, dtype=np.int32) * 10)
        buckets = pa.ListArray.from_arrays(offsets, pa.array(ten.astype(np.int32).ravel()))
        ms = pa.ListArray.from_arrays(offsets, pa.array(np.full(10 * count, 8_640_000, np.int32)))
        hourly = pa.ListArray.from_arrays(
            pa.array(np.arange(count + 1, dtype=np.int32) * 24),
            pa.array(np.repeat(busy, 24).astype(np.float32)),
        )
        told = ("sm_active_p95", "sm_active_max", "tensor_active_mean", "dram_active_mean")
        memory = ("memory_max_bytes", "memory_min_bytes", "memory_first_hour_bytes", "memory_total_bytes")
        return conform("gpu_profiles", {
            **self.part, "gpu_key": np.arange(count) + 1, "container_key": self.pods.key[places], "told_s": 86_400.0,
            "observed_s": 86_400.0, "engine_s": 86_400.0, "busy_samples": np.full(count, 1440),
            **{f"busy_{name}": busy for name in ("mean", "p50", "p95", "p99", "max")}, "busy_sketch_buckets": buckets,
            "busy_sketch_ms": ms, "busy_hourly_max": hourly, **dict.fromkeys(told, 0.3), **dict.fromkeys(memory, 6e10),
            **{f"power_{name}_watts": 200.0 for name in ("mean", "min", "max")},
        })  # fmt: skip

    def energy(self) -> pa.Table:
        fleet = self.fleet
        parts = []
        for source, places in (("gpu", np.flatnonzero(fleet.gpu)), ("kepler", np.arange(fleet.count))):
            rows = pa.array(places)
            parts.append(conform("energy", {
                **self.part, **self._owner(places), "source": source, "node": fleet.node_name.take(rows),
                "pod": self.pods.name.take(rows), "pod_uid": self.pods.uid.take(rows),
                "energy_kwh": 0.02 * self.hours[places], "occupied_hours": self.hours[places], "coverage": 1.0,
            }))  # fmt: skip
        return conform("energy", _stacked(parts))

    def autoscalers(self) -> pa.Table:
        place = np.arange(0, self.fleet.workloads, 10)
        return conform("autoscalers", {
            **self.part, "namespace": text("research-", self.fleet.space_of[place]), "autoscaler": text("hpa-", place),
            "workload_kind": "Deployment", "workload": text("workload-", place), "metric": "cpu",
            "target_type": "utilization", "target": 0.7,
        })  # fmt: skip

    def _keys(self) -> tuple[pa.Array, np.ndarray, np.ndarray]:
        """Of each namespace and key of a quota: the namespace, the number of the key, and what is asked for."""
        space = np.repeat(np.arange(self.fleet.spaces), len(SPACE_KEYS))
        key = np.tile(np.arange(len(SPACE_KEYS)), self.fleet.spaces)
        asked = np.array(list(SPACE_KEYS.values()))[key] * (0.5 + 0.01 * (space % 60))
        return text("research-", space), key, asked

    def quotas(self) -> pa.Table:
        space, key, asked = self._keys()
        names = np.array([name if name in _PLAIN else f"requests.{name}" for name in SPACE_KEYS], object)
        return conform("quotas", {
            **self.part, "namespace": space, "quota": "quota", "resource": pa.array(names[key]), "hard": 1.5 * asked,
            "used_mean": 0.8 * asked, "used_max": asked,
        })  # fmt: skip

    def demand(self) -> pa.Table:
        space, key, asked = self._keys()
        rows = pa.array(np.repeat(np.arange(len(key)), 24))
        hour = np.tile(np.arange(24), len(key))
        level = (
            np.repeat(asked, 24)
            * (1 + 0.2 * np.sin(hour / 24 * 2 * np.pi))
            * self.random.lognormal(0, 0.05, len(hour))
        )
        divided = np.repeat(key, 24) < 2
        counted = np.isin(np.repeat(key, 24), (2, 5))
        names = np.array(list(SPACE_KEYS), object)
        return conform("demand", {
            **self.part, "namespace": space.take(rows), "resource": pa.array(names[np.repeat(key, 24)]),
            "hour": self.day.window.start_ms + 3_600_000 * hour,
            "requests_max": level, "requests_mean": 0.9 * level,
            **{f"limits_{name}": pa.array(1.5 * level, mask=~divided) for name in ("max", "mean")},
            **{f"usage_{name}": pa.array(0.5 * level, mask=counted) for name in ("max", "mean")},
            "usage_coverage": pa.array(np.ones(len(level)), mask=counted),
        })  # fmt: skip

    def advice(self) -> pa.Table:
        fleet = self.fleet
        of = np.arange(fleet.workloads)
        first = np.minimum(np.searchsorted(fleet.workload, of), fleet.count - 1)
        owner = {
            name: self._owner(first)[name]
            for name in ("namespace", "workload_kind", "workload", "team", "class")
        }
        parts = []
        for resource, request in (("cpu", fleet.cpu_request), ("memory", bytes_of(fleet.memory_request))):
            cut = of % 5 < 3
            monthly = micros(
                PRICES[resource],
                730.0 * (fleet.cpu_request, fleet.memory_request)[resource == "memory"][first],
            )
            refused = np.array(["near_enough", "too_little_data"], object)[of % 2]
            parts.append(conform("advice", {
                **self.part, **owner, "container": "main", "resource": resource, "action": "request", "replicas": 10.0,
                "current_request": request[first], "proposed_request": pa.array(0.6 * request[first], mask=~cut),
                "current_limit": None, "proposed_limit": None,
                "reason": pa.array(np.where(cut, "usage_below_request", refused).astype(object), pa.string()),
                "evidence": "measured", "policy": "costlab:p95", "evidence_days": np.full(fleet.workloads, 14),
                "coverage": 0.99, "violation_rate": pa.array(np.full(fleet.workloads, 0.01), mask=~cut),
                "promised_rate": pa.array(np.full(fleet.workloads, 0.02), mask=~cut), "monthly_cost": monthly,
                "monthly_saving_gross": pa.array(monthly * 2 // 5, mask=~cut),
                "monthly_saving_net": pa.array(monthly // 5, mask=~cut), "currency": "USD",
                "facts": [[("hours", "24")]] * fleet.workloads,
            }))  # fmt: skip
        return conform("advice", _stacked(parts))

    def quota_advice(self) -> pa.Table:
        space, key, asked = self._keys()
        names = np.array([name if name in _PLAIN else f"requests.{name}" for name in SPACE_KEYS], object)
        count = len(key)
        return conform("quota_advice", {
            **self.part, "namespace": space, "resource": pa.array(names[key]), "quotas": [["quota"]] * count,
            "spelled": [[name] for name in names[key]], "hard_now": 1.5 * asked, "used_now": np.zeros(count),
            "used_p99": asked, "used_peak": asked, "expected_peak": 1.1 * asked, "suggested_hard": 1.5 * asked,
            "suggested_after": None, "exhausted_on": None, "exhausted_earliest": None, "reason": "fits",
            "evidence_days": np.full(count, 28),
        })  # fmt: skip

    def findings(self) -> pa.Table:
        count = 20
        return conform("findings", {
            **self.part, "rule": "usage_unobserved", "severity": "warning", "subject": text("research-", np.arange(count)),
            "message": "usage was not observed", "amount": np.full(count, 1_000_000),
        })  # fmt: skip

    def bills(self) -> pa.Table:
        count = self.fleet.nodes
        month = self.start.replace(day=1)
        return conform("bills", {
            **self.part, "billing_account": "1234", "billing_start": pa.array([month] * count),
            "resource_id": text("i-", np.arange(count)), "resource_name": None, "service": "Compute",
            "category": "Usage", "charge_class": None, "start": pa.array([self.start] * count),
            "end": pa.array([self.end] * count), "cost": np.full(count, 400_000_000), "cost_kind": "EffectiveCost",
            "currency": "USD", "file": "bill.csv",
        })  # fmt: skip

    def container_usage(self) -> Iterator[pa.Table]:
        """Every scrape of the day, some containers at a time, in the order of their keys."""
        order = np.argsort(self.pods.key)
        for begun in range(0, len(order), USED_AT_ONCE):
            places = order[begun : begun + USED_AT_ONCE]
            count = np.maximum(self.lasted_s[places] // SCRAPE_S, 1)
            place = np.repeat(places, count)
            number = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
            at = self.day.window.start_ms + 1000 * (self.began_s[place] + SCRAPE_S * number)
            noise = self.random.standard_normal(len(place)).astype(np.float32)
            cores = (self.fleet.cpu_request * self.used)[place] * np.exp(0.4 * noise)
            held = (bytes_of(self.fleet.memory_request) * self.used)[place] * (1 + 0.02 * noise)
            yield conform("container_usage", {
                **self.part, "container_key": self.pods.key[place], "ts": at, "dt_s": float(SCRAPE_S),
                "cpu_cores": cores, "memory_bytes": held,
            })  # fmt: skip

    def gpu_usage(self) -> pa.Table:
        places = np.flatnonzero(self.fleet.gpu)
        scrapes = 86_400 // SCRAPE_S
        gpu, number = np.repeat(np.arange(len(places)), scrapes), np.tile(np.arange(scrapes), len(places))
        return conform("gpu_usage", {
            **self.part, "gpu_key": gpu + 1, "container_key": self.pods.key[places][gpu],
            "ts": self.day.window.start_ms + 1000 * SCRAPE_S * number, "dt_s": float(SCRAPE_S),
            "busy_ratio": self.random.random(len(gpu)), "memory_used_bytes": 6e10, "power_watts": 250.0,
        })  # fmt: skip


_PLAIN = ("pods", "persistentvolumeclaims")


def _stacked(tables: list[pa.Table]) -> dict[str, Any]:
    """The columns of several tables, one below the other."""
    whole = pa.concat_tables(tables)
    return {name: whole.column(name) for name in whole.column_names}


def _joined(one: Any, other: Any) -> Any:
    return pa.concat_arrays([one, other]) if isinstance(one, pa.Array) else np.concatenate([one, other])


def _run() -> dict[str, Any]:
    none: dict[str, str] = {}
    return {
        "status": DayState.COMPLETE.value, "coverage": 0.99,
        "signals": {"cpu_seconds": "72000000", "memory_bytes": "72000000", "gpu_engine_active": "1440000"},
        "signal_coverage": {"cpu": "0.99", "memory": "0.99", "gpu": "1"}, "scrape_interval_s": none,
        "samples": 145_000_000, "source": "made up", "engine": "none", "limits": none, "warnings": [],
        "costlab_version": __version__, "config_hash": "", "prices_hash": "", "forced": None, "unrecorded": None,
    }  # fmt: skip


if __name__ == "__main__":
    main()

"""A lake's content, made up and seeded: up to 20 nodes that come and go, seven teams, 40 workloads, 53 days.

Its story: a training job of nlp-research doubled on the last day; a node of eight A100s has stood idle since;
one day is missing and one was measured badly. Every node's charges add up to its price by construction.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.domain.identity import stable_key
from costlab.domain.tables import TABLES
from costlab.store.schema import arrow_schema

CLUSTER = "prod"
LAST_DAY = date(2026, 11, 22)
FIRST_DAY = date(2026, 10, 1)
MISSING = date(2026, 11, 4)
INCOMPLETE = date(2026, 11, 12)
STUCK = "a100-08"  # the autoscaler removes empty nodes; this one it could not

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes that are alike; `system` is the share of CPU and memory that pods cannot have."""

    name: str
    nodes: int
    cpu: float
    memory_gib: float
    gpus: int = 0
    model: str | None = None
    gpu_price: float = 2.5
    system: float = 0.04


@dataclass(frozen=True, slots=True)
class Work:
    """A workload: what each of its pods asks, how much of that it uses, on which weekdays it runs."""

    team: str
    namespace: str
    kind: str
    name: str
    klass: str
    pool: str
    pods: int
    cpu: float
    memory_gib: float
    gpus: float = 0
    used: float = 0.5
    busy: float = 0.5
    hours: float = 24
    weekend: bool = True


POOLS = (
    Pool("a100", 8, 96, 512, 8, "NVIDIA A100-SXM4-80GB", 4.1),
    Pool("l4", 8, 32, 128, 4, "NVIDIA L4", 0.9),
    Pool("cpu", 20, 32, 128),
)
_UNIT = {"cpu": "core_hour", "memory": "gib_hour", "gpu": "gpu_hour"}
_PRICE = {"cpu": 0.1, "memory": 0.05}

WORK = (
    Work("nlp-research", "nlp", "Job", "train-llm-7b", "training", "a100", 1, 32, 256, 8, 0.62, 0.83),
    Work("nlp-research", "nlp", "Job", "finetune-support", "training", "a100", 1, 16, 128, 4, 0.5, 0.71, 16),
    Work("nlp-research", "nlp", "StatefulSet", "notebooks", "notebook", "a100", 4, 4, 32, 1, 0.15, 0.06),
    Work("nlp-research", "nlp", "CronJob", "tokenise-corpus", "batch", "cpu", 3, 8, 24, 0, 0.8, 0, 6),
    Work("nlp-research", "nlp", "Deployment", "embedding-api", "inference", "l4", 2, 4, 16, 1, 0.35, 0.42),
    Work("vision", "vision", "Job", "train-detector", "training", "a100", 1, 24, 192, 4, 0.55, 0.77, 20),
    Work(
        "vision",
        "vision",
        "Job",
        "train-segmenter",
        "training",
        "a100",
        1,
        24,
        192,
        4,
        0.5,
        0.64,
        weekend=False,
    ),
    Work("vision", "vision", "StatefulSet", "labelling-notebooks", "notebook", "l4", 2, 4, 24, 1, 0.1, 0.04),
    Work("vision", "vision", "Deployment", "detector-serving", "inference", "l4", 3, 6, 16, 1, 0.4, 0.55),
    Work("vision", "vision", "CronJob", "augment-images", "batch", "cpu", 2, 12, 32, 0, 0.75, 0, 5),
    Work("vision", "vision", "Deployment", "image-cache", "service", "cpu", 2, 2, 24, 0, 0.3),
    Work("recsys", "recsys", "Deployment", "ranker", "inference", "l4", 4, 8, 24, 1, 0.55, 0.61),
    Work("recsys", "recsys", "Deployment", "candidate-retrieval", "service", "cpu", 6, 4, 16, 0, 0.42),
    Work("recsys", "recsys", "CronJob", "retrain-ranker", "training", "a100", 1, 16, 128, 2, 0.6, 0.7, 4),
    Work("recsys", "recsys", "CronJob", "feature-backfill", "batch", "cpu", 4, 8, 32, 0, 0.85, 0, 3),
    Work("recsys", "recsys", "StatefulSet", "feature-store", "service", "cpu", 3, 4, 32, 0, 0.28),
    Work("speech", "speech", "Job", "train-asr", "training", "a100", 1, 16, 160, 4, 0.5, 0.52),
    Work("speech", "speech", "Deployment", "asr-streaming", "inference", "l4", 3, 4, 12, 1, 0.3, 0.22),
    Work("speech", "speech", "StatefulSet", "notebooks", "notebook", "a100", 2, 4, 32, 1, 0.08, 0.02),
    Work("speech", "speech", "CronJob", "transcribe-archive", "batch", "l4", 1, 4, 16, 1, 0.6, 0.88, 8),
    Work("speech", "speech", "Deployment", "lexicon", "service", "cpu", 2, 1, 4, 0, 0.2),
    Work("data-eng", "airflow", "Deployment", "airflow-scheduler", "service", "cpu", 2, 2, 8, 0, 0.35),
    Work("data-eng", "airflow", "StatefulSet", "airflow-worker", "batch", "cpu", 6, 4, 16, 0, 0.45),
    Work("data-eng", "spark", "Job", "spark-daily-etl", "batch", "cpu", 5, 8, 32, 0, 0.7, 0, 7),
    Work("data-eng", "spark", "Job", "spark-sessionise", "batch", "cpu", 3, 8, 32, 0, 0.66, 0, 4),
    Work("data-eng", "kafka", "StatefulSet", "kafka", "service", "cpu", 3, 4, 32, 0, 0.33),
    Work("data-eng", "kafka", "Deployment", "schema-registry", "service", "cpu", 2, 1, 2, 0, 0.12),
    Work("data-eng", "dbt", "CronJob", "dbt-run", "batch", "cpu", 1, 4, 8, 0, 0.5, 0, 2),
    Work("platform", "monitoring", "StatefulSet", "prometheus", "service", "cpu", 2, 8, 48, 0, 0.6),
    Work("platform", "monitoring", "Deployment", "grafana", "service", "cpu", 1, 1, 2, 0, 0.1),
    Work("platform", "monitoring", "DaemonSet", "node-exporter", "service", "cpu", 6, 0.1, 0.25, 0, 0.3),
    Work("platform", "ingress", "Deployment", "ingress-nginx", "service", "cpu", 3, 2, 4, 0, 0.25),
    Work("platform", "kube-system", "Deployment", "coredns", "service", "cpu", 2, 0.5, 0.5, 0, 0.2),
    Work("platform", "registry", "StatefulSet", "registry", "service", "cpu", 1, 2, 16, 0, 0.3),
    Work("platform", "mlflow", "Deployment", "mlflow", "service", "cpu", 2, 2, 8, 0, 0.15),
    Work("platform", "jupyter", "Deployment", "jupyterhub", "service", "cpu", 1, 1, 4, 0, 0.2),
    Work("unallocated", "default", "Pod", "debug-shell", "service", "cpu", 1, 2, 8, 0, 0.01),
    Work("unallocated", "default", "Deployment", "old-demo", "inference", "l4", 1, 4, 16, 1, 0.02, 0.0),
    Work("unallocated", "sandbox", "StatefulSet", "scratch", "notebook", "cpu", 2, 4, 32, 0, 0.05),
    Work(
        "unallocated",
        "sandbox",
        "Job",
        "hpo-sweep",
        "training",
        "a100",
        2,
        4,
        48,
        1,
        0.4,
        0.35,
        10,
        weekend=False,
    ),
)


def world(
    last_day: date = LAST_DAY, work: tuple[Work, ...] = WORK, first_day: date = FIRST_DAY
) -> dict[str, pa.Table]:
    """The tables of all days from `first_day` to `last_day`, as the lake holds them."""
    rows: Rows = {name: [] for name in TABLES}
    for offset in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=offset)
        if day != MISSING:
            _add_day(rows, day, work, last=day == last_day)
    return {name: pa.Table.from_pylist(rows[name], schema=arrow_schema(name)) for name in TABLES}


def _add_day(rows: Rows, day: date, work: tuple[Work, ...], *, last: bool) -> None:
    rng = np.random.default_rng(day.toordinal())
    part = {"cluster": CLUSTER, "date": day}
    coverage = 0.71 if day == INCOMPLETE else 0.996
    free = {
        f"{pool.name}-{number + 1:02d}": _Node(pool, f"{pool.name}-{number + 1:02d}")
        for pool in POOLS
        for number in range(pool.nodes)
    }
    for item in work:
        if item.weekend or day.weekday() < 5:
            _place(rows["charges"], part, _story(item, day), free, rng, coverage)
    for node in free.values():
        if node.billed_hours["cpu"] or (node.name == STUCK and day > LAST_DAY - timedelta(days=9)):
            node.close(rows, part, day, rng)
    _beside(rows, part, day)
    _meter(rows, part)
    if last:
        _advise(rows["advice"], part, work)
    _add_run(rows, part, coverage)


def _meter(rows: Rows, part: dict[str, Any]) -> None:
    """What the day's GPUs used: 60 W each, and 300 W more while they are busy; that of idle ones is nobody's."""
    owner = ("namespace", "workload_kind", "workload", "pod", "pod_uid", "container", "team", "class")
    for row in rows["charges"]:
        if row["date"] == part["date"] and row["resource"] == "gpu" and row["kind"] != "system":
            held = row["kind"] == "workload"
            busy = float(row["cost_used"] / row["cost"]) if held else 0.0
            kwh = round((0.06 + 0.3 * busy) * row["billed_quantity"], 3)
            whose = {name: row[name] for name in owner} if held else {}
            seen = {"occupied_hours": row["billed_quantity"], "coverage": row["coverage"]} if held else {}
            rows["energy"].append(
                {**part, **whose, **seen, "source": "gpu", "node": row["node"], "energy_kwh": kwh}
            )


def _beside(rows: Rows, part: dict[str, Any], day: date) -> None:
    """What stands beside nodes: a volume for each StatefulSet, one that nobody mounts, and a fee."""
    start = datetime.combine(day, time(), UTC)
    common = {**part, "currency": "USD"}
    for number, item in enumerate((*(item for item in WORK if item.kind == "StatefulSet"), None)):
        gib, price = 400.0 + 350 * (number % 4), 0.00011
        owner = {
            "namespace": item.namespace, "team": item.team, "workload_kind": item.kind, "workload": item.name,
            "pod": f"{item.name}-0", "pod_uid": f"uid-{item.namespace}-{item.name}-0-{day}", "class": item.klass,
        } if item else {"namespace": "sandbox", "team": "unallocated"}  # fmt: skip
        claim = f"data-{item.name}-0" if item else "old-results"
        cost = _money(round(gib * 24 * price * 1e6))
        rows["volumes"].append(
            {
                **part, "namespace": owner["namespace"], "claim": claim, "volume": f"pvc-{number}", "start": start,
                "end": start + timedelta(days=1), "class": "fast-ssd", "team": owner["team"],
                "requested_bytes": gib * 2**30, "used_bytes": 0.4 * gib * 2**30, "mounted_hours": 24.0 if item else 0.0,
                "price": price, "cost": cost,
            }
        )  # fmt: skip
        rows["charges"].append(
            {
                **common, **owner, "kind": "volume", "resource": "storage", "item": claim, "unit": "gib_hour",
                "requested_quantity": gib * 24, "billed_quantity": gib * 24, "unit_price": price, "cost": cost,
            }
        )  # fmt: skip
    rows["charges"].append(
        {
            **common, "kind": "fee", "resource": "fee", "item": "control plane", "unit": "hour",
            "billed_quantity": 24.0, "unit_price": 0.1, "cost": _money(2_400_000),
        }
    )  # fmt: skip


def _advise(advice: list[dict[str, Any]], part: dict[str, Any], work: tuple[Work, ...]) -> None:
    """What the day's workloads should request: enough for what they use, and a quarter; of jobs little is known yet."""
    for place, item in enumerate(work):
        for resource, want in (("cpu", item.cpu), ("memory", item.memory_gib)):
            month = item.pods * want * item.hours / 24 * 730 * _PRICE[resource]
            need = want * (item.used * 1.25 if item.kind != "CronJob" else item.used * 1.5)
            unknown, near = item.kind == "Job", abs(need / want - 1) < 0.05
            saving = None if unknown or near else month * (1 - need / want)
            net = saving if saving is None or saving < 0 else saving * (0.4 if item.pool == "cpu" else 0)
            unit = 2.0**30 if resource == "memory" else 1.0
            size = need if resource == "cpu" else np.ceil(need * 1024) / 1024
            proposed = None if saving is None else float(round(size, 3) if resource == "cpu" else size) * unit
            guaranteed = item.kind == "StatefulSet"
            advice.append(
                {
                    **part, "namespace": item.namespace, "workload_kind": item.kind, "workload": item.name,
                    "container": "main", "resource": resource, "action": "request", "team": item.team,
                    "class": item.klass, "replicas": item.pods * item.hours / 24, "current_request": want * unit,
                    "proposed_request": proposed, "current_limit": want * unit if guaranteed else None,
                    "proposed_limit": proposed if guaranteed else None,
                    "reason": "too_little_data" if unknown else "near_enough" if near
                    else "usage_below_request" if need < want else "usage_above_request",
                    "evidence": "refused" if unknown else "measured", "policy": "costlab: peak × 1.15",
                    "evidence_days": 1 if unknown else 14, "coverage": 0.996,
                    "violation_rate": None if unknown else place % 4 / 100,
                    "promised_rate": None if unknown else (place % 4 + 1 + place % 2) / 100,
                    "monthly_cost": _money(round(month * 1e6)),
                    "monthly_saving_gross": None if saving is None else _money(round(saving * 1e6)),
                    "monthly_saving_net": None if net is None else _money(round(net * 1e6)),
                    "currency": "USD", "facts": [],
                }
            )  # fmt: skip
    first = next((item for item in work if item.busy < 0.03 and item.gpus), None)
    if first:
        month = first.pods * first.gpus * 730 * 0.9
        advice.append(
            {
                **part, "namespace": first.namespace, "workload_kind": first.kind, "workload": first.name,
                "container": "main", "resource": "gpu", "action": "idle", "team": first.team, "class": first.klass,
                "replicas": float(first.pods), "current_request": float(first.gpus), "proposed_request": None,
                "current_limit": None, "proposed_limit": None, "reason": "advised", "evidence": "measured",
                "policy": "costlab: idle", "evidence_days": 14, "coverage": 0.996, "violation_rate": None,
                "promised_rate": None, "monthly_cost": _money(round(month * 1e6)),
                "monthly_saving_gross": _money(round(month * 1e6)), "monthly_saving_net": _money(0),
                "currency": "USD", "facts": [],
            }
        )  # fmt: skip


def _story(item: Work, day: date) -> Work:
    if item.name == "train-llm-7b" and day == LAST_DAY:
        return replace(item, pods=2)
    if item.name == "train-asr" and day > LAST_DAY - timedelta(days=7):
        return replace(item, busy=0.31)
    if item.name == "hpo-sweep" and day.month == 10:
        return replace(item, pods=5)
    return item


class _Node:
    """A node of the day while pods are put on it."""

    def __init__(self, pool: Pool, name: str) -> None:
        self.pool, self.name = pool, name
        self.capacity = {"cpu": pool.cpu, "memory": pool.memory_gib, "gpu": float(pool.gpus)}
        self.allocatable = {r: k * (1 if r == "gpu" else 1 - pool.system) for r, k in self.capacity.items()}
        self.price = {**_PRICE, "gpu": pool.gpu_price}
        self.left = dict(self.allocatable)
        self.billed_hours = {"cpu": 0.0, "memory": 0.0, "gpu": 0.0}
        self.billed_micros = {"cpu": 0, "memory": 0, "gpu": 0}
        self.devices: list[tuple[float, float]] = []  # (hours allocated, busy while allocated)

    def close(self, rows: Rows, part: dict[str, Any], day: date, rng: np.random.Generator) -> None:
        total_micros = {r: round(k * 24 * self.price[r] * 1e6) for r, k in self.capacity.items()}
        for resource in ("cpu", "memory", "gpu"):
            if self.capacity[resource]:
                rows["charges"].extend(self._nobodys(part, resource, total_micros[resource]))
        start = datetime.combine(day, time(), UTC)
        rows["nodes"].append(
            {
                **part,
                "node": self.name,
                "start": start,
                "end": start + timedelta(days=1),
                "cpu_capacity": self.pool.cpu,
                "memory_capacity": self.pool.memory_gib * 2**30,
                "gpu_capacity": float(self.pool.gpus),
                "cpu_allocatable": self.allocatable["cpu"],
                "memory_allocatable": self.allocatable["memory"] * 2**30,
                "gpu_allocatable": float(self.pool.gpus),
                "gpu_model": self.pool.model,
                "labels": [],
                "capacity_type": "on-demand",
                "cpu_price": self.price["cpu"],
                "memory_price": self.price["memory"],
                "gpu_price": self.price["gpu"] if self.pool.gpus else None,
                "price_source": "gpu_model" if self.pool.gpus else "default",
                **{f"{r}_cost": _money(total_micros[r]) for r in total_micros},
            }
        )
        for index in range(self.pool.gpus):
            rows["gpus"].append(self._device(part, index, rng))

    def _nobodys(self, part: dict[str, Any], resource: str, total_micros: int) -> list[dict[str, Any]]:
        system_hours = (self.capacity[resource] - self.allocatable[resource]) * 24
        idle_hours = self.allocatable[resource] * 24 - self.billed_hours[resource]
        system_micros = round(system_hours * self.price[resource] * 1e6)
        idle_micros = total_micros - system_micros - self.billed_micros[resource]
        return [
            {
                **part,
                "kind": kind,
                "resource": resource,
                "node": self.name,
                "unit": _UNIT[resource],
                "billed_quantity": hours,
                "unit_price": self.price[resource],
                "cost": _money(micros),
                "currency": "USD",
            }
            for kind, hours, micros in (
                ("idle", idle_hours, idle_micros),
                ("system", system_hours, system_micros),
            )
        ]

    def _device(self, part: dict[str, Any], index: int, rng: np.random.Generator) -> dict[str, Any]:
        hours, busy = self.devices[index] if index < len(self.devices) else (0.0, 0.0)
        mean = busy * hours / 24
        memory_gib = 80 if self.pool.name == "a100" else 24
        return {
            **part,
            "gpu_key": stable_key(self.name, str(index)),
            "uuid": f"GPU-{stable_key('uuid', self.name, str(index)):016x}",
            "gpu_index": str(index),
            "model": self.pool.model,
            "node": self.name,
            "observed_hours": 23.9,
            "allocated_hours": min(hours, 23.9),
            "busy_mean": mean,
            "busy_p95": 0.0 if busy < 0.03 else min(1.0, busy + 0.2),
            "busy_max": 0.0 if busy < 0.03 else min(1.0, busy + 0.3),
            "memory_max_bytes": (0.5 + busy * memory_gib * rng.uniform(0.8, 1.0)) * 2**30,
            "memory_total_bytes": memory_gib * 2.0**30,
            "energy_kwh": round((0.06 + 0.3 * mean) * 24, 3),
            "gpu_share": 1.0,
        }


def _place(
    charges: list[dict[str, Any]],
    part: dict[str, Any],
    item: Work,
    nodes: dict[str, _Node],
    rng: np.random.Generator,
    coverage: float,
) -> None:
    """Put the pods of a workload on the first nodes with room, and charge them."""
    wants = {"cpu": item.cpu, "memory": item.memory_gib, "gpu": item.gpus}
    for number in range(item.pods):
        node = next(
            n
            for n in nodes.values()
            if n.pool.name == item.pool and all(n.left[r] >= wants[r] for r in wants)
        )
        hours = 24.0 if item.hours == 24 else float(np.clip(item.hours * rng.uniform(0.85, 1.15), 0.5, 24))
        busy = float(np.clip(item.busy * rng.uniform(0.95, 1.05), 0, 1))
        node.devices += [(hours, busy)] * int(item.gpus)
        name = item.name if item.kind == "Pod" else f"{item.name}-{number}"
        for resource, want in wants.items():
            node.left[resource] -= want
            if want:
                used = busy if resource == "gpu" else float(np.clip(item.used * rng.uniform(0.9, 1.1), 0, 1))
                quantity = want * hours
                seen_micros = round(quantity * node.price[resource] * coverage * 1e6)
                used_micros = round(seen_micros * used)
                dark_micros = round(quantity * node.price[resource] * (1 - coverage) * 1e6)
                node.billed_hours[resource] += quantity
                node.billed_micros[resource] += seen_micros + dark_micros
                charges.append(
                    {
                        **part,
                        "kind": "workload",
                        "resource": resource,
                        "node": node.name,
                        "namespace": item.namespace,
                        "workload_kind": item.kind,
                        "workload": item.name,
                        "pod": name,
                        "pod_uid": f"uid-{item.namespace}-{name}-{part['date']}",
                        "container": "main",
                        "team": item.team,
                        "class": item.klass,
                        "unit": _UNIT[resource],
                        "requested_quantity": quantity,
                        "used_quantity": quantity * used * coverage,
                        "billed_quantity": quantity,
                        "unit_price": node.price[resource],
                        "cost": _money(seen_micros + dark_micros),
                        "cost_used": _money(used_micros),
                        "cost_unused": _money(seen_micros - used_micros),
                        "cost_unobserved": _money(dark_micros),
                        "currency": "USD",
                        "coverage": coverage,
                    }
                )


def _add_run(rows: Rows, part: dict[str, Any], coverage: float) -> None:
    rows["findings"] += [
        {**part, "rule": rule, "severity": severity, "subject": subject, "message": message, "amount": amount}
        for rule, severity, subject, message, amount in (
            (
                "unallocated_gpu_time",
                "warning",
                STUCK,
                "8 GPUs were given to no pod all day.",
                Decimal("787.2"),
            ),
            ("no_requests", "info", "default/debug-shell", "Container main sets no memory limit.", None),
            ("gap", "info", "cAdvisor on l4-03", "No samples from 03:10 to 03:15.", None),
        )
    ]
    usage = ("cpu_seconds", "memory_bytes", "gpu_engine_active")
    others = ("container_request", "node_capacity", "pod_info", "pod_phase")
    rows["runs"].append(
        {
            **part,
            "status": "complete" if coverage > 0.9 else "incomplete",
            "coverage": coverage,
            "signals": [(name, str(172800 + 1440 * len(name))) for name in sorted(usage + others)],
            "signal_coverage": [(name, str(coverage)) for name in ("cpu", "memory", "gpu")],
            "scrape_interval_s": [(name, "30" if name in usage else "60") for name in sorted(usage + others)],
            "samples": 1_412_640,
            "source": "Prometheus 2.42.0",
            "engine": "json",
            "limits": [("query.max-samples", "50000000")],
            "warnings": [],
            "costlab_version": "0.1.0",
            "config_hash": "6f1c9a40" * 8,
            "prices_hash": "b2d7e513" * 8,
            "content": [],
            "files": [],
            "versions": [],
        }
    )


def _money(micros: int) -> Decimal:
    return Decimal(micros).scaleb(-6)

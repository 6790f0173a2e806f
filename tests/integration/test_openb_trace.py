"""The published openb trace of an ML cluster, through the core: its hours and their money are those of the trace.

It is not part of the project: the test runs where a folder `shared` lies beside the checkout, or at
$COSTLAB_SHARED_DATA.
"""

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from costlab.config.settings import Settings
from costlab.domain.time import Day, Window
from costlab.domain.units import GIB
from costlab.jobs.charges import charge_day
from costlab.jobs.commit import check
from costlab.jobs.machines import Machine, Size
from costlab.jobs.observed import usage_in
from costlab.jobs.pricing import nodes_table
from costlab.store.schema import conform, empty

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
STUDY = SHARED / "data" / "study"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not STUDY.exists(), reason="the traces are not on this machine"),
]
CLUSTER, NODE, FIRST = "openb", "all-nodes", date(2023, 1, 1)
MIB = 2**20
# The sum of request times (deletion less scheduling) over the 7,255 pods that were scheduled.
HOURS = {"gpu": 51_471, "cpu": 696_260, "memory": 1_724_883}
MONEY = 284_548  # at 2.5, 0.1 and 0.05


def test_openb_hours_and_money_are_those_of_the_trace() -> None:
    pods = pd.read_parquet(STUDY / "openb_pods_gpuspec33.parquet").dropna(subset="scheduled_time")
    # The trace does not tell which node a pod ran on: one of the size of all of them has room for every pod.
    size = pd.read_parquet(STUDY / "openb_nodes.parquet")[["cpu_milli", "memory_mib", "gpu"]].sum()
    cores, memory_bytes, gpus = size["cpu_milli"] / 1000, size["memory_mib"] * float(MIB), float(size["gpu"])
    had = Size(cores, memory_bytes, gpus)
    origin_ms = Day(FIRST).window.start_ms
    billed, cost, total = dict.fromkeys(HOURS, 0.0), 0.0, 0.0
    last_day = int(pods["deletion_time"].max() // 86_400)
    for number in range(last_day + 1):
        day = Day(FIRST + timedelta(days=number))
        window = day.window
        machine = Machine(NODE, window.start_ms, window.end_ms, had, had, None, {})
        tables = {
            "nodes": nodes_table([machine], Settings(), CLUSTER, day),
            "containers": containers(pods, origin_ms, window, day),
            **{name: empty(name) for name in ("pods", "volumes", "container_usage", "gpu_usage", "gpus")},
        }
        charges, _ = charge_day(tables, tables["gpu_usage"], usage_in(tables, day), Settings(), CLUSTER, day)
        check({**tables, "charges": charges})
        workload = charges.filter(pc.equal(charges["kind"], "workload"))
        for resource in billed:
            mine = workload.filter(pc.equal(workload["resource"], resource))
            billed[resource] += pc.sum(mine["billed_quantity"]).as_py() or 0.0
        cost += float(pc.sum(workload["cost"]).as_py() or 0)
        total += float(pc.sum(charges["cost"]).as_py())

    assert billed == pytest.approx(HOURS, rel=1e-4)
    assert cost == pytest.approx(MONEY, rel=1e-4)
    hourly = cores * 0.1 + memory_bytes / GIB * 0.05 + gpus * 2.5
    assert total == pytest.approx(hourly * 24 * (last_day + 1), rel=1e-9)


def containers(pods: pd.DataFrame, origin_ms: int, window: Window, day: Day) -> pa.Table:
    start_ms = origin_ms + (pods["scheduled_time"].to_numpy() * 1000).astype(np.int64)
    end_ms = origin_ms + pods["deletion_time"].to_numpy() * 1000
    there = (start_ms < window.end_ms) & (end_ms > window.start_ms)
    mine = pods[there]
    share = (mine["num_gpu"] * mine["gpu_milli"] / 1000).to_numpy()
    none = mine["num_gpu"].to_numpy() == 0
    names = mine["name"].tolist()
    return conform(
        "containers",
        {
            "cluster": CLUSTER, "date": day.date, "container_key": mine.index.to_numpy().astype(np.int64),
            "pod_uid": names, "namespace": "openb", "workload_kind": "Pod", "workload": names, "pod": names,
            "container": "main", "node": NODE, "team": "unallocated", "class": "training",
            **{name: pa.nulls(len(mine), pa.string()) for name in ("pipeline", "pipeline_task", "pipeline_run")}, "labels": [[]] * len(mine),
            "start": np.maximum(start_ms[there], window.start_ms), "end": np.minimum(end_ms[there], window.end_ms),
            "cpu_request": mine["cpu_milli"].to_numpy() / 1000, "memory_request": mine["memory_mib"].to_numpy() * float(MIB),
            "cpu_limit": pa.nulls(len(mine), pa.float64()), "memory_limit": pa.nulls(len(mine), pa.float64()),
            "gpu_resource": pa.array([None if n else "nvidia_com_gpu" for n in none], pa.string()),
            "gpu_request": pa.array(mine["num_gpu"].to_numpy().astype(float), mask=none),
            "gpu_share": pa.array(share, mask=none),
            **{name: pa.nulls(len(mine), pa.int64()) for name in ("restarts", "oom_kills")},
            **{name: pa.nulls(len(mine), pa.float64()) for name in ("cpu_periods", "cpu_throttled_periods")},
        },
    )  # fmt: skip

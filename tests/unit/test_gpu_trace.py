"""A published trace that has nothing but utilisation: it may say idle, and never what size would do.

It is not part of the project: the test runs where a folder `shared` lies beside the checkout, or at
$COSTLAB_SHARED_DATA.
"""

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_world import DAY, START, Measured, World

from costlab.domain.signals import Signal
from costlab.jobs.rightsizing.gpus import gpu_advice
from costlab.store.warehouse import Warehouse

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
TRACE = SHARED / "data" / "study" / "gentd26_pods.parquet"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not TRACE.exists(), reason="the trace is not on this machine"),
]


def test_utilisation_says_idle_or_not_and_no_size() -> None:
    """GenTD26: 80 pods with a GPU, of at most 22.8 hours; a day of it is too short, the same day twice is not."""
    trace = pd.read_parquet(TRACE).dropna(subset="gpu_duty_cycle_pct").sort_values(["container_ip", "ts_s"])
    shift_s = START // 1000 + 600 - int(trace["ts_s"].min())
    world = World().node(nvidia_com_gpu=80.0)
    for number, (pod, its) in enumerate(trace.groupby("container_ip")):
        name, at_s = f"p{number}", its["ts_s"].to_numpy() + shift_s
        world.pod(name, requests={"nvidia_com_gpu": 1.0})
        labels = {"gpu_uuid": str(pod), "node": "n1", "namespace": "ns", "pod": name, "container": "app"}
        duty = dict(zip((at_s * 1000).tolist(), (its["gpu_duty_cycle_pct"] / 100).tolist(), strict=True))
        for at_ms, ratio in duty.items():
            world.add(Signal.GPU_UTILIZATION, labels, ratio, at_ms, at_ms + 1)
    day = Measured(world)
    rows = {name: table for name, table in day.tables.items() if isinstance(table, pa.Table)}

    once = gpu_advice(Warehouse.over_tables(rows), "test", DAY, 1).to_pylist()
    assert Counter(row["reason"] for row in once) == {"too_little_data": 80}

    def tomorrow(table: pa.Table) -> pa.Table:
        later = pa.array(np.full(table.num_rows, DAY.date + timedelta(days=1)), pa.date32())
        place = table.schema.get_field_index("date")
        return pa.concat_tables([table, table.set_column(place, table.schema.field(place), later)])

    twice = gpu_advice(
        Warehouse.over_tables({name: tomorrow(table) for name, table in rows.items()}), "test", DAY.next, 2
    ).to_pylist()
    said = Counter((row["action"], row["reason"], row["evidence"]) for row in twice)
    # By the trace alone: 99 samples of 100 are below 1 %, of 12 hours or more.
    pods = trace.groupby("container_ip")["gpu_duty_cycle_pct"]
    seen_hours = trace.groupby("container_ip")["ts_s"].agg(
        lambda at_s: (at_s.diff().clip(upper=300).sum() + 60) / 3600
    )
    idle = (pods.quantile(0.99, interpolation="higher") < 1) & (seen_hours >= 12)
    assert said["idle", "advised", "indicated"] == idle.sum() == 1
    assert said["smaller", "too_little_data", "refused"] == (seen_hours < 12).sum() == 17
    assert said["mig", "missing_metric", "refused"] == 80 - 18
    assert {row["evidence"] for row in twice} <= {"indicated", "refused"}
    assert all(row["monthly_saving_gross"] is None for row in twice)
    assert not any("mig_profile" in dict(row["facts"]) for row in twice)

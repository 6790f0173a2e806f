"""Published traces of real clusters, replayed into a real Prometheus: the totals are those of the traces.

They are not part of the project: the tests run where a folder `shared` lies beside the checkout, or at
$COSTLAB_SHARED_DATA.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from real_world import CLUSTER, settings_in

from costlab.domain.time import Day, day_of, days_between, instant
from costlab.jobs.measure import measure_day
from costlab.sources.prometheus import PrometheusSource
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.shared_data,
    pytest.mark.skipif(
        not (SHARED / "tools" / "replay.py").exists(), reason="the traces are not on this machine"
    ),
]
Replayed = Callable[..., Warehouse]


@pytest.fixture
def replayed(prometheus_server: Callable[..., str], tmp_path: Path) -> Replayed:
    """A warehouse over all days of a trace, extracted from a Prometheus that holds it."""

    def replay(kind: str, data: str, days: tuple[Day, ...], *options: str, max_gap: str = "5m") -> Warehouse:
        text = tmp_path / "trace.om"
        tool = SHARED / "tools" / "replay.py"
        subprocess.run(
            [sys.executable, tool, kind, SHARED / "data" / data, text, *options], check=True, timeout=300
        )
        settings = settings_in(
            tmp_path, prometheus_server(text), quality={"min_coverage": 0.0}, billing={"max_gap": max_gap}
        )
        text.unlink()
        lake = Lake.create(settings.lake)
        for day in days:
            measure_day(PrometheusSource(settings.clusters[0].prometheus), lake, settings, CLUSTER, day)
        return Warehouse.over(lake)

    return replay


def days_of(at_s: "pd.Series[float]") -> tuple[Day, ...]:
    first, last = (day_of(instant(int(t * 1000))) for t in (at_s.min(), at_s.max()))
    return days_between(first, last)


def one(warehouse: Warehouse, sql: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = warehouse.sql(sql).to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_nezha_cpu_is_the_integral_of_the_trace(replayed: Replayed) -> None:
    trace = pd.read_parquet(SHARED / "data" / "open" / "nezha_pods.parquet")
    trace = trace[
        (trace["trace_day"] == "2022-08-22") & (trace["memory_usage_mib"] > 0)
    ]  # 0 stands for no sample
    trace = trace.assign(at_s=trace["time_utc"].to_numpy().astype("datetime64[ms]").astype(np.int64) / 1000)
    trace = trace.drop_duplicates(["pod", "at_s"]).sort_values(["pod", "at_s"])
    lasted_s = trace.groupby("pod")["at_s"].diff()
    core_hours = (trace["cpu_usage_millicores"] / 1000 * lasted_s)[lasted_s <= 300].sum() / 3600

    warehouse = replayed("nezha", "open/nezha_pods.parquet", days_of(trace["at_s"]), "--day", "2022-08-22")
    used = one(
        warehouse,
        "select sum(used_quantity) as hours from charges where resource = 'cpu' and used_quantity >= 0",
    )
    assert used["hours"] == pytest.approx(core_hours, rel=0.005)
    pods = one(warehouse, "select count(distinct pod) as n from charges where kind = 'workload'")
    assert pods["n"] == trace["pod"].nunique()


# GenTD26 has 90,752 samples of the duty cycle, 57 s apart: 1,436.9 h, the figure published with the trace, which lets
# every sample stand for its own scrape. By costlab's rule a sample holds until the next one, so that a missed scrape is no
# gap: between 1,637 pairs of neighbours some are missing, and 5 min of such a gap at most are 44.3 h more; the last
# samples of 80 pods hold for the 60 s that a pod lives after them, which is 0.1 h more than 57 s.
@pytest.mark.parametrize(
    ("max_gap_s", "gpu_hours", "duty"),
    [
        pytest.param(57, 1436.9, 0.0756, id="a sample is a scrape"),
        pytest.param(300, 1481.3, 0.0744, id="the default"),
    ],
)
def test_gentd26_gpu_hours_and_duty_are_those_of_the_trace(
    replayed: Replayed, max_gap_s: int, gpu_hours: float, duty: float
) -> None:
    trace = pd.read_parquet(SHARED / "data" / "study" / "gentd26_pods.parquet").dropna(
        subset="gpu_duty_cycle_pct"
    )
    trace = trace.drop_duplicates(["container_ip", "ts_s"]).sort_values(["container_ip", "ts_s"])
    missed_s = (trace.groupby("container_ip")["ts_s"].diff().clip(upper=max_gap_s) - 57).clip(lower=0).sum()
    more_s = 3 * trace["container_ip"].nunique()
    assert (len(trace) * 57 + missed_s + more_s) / 3600 == pytest.approx(gpu_hours, abs=0.1)

    days = days_of(trace["ts_s"] - 60)
    warehouse = replayed("gentd26", "study/gentd26_pods.parquet", days, max_gap=f"{max_gap_s}s")
    seen = one(
        warehouse,
        "select sum(dt_s) / 3600 as hours, sum(dt_s * busy_ratio) / sum(dt_s) as duty from gpu_usage "
        "where not isnan(busy_ratio)",
    )
    assert seen["hours"] == pytest.approx(gpu_hours, rel=0.001)
    assert seen["duty"] == pytest.approx(duty, abs=0.0001)

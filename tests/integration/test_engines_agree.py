"""One day, read by every engine and from a server that refuses most of what it is asked: identical lakes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from real_world import CLUSTER, settings_in

from costlab.config.servers import Prometheus
from costlab.domain.time import Day
from costlab.jobs.fetch import SpooledSource
from costlab.jobs.measure import measure_day
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.synthetic import SyntheticCluster
from costlab.store.lake import Lake
from costlab.store.runs import Run
from costlab.store.spool import Spool

pytestmark = pytest.mark.prometheus

# The three limits that a busy server has; with these, every metric of the day has to be asked for in many pieces.
CRIPPLED = ("--query.max-samples=20000", "--query.timeout=300ms", "--query.max-concurrency=1")


def measured(folder: Path, url: str, engine: str, day: Day) -> Run:
    """What `runs` says of the day, read by this engine by way of the spool."""
    settings = settings_in(folder)
    reading = Prometheus.model_validate({"url": url, "engine": engine, "timeout": 60.0})
    lake = Lake.create(folder / f"lake-{engine}")
    source = SpooledSource(PrometheusSource(reading), Spool(Path(str(lake.path)), CLUSTER, day))
    measure_day(source, lake, settings, CLUSTER, day)
    run = lake.run(CLUSTER, day)
    assert run is not None
    return run


def test_remote_read_and_json_and_a_crippled_server_give_one_lake(
    synthetic_cluster: SyntheticCluster,
    synthetic_prometheus: str,
    last_day_server: Callable[..., str],
    tmp_path: Path,
) -> None:
    day = synthetic_cluster.days[-1]
    runs = [measured(tmp_path, synthetic_prometheus, engine, day) for engine in ("remote-read", "json")]
    runs.append(measured(tmp_path / "crippled", last_day_server(*CRIPPLED), "json", day))
    assert [run["engine"] for run in runs] == ["remote-read", "json", "json"]
    assert runs[2]["limits"]["query.max-samples"] == "20000"
    assert runs[0]["content"] == runs[1]["content"] == runs[2]["content"]
    assert runs[0]["signals"] == runs[1]["signals"] == runs[2]["signals"]
    assert sum(map(int, runs[0]["signals"].values())) > 500_000

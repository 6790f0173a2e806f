"""A large night: a day of a real Prometheus whose shards are fetched by all workers is the day that one process measures."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from loopback import free_port
from real_world import CLUSTER, settings_in

from costlab.config.settings import Settings
from costlab.domain.errors import SourceUnavailable
from costlab.domain.signals import Signal
from costlab.domain.tables import TABLES
from costlab.domain.time import Day
from costlab.jobs.crew import Crew
from costlab.jobs.dask_crew import DaskCrew, dask_crew
from costlab.jobs.due import Asked
from costlab.jobs.fetch import shards_of, spooled
from costlab.jobs.nightly import nightly
from costlab.sources.synthetic import SyntheticCluster
from costlab.store.content import content_hash
from costlab.store.lake import Lake

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def day(synthetic_cluster: SyntheticCluster) -> Day:
    return synthetic_cluster.days[-1]


@pytest.fixture
def crew(dask_cluster: LocalCluster) -> Iterator[DaskCrew]:
    with dask_crew(dask_cluster.scheduler_address.replace("tcp", "dask")) as made:
        yield made


def night(folder: Path, url: str, day: Day, crew: Crew | None = None) -> dict[str, Any]:
    """What a night of that day leaves: rows, what the run says, reports."""
    settings = settings_in(folder, url)

    def here(cluster: Any, day: Day) -> Any:
        assert crew is None, "workers read the day"
        return spooled(settings, cluster, day, folder)

    nightly(settings, Asked(day), now=NOW, source_of=here, say=lambda _: None, crew=crew)
    return left_in(settings, day)


def left_in(settings: Settings, day: Day) -> dict[str, Any]:
    lake, out = Lake.open(settings.lake), settings.report.out
    return {
        "rows": {table: content_hash(lake.read(table, CLUSTER, day)) for table in TABLES if table != "runs"},
        "run": {
            name: value
            for name, value in (lake.run(CLUSTER, day) or {}).items()
            if name not in ("files", "versions", "config_hash")
        },
        "reports": {
            str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
        },
    }


@pytest.fixture(scope="module")
def local(synthetic_prometheus: str, day: Day, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return night(tmp_path_factory.mktemp("local"), synthetic_prometheus, day)


def fetchers(crew: DaskCrew) -> dict[str, set[str]]:
    """By worker, which signals it has fetched since this was asked first."""
    found: dict[str, set[str]] = {}
    for told in crew.client.get_task_stream():
        if (key := str(told["key"])).startswith("costlab fetch "):
            found.setdefault(told["worker"], set()).add(key.split()[2])
    return found


@pytest.mark.prometheus
def test_a_day_that_all_workers_fetch_is_the_same_to_the_byte(
    dask_cluster: LocalCluster,
    crew: DaskCrew,
    synthetic_prometheus: str,
    day: Day,
    local: dict[str, Any],
    tmp_path: Path,
) -> None:
    assert not fetchers(crew)
    assert night(tmp_path, synthetic_prometheus, day, crew) == local
    by_worker = fetchers(crew)
    assert len(by_worker) == 2
    assert set[str]().union(*by_worker.values()) == set(shards_of(settings_in(tmp_path)))
    assert not crew.asked
    sent = [task for task in dask_cluster.scheduler.tasks if str(task).startswith("costlab ")]  # type: ignore[union-attr]
    assert not sent, "nothing of it is kept"


@pytest.mark.prometheus
def test_a_worker_that_is_killed_while_it_fetches_costs_nothing(
    dask_cluster: LocalCluster,
    crew: DaskCrew,
    synthetic_prometheus: str,
    day: Day,
    local: dict[str, Any],
    tmp_path: Path,
) -> None:
    processes = crew.client.run(os.getpid)

    def kill() -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for key, task in list(dask_cluster.scheduler.tasks.items()):  # type: ignore[union-attr]
                worker = task.processing_on
                if str(key).startswith("costlab fetch ") and worker and worker.address in processes:
                    os.kill(processes[worker.address], signal.SIGKILL)
                    return str(key)
            time.sleep(0.01)
        raise AssertionError("nobody fetches")

    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(kill)
        left = night(tmp_path, synthetic_prometheus, day, crew)
        assert killed.result().split()[2] in set(Signal)
    assert left == local


def test_a_server_that_is_not_there_is_named_as_one_process_does(
    crew: DaskCrew, day: Day, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SourceUnavailable) as here:
        night(tmp_path / "here", url, day)
    with pytest.raises(SourceUnavailable) as there:
        night(tmp_path / "there", url, day, crew)
    assert there.value.message == here.value.message
    assert not Lake.open(settings_in(tmp_path / "there", url).lake).days(CLUSTER)

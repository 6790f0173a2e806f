"""The DAG as Airflow itself runs it, with costlab behind it: the day before the logical date is in the lake."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from real_world import CLUSTER

from costlab.shipped import folder
from costlab.sources.synthetic import SyntheticCluster
from costlab.store.lake import DayState, Lake

pytestmark = [pytest.mark.airflow, pytest.mark.prometheus]

Airflow = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Runs a command of Airflow in a home of its own, which has the DAG as it ships and nothing else."""
    programs = os.environ.get("COSTLAB_AIRFLOW_DIR")
    if not programs:
        pytest.skip("no Airflow: COSTLAB_AIRFLOW_DIR=$(scripts/airflow) scripts/test runs it")
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PATH": os.environ["PATH"],
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(home / "numba")),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(programs) / "airflow", *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    made = run("db", "migrate")
    assert made.returncode == 0, made.stderr
    (home / "dags").mkdir()
    return run


def dag_of(config: Path) -> str:
    """The DAG that ships, with where this costlab and its configuration are."""
    text = (folder("deploy") / "airflow" / "costlab_nightly.py").read_text()
    command = [sys.executable, "-m", "costlab", "--config", str(config)]
    changed, count = re.subn(r"^COSTLAB = .*$", f"COSTLAB = {command!r}", text, flags=re.MULTILINE)
    assert count == 1
    return changed


@pytest.fixture
def config(tmp_path: Path, synthetic_prometheus: str) -> Path:
    """A configuration of one cluster; beside it are its lake and its reports."""
    file = tmp_path / "costlab.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "lake": "lake",
                "report": {"out": "reports"},
                "clusters": [{"id": CLUSTER, "prometheus": {"url": synthetic_prometheus}}],
            }
        )
    )
    return file


def put_dag(airflow: Airflow, config: Path) -> None:
    where = airflow("config", "get-value", "core", "dags_folder").stdout.strip()
    (Path(where) / "costlab_nightly.py").write_text(dag_of(config))


def test_a_run_brings_the_day_before_its_logical_date_into_the_lake(
    airflow: Airflow, config: Path, synthetic_cluster: SyntheticCluster
) -> None:
    day = synthetic_cluster.days[-1]
    put_dag(airflow, config)
    done = airflow("dags", "test", "costlab_nightly", f"{day.next}T01:30:00+00:00")
    assert "state=success" in done.stdout + done.stderr, done.stdout + done.stderr
    assert Lake.open(config.parent / "lake").days(CLUSTER) == {day.date: DayState.COMPLETE}
    assert (config.parent / "reports" / CLUSTER / str(day) / "index.html").is_file()


DATES = """
import pathlib, pendulum, runpy, sys
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
made = runpy.run_path(sys.argv[1])
scheduled = DagSerialization.from_dict(DagSerialization.to_dict(made["costlab_nightly"]())).timetable
since = TimeRestriction(earliest=pendulum.datetime(2026, 11, 21, 12), latest=None, catchup=True)
run = scheduled.next_dagrun_info(last_automated_data_interval=None, restriction=since)
print("asked", run.run_after.isoformat(), *made["command"](run.logical_date)[-2:])
"""


@pytest.mark.parametrize("intervals", ["True", "False"])
def test_a_scheduled_run_measures_the_day_that_has_just_ended_however_airflow_is_set(
    airflow: Airflow, tmp_path: Path, intervals: str
) -> None:
    programs = Path(os.environ["COSTLAB_AIRFLOW_DIR"])
    (tmp_path / "dates.py").write_text(DATES)
    home = airflow("config", "get-value", "core", "dags_folder").stdout.strip().rpartition("/")[0]
    environment = {
        "AIRFLOW_HOME": home, "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": intervals, "PATH": os.environ["PATH"],
    }  # fmt: skip
    done = subprocess.run(
        [programs / "python", tmp_path / "dates.py", folder("deploy") / "airflow" / "costlab_nightly.py"],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "asked 2026-11-22T01:30:00+00:00 --date 2026-11-21\n" in done.stdout, done.stderr

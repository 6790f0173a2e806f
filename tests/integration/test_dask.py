"""A night by the workers of a dask scheduler leaves what a local one leaves, whatever becomes of the workers."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pyarrow as pa
import pytest
from dask_world import CLUSTER, DAYS, night, settings_in, source
from distributed import LocalCluster
from loopback import free_port

from costlab.domain.errors import ConfigError, CrewUnavailable, ExitCode
from costlab.domain.tables import TABLES
from costlab.jobs.away import Fault, Told, done
from costlab.jobs.crew import Urgency
from costlab.jobs.dask_crew import DaskCrew, dask_crew
from costlab.jobs.processors import processors
from costlab.jobs.quotas.suggest import quotas_beside
from costlab.jobs.recompute import compute_days
from costlab.sources.prometheus.answer import BrokenOff
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.reading import connect
from costlab.store.rows import StoredRows


@pytest.fixture
def crew(dask_cluster: LocalCluster) -> Iterator[DaskCrew]:
    with crew_of(dask_cluster) as made:
        yield made


def crew_of(cluster: LocalCluster, **more: Any) -> Any:
    return dask_crew(cluster.scheduler_address.replace("tcp", "dask"), sources=source, **more)


@pytest.fixture(scope="module")
def local_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a local night has left its lake."""
    folder = tmp_path_factory.mktemp("local")
    night(settings_in(folder))
    return folder


@pytest.fixture(scope="module")
def local(local_night: Path) -> dict[str, Any]:
    """What a local night leaves."""
    return left_in(local_night)


def left_in(folder: Path) -> dict[str, Any]:
    """Every row and run of the lake, and every byte of the reports."""
    lake = Lake.open(settings_in(folder).lake)
    reports = folder / "reports"
    named_by_files = ("files", "versions")
    runs = {day: lake.run(CLUSTER, day) or {} for day in DAYS}
    return {
        "rows": {
            (table, str(day)): content_hash(lake.read(table, CLUSTER, day))
            for table in TABLES
            for day in DAYS
            if table != "runs"
        },
        "runs": {
            str(day): {name: value for name, value in run.items() if name not in named_by_files}
            for day, run in runs.items()
        },
        "reports": {
            str(path.relative_to(reports)): path.read_bytes()
            for path in sorted(reports.rglob("*"))
            if path.is_file()
        },
    }


def days_in(folder: Path) -> list[str]:
    return [str(day) for day in Lake.open(settings_in(folder).lake).days(CLUSTER)]


def nobody(*_: object) -> Any:
    raise AssertionError("the driver measures nothing")


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Something happens in another thread; its fault is ours."""
    with ThreadPoolExecutor(1) as beside:
        acting = beside.submit(act)
        yield
        acting.result()


def stalled(folder: Path) -> int:
    """The process that stalls over a day, as soon as there is one."""
    deadline = time.monotonic() + 60
    while not (found := list(folder.glob("stalled *"))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(found[0].name.split()[1])


def test_a_night_of_workers_leaves_the_same_bytes(
    crew: DaskCrew, local: dict[str, Any], tmp_path: Path
) -> None:
    outcome = night(settings_in(tmp_path), crew=crew, source_of=nobody)
    assert outcome.exit_code is ExitCode.DONE
    assert left_in(tmp_path) == local
    assert not crew.blind
    assert not crew.asked
    advice = Lake.open(settings_in(tmp_path).lake).read("advice", CLUSTER, DAYS[-1])
    assert advice["proposed_request"].drop_null().to_pylist(), "there is advice that could differ"


def test_of_rows_in_files_the_worker_tells_the_hash(
    crew: DaskCrew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver reads none of them; what it writes down is their hash all the same."""
    told: list[StoredRows] = []
    chunks = StoredRows.chunks

    def counted(rows: StoredRows, column: str) -> Any:
        told.append(rows)
        return chunks(rows, column)

    monkeypatch.setattr(StoredRows, "chunks", counted)
    night(settings_in(tmp_path), crew=crew, source_of=nobody)
    assert not told
    lake = Lake.open(settings_in(tmp_path).lake)
    run = lake.run(CLUSTER, DAYS[0]) or {}
    held = lake.read("container_usage", CLUSTER, DAYS[0])
    assert held.num_rows
    assert run["content"]["container_usage"] == content_hash(held)


def test_a_worker_that_is_killed_while_it_measures_costs_no_day(
    crew: DaskCrew, local: dict[str, Any], tmp_path: Path
) -> None:
    stalls = tmp_path / f"stalls {DAYS[1]}"
    stalls.touch()

    def kill() -> None:
        os.kill(stalled(tmp_path), signal.SIGKILL)
        stalls.unlink()

    with meanwhile(kill):
        night(settings_in(tmp_path), crew=crew, source_of=nobody)
    assert left_in(tmp_path) == local


def test_days_that_fail_or_kill_every_worker_are_told_and_the_others_go_on(
    crew: DaskCrew, tmp_path: Path
) -> None:
    """What a source raises comes back as itself; a day that workers die of is nobody else's fault."""
    (tmp_path / f"fails {DAYS[0]}").touch()
    (tmp_path / f"kills {DAYS[1]}").touch()
    said: list[str] = []
    with pytest.raises(BrokenOff) as fault:
        night(settings_in(tmp_path), crew=crew, say=said.append)
    assert fault.value.hint == "ask somebody else"
    assert isinstance(fault.value.__cause__, BrokenOff)
    assert fault.value.__cause__.after_s == 2.0
    assert f"not measured: {CLUSTER} {DAYS[0]}, {CLUSTER} {DAYS[1]}; " in fault.value.message
    assert f"{CLUSTER} {DAYS[0]}: nothing is told of {DAYS[0]}" in said
    assert [line for line in said if line.endswith("every worker that tried it died")]
    assert days_in(tmp_path) == [str(DAYS[2])]


def test_a_server_that_lets_nobody_in_is_not_waited_for_by_other_workers(
    crew: DaskCrew, tmp_path: Path
) -> None:
    (tmp_path / f"shuts {DAYS[0]}").touch()
    stalls = [tmp_path / f"stalls {day}" for day in DAYS[1:]]
    for each in stalls:
        each.touch()
    with pytest.raises(BrokenOff) as fault:
        night(settings_in(tmp_path), crew=crew)
    for each in stalls:
        each.unlink()
    first, *others = (f"{CLUSTER} {day}" for day in DAYS)
    assert fault.value.message == f"not measured: {first}; not tried: {', '.join(others)}"
    assert not crew.asked


def test_an_interrupted_night_leaves_whole_days_and_no_task(
    dask_cluster: LocalCluster, local: dict[str, Any], tmp_path: Path
) -> None:
    stalls = tmp_path / f"stalls {DAYS[1]}"
    stalls.touch()
    settings = settings_in(tmp_path)

    def interrupt() -> None:
        stalled(tmp_path)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), meanwhile(interrupt), crew_of(dask_cluster) as crew:
        night(settings, crew=crew)
    stalls.unlink()
    with crew_of(dask_cluster) as crew:
        assert dask_cluster.scheduler is not None
        assert not [key for key in dask_cluster.scheduler.tasks if f"{DAYS[-1]}" in str(key)]
        assert set(days_in(tmp_path)) <= {str(DAYS[0])}
        night(settings, crew=crew)
    assert left_in(tmp_path) == local


def test_a_worker_keeps_to_its_threads(crew: DaskCrew) -> None:
    """Others share its machine: its pools, Arrow and DuckDB take no processor more."""
    assert crew.send("count", threads_taken, urgency=Urgency.OWN_DAY).result() == (1, 1, 1)


def threads_taken() -> tuple[int, int, int]:
    (taken,) = connect().execute("select current_setting('threads')").fetchall()
    return processors(), pa.cpu_count(), int(taken[0])


def test_days_are_charged_again_by_workers(crew: DaskCrew, local_night: Path, tmp_path: Path) -> None:
    lefts = []
    for name, by in (("here", None), ("there", crew)):
        copytree(local_night, tmp_path / name)
        dearer = settings_in(tmp_path / name, prices={"cpu_core_hour": 0.3})
        lake = Lake.open(dearer.lake)
        with lake.locked():
            outcomes = list(compute_days(lake, dearer, [(CLUSTER, day) for day in DAYS], by))
        assert [outcome.exit_code for outcome in outcomes] == [ExitCode.DONE] * len(DAYS)
        lefts.append(left_in(tmp_path / name)["rows"])
    assert lefts[0] == lefts[1]
    assert lefts[0] != left_in(local_night)["rows"]


def test_workers_that_do_not_see_the_lake_only_measure(
    dask_cluster: LocalCluster, local_night: Path, tmp_path: Path
) -> None:
    """The worker looks where another lake lies: it says so, and the driver answers."""
    night(settings_in(tmp_path), date=DAYS[-1])
    elsewhere, lake, said = settings_in(tmp_path), Lake.open(settings_in(local_night).lake), list[str]()
    with crew_of(dask_cluster, say=said.append) as crew:
        for _ in range(2):
            answer = crew.ask(quotas_beside, lake, elsewhere, CLUSTER, DAYS[-1]).result()
            assert answer.run == lake.run(CLUSTER, DAYS[-1])
    assert len([line for line in said if "workers only measure" in line]) == 1


def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CrewUnavailable, match="no dask scheduler answers"):
        dask_crew(f"dask://127.0.0.1:{free_port()}", patience_s=0.5).__enter__()
    for address in ("tcp://127.0.0.1:8786", "dask://", "dask://user:secret@host", "dask://host:port"):
        with pytest.raises(ConfigError, match="takes the address of a dask scheduler") as fault:
            dask_crew(address).__enter__()
        assert "secret" not in fault.value.message + fault.value.hint
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="needs the package distributed"):
        dask_crew("dask://127.0.0.1").__enter__()


def test_a_scheduler_without_workers_is_named() -> None:
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1", silence_logs=50
        ) as empty,
        pytest.raises(CrewUnavailable, match="has no worker"),
    ):
        crew_of(empty, patience_s=0.5).__enter__()


def test_another_version_is_refused_by_the_worker() -> None:
    refused = done(Told(nobody, (), ("0.0", "3.1")))
    assert isinstance(refused, Fault)
    assert isinstance(refused.fault, ConfigError)
    assert "the driver 0.0 on 3.1" in refused.fault.message

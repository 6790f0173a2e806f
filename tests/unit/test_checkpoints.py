"""Checkpoints of a lake on a disk: the table is the same with them and without, and none is ever there in part."""

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_lake import DAY, findings, replace_day

from costlab.config.settings import Settings
from costlab.domain.errors import LakeError
from costlab.domain.time import Day
from costlab.jobs.doctor import Status, lake_files
from costlab.store.checkpoint import EVERY, checkpoints
from costlab.store.delta import DeltaFolder
from costlab.store.lake import Lake

DAYS = [Day(DAY.date + timedelta(days=number)) for number in range(5)]


@pytest.fixture
def folder(tmp_path: Path) -> DeltaFolder:
    return DeltaFolder(Lake.create(tmp_path / "lake").path, "findings")


def log_of(folder: DeltaFolder) -> Path:
    return Path(str(folder.path)) / "_delta_log"


def write(folder: DeltaFolder, count: int) -> None:
    for number in range(count):
        day = DAYS[number % len(DAYS)]
        folder.replace("prod", day.date, findings(f"rule {number}", day=day))


def without_checkpoints(folder: DeltaFolder, copy: Path) -> DeltaFolder:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(str(folder.path), copy / folder.table)
    for file in checkpoints(copy / folder.table / "_delta_log"):
        file.unlink()
    return DeltaFolder(copy, folder.table)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=EVERY, max_size=35))
def test_a_table_is_the_same_without_its_checkpoints(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[bool, int]]
) -> None:
    room = tmp_path_factory.mktemp("lake")
    folder = DeltaFolder(Lake.create(room / "lake").path, "findings")
    for number, (written, day) in enumerate(deeds):
        if written or number == 0:
            folder.replace("prod", DAYS[day].date, findings(f"rule {number}", day=DAYS[day]))
        else:
            folder.forget([("prod", DAYS[day].date)])
    told = without_checkpoints(folder, room / "copy").snapshot()
    assert folder.snapshot() == told
    assert DeltaFolder(room / "lake", "findings").snapshot() == told
    entries = sorted(entry.name for entry in log_of(folder).glob("*.json"))
    assert entries == [f"{version:020}.json" for version in range(told.version + 1)]


def test_there_are_two_at_most_and_nothing_else_stays(folder: DeltaFolder) -> None:
    ages = [0]
    for count in (8, 1, 1, 20, 15):
        write(folder, count)
        ages = [folder.snapshot().version - int(file.name[:20]) for file in checkpoints(log_of(folder))]
        assert len(ages) <= 2
        assert not ages or ages[-1] < EVERY
    assert len(ages) == 2
    assert {path.name for path in Path(str(folder.path)).iterdir()} == {"_delta_log", "cluster=prod"}


def test_what_a_checkpoint_tells_is_not_read_from_entries(folder: DeltaFolder) -> None:
    write(folder, 25)
    told = folder.snapshot()
    last = int(checkpoints(log_of(folder))[-1].name[:20])
    for version in range(last + 1):
        (log_of(folder) / f"{version:020}.json").unlink()
    assert DeltaFolder(Path(str(folder.path)).parent, "findings").snapshot() == told


def test_others_read_the_table_by_it(folder: DeltaFolder) -> None:
    write(folder, 25)
    table = DeltaTable(str(folder.path))
    assert table.version() == folder.snapshot().version
    assert pa.table(table.to_pyarrow_table()).num_rows == len(DAYS)


def test_a_reader_that_stays_open_is_brought_up_to_date_by_it(folder: DeltaFolder) -> None:
    reader = DeltaFolder(Path(str(folder.path)).parent, "findings")
    for _ in range(4):
        write(folder, 7)
        assert reader.snapshot() == folder.snapshot()


def test_a_checkpoint_has_its_name_when_it_is_on_the_disk(
    folder: DeltaFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, EVERY - 2)
    done, fsync, replace = list[str](), os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append(f"name {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write(folder, 1)
    [made] = checkpoints(log_of(folder))
    entry = f"sync {made.name[:20]}.json"
    assert done[done.index(entry) :].count(f"name {made.name}") == 1, "after what it tells of"
    assert done[-3:] == [f"sync {made.name}", f"name {made.name}", "sync _delta_log"]


def fails(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    "harm",
    [
        lambda patch: patch.setattr(shutil, "copyfile", fails),
        lambda patch: patch.setattr(DeltaTable, "create_checkpoint", fails),
        lambda patch: patch.setattr(Path, "replace", fails),
    ],
)
def test_one_that_cannot_be_made_costs_nothing_but_time(
    folder: DeltaFolder, monkeypatch: pytest.MonkeyPatch, harm: Callable[[pytest.MonkeyPatch], None]
) -> None:
    write(folder, EVERY - 2)
    with monkeypatch.context() as patch:
        harm(patch)
        write(folder, 3)
    assert not checkpoints(log_of(folder))
    left = Path(str(folder.path)) / "_checkpoint" / "_delta_log"
    left.mkdir(parents=True)
    (left / f"{3:020}.checkpoint.parquet").write_bytes(b"of a run that was killed")
    write(folder, 1)
    assert len(checkpoints(log_of(folder))) == 1
    assert not left.exists()


def test_nothing_is_built_on_one_that_the_library_passes_over(folder: DeltaFolder, tmp_path: Path) -> None:
    """A copy onto a full disk leaves one without a byte; and what is taken back writes down the table's schema anew."""
    write(folder, EVERY + 1)
    empty(checkpoints(log_of(folder))[-1])
    folder.restore(folder.snapshot().version - 1)
    write(folder, EVERY + 1)
    assert checkpoints(log_of(folder))[-1].stat().st_size
    told = without_checkpoints(folder, tmp_path / "copy").snapshot()
    assert DeltaFolder(Path(str(folder.path)).parent, "findings").snapshot() == told
    assert len(told.files) == len(DAYS)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.create(tmp_path / "lake")
    for number in range(EVERY + 2):
        day = DAYS[number % len(DAYS)]
        replace_day(lake, {"findings": findings(f"rule {number}", day=day)}, day)
    return lake


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def lying(file: Path) -> None:
    """One that lists no file."""
    rows = pq.read_table(file)
    pq.write_table(rows.filter(pa.compute.is_null(rows["add"])), file)


@pytest.mark.parametrize(("harm", "read"), [(torn, False), (empty, True), (lying, True)])
@pytest.mark.parametrize("table", ["findings", "runs"])
def test_a_damaged_one_is_named_and_its_mend_mends_it(
    lake: Lake, table: str, harm: Callable[[Path], None], read: bool
) -> None:
    told = lake.readable_files()
    file = checkpoints(Path(str(lake.path)) / table / "_delta_log")[-1]
    harm(file)
    settings = Settings.model_validate({"lake": str(lake.path)})
    if not read:
        with pytest.raises(LakeError, match=f"{file.name} is damaged") as refused:
            Lake.open(lake.path).readable_files()
        assert refused.value.hint.startswith("delete it")
    [check] = [check for check in lake_files(settings) if check.subject == table]
    assert check.status is Status.FAIL
    assert str(file) in check.text
    assert check.mend == "delete that file: nothing in it is needed"
    file.unlink()
    assert Lake.open(lake.path).readable_files() == told
    assert not [check for check in lake_files(settings) if check.subject == table]

"""A lake that stays open tells what a lake that is opened anew tells, whatever others do to its files meanwhile."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from older_lake import older_costlab
from small_lake import DAY, findings, replace_day, usage

from costlab.store.delta import DeltaFolder
from costlab.store.lake import Lake
from costlab.store.opened import Snapshot
from costlab.store.warehouse import Warehouse, queries

DEEDS = ("write", "write another day", "write here", "begin anew", "keep a copy", "put the copy back")


def told(lake: Lake) -> dict[str, Any]:
    return {
        "states": lake.states(),
        "files": lake.readable_files(),
        "runs": [lake.run("prod", day) for day in (DAY, DAY.next)],
        "rows": lake.read("findings", "prod", DAY).to_pylist(),
    }


def do(deed: str, number: int, lake: Lake, copy: Path) -> None:
    folder = Path(str(lake.path))
    if deed == "keep a copy":
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
    elif deed in ("begin anew", "put the copy back"):
        shutil.rmtree(folder)
        if deed == "put the copy back" and copy.exists():
            shutil.copytree(copy, folder)
        else:
            replace_day(Lake.create(folder), {"findings": findings(f"new {number}")})
    else:
        writer = lake if deed == "write here" else Lake.open(folder)
        day = DAY.next if deed == "write another day" else DAY
        replace_day(writer, {"findings": findings(f"rule {number}", day=day)}, day)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(DEEDS), min_size=1, max_size=6))
def test_an_open_lake_tells_what_one_that_is_opened_anew_does(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str]
) -> None:
    room = tmp_path_factory.mktemp("open")
    lake = Lake.create(room / "lake")
    assert told(lake) == told(Lake.open(lake.path))
    for number, deed in enumerate(deeds):
        do(deed, number, lake, room / "copy")
        assert told(lake) == told(Lake.open(lake.path)), deed


@pytest.mark.parametrize("table", ["findings", "runs"])
def test_a_commit_on_a_table_that_was_begun_anew_since_it_was_looked_at_is_read_from_the_disk(
    tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake")
    replace_day(lake, {"findings": findings("a")})
    replace, left = DeltaFolder.replace, [table]

    def late(folder: DeltaFolder, *told: Any, **more: Any) -> Snapshot:
        if folder.table in left:
            left.clear()
            do("begin anew", 1, lake, tmp_path)
        return replace(folder, *told, **more)

    monkeypatch.setattr(DeltaFolder, "replace", late)
    replace_day(lake, {"findings": findings("b")})
    assert told(lake) == told(Lake.open(lake.path))


def test_what_an_open_lake_does_not_open_again_is_not_asked_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake")
    replace_day(lake, {"findings": findings("a")})
    before = told(lake)
    monkeypatch.setattr("costlab.store.delta.DeltaTable", None)
    monkeypatch.setattr("costlab.store.runs.read_files", lambda *_: lake.read("bills", "prod", DAY))
    assert told(lake) == before


def test_everything_is_synced_whether_folders_are_new_or_known_and_runs_come_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, synced, fsync = Lake.create(tmp_path / "lake"), list[str](), os.fsync

    def spy(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    with lake.locked():
        for watts, day in ((1, DAY), (2, DAY), (3, DAY.next)):
            before = tree(lake)
            synced.clear()
            tables = {"findings": findings(f"r{watts}", day=day), "gpu_usage": usage(watts, day=day)}
            replace_day(lake, tables, day)
            changed = {path for path, state in tree(lake).items() if before.get(path) != state}
            assert changed <= set(synced)
            first = next(number for number, path in enumerate(synced) if "/runs/" in path)
            others = [
                number for number, path in enumerate(synced) if "/findings" in path or "/gpu_usage" in path
            ]
            assert max(others) < first


def test_every_entry_is_synced_of_a_table_whose_columns_are_settled_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = ["busy_ratio", "memory_used_bytes", "power_watts"]
    lake, rows = Lake.create(tmp_path / "lake"), usage(1).drop_columns(lacks)
    with older_costlab({"gpu_usage": lacks}):
        lake.write("gpu_usage", "prod", DAY, rows)
    synced, fsync = list[str](), os.fsync

    def spy(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    folder = DeltaFolder(lake.path, "gpu_usage")
    folder.widen()
    before = folder.snapshot().version
    synced.clear()
    after = folder.settle().version
    assert after == before + len(lacks)
    assert {f"{version:020}.json" for version in range(before + 1, after + 1)} <= set(synced)


def tree(lake: Lake) -> dict[str, object]:
    """Every file with its content, every folder with what is in it."""
    folder = Path(str(lake.path))
    return {
        str(path): sorted(os.listdir(path)) if path.is_dir() else path.read_bytes()  # noqa: PTH208 - names alone
        for path in [folder, *folder.rglob("*")]
        if not path.name.startswith(".")
    }


@pytest.mark.parametrize("check", [query.name for query in queries().values() if query.folder == "checks"])
def test_a_check_names_all_that_it_reads(check: str) -> None:
    assert Warehouse.over_tables({}, [check]).query(check).num_rows == 0

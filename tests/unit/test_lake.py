"""A day is replaced whole, written once, and seen only when `runs` vouches for its files."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import deltalake
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_lake import DAY, commit, findings, replace_day, run_row, usage

from costlab.domain.errors import Busy, ConfigError, LakeError, LakeFull
from costlab.domain.time import Day
from costlab.store import delta, durable, locking, space
from costlab.store import lake as lake_module
from costlab.store.content import content_hash
from costlab.store.delta import DeltaFolder
from costlab.store.faults import translated
from costlab.store.lake import DayState, Lake
from costlab.store.rows import OnDisk, StoredRows
from costlab.store.schema import conform, empty, ordered
from costlab.store.statistics import statistics
from costlab.store.warehouse import Warehouse


def rules(lake: Lake) -> list[str]:
    rows = Warehouse.over(lake).sql("select rule from findings order by rule")
    return [str(rule) for rule in rows.column("rule").to_pylist()]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "a lake's ünusual name")


def test_a_day_is_replaced_and_its_neighbours_stay(lake: Lake) -> None:
    commit(lake, findings("a", "b"))
    commit(lake, findings("c", day=DAY.next), DAY.next)
    commit(lake, findings("d"))
    assert rules(lake) == ["c", "d"]
    assert lake.read("findings", "prod", DAY).equals(findings("d"))


def test_the_same_rows_commit_nothing(lake: Lake) -> None:
    commit(lake, findings("a"))
    before = {path: path.stat().st_mtime_ns for path in Path(str(lake.path)).rglob("*")}
    commit(lake, findings("a"))
    assert {path: path.stat().st_mtime_ns for path in Path(str(lake.path)).rglob("*")} == before


def test_an_empty_day_takes_the_place_of_a_full_one(lake: Lake) -> None:
    commit(lake, findings("a"))
    commit(lake, empty("findings"))
    assert rules(lake) == []
    assert lake.days("prod") == {DAY.date: DayState.COMPLETE}


def test_a_day_without_its_run_is_under_repair_and_seen_by_nobody(lake: Lake) -> None:
    commit(lake, findings("a"))
    lake.write("findings", "prod", DAY, findings("b"))
    assert lake.days("prod") == {DAY.date: DayState.REPAIR}
    assert rules(lake) == []
    commit(lake, findings("b"))
    assert rules(lake) == ["b"]


def test_an_incomplete_day_is_seen_and_an_extracted_one_is_not(lake: Lake) -> None:
    commit(lake, findings("a"), status="incomplete")
    commit(lake, findings("b", day=DAY.next), DAY.next, status="extracted")
    assert rules(lake) == ["a"]


def test_money_nulls_and_nan_come_back_as_written(lake: Lake) -> None:
    rows = conform(
        "gpu_usage",
        {
            "cluster": ["prod"] * 2, "date": [DAY.date] * 2, "gpu_key": [1, 2], "container_key": [None, 2**62],
            "ts": pa.array([1, 2], pa.timestamp("us", tz="UTC")), "dt_s": pa.array([60, 60], pa.float32()),
            "busy_ratio": pa.array([float("nan"), 0.5], pa.float32()), "memory_used_bytes": [0.0, 1.0],
            "power_watts": pa.array([1, 2], pa.float32()),
        },
    )  # fmt: skip
    written = lake.write("gpu_usage", "prod", DAY, rows)
    back = lake.read("gpu_usage", "prod", DAY)
    assert back.schema == rows.schema
    assert str(back.to_pylist()) == str(rows.to_pylist())
    lake.commit_run("prod", DAY, run_row(), {"gpu_usage": written})
    door = Warehouse.over(lake)
    for where, keys in (("isnan(busy_ratio)", [1]), ("not isnan(busy_ratio)", [2])):
        found = door.sql(f"select gpu_key from gpu_usage where {where}")  # noqa: S608 - one of the two above
        assert found.column("gpu_key").to_pylist() == keys, "statistics that leave NaN out must not hide it"


def test_no_lake_another_zone_a_newer_format_and_a_broken_head(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no lake"):
        Lake.open(tmp_path)
    Lake.create(tmp_path, "Europe/Berlin")
    with pytest.raises(ConfigError, match="are of Europe/Berlin"):
        Lake.create(tmp_path, "UTC")
    (tmp_path / "lake.json").write_text(json.dumps({"format": 99, "timezone": "UTC"}))
    with pytest.raises(LakeError, match="newer costlab"):
        Lake.open(tmp_path)
    (tmp_path / "lake.json").write_text("{")
    with pytest.raises(LakeError, match="damaged"):
        Lake.open(tmp_path)


def test_a_damaged_file_is_named(lake: Lake) -> None:
    commit(lake, findings("a"))
    (file,) = lake.readable_files()["findings"]
    file.write_bytes(b"not parquet at all")
    with pytest.raises(LakeError, match="rows of findings cannot be read"):
        lake.read("findings", "prod", DAY)


def test_a_cluster_name_cannot_reach_into_the_predicate(lake: Lake) -> None:
    with pytest.raises(ConfigError, match="no cluster id"):
        lake.write("findings", "x' or '1'='1", DAY, findings("a"))


def test_a_second_run_is_told_who_holds_the_lake(lake: Lake) -> None:
    code = "import sys; from pathlib import Path; from costlab.store.lake import Lake\nwith Lake(Path(sys.argv[1]), 'UTC').locked(): print('in', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lake.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Busy, match=f"by process {other.pid} on "), lake.locked():
            pass
        other.kill()
    with lake.locked():
        pass


AS_A_READER = """
import os, sys
from pathlib import Path
from costlab.domain.errors import LakeError
from costlab.store.lake import Lake
lake = Lake.open(Path(sys.argv[1]))
with Lake.create(Path(sys.argv[2])).locked(): pass  # everything is imported
if os.getuid() == 0:  # root writes everywhere
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
lake.path.stat()
try:
    with lake.locked(): print("in")
except LakeError as fault:
    print(int(fault.exit_code), fault.message, fault.hint, sep="\\n")
"""


@pytest.mark.parametrize("unwritable", [".lock", ""])
def test_a_lake_that_may_only_be_read_cannot_be_locked(tmp_path: Path, unwritable: str) -> None:
    with TemporaryDirectory() as folder:  # that of a fixture is open to its owner alone
        Path(folder).chmod(0o755)
        lake = Lake.create(Path(folder) / "lake")
        with lake.locked():
            pass
        (Path(str(lake.path)) / ".lock").chmod(0o444 if unwritable == ".lock" else 0o666)
        if not unwritable:  # its lock can be taken, but nobody can sign for it
            Path(str(lake.path)).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", AS_A_READER, str(lake.path), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        Path(str(lake.path)).chmod(0o755)
    assert done.returncode == 0, done.stderr
    code, said, hint = done.stdout.splitlines()
    name = unwritable or ".lock.holder"
    assert (code, said) == ("6", f"{lake.path / name} cannot be written: Permission denied")
    assert "let this user write there" in hint


def test_what_may_not_be_read_is_not_mended_by_a_right_to_write() -> None:
    denied = PermissionError(errno.EACCES, "denied")
    with (
        pytest.raises(LakeError, match="lake/runs cannot be read: Permission denied") as caught,
        translated("lake/runs", "read"),
    ):
        raise denied
    assert "let this user read there" in caught.value.hint


def test_a_disk_that_is_full_before_a_run_is_said(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(locking, "_sign", full)
    with pytest.raises(LakeFull, match="no space left"), lake.locked():
        pass
    monkeypatch.undo()
    with lake.locked():
        pass


def test_everything_new_is_synced_before_a_write_returns(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    before = {*lake.path.rglob("*")}
    lake.write("findings", "prod", DAY, findings("a"))
    new = {str(path) for path in {*lake.path.rglob("*")} - before}
    assert new <= set(synced)
    assert str(lake.path) in synced


def old(day: Day = DAY) -> dict[str, pa.Table]:
    return {"findings": findings("a", "b", day=day), "gpu_usage": usage(1, 2, 3, day=day)}


NEW = {"findings": findings("c"), "gpu_usage": usage(4, 5)}


def told(lake: Lake) -> dict[str, Any]:
    """All that a reader can learn of the lake, and which files lie in it beside the logs."""
    tables = ("findings", "gpu_usage", "runs")
    return {
        "states": lake.states(),
        "readable": lake.readable_files(),
        "rows": [lake.read(table, "prod", day).to_pylist() for table in tables for day in (DAY, DAY.next)],
        "run": lake.run("prod", DAY),
        "files": sorted(lake.path.glob("*/cluster=*/*/*.parquet")),
    }


@pytest.mark.parametrize("when", ["before it is written", "after it is written"])
@pytest.mark.parametrize("nth", [0, 1, 2])
@pytest.mark.parametrize("held", ["the day", "another day", "nothing"])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_whichever_write_of_a_day_fails_the_lake_is_as_it_was(
    lake: Lake, held: str, nth: int, when: str, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tables and `runs` are three writes; each fails once, with nothing or with all of it on the disk."""
    if held != "nothing":
        held_day = DAY if held == "the day" else DAY.next
        replace_day(lake, old(held_day), held_day)
    before, calls, real = told(lake), iter(range(1000)), deltalake.write_deltalake

    def fails(*args: Any, **options: Any) -> None:
        mine = next(calls) == nth
        if not mine or when == "after it is written":
            real(*args, **options)
        if mine:
            raise fault

    monkeypatch.setattr(delta, "write_deltalake", fails)
    with pytest.raises((LakeFull, KeyboardInterrupt)):
        replace_day(lake, NEW)
    assert told(lake) == before
    replace_day(lake, NEW)
    assert rules(lake) == (["a", "b", "c"] if held == "another day" else ["c"])


def stored(room_of: Callable[[str], OnDisk], *parts: pa.Table) -> StoredRows:
    room = room_of("gpu_usage")
    for part in parts:
        room.add(part)
    return room.rows()


def test_rows_that_were_stored_before_are_rows_of_the_lake(lake: Lake) -> None:
    """Beside another day, in the place of older rows, and none in the place of some; other Delta readers see the same."""
    replace_day(lake, old())
    replace_day(lake, old(DAY.next), DAY.next)
    before, parts = lake.run("prod", DAY.next), [usage(4, 5), usage(6)]
    with lake.observing("prod", DAY) as room_of:
        rows = stored(room_of, *parts)
        assert content_hash(rows) == content_hash(pa.concat_tables(parts))
        replace_day(lake, {"findings": findings("c"), "gpu_usage": rows})
    assert lake.read("gpu_usage", "prod", DAY).equals(ordered("gpu_usage", pa.concat_tables(parts)))
    assert lake.run("prod", DAY.next) == before
    assert set(lake.states().values()) == {DayState.COMPLETE}
    sizes = deltalake.DeltaTable(str(lake.path / "gpu_usage")).get_add_actions(flatten=True)
    assert dict(
        zip(sizes.column("partition.date").to_pylist(), sizes.column("num_records").to_pylist(), strict=True)
    ) == {
        DAY.date: 3,
        DAY.next.date: 3,
    }
    written = {path: path.stat().st_mtime_ns for path in Path(str(lake.path)).rglob("*.parquet")}
    with lake.observing("prod", DAY) as room_of:
        replace_day(lake, {"findings": findings("c"), "gpu_usage": stored(room_of, *parts)})
    assert {path: path.stat().st_mtime_ns for path in Path(str(lake.path)).rglob("*.parquet")} == written
    with lake.observing("prod", DAY) as room_of:
        replace_day(lake, {"findings": findings("c"), "gpu_usage": stored(room_of)})
    assert lake.read("gpu_usage", "prod", DAY).num_rows == 0
    assert lake.read("gpu_usage", "prod", DAY.next).num_rows == 3


def test_stored_rows_are_listed_with_bounds_but_of_money_and_lists(lake: Lake) -> None:
    """A bound that is rounded, or named as nothing in the schema is, would let other readers pass over rows."""
    said = {**run_row(), "content": {"findings": "c"}, "files": {"findings": "f"}, "warnings": ["w"]}
    columns = {name: [value] for name, value in said.items()}
    run = conform("runs", {"cluster": ["prod"], "date": [DAY.date], **columns})
    amounts = findings("a", "b").set_column(6, "amount", pa.array([1, 2], pa.decimal128(18, 6)))
    bounds = {}
    with lake.observing("prod", DAY) as room_of:
        for table, rows in (("findings", amounts), ("runs", run)):
            room = room_of(table)
            room.add(rows)
            lake.write(table, "prod", DAY, room.rows())
            listed = deltalake.DeltaTable(str(lake.path / table)).get_add_actions(flatten=True)
            bounds[table] = {
                name: listed.column(name)[0].as_py()
                for name in listed.column_names
                if name.startswith(("min.", "max."))
            }
            assert listed.column("num_records").to_pylist() == [rows.num_rows]
    assert (bounds["findings"]["min.rule"], bounds["findings"]["max.rule"]) == ("a", "b")
    assert bounds["findings"].get("min.amount") is None
    assert bounds["runs"]["min.samples"] == 1
    assert not [name for name in bounds["runs"] if "key" in name or "warnings" in name]


def test_rows_without_a_value_in_one_group_are_counted_and_bound_nothing(lake: Lake) -> None:
    """Idle GPUs for a million rows: another engine that is told of no nulls would find none."""
    idle, busy = usage(1, 2), usage(3, 4)
    place = busy.schema.get_field_index("container_key")
    busy = busy.set_column(place, busy.schema.field(place), pa.array([8, 7], pa.int64()))
    with lake.observing("prod", DAY) as room_of:
        said = json.loads(statistics(stored(room_of, idle, busy).file))
    assert said["nullCount"]["container_key"] == 2
    assert (said["minValues"]["container_key"], said["maxValues"]["container_key"]) == (7, 8)
    assert said["numRecords"] == 4


@pytest.mark.parametrize("theirs", [DAY, DAY.next])
def test_stored_rows_of_a_day_that_had_none_are_not_listed_after_another_s_commit(
    lake: Lake, theirs: Day
) -> None:
    """Whatever it was of: who looked before it knows of no rows in their way."""
    replace_day(lake, old(DAY.previous), DAY.previous)
    folder, other = (DeltaFolder(lake.path, "gpu_usage") for _ in range(2))
    folder.snapshot()
    other.replace("prod", theirs.date, usage(7, day=theirs))
    with lake.observing("prod", DAY) as room_of:
        rows = stored(room_of, usage(4, 5))
        with pytest.raises(Busy):
            folder.replace("prod", DAY.date, rows)
        assert lake.read("gpu_usage", "prod", theirs)["power_watts"].to_pylist() == [7]
        folder.snapshot()
        folder.replace("prod", DAY.date, stored(room_of, usage(4, 5)))
    assert lake.read("gpu_usage", "prod", DAY)["power_watts"].to_pylist() == [4, 5]


@pytest.mark.parametrize("when", ["before it is listed", "after it is listed"])
@pytest.mark.parametrize("held", ["the day", "another day", "nothing"])
def test_stored_rows_that_cannot_be_listed_leave_the_lake_as_it_was(
    lake: Lake, held: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if held != "nothing":
        held_day = DAY if held == "the day" else DAY.next
        replace_day(lake, old(held_day), held_day)
    before, real = told(lake), deltalake.DeltaTable.create_write_transaction

    def fails(*args: Any, **options: Any) -> None:
        if when == "after it is listed":
            real(*args, **options)
        raise OSError(28, "No space left on device")

    with lake.observing("prod", DAY) as room_of, monkeypatch.context() as patch:
        patch.setattr(deltalake.DeltaTable, "create_write_transaction", fails)
        with pytest.raises(LakeFull):
            replace_day(lake, {"findings": findings("c"), "gpu_usage": stored(room_of, usage(4, 5))})
    assert told(lake) == before


def test_whichever_sync_fails_the_lake_is_as_it_was(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_day(lake, old())
    before = told(lake)
    kinds: list[tuple[int, type[LakeError]]] = [(28, LakeFull), (13, LakeError), (5, LakeError)]
    for nth in range(60):
        calls = iter(range(1000))
        fault, kind = kinds[nth % len(kinds)]

        def fail(*_: object, nth: int = nth, calls: Iterator[int] = calls, fault: int = fault) -> None:
            if next(calls) == nth:
                raise OSError(fault, os.strerror(fault))

        with monkeypatch.context() as broken:
            broken.setattr(durable, "_sync", fail)
            try:
                replace_day(lake, NEW)
            except LakeError as error:
                assert type(error) is kind  # noqa: PT017 - the commit also succeeds, in the end
                assert told(lake) == before
            else:
                assert nth > 15, "every operation was made to fail once"
                break
    else:
        pytest.fail("a commit syncs more often than it was made to fail")
    assert rules(lake) == ["c"]


def test_a_disk_that_stays_broken_is_said_and_the_next_run_mends_the_day(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_day(lake, old())
    calls = iter(range(1000))

    def fail(*_: object) -> None:
        if next(calls) >= 8:
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(durable, "_sync", fail)
        with pytest.raises(
            LakeError, match=r"half written, and cannot be taken back: .*Input/output"
        ) as caught:
            replace_day(lake, NEW)
    assert "costlab nightly --date 2026-11-22" in caught.value.hint
    assert "nothing was committed" not in caught.value.message
    assert rules(lake) in ([], ["a", "b"])
    replace_day(lake, NEW)
    assert rules(lake) == ["c"]


def test_space_for_all_tables_is_asked_for_before_the_first_is_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_day(lake, old())
    before = {path: path.stat().st_mtime_ns for path in Path(str(lake.path)).rglob("*")}
    many = {"findings": findings(*map(str, range(30_000))), "gpu_usage": usage(*range(30_000))}
    room = max(table.nbytes for table in many.values()) + 2**20 + 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=room))
    for table in many.values():
        space.check_space(lake.path, table)  # each alone has room
    with pytest.raises(LakeFull, match="nothing was committed"):
        replace_day(lake, many)
    assert {path: path.stat().st_mtime_ns for path in Path(str(lake.path)).rglob("*")} == before


def test_a_full_disk_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much room there is for the replacement of a day: it stands whole, or the lake is as it was."""
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(mount)], check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    noise = {
        "findings": findings(*(os.urandom(500).hex() for _ in range(40))),
        "gpu_usage": usage(*np.random.default_rng(1).integers(0, 2**20, 4000)),
    }
    ends: set[type[LakeError] | None] = set()
    try:
        lake = Lake.create(mount / "lake")
        replace_day(lake, old())
        with pytest.raises(LakeFull, match="no space left"):
            replace_day(lake, {"findings": findings(*(os.urandom(500).hex() for _ in range(2000)))})
        # As if another program took the space after it was looked at.
        monkeypatch.setattr(lake_module, "check_space", lambda *_: None)
        monkeypatch.setattr(delta, "check_space", lambda *_: None)
        before = told(lake)
        for room in range(0, 160, 4):
            free = os.statvfs(mount)
            (mount / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize - room * 1024))
            try:
                replace_day(lake, noise)
            except LakeError as full:
                ends.add(type(full))
                (mount / "ballast").unlink()
                assert told(lake) == before, room
            else:
                ends.add(None)
                break
        assert ends == {LakeFull, None}
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_per_cent_sign_in_the_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="per cent"):
        Lake.create(tmp_path / "a%20b")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="cannot be written"):
        Lake.create(tmp_path / "file" / "lake")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.sampled_from("abc"), unique=True), st.booleans()), max_size=8
    )
)
def test_any_history_of_writes_and_crashes(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[int, list[str], bool]]
) -> None:
    """Against a dictionary: a day that is seen is the last one committed, and what `runs` vouched for is never mixed."""
    lake = Lake.create(tmp_path_factory.mktemp("lake"))
    committed: dict[date, list[str]] = {}
    for offset, names, crashes in history:
        day = Day(date(2026, 11, 22 + offset))
        if crashes:  # before `runs` was written
            lake.write("findings", "prod", day, findings(*names, day=day))
        else:
            commit(lake, findings(*names, day=day), day)
            committed[day.date] = sorted(names)
            assert lake.days("prod")[day.date] is DayState.COMPLETE
    for when, state in lake.days("prod").items():
        if state is DayState.COMPLETE:
            held = lake.read("findings", "prod", Day(when)).column("rule").to_pylist()
            assert sorted(held) == committed[when]
    seen = {str(rule) for rule in rules(lake)}
    assert seen <= {name for names in committed.values() for name in names}


def test_sums_over_a_part_of_a_day_know_of_no_other_day(lake: Lake) -> None:
    for day in (DAY.previous, DAY, DAY.next):
        commit(lake, findings("a", "b", day=day), day)
    found = Warehouse.over(lake).sql(
        """
        with rules as (
            select rule, count(*) as findings from findings where date = cast($day as date) group by rule
        )
        select rule, findings, sum(findings) over (partition by rule) as of_rule from rules order by rule
        """,
        {"day": str(DAY)},
    )
    assert [tuple(map(str, row.values())) for row in found.to_pylist()] == [("a", "1", "1"), ("b", "1", "1")]

"""prune, backup, restore and doctor --files at the command line: what each says, and how it ends."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from small_lake import DAY, findings, replace_day, usage
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.store.lake import Lake

NOW = datetime(2026, 12, 1, 4, 5, 6, tzinfo=UTC)
CONFIG = "lake: lake\nretention: {gpu_usage: 3d}\n"


def run(*args: str | Path, at: datetime = NOW) -> Result:
    desk = Desk({"HOME": "/nonexistent"}, at)
    return CliRunner().invoke(app, [str(arg) for arg in args], obj=desk)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "costlab.yaml").write_text(CONFIG)
    made = Lake.create(tmp_path / "lake")
    replace_day(made, {"findings": findings("a"), "gpu_usage": usage(1, 2)})
    return made


def test_prune_says_what_would_go_and_then_deletes_it(lake: Lake) -> None:
    told = run("prune", "--dry-run", "-o", "json")
    assert (told.exit_code, told.stderr.splitlines()[0]) == (0, "nothing was deleted: --dry-run")
    [row] = json.loads(told.stdout)["rows"]
    assert row["bytes"] > 0
    assert {**row, "bytes": 0} == {
        "table": "gpu_usage", "cluster": "prod", "days": 1, "first": str(DAY), "last": str(DAY), "files": 1, "bytes": 0,
    }  # fmt: skip
    assert lake.read("gpu_usage", "prod", DAY).num_rows == 2
    assert json.loads(run("prune", "-o", "json").stdout)["rows"] == [row]
    assert lake.read("gpu_usage", "prod", DAY).num_rows == 0
    assert json.loads(run("prune", "-o", "json").stdout)["rows"] == []


def test_a_backup_is_made_verified_and_restored_by_its_name(lake: Lake, tmp_path: Path) -> None:
    assert run("backup", "b").stdout.startswith(f"backed up {lake.path} as 2026-12-01T04-05-06Z: 1 day, ")
    assert "new: 0 files" in run("backup", "b", "--keep", "1", at=NOW + timedelta(hours=1)).stdout
    assert run("restore", "b", "--dry-run").stdout.startswith(
        "sound, and nothing was written: 2026-12-01T05-05-06Z"
    )
    done = run("restore", "b", "--lake", tmp_path / "back", "--at", "2026-12-01T05-05-06Z")
    assert done.stdout.startswith(f"restored {tmp_path / 'back'} as of 2026-12-01T05-05-06Z: 1 day, ")
    assert Lake.open(tmp_path / "back").states() == lake.states()


@pytest.mark.parametrize(
    ("args", "code", "said", "hint"),
    [
        (("restore", "b"), 2, "/lake already", "--lake"),
        (("restore", "b", "--at", "monday", "--lake", "x"), 2, "no backup monday", "2026-12-01T04-05-06Z"),
        (("restore", "nowhere", "--lake", "x"), 2, "there is no backup in nowhere", "costlab backup"),
        (("restore", "b", "--lake", "a%20b"), 2, "has a per cent sign", "without one"),
        (("backup", "lake/inside"), 2, "are in each other", "beside the lake"),
        (("backup", ""), 2, "no place of backups is named", "s3://bucket/folder"),
        (("restore", " ", "--lake", "x"), 2, "no place of backups is named", "s3://bucket/folder"),
        (
            ("backup", "gs://bucket/costlab"),
            2,
            "gs://bucket/costlab is no address of backups",
            "s3://bucket/folder",
        ),
        (("backup", "b"), 5, "has a backup of 2026-12-01T04-05-06Z already", "later"),
        (("backup", "c", "--lake", "x"), 2, "there is no lake at ", "costlab nightly"),
        (("prune", "--lake", "x"), 2, "there is no lake at ", "costlab nightly"),
    ],
)
def test_each_fault_is_two_lines_and_a_code(
    lake: Lake, args: tuple[str, ...], code: int, said: str, hint: str
) -> None:
    assert run("backup", "b").exit_code == 0
    before = {path: path.read_bytes() for path in lake.path.rglob("*") if path.is_file()}
    done = run(*args)
    assert (done.exit_code, done.stdout) == (code, "")
    first, second = done.stderr.splitlines()
    assert (first.startswith("error: "), second.startswith("hint: ")) == (True, True)
    assert said in first
    assert hint in second
    assert {path: path.read_bytes() for path in lake.path.rglob("*") if path.is_file()} == before
    assert not Path("x").exists()


def test_doctor_reads_every_file_and_asks_nobody(lake: Lake) -> None:
    done = run("doctor", "--files", "-o", "json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["rows"][-1]["status"] == "OK"
    lake.readable_files()["gpu_usage"][0].unlink()
    done = run("doctor", "--files")
    assert done.exit_code == 8
    assert f"prod {DAY}" in done.stdout
    assert "costlab nightly --date" in done.stdout

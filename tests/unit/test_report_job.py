from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from answers import BUDGETS, CLUSTER, LAST_DAY, files, tables

from costlab.config.charging import Prices
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.report import FILES, write_report
from costlab.store.warehouse import Warehouse

DAY = Day(LAST_DAY)
Write = Callable[[Day], list[Path]]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def write(out: Path) -> Write:
    warehouse = Warehouse.over_tables(tables())
    settings = Settings.model_construct(prices=Prices(), budgets=BUDGETS)
    return lambda day: write_report(warehouse, settings, CLUSTER, day, out)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_report_lies_under_its_day_and_under_latest(write: Write, out: Path) -> None:
    written = write(DAY)
    assert content(out / CLUSTER / str(DAY)) == content(out / CLUSTER / "latest") == files()
    assert set(files()) == set(FILES)
    assert {path.name for path in written} == set(files())


def test_a_second_run_touches_no_file(write: Write, out: Path) -> None:
    write(DAY)
    before = {path: path.stat() for path in out.rglob("*.*")}
    write(DAY)
    after = {path: path.stat() for path in out.rglob("*.*")}
    assert {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in after.items()} == {
        path: (stat.st_ino, stat.st_mtime_ns) for path, stat in before.items()
    }


def test_an_earlier_day_does_not_take_the_place_of_the_latest(write: Write, out: Path) -> None:
    write(DAY)
    write(DAY.previous)
    assert content(out / CLUSTER / "latest") == content(out / CLUSTER / str(DAY))
    assert content(out / CLUSTER / str(DAY.previous)) != content(out / CLUSTER / str(DAY))


def test_a_full_disk_leaves_the_old_report_whole(
    write: Write, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(DAY)
    page = out / CLUSTER / str(DAY) / "index.html"
    page.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("costlab.store.durable.os.fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        write(DAY)
    assert page.read_bytes() == b"old"
    assert set(content(page.parent)) == set(files()), "nothing half-written lies beside"


def test_a_folder_that_cannot_be_written_is_said(write: Write, out: Path) -> None:
    out.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        write(DAY)
    assert "report.out" in caught.value.hint


@pytest.mark.parametrize("day", [date(2026, 11, 4), date(2027, 1, 1)])
def test_a_day_that_is_not_in_the_lake_is_no_report(write: Write, out: Path, day: date) -> None:
    with pytest.raises(ConfigError, match=f"{day} of cluster prod is not in the lake") as caught:
        write(Day(day))
    assert f"costlab nightly --date {day}" in caught.value.hint
    assert not out.exists()

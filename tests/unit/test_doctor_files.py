"""Each way in which a lake can be damaged is named, by day and table, and its mend mends it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from small_lake import DAY as LATER
from small_world import DAY, World

from costlab.config.settings import Settings
from costlab.domain.errors import LakeError
from costlab.jobs.commit import clear_beside
from costlab.jobs.doctor import Check, Status, lake_files
from costlab.jobs.doctor.at_home import lake as lake_at_home
from costlab.jobs.measure import measure_day
from costlab.jobs.prune import prune
from costlab.jobs.rightsizing.recommend import recommend_day
from costlab.store.lake import Lake
from costlab.store.log import LOG, Entry, recent_entries
from costlab.store.warehouse import Warehouse

WORLD = World().node().pod("a").use("a")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "lake"
    measured(Lake.create(path), Settings.model_validate({"lake": str(path)}))
    return path


@pytest.fixture
def settings(sound: Path, tmp_path: Path) -> Settings:
    shutil.copytree(sound, tmp_path / "lake")
    return Settings.model_validate({"lake": str(tmp_path / "lake")})


def measured(lake: Lake, settings: Settings, force: str | None = None) -> None:
    measure_day(WORLD, lake, settings, "test", DAY, force=force)
    if force:
        clear_beside(lake, "test", DAY)
    recommend_day(lake, settings, "test", DAY)


def examined(settings: Settings) -> list[Check]:
    """What is said of the lake, but for files that no table lists: each day that was written twice leaves some."""
    return [check for check in lake_files(settings) if check.subject != "loose files"]


def the_file(lake: Path, table: str) -> Path:
    [file] = (file for file in Lake.open(lake).readable_files()[table] if str(DAY) in str(file))
    return Path(str(file))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def test_a_sound_lake_is_said_to_be_and_so_is_one_that_was_pruned(settings: Settings) -> None:
    [check] = examined(settings)
    assert (check.status, check.text.startswith("1 day, ")) == (Status.OK, True)
    short = Settings.model_validate({"lake": str(settings.lake), "retention": {"container_usage": "1d"}})
    prune(Lake.open(settings.lake), short, datetime(2026, 12, 20, tzinfo=UTC), dry_run=False)
    loose, check = lake_files(settings)
    assert (loose.status, loose.subject, check.status) == (Status.OK, "loose files", Status.OK)
    assert loose.text.startswith("2 files that no table lists")


@pytest.mark.parametrize(
    ("table", "harm", "said"),
    [
        ("charges", Path.unlink, "lacks"),
        ("container_usage", cut, " bytes instead of "),
        ("advice", cut, " bytes instead of "),
    ],
)
def test_a_file_that_is_missing_or_cut_is_named_and_measured_again(
    settings: Settings, table: str, harm: Callable[[Path], None], said: str
) -> None:
    lake = Lake.open(settings.lake)
    before = lake.read("charges", "test", DAY)
    harm(the_file(Path(settings.lake), table))
    day, last = examined(settings)
    assert (day.status, day.subject, last.status) == (Status.FAIL, f"test {DAY}", Status.FAIL)
    assert day.text.startswith(f"{table} ")
    assert said in day.text
    assert f"costlab nightly --date {DAY} --force damaged" in day.mend
    with pytest.raises(LakeError) as caught:
        Warehouse.over(lake).sql(f"select * from {table}")  # noqa: S608 - one of those above
    assert "costlab doctor --files" in caught.value.hint
    measured(lake, settings, "damaged")
    assert [check.status for check in examined(settings)][-1] is Status.OK
    assert lake.read("charges", "test", DAY).equals(before)


@pytest.mark.parametrize("table", ["profiles", "container_usage"])
def test_rows_that_were_changed_are_found_by_their_hash_and_measured_again(
    settings: Settings, table: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lake = Lake.open(settings.lake)
    file = the_file(Path(settings.lake), table)
    size, rows = file.stat().st_size, pq.read_table(file, partitioning=None)
    name = next(field.name for field in rows.schema if pa.types.is_floating(field.type))
    field = rows.schema.field(name)
    values = [1.0 if value is None else value + 1 for value in rows[name].to_pylist()]
    pq.write_table(
        rows.set_column(rows.schema.get_field_index(name), field, pa.array(values, field.type)), file
    )
    entry = next(
        e for e in (Path(settings.lake) / table / "_delta_log").glob("*.json") if file.name in e.read_text()
    )
    entry.write_text(entry.read_text().replace(f'"size":{size}', f'"size":{file.stat().st_size}'))
    day, last = examined(settings)
    assert (day.status, day.text) == (Status.FAIL, f"{table} has other rows than were written")
    measured(lake, settings)
    assert examined(settings) == [day, last], "equal rows are not written again without a reason"
    measured(lake, settings, "damaged")
    assert [check.status for check in examined(settings)][-1] is Status.OK


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda log: (log / f"{0:020}.json").unlink(), "lacks entry 0"),
        (
            lambda log: (log / f"{1:020}.json").write_text('{"add": {'),
            f"`runs` vouches for what it says of test {DAY}",
        ),
    ],
)
def test_a_log_with_a_hole_or_a_torn_entry_is_named(
    settings: Settings, harm: Callable[[Path], None], said: str
) -> None:
    harm(Path(settings.lake) / "charges" / "_delta_log")
    table, last = examined(settings)
    assert (table.status, table.subject, last.status) == (Status.FAIL, "charges", Status.FAIL)
    assert said in table.text
    assert "costlab restore" in table.mend


def test_a_byte_of_runs_that_is_another_is_named_though_it_can_be_read(settings: Settings) -> None:
    """No other row vouches for what `runs` says: its log does."""
    file, lake = the_file(Path(settings.lake), "runs"), Lake.open(settings.lake)
    content, written = file.read_bytes(), lake.read("runs", "test", DAY)

    def read_with(place: int) -> pa.Table | None:
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            return lake.read("runs", "test", DAY)
        except LakeError:
            return None

    reads = ((place, read_with(place)) for place in range(4, len(content), 31))
    unlike = [place for place, rows in reads if rows is not None and not rows.equals(written)]
    assert len(unlike) > 1
    for place in unlike[:: len(unlike) - 1]:
        read_with(place)
        told = [(check.status, check.subject, check.text) for check in examined(settings)]
        assert (Status.FAIL, f"test {DAY}", "runs has other rows than were written") in told, place
    file.write_bytes(content)
    assert [check.status for check in examined(settings)] == [Status.OK]


def test_what_a_copying_program_leaves_in_a_log_is_no_entry_of_it(settings: Settings) -> None:
    lake = Lake.open(settings.lake)
    for table in ("charges", "runs"):
        log = Path(settings.lake) / table / LOG
        newest = Entry.newest(log)
        assert newest is not None
        entry = f"{newest.version:020}"
        for name in (f"{entry} (1)", f"{entry}.sync-conflict", f"{entry}.{entry}.compacted", "notes"):
            (log / f"{name}.json").write_text("none of ours")
        assert Entry.newest(log) == newest
        assert recent_entries(log, 0)[-1] == f"{entry}.json", "it is what is synced"
    assert [check.status for check in examined(settings)] == [Status.OK]
    prune(lake, settings, datetime(2026, 12, 20, tzinfo=UTC), dry_run=False)
    measured(lake, settings, "again")
    assert [check.status for check in examined(settings)] == [Status.OK]
    (Path(settings.lake) / "charges" / LOG / f"{1:020}.json").unlink()
    assert "lacks entry 1" in examined(settings)[0].text


def test_a_day_that_a_table_lost_and_one_that_no_run_vouches_for_are_named(settings: Settings) -> None:
    from costlab.store.delta import DeltaFolder

    lake = Lake.open(settings.lake)
    rows = lake.read("nodes", "test", DAY)
    DeltaFolder(lake.path, "nodes").forget([("test", DAY.date)])
    date = rows.schema.get_field_index("date")
    later = rows.set_column(date, rows.schema.field("date"), [[LATER.date] * rows.num_rows])
    lake.write("nodes", "test", LATER, later)
    lost, unfinished, last = examined(settings)
    assert (lost.status, lost.subject) == (Status.FAIL, f"test {DAY}")
    assert lost.text == "nodes has other files than `runs` lists: a run broke off"
    assert (unfinished.status, unfinished.subject) == (Status.WARN, f"test {LATER}")
    assert "nodes has rows that no run vouches for" in unfinished.text
    assert last.status is Status.FAIL


def test_a_head_that_is_gone_or_damaged_and_a_lake_in_use_are_named(settings: Settings) -> None:
    with Lake.open(settings.lake).locked():
        [busy] = examined(settings)
    assert (busy.status, "in use" in busy.text) == (Status.FAIL, True)
    head = Path(settings.lake) / "lake.json"
    head.write_text("{")
    assert ["lake.json is damaged" in check.text for check in examined(settings)] == [True]
    head.unlink()
    [gone] = examined(settings)
    assert (gone.status, "lake.json is gone" in gone.text, '"timezone"' in gone.mend) == (
        Status.FAIL,
        True,
        True,
    )
    [same] = [check for check in [lake_at_home(settings)] if check.subject == "lake"]
    assert (same.status, same.text) == (Status.FAIL, gone.text), "also where files are not looked at"
    with pytest.raises(LakeError, match=r"lake\.json is gone"):
        Lake.create(settings.lake, "Pacific/Apia")
    assert not head.exists(), "days of one zone would be read as another's"

"""Retention deletes what is too old, table by table; readers miss nothing that is young, nor what they hold."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_lake import DAY, findings, replace_day, run_row, usage
from small_world import DAY as MEASURED
from small_world import World

from costlab.config.settings import Settings
from costlab.domain.errors import Busy, ConfigError
from costlab.domain.time import Day
from costlab.jobs.due import Asked, due
from costlab.jobs.measure import compute_day, measure_day
from costlab.jobs.prune import prune
from costlab.store import pruning
from costlab.store.delta import DeltaFolder
from costlab.store.lake import PRUNED, DayState, Lake
from costlab.store.schema import conform, empty
from costlab.store.warehouse import Warehouse

NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)
BILLED = {"container_usage": "3d", "gpu_usage": "3d", "charges": "30d"}


def kept(**retention: str) -> Settings:
    return Settings.model_validate({"retention": retention})


def at(day: Day, days: int) -> datetime:
    """So many days after the day's end, to the millisecond."""
    return datetime.fromtimestamp(day.window.end_ms / 1000, UTC) + timedelta(days=days)


def filled(path: Path, days: int) -> tuple[Lake, list[Day]]:
    lake, day, made = Lake.create(path), DAY, []
    for watt in range(days):
        replace_day(lake, {"findings": findings("a", day=day), "gpu_usage": usage(watt, day=day)}, day)
        made.append(day)
        day = day.next
    return lake, made


def watts(warehouse: Warehouse) -> list[float]:
    rows = warehouse.sql("select power_watts from gpu_usage order by date")
    return [float(watt) for watt in rows["power_watts"].to_pylist()]


def test_a_day_stays_readable_without_its_usage_and_says_so(tmp_path: Path) -> None:
    lake, settings = Lake.create(tmp_path / "lake"), kept(**BILLED)
    measure_day(World().node().pod("a").use("a"), lake, settings, "test", MEASURED)
    cost = lake.read("charges", "test", MEASURED)
    assert lake.read("container_usage", "test", MEASURED).num_rows
    early, _ = prune(lake, settings, at(MEASURED, 3) - timedelta(milliseconds=1), dry_run=False)
    assert early.num_rows == 0
    [row] = prune(lake, settings, at(MEASURED, 3), dry_run=True)[0].to_pylist()
    assert lake.read("container_usage", "test", MEASURED).num_rows
    assert prune(lake, settings, at(MEASURED, 3), dry_run=False)[0].to_pylist() == [row]
    assert (row["table"], row["days"], row["first"], row["files"]) == ("container_usage", 1, "2026-11-20", 1)
    assert lake.days("test") == {MEASURED.date: DayState.COMPLETE}
    seen = Warehouse.over(lake)
    assert seen.sql("select count(*) as n from container_usage")["n"].to_pylist() == [0]
    assert lake.read("charges", "test", MEASURED).equals(cost)
    with pytest.raises(ConfigError, match="retention has deleted its container_usage") as caught:
        compute_day(lake, settings, "test", MEASURED)
    assert "costlab nightly --date 2026-11-20" in caught.value.hint
    # What Prometheus still has comes back whole.
    measure_day(World().node().pod("a").use("a"), lake, settings, "test", MEASURED)
    assert lake.read("container_usage", "test", MEASURED).num_rows
    compute_day(lake, settings, "test", MEASURED)


def test_with_its_charges_all_of_a_day_goes_but_its_run(tmp_path: Path) -> None:
    lake, settings = Lake.create(tmp_path / "lake"), kept(**BILLED)
    measure_day(World().node().pod("a").use("a"), lake, settings, "test", MEASURED)
    told, _ = prune(lake, settings, at(MEASURED, 30), dry_run=False)
    assert {"charges", "profiles", "nodes", "containers", "container_usage"} <= set(told["table"].to_pylist())
    assert lake.days("test") == {MEASURED.date: DayState.PRUNED}
    assert {table for table, files in lake.readable_files().items() if files} == set()
    assert {table for table, snapshot in lake.snapshots().items() if snapshot.files} == {"runs"}
    run = lake.run("test", MEASURED)
    assert run is not None
    assert run["files"]["charges"] == PRUNED
    assert prune(lake, settings, at(MEASURED, 31), dry_run=False)[0].num_rows == 0


def test_a_bill_has_a_retention_of_its_own(tmp_path: Path) -> None:
    lake, days = filled(tmp_path / "lake", 2)
    told, _ = prune(lake, kept(bills="1d", findings="1d"), at(days[0], 1), dry_run=False)
    assert told["table"].to_pylist() == ["findings"]
    told, _ = prune(lake, kept(charges="1d"), at(days[0], 1), dry_run=False)
    assert told["table"].to_pylist() == ["gpu_usage"], "a day without charges goes all the same"
    assert list(lake.days("prod").values()) == [DayState.COMPLETE] * 2


def test_what_a_reader_holds_stays_until_three_days_later(tmp_path: Path) -> None:
    lake, days = filled(tmp_path / "lake", 3)
    before = Warehouse.over(lake)
    settings, now = kept(gpu_usage="1d"), datetime.now(UTC)
    deleted_at = max(now, at(days[-1], 1))
    prune(lake, settings, deleted_at, dry_run=False)
    prune(lake, settings, deleted_at, dry_run=False)
    assert watts(before) == [0.0, 1.0, 2.0]
    assert watts(Warehouse.over(lake)) == []
    files = set((lake.path / "gpu_usage").rglob("*.parquet"))
    assert len(files) == 3
    later = datetime.now(UTC) + timedelta(milliseconds=pruning.HELD_MS + 1)
    _, told = prune(lake, settings, later, dry_run=False)
    assert told.startswith("deleted: ")
    assert not set((lake.path / "gpu_usage").rglob("*.parquet"))
    assert len(lake.states()) == 3


@pytest.mark.parametrize("stops_at", [0, 1, 2])
def test_a_prune_that_is_killed_hides_no_day_and_is_gone_on_with(
    tmp_path: Path, stops_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between `runs` and the tables, and between these: every reader sees old days whole, or without what goes."""
    lake, days = filled(tmp_path / "lake", 2)
    calls, real = iter(range(100)), DeltaFolder.forget

    def dies(folder: DeltaFolder, old: list[tuple[str, date]]) -> object:
        if next(calls) == stops_at:
            raise KeyboardInterrupt
        return real(folder, old)

    settings, now = kept(gpu_usage="1d", findings="1d"), at(days[0], 1)
    with monkeypatch.context() as patch:
        patch.setattr(DeltaFolder, "forget", dies)
        if stops_at < 2:
            with pytest.raises(KeyboardInterrupt):
                prune(lake, settings, now, dry_run=False)
        else:
            prune(lake, settings, now, dry_run=False)
    assert list(lake.days("prod").values()) == [DayState.COMPLETE] * 2
    assert watts(Warehouse.over(lake)) == [1.0]
    prune(lake, settings, now, dry_run=False)
    assert [len(lake.snapshots()[table].files) for table in ("findings", "gpu_usage", "runs")] == [1, 1, 2]


@given(
    writes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=6),
    keep=st.integers(1, 3),
    hours=st.sampled_from([1.0, 71.0, 73.0]),
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_file_that_a_table_lists_is_never_deleted(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, int, bool]], keep: int, hours: float
) -> None:
    """After any history of days, replacements, half-written days and prunes; young leftovers stay as well."""
    lake = Lake.create(tmp_path_factory.mktemp("lake"))
    for offset, watt, breaks in writes:
        day = Day(DAY.date + timedelta(days=offset))
        if breaks:
            lake.write("gpu_usage", "prod", day, usage(watt, day=day))
        else:
            replace_day(lake, {"gpu_usage": usage(watt, day=day)}, day)
    stray = lake.path / "gpu_usage" / "cluster=prod" / f"date={DAY}" / "part-stray.parquet"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"what a killed run left")
    now = datetime.now(UTC) + timedelta(hours=hours)
    prune(lake, kept(gpu_usage=f"{keep}d"), now, dry_run=False)
    listed = {
        lake.path / table / file
        for table, snapshot in lake.snapshots().items()
        for files in snapshot.files.values()
        for file in files
    }
    assert all(file.is_file() for file in listed)
    assert stray.exists() == (hours < 72)
    Warehouse.over(lake).sql("select sum(power_watts) as watts from gpu_usage")


def test_a_day_whose_charges_were_pruned_is_not_due_again(tmp_path: Path) -> None:
    lake, days = filled(tmp_path / "lake", 2)
    for day in days:
        replace_day(lake, {"charges": empty("charges")}, day)
    settings, now = kept(charges="1d"), at(days[1], 0)
    prune(lake, settings, now, dry_run=False)
    assert list(lake.days("prod").values()) == [DayState.PRUNED, DayState.COMPLETE]
    assert due(lake, settings, "prod", Asked(), now) == ()
    assert due(lake, settings, "prod", Asked(since=days[0], force="x"), now) == tuple(days)


def test_a_lake_in_use_is_not_pruned(tmp_path: Path) -> None:
    lake, _ = filled(tmp_path / "lake", 1)
    with lake.locked(), pytest.raises(Busy):
        prune(lake, kept(gpu_usage="1d"), NOW, dry_run=False)


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ({"runs": "3d"}, "cannot delete runs"),
        ({"charges": "30d", "profiles": "31d"}, "keeps profiles longer than charges"),
    ],
)
def test_a_retention_that_cannot_be_kept_is_refused(retention: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kept(**retention)


def test_a_bill_may_outlive_the_charges() -> None:
    assert kept(charges="30d", bills="400d").retention["bills"] > kept(charges="30d").retention["charges"]


def test_the_run_of_a_pruned_day_is_otherwise_as_it_was(tmp_path: Path) -> None:
    lake, days = filled(tmp_path / "lake", 1)
    before = lake.run("prod", days[0])
    prune(lake, kept(gpu_usage="1d"), NOW, dry_run=False)
    after = lake.run("prod", days[0])
    assert before is not None
    assert after == {**before, "files": {**before["files"], "gpu_usage": PRUNED}}
    assert conform(
        "runs", {"cluster": "prod", "date": DAY.date, **{k: [v] for k, v in run_row(**after).items()}}
    )
    assert isinstance(lake.read("findings", "prod", days[0]), pa.Table)

"""A lake that an older costlab wrote is read as it is, written by nobody, and migrated without a word of it changed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from killed_nights import CLUSTER, DAYS, NOW, settings_in
from killed_nights import world as two_days
from object_store import Store
from older_lake import aged, contents, older_costlab, tree
from small_lake import DAY as SMALL_DAY
from small_lake import findings, replace_day, usage
from small_world import World
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.settings import Settings
from costlab.domain.errors import CostlabError, LakeError
from costlab.domain.tables import IMPORTED, PARTITION, TABLES, Column, Type
from costlab.jobs.backup import backup
from costlab.jobs.doctor import Status, lake_files
from costlab.jobs.doctor.at_home import lake as lake_check
from costlab.jobs.due import Asked
from costlab.jobs.measure import compute_day, measure_day
from costlab.jobs.migrate import MADE, migrate
from costlab.jobs.nightly import nightly
from costlab.jobs.prune import prune
from costlab.jobs.quotas.suggest import suggest_day
from costlab.jobs.restore import restore
from costlab.jobs.rightsizing.recommend import recommend_day
from costlab.store.content import content_hash
from costlab.store.lake import DayState, Lake
from costlab.store.schema import conform
from costlab.store.warehouse import Warehouse

FLOATS = (Type.FLOAT, Type.FLOAT32)
FILLABLE = {
    table: [c for c in spec.columns if c.name not in PARTITION and (c.null or c.type in FLOATS)]
    for table, spec in TABLES.items()
    if table not in IMPORTED
}
LACKS = {
    "charges": ["coverage", "cost_unobserved"],
    "profiles": ["throttled_ratio"],
    "demand": ["usage_coverage"],
}
KILLS = int(os.environ.get("COSTLAB_KILLS", "2"))
# Before (even) and after each commit of the migration that is killed; first when a day is half written, and half the tables widened.
MOMENTS = (7, 2, *(moment for moment in range(18) if moment not in (7, 2)))
BILLS = conform("bills", {
    **{c.name: pa.array([0]) if c.type is Type.INSTANT else ["x"] for c in TABLES["bills"].columns},
    "cluster": ["prod"], "date": [SMALL_DAY.date], "cost": pa.array([1]),
})  # fmt: skip
HALF_WRITTEN = (7, 8, 11, 12)  # of a day the charges, and not yet `runs`
TOTALS = "select date, sum(cost) as cost, count(*) as rows from charges group by all order by all"


def world() -> World:
    """Two days of a node with a GPU, which one of the pods uses all the time."""
    return two_days().gpu("g1", 0.5, "a", end_ms=DAYS[-1].window.end_ms)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two days, advice included, as this costlab measures them."""
    asked, source = settings_in(tmp_path_factory.mktemp("sound")), world()
    lake = Lake.create(asked.lake)
    for day in DAYS:
        measure_day(source, lake, asked, CLUSTER, day)
        recommend_day(lake, asked, CLUSTER, day)
        suggest_day(lake, asked, CLUSTER, day)
    return lake


def settings_of(lake: Lake, /, **told: Any) -> Settings:
    clusters = [{"id": CLUSTER, "prometheus": {"url": "http://127.0.0.1:9"}}]
    return Settings.model_validate({"lake": str(lake.path), "clusters": clusters} | told)


def migrated(lake: Lake, **told: Any) -> dict[tuple[str, str], tuple[int, int]]:
    """On how many days each column is known in full, and on how many not."""
    rows, _ = migrate(lake, settings_of(lake, **told), dry_run=False)
    return {(r["table"], r["column"]): (r["known_days"], r["unknown_days"]) for r in rows.to_pylist()}


def totals(lake: Lake) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Warehouse.over(Lake.open(lake.path)).sql(TOTALS).to_pylist()
    return rows


def unrecorded(lake: Lake) -> list[Any]:
    return [run["unrecorded"] for day in DAYS if (run := lake.run(CLUSTER, day))]


def first(said: dict[Any, Any]) -> dict[Any, Any]:
    return dict(list(said.items())[:1])


def unknown(column: Column, values: pa.ChunkedArray) -> bool:
    told = values.to_pylist()
    return all(value != value if column.type in FLOATS else value is None for value in told)  # noqa: PLR0124 - NaN


def test_every_column_can_be_lacking(sound: Lake, tmp_path: Path) -> None:
    hold_to_the_law(sound, FILLABLE, (), tmp_path / "lake")


# Nothing is made anew of a day without charges, so any tables make a lake.
@settings(max_examples=4, derandomize=True, phases=[Phase.generate])
@given(
    st.lists(st.sampled_from(sorted(FILLABLE.keys() - {"charges"})), min_size=1, max_size=2, unique=True)
    .flatmap(lambda names: st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(FILLABLE[name]), min_size=1, unique=True) for name in names}
    ))
)  # fmt: skip
def test_whatever_columns_are_lacking_the_others_stay_and_those_are_unknown(
    sound: Lake, tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, list[Column]]
) -> None:
    without = [table for table in TABLES if table not in drawn]
    hold_to_the_law(sound, drawn, without, tmp_path_factory.mktemp("old") / "lake")


def hold_to_the_law(sound: Lake, drawn: dict[str, list[Column]], without: Sequence[str], where: Path) -> None:
    """What was there stays to the byte, what was not is unknown and said to be, and nothing is left to be done."""
    lacks = {table: [column.name for column in columns] for table, columns in drawn.items()}
    lake, day = aged(sound, where, lacks, without, days=1), DAYS[0]
    before = {table: lake.read(table, CLUSTER, day) for table in TABLES}
    migrated(lake)
    for table, rows in before.items():
        now, lacked = lake.read(table, CLUSTER, day), lacks.get(table, [])
        if table != "runs":
            assert content_hash(now) == content_hash(rows), (table, "as it was read before")
        if table != "runs" and table not in without:
            held = sound.read(table, CLUSTER, day)
            assert content_hash(now.drop_columns(lacked)) == content_hash(held.drop_columns(lacked))
        told = [column for column in drawn.get(table, ()) if column.name != "unrecorded"]
        assert all(unknown(column, now.column(column.name)) for column in told)
    run = lake.run(CLUSTER, day)
    assert run is not None
    said = {table: set(names.split(",")) for table, names in (run["unrecorded"] or {}).items()}
    named = {table: set(names) - {"unrecorded"} for table, names in lacks.items() if before[table].num_rows}
    assert said == {table: names for table, names in named.items() if names}
    assert lake_files(settings_of(lake))[-1].status is Status.OK
    there = tree(where)
    assert migrated(lake) == {}
    assert tree(where) == there


def test_what_is_made_of_others_is_made_anew_to_the_byte(sound: Lake, tmp_path: Path) -> None:
    lake = aged(sound, tmp_path / "lake", LACKS, days=1)
    assert migrated(lake) == {(table, name): (1, 0) for table, names in LACKS.items() for name in names}
    assert contents(lake) == first(contents(sound))
    assert unrecorded(lake) == [None]


def test_money_stays_when_prices_have_changed_and_only_what_they_touch_is_unknown(
    sound: Lake, tmp_path: Path
) -> None:
    lake = aged(sound, tmp_path / "lake", LACKS, days=1)
    done = migrated(lake, prices={"cpu_core_hour": 99.0})
    assert done == {
        (table, name): (0, 1) if table == "charges" else (1, 0) for table, names in LACKS.items() for name in names
    }  # fmt: skip
    assert totals(lake) == totals(sound)[:1]
    assert unrecorded(lake) == [{"charges": "cost_unobserved,coverage"}]
    compute_day(lake, settings_of(lake), CLUSTER, DAYS[0])
    assert contents(lake)[CLUSTER, DAYS[0].date] == contents(sound)[CLUSTER, DAYS[0].date]
    assert unrecorded(lake)[0] is None, "charged again it has all columns"


def test_what_was_not_recorded_is_still_said_when_the_day_is_charged_again_and_no_more_when_it_is_measured(
    sound: Lake, tmp_path: Path
) -> None:
    lake = aged(sound, tmp_path / "lake", {"gpus": ["busy_p95"], "advice": ["promised_rate"]}, days=1)
    migrated(lake)
    said = {"advice": "promised_rate", "gpus": "busy_p95"}
    asked = settings_of(lake, prices={"cpu_core_hour": 99.0})
    compute_day(lake, asked, CLUSTER, DAYS[0])
    assert unrecorded(lake) == [said]
    recommend_day(lake, asked, CLUSTER, DAYS[0])
    assert unrecorded(lake)[0] == {"gpus": "busy_p95"}
    measure_day(world(), lake, asked, CLUSTER, DAYS[0])
    assert unrecorded(lake) == [None]


def test_what_retention_has_deleted_makes_nothing_anew(sound: Lake, tmp_path: Path) -> None:
    pruned = Lake.open(shutil.copytree(str(sound.path), tmp_path / "whole"))
    rules = Settings.model_validate({"retention": {"container_usage": "1h"}})
    prune(pruned, rules, NOW, dry_run=False)
    lake = aged(pruned, tmp_path / "lake", LACKS, days=1)
    assert set(migrated(lake).values()) == {(0, 1)}
    assert totals(lake) == totals(sound)[:1]


@pytest.mark.parametrize("table", ["demand", "autoscalers"])
def test_a_table_that_is_missing_is_made_where_it_can_be_and_said_to_be_missing_where_not(
    sound: Lake, tmp_path: Path, table: str
) -> None:
    lake = aged(sound, tmp_path / "lake", {}, without=[table], days=1)
    assert not (tmp_path / "lake" / table).exists()
    assert migrated(lake) == {(table, "*"): (1, 0) if table in MADE else (0, 1)}
    assert contents(lake) == first(contents(sound))
    assert unrecorded(lake) == [None if table in MADE else {table: "*"}]
    assert migrated(lake) == {}


def test_until_then_it_is_read_and_backed_up_and_no_night_writes_it(sound: Lake, tmp_path: Path) -> None:
    lake = aged(sound, tmp_path / "lake", LACKS, days=1)
    asked, there = settings_of(lake, report={"out": str(tmp_path / "reports")}), tree(tmp_path / "lake")
    assert totals(lake) == totals(sound)[:1]
    two_lines = ("an older costlab wrote .*/charges: it lacks cost_unobserved, coverage", "costlab migrate")
    for write in (
        partial(nightly, asked, Asked(since=DAYS[0]), now=NOW, source_of=lambda *_: world(), say=print),
        partial(compute_day, lake, asked, CLUSTER, DAYS[0]),
        partial(prune, lake, asked, NOW, dry_run=False),
    ):
        with pytest.raises(LakeError, match=two_lines[0]) as caught:
            write()
        assert two_lines[1] in caught.value.hint
    check = lake_check(asked)
    assert (check.status, "charges lacks cost_unobserved, coverage" in check.text) == (Status.FAIL, True)
    assert [each.status for each in lake_files(asked)] == [Status.OK], "nothing is damaged"
    backup(lake, str(tmp_path / "vault"), datetime(2026, 12, 1, tzinfo=UTC), None)
    restore(str(tmp_path / "vault"), tmp_path / "back", None, dry_run=False)
    assert tree(tmp_path / "back") == tree(tmp_path / "lake") == there
    assert totals(Lake.open(tmp_path / "back")) == totals(sound)[:1]
    migrated(lake)
    assert lake_check(asked).status is Status.OK
    with older_costlab(LACKS), pytest.raises(LakeError, match="written by a newer costlab"):
        Lake.open(lake.path).states()


def test_the_command_says_what_is_lacking_and_then_what_became_of_it(sound: Lake, tmp_path: Path) -> None:
    lake = aged(sound, tmp_path / "lake", {"gpus": ["busy_p95"]}, days=1)
    there, desk = tree(tmp_path / "lake"), Desk({"HOME": "/nonexistent"}, NOW)

    def said(*args: str) -> list[str]:
        ended = CliRunner().invoke(app, ["migrate", *args, "-o", "csv", "--lake", str(lake.path)], obj=desk)
        assert ended.exit_code == 0, ended.output
        return [ended.stderr.splitlines()[-1], *ended.stdout.splitlines()[1:]]

    assert said("--dry-run") == [
        "would be written: 1 day; nothing was written: --dry-run", "gpus,busy_p95,1,,"
    ]  # fmt: skip
    assert tree(tmp_path / "lake") == there
    assert said() == ["written: 1 day", "gpus,busy_p95,1,0,1"]
    assert said() == ["the lake is of this version already"]


def test_nothing_is_written_when_a_column_cannot_be_unknown_or_rows_are_not_those_that_were_written(
    sound: Lake, tmp_path: Path
) -> None:
    barred = aged(sound, tmp_path / "barred", {"charges": ["unit"], "gpus": ["busy_p95"]})
    with pytest.raises(LakeError, match=r"charges\.unit cannot be unknown") as caught:
        migrated(barred)
    assert "into a new lake" in caught.value.hint
    assert barred.older() == {"charges": {"unit"}, "gpus": {"busy_p95"}}
    damaged = aged(sound, tmp_path / "damaged", {"charges": ["coverage"]})
    with older_costlab({"charges": ["coverage"]}):
        first, second = (damaged.filed("charges", CLUSTER, day).files[0] for day in DAYS)
        shutil.copyfile(str(first), str(second))  # the log's size is not looked at: the rows tell
    there = tree(tmp_path / "damaged")
    with pytest.raises(LakeError, match=f"charges of {CLUSTER} {DAYS[1]}; nothing was migrated"):
        migrated(damaged)
    assert tree(tmp_path / "damaged") == there


def test_rows_that_no_run_vouches_for_have_the_columns_as_well(tmp_path: Path) -> None:
    """Imported bills, and what a run left that broke off: or a file would be found to lack them later."""
    lake, lacks = Lake.create(tmp_path / "lake"), {"bills": ["charge_class"], "gpu_usage": ["power_watts"]}
    cluster, day = "prod", SMALL_DAY
    bills, seen = (
        rows.drop_columns(lacks[table]) for table, rows in (("bills", BILLS), ("gpu_usage", usage(1)))
    )
    with older_costlab(lacks):
        replace_day(lake, {"findings": findings("a")})
        lake.write("bills", cluster, day, bills)
        lake.write("gpu_usage", cluster, day, seen)
    assert migrated(lake) == {("bills", "charge_class"): (0, 1), ("gpu_usage", "power_watts"): (0, 1)}
    assert lake.older() == {}
    assert lake.read("bills", cluster, day).drop_columns(lacks["bills"]).equals(bills)
    assert lake.read("bills", cluster, day)["charge_class"].null_count == 1
    assert lake.states() == {(cluster, day.date): DayState.COMPLETE}


@pytest.fixture
def killer() -> Iterator[subprocess.Popen[str]]:
    driver = Path(__file__).with_name("killed_migrations.py")
    with subprocess.Popen(
        [sys.executable, str(driver)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_killed_at_any_moment_each_day_is_whole_and_the_next_run_goes_on(
    sound: Lake, tmp_path: Path, killer: subprocess.Popen[str]
) -> None:
    lacks = {"charges": ["coverage"], "runs": ["unrecorded"]}
    old = aged(sound, tmp_path / "old", lacks)
    whole = Lake.open(shutil.copytree(tmp_path / "old", tmp_path / "undisturbed"))
    migrated(whole)
    told: Sequence[dict[str, Any]] = totals(old)
    for moment in MOMENTS[:KILLS]:
        lake = Lake.open(shutil.copytree(tmp_path / "old", tmp_path / str(moment)))
        assert killer.stdin is not None
        assert killer.stdout is not None
        killer.stdin.write(f"{lake.path} {moment}\n")
        killer.stdin.flush()
        ended = killer.stdout.readline().strip()
        states = lake.days(CLUSTER)
        assert set(states.values()) <= {DayState.COMPLETE, DayState.REPAIR}
        seen = [row for row in told if states[row["date"]] is DayState.COMPLETE]
        assert totals(lake) == seen, moment
        assert (ended, list(states.values()).count(DayState.REPAIR)) == ("killed", moment in HALF_WRITTEN)
        migrated(lake)
        assert contents(lake) == contents(whole), moment
        assert (unrecorded(lake), totals(lake)) == (unrecorded(whole), told)


def test_an_older_lake_in_a_bucket_is_read_and_migrated(sound: Lake, own_store: Store) -> None:
    lacks = {"charges": ["coverage"], "container_usage": ["memory_bytes"]}
    lake = aged(sound, own_store.address, lacks, days=1)
    assert totals(lake) == totals(sound)[:1]
    with pytest.raises(CostlabError, match="an older costlab wrote"), lake.locked():
        raise AssertionError("it was let in")
    own_store.drop_after = 4  # an answer is lost
    assert set(migrated(lake).values()) == {(0, 1)}
    assert lake.older() == {}
    assert totals(lake) == totals(sound)[:1]
    assert [check.status for check in lake_files(settings_of(lake, lake=own_store.address))] == [
        Status.OK
    ] * 2
    assert migrated(lake) == {}

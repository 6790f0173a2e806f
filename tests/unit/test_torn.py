"""The newest entry of a log that a power cut has torn is moved aside, and never one that something rests on."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from small_lake import DAY, findings, replace_day, usage

from costlab.config.settings import Settings
from costlab.domain.errors import LakeError
from costlab.domain.time import Day
from costlab.jobs.doctor import Status, lake_files
from costlab.jobs.doctor.at_home import lake as lake_at_home
from costlab.store.checkpoint import EVERY, checkpoints
from costlab.store.delta import DeltaFolder
from costlab.store.lake import DayState, Lake
from costlab.store.log import ENTRIES
from costlab.store.torn import FOLDER, set_aside

SECOND = DAY.next
OF = {
    DAY: {"findings": findings("a", "b"), "gpu_usage": usage(1, 2)},
    SECOND: {"findings": findings("c", day=SECOND), "gpu_usage": usage(3, day=SECOND)},
}
Cut = Callable[[bytes], bytes]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    path = tmp_path / "lake"
    for day, tables in OF.items():
        replace_day(Lake.create(path), tables, day)
    return path


def entries(lake: Path, table: str) -> list[Path]:
    return sorted((lake / table / "_delta_log").glob(ENTRIES))


def in_the_middle(lake: Path, table: str) -> Path:
    """The newest entry of a table, of a lake as it was when it had just been named: `runs` came last."""
    if table != "runs":
        entries(lake, "runs")[-1].unlink()
    return entries(lake, table)[-1]


def rows(lake: Path, day: Day) -> dict[str, pa.Table]:
    opened = Lake.open(lake)
    return {table: opened.read(table, "prod", day) for table in OF[day]}


def first_line(content: bytes) -> bytes:
    return content[: content.index(b"\n") + 1]


CUTS: dict[str, Cut] = {
    "nothing": lambda _: b"",
    "a line": first_line,
    "half": lambda content: content[: len(content) // 2],
    "zeros from somewhere on": lambda content: content[:200] + bytes(len(content) - 200),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("table", ["findings", "runs"])
def test_what_was_told_as_done_stands_and_the_day_that_was_not_is_written_again(
    lake: Path, table: str, cut: Cut
) -> None:
    whole = {day: rows(lake, day) for day in OF}
    entry = in_the_middle(lake, table)
    left = cut(entry.read_bytes())
    entry.write_bytes(left)
    with pytest.raises(LakeError, match=f"{entry} is torn") as refused, Lake.open(lake).locked():
        pass
    assert "costlab nightly" in refused.value.hint
    assert entry.read_bytes() == left, "nobody touched it who would not say so"
    # What the library would read without a word is read, and nobody is told of a day that was not done.
    unnoticed = cut in (CUTS["nothing"], CUTS["a line"])
    with nullcontext() if unnoticed else pytest.raises(LakeError, match="is torn"):
        assert Lake.open(lake).days("prod") == {DAY.date: DayState.COMPLETE}
    settings = Settings.model_validate({"lake": str(lake)})
    assert (lake_at_home(settings).status, lake_at_home(settings).mend) == (Status.WARN, refused.value.hint)
    check = lake_files(settings)[0]
    assert (check.status, check.subject, check.text) == (Status.FAIL, table, refused.value.message)

    opened, said = Lake.open(lake), list[str]()
    with opened.locked(heed=partial(set_aside, say=said.append)):
        assert opened.days("prod") == {DAY.date: DayState.COMPLETE}
        assert rows(lake, DAY) == whole[DAY]
        replace_day(opened, OF[SECOND], SECOND)
    assert [line.partition(":")[0] for line in said] == [table]
    kept = lake / FOLDER / table / entry.name
    assert kept.read_bytes() == left
    assert str(kept.parent) in said[0]
    assert Lake.open(lake).days("prod") == dict.fromkeys((DAY.date, SECOND.date), DayState.COMPLETE)
    assert {day: rows(lake, day) for day in OF} == whole
    assert [check.status for check in lake_files(settings) if check.subject != "loose files"] == [Status.OK]


def test_a_day_that_was_being_written_again_is_under_repair(lake: Path) -> None:
    """Of its row in `runs` the library would read that it went, and not what came."""
    replace_day(Lake.open(lake), {**OF[DAY], "findings": findings("d")})
    entry = entries(lake, "runs")[-1]
    lines = entry.read_bytes().splitlines()
    assert [line[2:8] for line in lines] == [b"commit", b"remove", b'add":{']
    entry.write_bytes(b"\n".join(lines[:2]))
    opened = Lake.open(lake)
    with opened.locked(heed=partial(set_aside, say=print)):
        assert opened.days("prod") == {DAY.date: DayState.REPAIR, SECOND.date: DayState.COMPLETE}


def test_one_that_is_torn_again_is_kept_beside_the_first(lake: Path) -> None:
    entry, said = in_the_middle(lake, "findings"), list[str]()
    opened = Lake.open(lake)
    for content in (b"", b"{"):
        entry.write_bytes(content)
        with opened.locked(heed=partial(set_aside, say=said.append)):
            assert not entry.exists()
            replace_day(opened, OF[SECOND], SECOND)
        in_the_middle(lake, "findings")
    assert sorted(kept.read_bytes() for kept in (lake / FOLDER / "findings").iterdir()) == [b"", b"{"]


def test_all_tables_of_a_first_day_may_be_torn_at_once(lake: Path) -> None:
    """They are named together, and the first entries of a table only with those that follow."""
    whole, said = rows(lake, DAY), list[str]()
    for table in ("findings", "gpu_usage", "runs"):
        first, second, *later = entries(lake, table)
        first.write_bytes(b"")
        second.write_bytes(second.read_bytes()[:-30])
        for entry in later:
            entry.unlink()
    opened = Lake.open(lake)
    with opened.locked(heed=partial(set_aside, say=said.append)):
        assert opened.states() == {}
        replace_day(opened, OF[DAY])
    assert rows(lake, DAY) == whole
    assert len(said) == 3
    assert len([*(lake / FOLDER).glob("*/*.json")]) == 6


def torn_in_between(lake: Path) -> None:
    entries(lake, "findings")[-2].write_bytes(b"{")


def vouched_for(lake: Path) -> None:
    entries(lake, "findings")[-1].write_bytes(b"")


def after_a_hole(lake: Path) -> None:
    for before in entries(lake, "runs")[-2:-1]:
        before.unlink()
    entries(lake, "runs")[-1].write_bytes(b"")


def in_a_checkpoint(lake: Path) -> None:
    folder, third = DeltaFolder(lake, "findings"), SECOND.next
    for number in range(EVERY - len(entries(lake, "findings"))):
        folder.replace("prod", third.date, findings(f"rule {number}", day=third))
    assert checkpoints(lake / "findings" / "_delta_log")
    entries(lake, "findings")[-1].write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (torn_in_between, "cannot be read"),
        (vouched_for, f"is torn, and `runs` vouches for what it says of prod {SECOND}"),
        (after_a_hole, "lacks entries before it"),
        (in_a_checkpoint, "a checkpoint holds what it says"),
    ],
)
def test_what_something_rests_on_stays_where_it_is(
    lake: Path, harm: Callable[[Path], None], said: str
) -> None:
    harm(lake)
    before = {path: path.read_bytes() for path in sorted(lake.rglob("*.json"))}
    opened = Lake.open(lake)
    with pytest.raises(LakeError) as refused, opened.locked(heed=partial(set_aside, say=print)):
        opened.states()
    assert said in refused.value.message
    assert "costlab nightly" not in refused.value.hint
    assert {path: path.read_bytes() for path in sorted(lake.rglob("*.json"))} == before
    assert lake_at_home(Settings.model_validate({"lake": str(lake)})).status is Status.FAIL
    assert lake_files(Settings.model_validate({"lake": str(lake)}))[-1].status is Status.FAIL


def test_an_entry_of_another_tool_is_none_that_is_torn(lake: Path) -> None:
    """Whatever it says, and however it counts."""
    DeltaTable(str(lake / "findings")).delete("rule = 'a'")
    newest = entries(lake, "gpu_usage")[-1]
    beside = newest.with_name(f"{int(newest.stem) + 1:020}.json")
    beside.write_text('{"commitInfo": {"operation": "WRITE", "operationMetrics": {"numFiles": "3"}}}\n\n')
    before = {path: path.read_bytes() for path in lake.rglob("*.json")}
    with Lake.open(lake).locked():
        assert {path: path.read_bytes() for path in lake.rglob("*.json")} == before

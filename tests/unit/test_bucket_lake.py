"""A lake in a bucket: the same days as in a folder, and whole days whatever the store does meanwhile."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import deltalake
import pytest
from killed_nights import NOW
from object_store import Store
from small_lake import DAY, findings, replace_day, run_row, usage
from store_faults import FailingStore

from costlab.config.load import load
from costlab.config.settings import Settings
from costlab.domain.errors import Busy, ConfigError, CostlabError, ExitCode
from costlab.jobs.backup import backup
from costlab.jobs.prune import prune
from costlab.jobs.restore import restore
from costlab.store import delta, lease
from costlab.store.inspection import inspect
from costlab.store.lake import DayState, Lake
from costlab.store.place import BucketPath
from costlab.store.posts import Posts, Record, Slot
from costlab.store.rows import FiledRows, batches
from costlab.store.warehouse import Warehouse

TABLES = {"findings": findings("a"), "gpu_usage": usage(1)}
NEWER = {"findings": findings("a", "b"), "gpu_usage": usage(1, 2)}


def rows(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    """What a reader finds, who opens the lake now."""
    warehouse = Warehouse.over(Lake.open(lake.path))
    return {
        table: warehouse.sql(f"select * from {table} order by all").to_pylist()  # noqa: S608 - names of tables
        for table in ("findings", "gpu_usage")
    }


@pytest.mark.parametrize("landed", [0, 1, 3, 6])
def test_a_write_whose_answer_is_lost_is_known_as_our_own(own_store: Store, landed: int) -> None:
    """The entry of a log, a row's file, a lease: whichever answer is lost, the day stands once."""
    lake = Lake.create(own_store.address)
    replace_day(lake, TABLES)
    own_store.drop_after = landed
    with lake.locked():
        replace_day(lake, NEWER)
    assert own_store.drop_after == -1, "it was lost"
    assert {table: len(of) for table, of in rows(lake).items()} == {"findings": 2, "gpu_usage": 2}
    assert lake.states() == {("prod", DAY.date): DayState.COMPLETE}


def test_a_long_log_is_read_from_its_last_checkpoint(own_store: Store) -> None:
    lake = Lake.create(own_store.address)
    for watts in range(12):
        replace_day(lake, {"findings": findings("a"), "gpu_usage": usage(watts)})
    assert any(
        key.startswith("lake/gpu_usage/_delta_log/") and "checkpoint." in key for key in own_store.objects
    )
    own_store.asked.clear()
    assert [row["power_watts"] for row in rows(lake)["gpu_usage"]] == [11]
    assert not any(f"gpu_usage/_delta_log/{5:020}.json" in asked for asked in own_store.asked)


class BreaksOff(BytesIO):
    """A file of which the second half cannot be read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 2**23:
            raise KeyboardInterrupt
        return super().read(size)


def test_what_breaks_off_leaves_the_object_as_it_was_and_nothing_beside_it(store: FailingStore) -> None:
    path = BucketPath.at(store.address) / "a" / "x"
    path.upload(BytesIO(b"old"))
    assert [asked for asked in store.asked if "/a/x" in asked] == ["PUT /backups/lake/a/x"], "one request"
    large = b"z" * (2**23 + 2**22)
    with pytest.raises(KeyboardInterrupt):
        path.upload(BreaksOff(large))
    assert store.uploads() == []
    for refused in ("PUT", "POST"):
        store.forbid = frozenset({refused})
        with pytest.raises(ConfigError, match=r"(?i)denied"):
            path.upload(BytesIO(large))
        store.forbid = frozenset()
    assert {key: body for key, body in store.objects.items() if body} == {"lake/a/x": b"old"}
    path.upload(BytesIO(large))
    assert {key: body for key, body in store.objects.items() if body} == {"lake/a/x": large}
    assert len(store.uploads()) == 1, (
        "of the refused PUT: pyarrow does not end it, and a rule of the bucket has to"
    )


def test_a_damaged_table_is_a_fault_of_the_lake_and_not_of_the_configuration(store: FailingStore) -> None:
    lake = Lake.create(store.address)
    replace_day(lake, TABLES)
    sound = dict(store.objects)
    entry = f"lake/findings/_delta_log/{1:020}.json"
    [file] = [key for key in sound if key.startswith("lake/findings/") and key.endswith(".parquet")]
    for damaged, content in (
        (entry, b"invalid: the credentials are missing"),
        (entry, sound[entry][:-9]),
        (entry.replace("1.json", "0.json"), b""),
        (file, b"forbidden"),
        (file, None),
    ):
        store.hold({**sound, damaged: content} if content is not None else sound)
        if content is None:
            del store.objects[damaged]
        with pytest.raises(CostlabError) as caught:
            rows(lake)
        assert caught.value.exit_code == ExitCode.LAKE_DAMAGED, (damaged, content, caught.value.message)
        assert "doctor --files" in caught.value.hint


def test_a_table_that_another_made_first_is_not_written_over(
    own_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two runs the later one fails; what it wrote on top of was not what it had looked at."""
    lake, other = Lake.create(own_store.address), Lake.open(own_store.address)
    raced, create = threading.Event(), deltalake.DeltaTable.create

    def overtaken(path: str, *args: Any, **options: Any) -> Any:
        if path.endswith("/runs") and not raced.is_set():
            raced.set()
            replace_day(other, NEWER)
        return create(path, *args, **options)

    monkeypatch.setattr(deltalake.DeltaTable, "create", overtaken)
    with pytest.raises(Busy):
        replace_day(lake, TABLES)
    assert lake.states() == {("prod", DAY.date): DayState.COMPLETE}
    assert [row["rule"] for row in rows(lake)["findings"]] == ["a", "b"]


@pytest.mark.parametrize(("status", "code", "asks"), [(503, ExitCode.BUSY, 1), (403, ExitCode.USAGE, 5)])
def test_rows_that_a_store_does_not_give_away_are_not_damaged(
    own_store: Store, status: int, code: ExitCode, asks: int
) -> None:
    """However they are read: by a query, into memory, as a day's table, some at a time, or all of them by `doctor --files`.

    A busy store is asked for seven seconds each time.
    """
    lake = Lake.create(own_store.address)
    replace_day(lake, TABLES)
    opened = Warehouse.over(Lake.open(lake.path))
    own_store.before = lambda method, key: status * (method == "GET" and "/gpu_usage/cluster=" in key)
    filed = FiledRows("gpu_usage", tuple(lake.readable_files()["gpu_usage"]))
    ways: list[Callable[[], object]] = [
        lambda: opened.sql("select * from gpu_usage"),
        lambda: opened.keep("gpu_usage"),
        lambda: lake.read("gpu_usage", "prod", DAY),
        lambda: list(batches(filed, ["gpu_key"])),
        lambda: inspect(lake),
    ]
    for ask in ways[:asks]:
        with pytest.raises(CostlabError) as caught:
            ask()
        assert caught.value.exit_code == code, caught.value.message
        assert "AWS Error" in caught.value.message
        assert "damaged" not in caught.value.hint
    own_store.before = lambda *_: 0
    assert opened.sql("select power_watts from gpu_usage").num_rows == 1


def test_a_refusal_that_is_longer_than_what_was_asked_for_is_asked_again(own_store: Store) -> None:
    """pyarrow takes it for an answer that broke off, and leaves it at that."""
    lake = Lake.create(own_store.address)
    replace_day(lake, TABLES)
    opened, refused, own_store.longer_bytes = Warehouse.over(Lake.open(lake.path)), iter((503, 503)), 2**16
    own_store.before = lambda method, key: next(refused, 0) if method == "GET" and "/gpu_usage/" in key else 0
    assert opened.sql("select power_watts from gpu_usage").num_rows == 1
    assert next(refused, None) is None


def test_a_store_that_is_busy_is_asked_again(own_store: Store) -> None:
    lake = Lake.create(own_store.address)
    turns = iter(range(10**6))
    own_store.before = lambda *_: 503 * (next(turns) % 5 == 0)
    with lake.locked():
        replace_day(lake, TABLES)
    assert len(rows(lake)["findings"]) == 1


def test_each_piece_of_a_file_is_asked_for_again(own_store: Store) -> None:
    """A refusal is longer than many a piece, which pyarrow then does not ask for again itself; so is half an answer."""
    lake = Lake.create(own_store.address)
    replace_day(lake, TABLES)
    asked = dict[str, int]()

    def now_and_then(key: str) -> bool:
        asked[key] = asked.get(key, 0) + key.endswith(".parquet")
        return asked[key] in {1, 3, 4, 9}

    own_store.before = lambda method, key: 503 * (method == "GET" and now_and_then(key))
    assert [row["power_watts"] for row in rows(lake)["gpu_usage"]] == [1]
    assert lake.read("gpu_usage", "prod", DAY).num_rows == lake.filed("gpu_usage", "prod", DAY).num_rows == 1
    asked.clear()
    own_store.before, own_store.cut = lambda *_: 0, now_and_then
    assert [row["power_watts"] for row in rows(lake)["gpu_usage"]] == [1]
    assert lake.read("gpu_usage", "prod", DAY).num_rows == lake.filed("gpu_usage", "prod", DAY).num_rows == 1
    assert max(asked.values()) > 4


def test_a_store_that_gives_no_file_is_busy_and_the_lake_not_damaged(
    own_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(own_store.address)
    replace_day(lake, TABLES)
    warehouse = Warehouse.over(lake)
    monkeypatch.setattr("costlab.store.faults._PAUSES_S", ())
    own_store.cut = lambda key: key.endswith(".parquet")
    for asked in (
        lambda: warehouse.sql("select sum(power_watts) from gpu_usage"),
        lambda: lake.filed("gpu_usage", "prod", DAY).num_rows,
    ):
        with pytest.raises(Busy, match="AWS Error"):
            asked()


def test_wherever_the_store_is_lost_a_day_is_old_or_new_and_the_next_run_mends_it(
    own_store: Store,
) -> None:
    """As if the run had been killed at each of its writes in turn: from then on it can do nothing more."""
    lake = Lake.create(own_store.address)
    replace_day(lake, TABLES)
    old, sound = rows(lake), dict(own_store.objects)
    replace_day(lake, NEWER)
    new, seen, gone = rows(lake), set(), threading.Event()
    for last in range(30):
        own_store.hold(sound)
        puts = iter(range(10**6))
        gone = threading.Event()

        def lost(
            method: str, _: str, last: int = last, puts: Iterator[int] = puts, gone: threading.Event = gone
        ) -> int:
            if method in ("PUT", "POST", "DELETE") and next(puts) >= last:
                gone.set()
            return 403 if gone.is_set() else 0

        own_store.before = lost
        with suppress(CostlabError):
            replace_day(lake, NEWER)
        own_store.before = lambda *_: 0
        if not gone.is_set():
            break
        found = rows(lake)
        state = lake.states()["prod", DAY.date]
        seen.add((state, found == old))
        assert (
            found in (old, new) if state is DayState.COMPLETE else found == {"findings": [], "gpu_usage": []}
        )
        replace_day(lake, NEWER)
        assert rows(lake) == new
    assert {state for state, _ in seen} == {DayState.COMPLETE, DayState.REPAIR}
    assert not gone.is_set(), "each write was lost once"


def test_a_lost_race_says_so_and_the_day_of_the_other_run_stands(
    store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, other = Lake.create(store.address), Lake.open(store.address)
    replace_day(lake, TABLES)
    before = lake.run("prod", DAY)
    raced, real = threading.Event(), deltalake.write_deltalake

    def overtaken(*args: Any, **options: Any) -> None:
        if not raced.is_set():
            raced.set()
            replace_day(other, {"findings": findings("c"), "gpu_usage": usage(3)})
        real(*args, **options)

    monkeypatch.setattr(delta, "write_deltalake", overtaken)
    with pytest.raises(Busy) as caught, lake.replacing("prod", DAY, NEWER, before) as written:
        lake.commit_run("prod", DAY, run_row(), written, before)
    assert raced.is_set()
    assert caught.value.exit_code == ExitCode.BUSY
    assert [row["rule"] for row in rows(lake)["findings"]] == ["c"]
    replace_day(lake, NEWER)
    assert len(rows(lake)["findings"]) == 2


TAKES_BACK = """
import sys
from contextlib import suppress
from deltalake import DeltaTable
from small_lake import DAY, findings, replace_day, usage
from costlab.store.delta import DeltaFolder
from costlab.store.lake import Lake

owner = {"folder": DeltaFolder, "table": DeltaTable}[sys.argv[2]]
lake, other, restore = Lake.create(sys.argv[1]), Lake.open(sys.argv[1]), owner.restore
if sys.argv[3] == "held":
    replace_day(lake, {"findings": findings("a"), "gpu_usage": usage(1)})

def overtaken(*args, **options):
    owner.restore = restore
    replace_day(other, {"findings": findings("c"), "gpu_usage": usage(3)})
    return restore(*args, **options)

owner.restore = overtaken
with suppress(ZeroDivisionError), lake.replacing("prod", DAY, {"findings": findings("b"), "gpu_usage": usage(2)}):
    raise ZeroDivisionError
print(owner.restore is restore)
"""


@pytest.mark.parametrize(("moment", "before"), [("folder", "held"), ("table", "held"), ("folder", "new")])
def test_what_is_taken_back_is_not_what_another_run_has_written_meanwhile(
    own_store: Store, moment: str, before: str
) -> None:
    """It has taken the lease over. Delta Lake, where it takes back, lets no other thread of its process answer."""
    command = [sys.executable, "-c", TAKES_BACK, own_store.address, moment, before]
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")
    lake = Lake.open(own_store.address)
    assert lake.states() == {("prod", DAY.date): DayState.COMPLETE}
    assert [row["rule"] for row in rows(lake)["findings"]] == ["c"]
    assert [row["power_watts"] for row in rows(lake)["gpu_usage"]] == [3]


def test_one_run_at_a_time_and_the_lease_of_a_dead_one_ends(
    store: FailingStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lake = Lake.create(store.address)
    with lake.locked():
        with pytest.raises(Busy, match="is in use"), lake.locked():
            pass
        [held_by] = [key for key in store.objects if f"/{lease.FOLDER}/" in key and key.endswith(".json")]
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
        with pytest.raises(Busy, match=r"in use by process .* since") as caught, lake.locked():
            pass
        assert "ends in 10 minutes" in caught.value.hint
        with monkeypatch.context() as patch:
            patch.setattr(lease, "LENGTH_S", 0.5)
            time.sleep(2)  # a store tells whole seconds
            with Lake.open(store.address).locked():
                assert held_by not in store.objects
                with pytest.raises(Busy, match="taken over"):
                    replace_day(lake, TABLES)
    assert lake.states() == {}
    store.objects[held_by] = b"{}"  # of a run of this machine that was killed
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with lake.locked():
        replace_day(lake, TABLES)
    assert not [key for key in store.objects if key.endswith(".json") and f"/{lease.FOLDER}/" in key]


def test_who_may_only_read_can_ask_and_is_told_why_no_run_begins(store: FailingStore) -> None:
    lake = Lake.create(store.address)
    replace_day(lake, TABLES)
    store.forbid = frozenset({"PUT", "POST", "DELETE"})
    assert len(rows(lake)["findings"]) == 1
    for locked in (nullcontext(), lake.locked()):
        with pytest.raises(ConfigError, match=r"(?i)denied|forbidden|privileges") as caught, locked:
            replace_day(lake, NEWER)
        assert "credentials" in caught.value.hint
    store.forbid, store.before = frozenset(), lambda _, key: 403 * ("/_delta_log/" in key)
    with pytest.raises(ConfigError, match=r"privileges.*: Error performing GET .*: 403 Forbidden$"):
        Lake.open(lake.path).states()
    store.before = lambda *_: 0
    assert len(rows(lake)["findings"]) == 1
    with pytest.raises(ConfigError, match=f"there is no lake at {lake.path}x"):
        Lake.open(store.address.replace("lake?", "lakex?"))
    with pytest.raises(CostlabError) as missing:
        Lake.create(store.address.replace("backups", "others"))
    assert "bucket is there" in missing.value.hint


def test_a_machine_without_room_for_samples_is_a_fault_of_its_environment_and_no_damage(
    own_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lake = Lake.create(own_store.address)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with (
        pytest.raises(ConfigError, match=f"{tmp_path}/file/costlab/.* cannot be written") as caught,
        lake.locked(),
    ):
        pass
    assert "XDG_STATE_HOME" in caught.value.hint
    assert rows(lake)["findings"] == []


def test_credentials_may_be_a_profile_s(
    own_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a store of one's own as of Amazon's, for each of the two libraries that ask it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "keys").write_text(
        "[default]\naws_access_key_id = another\naws_secret_access_key = s\n"
        "[costlab]\naws_access_key_id = ours\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "costlab")
    lake = Lake.create(own_store.address)
    with lake.locked():
        replace_day(lake, TABLES)
    assert len(rows(lake)["findings"]) == 1
    backup(lake, str(tmp_path / "backup"), NOW, None)
    assert own_store.signers == {"ours"}


def test_a_backup_of_a_bucket_comes_back_into_one_and_old_days_go(own_store: Store, tmp_path: Path) -> None:
    lake = Lake.create(own_store.address)
    with lake.locked():
        replace_day(lake, TABLES)
        replace_day(lake, NEWER)
    post = lake.path / "_posts" / str(DAY.date) / "a.json"
    post.write_bytes(b"{}")
    backup(lake, str(tmp_path / "backup"), NOW, None)
    back = own_store.address.replace("lake?", "back?")
    restore(str(tmp_path / "backup"), back, None, dry_run=False)
    assert rows(Lake.open(back)) == rows(lake)
    assert f"back/_posts/{DAY.date}/a.json" in own_store.objects, "a restored lake does not post twice"
    with pytest.raises(ConfigError, match="there is a lake"):
        restore(str(tmp_path / "backup"), back, None, dry_run=False)
    settings = Settings.model_validate({"retention": {"charges": "1d"}})
    _, told = prune(lake, settings, NOW + timedelta(days=30), dry_run=False)
    assert told.endswith("of 1 post")
    assert rows(lake) == {"findings": [], "gpu_usage": []}
    assert "_posts" not in "".join(
        key for key in own_store.objects if key.startswith("lake/") and key.endswith(".json")
    )
    _, told = prune(lake, settings, NOW + timedelta(days=60), dry_run=False)
    assert not [
        key for key in own_store.objects if key.startswith("lake/findings/") and key.endswith(".parquet")
    ]


def test_what_was_posted_is_remembered_in_a_bucket_and_crossed_out_there(store: FailingStore) -> None:
    ledger, slot = Posts(Lake.create(store.address).path), Slot("prod", DAY.date, "nlp", "slack nlp")
    ledger.make_room()
    for sure in (False, True):
        record = Record(("a",), "hash", "2026-11-23T03:00:00+00:00", sure)
        ledger.record(slot, record)
        assert ledger.find(slot) == record
    for _ in range(2):
        ledger.forget(slot)
        assert ledger.find(slot) is None
    assert not [key for key in store.objects if "_posts" in key and key.endswith(".json")]


def test_an_address_may_stand_wherever_a_lake_is_named(tmp_path: Path) -> None:
    file = tmp_path / "costlab.yaml"
    file.write_text("lake: s3://bucket/a\n")
    assert load(file, {}).lake == "s3://bucket/a"
    assert load(file, {"COSTLAB_LAKE": "s3://bucket/b"}).lake == "s3://bucket/b"
    assert load(file, {}, lake="s3://bucket/c").lake == "s3://bucket/c"
    assert load(file, {"COSTLAB_LAKE": "here"}, folder=tmp_path).lake == tmp_path / "here"
    for wrong in (
        "gs://bucket/a", "S3://bucket/a", "s3://key:hunter2@bucket/a", "s3://bucket/a?region=x&secret_key=hunter2",
    ):  # fmt: skip
        file.write_text("lake: here\n")
        named = tmp_path / "named.yaml"
        named.write_text(f"lake: {wrong}\n")
        for configuration, environ, lake in (
            (named, {}, None), (file, {"COSTLAB_LAKE": wrong}, None), (file, {}, wrong),
        ):  # fmt: skip
            with pytest.raises(ConfigError, match="must be a path, or s3://bucket/folder") as caught:
                load(configuration, environ, lake=lake)
            assert "hunter2" not in caught.value.message

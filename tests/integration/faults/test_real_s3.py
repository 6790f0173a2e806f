"""Whole commands on a lake in a real object store: they say and leave what they do in a folder, whatever the store does."""

import collections
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from real_store import RealStore, real_store
from s3_server import READER
from small_lake import DAY, findings, replace_day, usage
from small_prometheus import Told, a_day
from store_faults import CREDENTIALS
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.store import lease
from costlab.store.lake import DayState, Lake

pytestmark = [pytest.mark.s3, pytest.mark.prometheus]

START_MS = 1_795_132_800_000
NIGHT = ("nightly", "--since", "2026-11-20")
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
AT_THAT_TIME = f"""
from datetime import datetime
from costlab.cli.app import app
from costlab.cli.frame import Desk
app(obj=Desk({{}}, datetime.fromisoformat("{NOW.isoformat()}")))
"""
QUESTIONS = (
    ("cost", "--window", "7d", "--by", "workload", "-o", "json"),
    ("sql", "select date, content, status from runs order by date", "-o", "json"),
    ("sql", "select * from charges order by all", "-o", "csv"),
)
"""Of the rows `runs` has the hashes, to which `doctor --files` holds them."""


@dataclass(frozen=True)
class Costlab:
    """A costlab with a configuration of its own, on a machine of its own."""

    folder: Path
    lake: str
    url: str
    machine: str = "one"

    def configured(self, **more: Any) -> "Costlab":
        """With these sections, too."""
        self.folder.mkdir(exist_ok=True)
        cluster = {"id": "prod", "prometheus": {"url": self.url}}
        told = {"lake": self.lake, "report": {"out": "reports"}, "clusters": [cluster], **more}
        (self.folder / "costlab.yaml").write_text(json.dumps(told))
        return self

    def run(self, *command: str, at: datetime = NOW) -> Result:
        """A command, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(self.folder / self.machine))
            given = ["--config", str(self.folder / "costlab.yaml"), *command]
            return CliRunner().invoke(app, given, obj=Desk({}, at))

    def night(self) -> Result:
        """The day, where it is not there yet."""
        return self.run(*NIGHT)

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """A command in a process of its own."""
        given = [sys.executable, "-c", AT_THAT_TIME, "--config", str(self.folder / "costlab.yaml"), *command]
        machine = {**os.environ, "XDG_STATE_HOME": str(self.folder / self.machine)}
        return subprocess.Popen(given, env=machine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def left(self) -> dict[str, Any]:
        """What it answers, and the bytes of its reports."""
        answers = {}
        for question in QUESTIONS:
            done = self.run(*question)
            assert done.exit_code == 0, done.output
            answers[" ".join(question)] = done.stdout.replace(self.lake.partition("?")[0], "LAKE")
        reports = self.folder / "reports"
        files = {str(file.relative_to(reports)): file for file in reports.rglob("*") if file.is_file()}
        return {**answers, **{name: file.read_bytes() for name, file in files.items()}}

    def copied(self, folder: Path) -> "Costlab":
        """The same with another folder, and a copy of the lake in it."""
        shutil.copytree(self.lake, folder / "lake")
        return replace(self, folder=folder, lake=str(folder / "lake"))

    def is_sound(self) -> bool:
        """Whether every file was read and is what was written."""
        return self.run("doctor", "--files").exit_code == 0


def openmetrics(told: list[Told]) -> str:
    """The series as promtool reads them."""
    lines = []
    for one in sorted(told, key=lambda one: one.metric):
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items() if name != "__name__")
        lines += [
            f"{one.metric}{{{labels}}} {value!r} {at // 1000}"
            for at, value in zip(one.at_ms, one.values, strict=True)
        ]
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def prometheus(prometheus_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("told") / "a-day.om"
    file.write_text(openmetrics(a_day(START_MS)))
    return prometheus_server(file)


@pytest.fixture(scope="module")
def in_a_folder(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Costlab:
    """What nothing has disturbed."""
    folder = tmp_path_factory.mktemp("folder")
    one = Costlab(folder, str(folder / "lake"), prometheus).configured()
    done = one.night()
    assert done.exit_code == 0, done.output
    return one


@pytest.fixture(scope="module")
def left(in_a_folder: Costlab) -> dict[str, Any]:
    found = in_a_folder.left()
    assert "train-0" in found[" ".join(QUESTIONS[2])]
    assert any(name.endswith("index.html") for name in found)
    return found


@pytest.fixture
def s3(s3_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealStore]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with real_store(s3_host) as store:
        yield store


@pytest.fixture
def costlab(s3: RealStore, prometheus: str, tmp_path: Path) -> Costlab:
    return Costlab(tmp_path / "bucket", s3.address, prometheus).configured()


def refuse_what_is_half_there(store: RealStore) -> None:
    """What another client finds: each object is whole and is one that a lake or a backup has, nobody holds it."""
    assert store.uploads() == []
    for key, content in store.objects.items():
        name = key.rpartition("/")[2]
        if not content:
            assert key.endswith("/"), (
                key
            )  # what pyarrow leaves for a folder of which it has deleted something
        elif key.endswith(".parquet"):
            assert pq.read_table(io.BytesIO(content)).num_rows >= 0, key
        elif "/files/" in key:
            assert name == sha256(content).hexdigest()
        else:
            assert not name.startswith("."), key
            assert "/_leases/" not in key
            for document in content.splitlines() if "/_delta_log/" in key else [content]:
                json.loads(document)


def test_every_command_says_and_leaves_in_a_bucket_what_it_does_in_a_folder(
    s3: RealStore, costlab: Costlab, in_a_folder: Costlab, left: dict[str, Any], tmp_path: Path
) -> None:
    done = costlab.night()
    assert done.exit_code == 0, done.output
    assert costlab.left() == left
    assert costlab.is_sound()
    assert costlab.run("migrate").exit_code == 0
    refuse_what_is_half_there(s3)
    before = {key: s3.objects[key] for key in s3.objects}
    again = costlab.night()
    assert (again.exit_code, again.stdout) == (0, "nothing was due\n")
    assert {key: s3.objects[key] for key in s3.objects} == before

    beside, aside = s3.address.replace("lake?", "backup?"), str(tmp_path / "backup")
    for place in (beside, aside):
        assert costlab.run("backup", place).exit_code == 0
        assert "new: 0 files" in costlab.run("backup", place, at=NOW + timedelta(hours=1)).output
    refuse_what_is_half_there(s3)
    back = [
        replace(costlab, folder=tmp_path / str(number), lake=where).configured()
        for number, where in enumerate((str(tmp_path / "back"), s3.address.replace("lake?", "back?")))
    ]
    for one, place in zip(back, (beside, aside), strict=True):
        done = one.run("restore", place)
        assert done.exit_code == 0, done.output
        assert one.left().items() <= left.items(), place
    assert back[1].run("report", "--all").exit_code == 0
    assert {name: said for name, said in back[1].left().items() if name in left} == left

    told = []
    for one in (costlab, in_a_folder.copied(tmp_path / "pruned")):
        one.configured(retention={"charges": "1d", "container_usage": "12h"})
        for at in (NOW, NOW + timedelta(days=30)):
            done = one.run("prune", "-o", "json", at=at)
            assert done.exit_code == 0, done.output
            rows = json.loads(done.stdout)[
                "rows"
            ]  # in files whose rows are the same, and their bytes need not be
            told.append(([{**row, "bytes": 0} for row in rows], done.stderr))
        assert one.is_sound()
    assert told[:2] == told[2:]
    refuse_what_is_half_there(s3)


def test_of_two_nights_at_once_the_second_ends_and_names_the_first_until_that_loses_its_lease(
    s3: RealStore, costlab: Costlab, left: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the second measures the day, and the first, which wakes up just before it says that the day is whole, gives up."""
    reached, released = stalling(s3, f"lake/runs/_delta_log/{1:020}.json")
    other = replace(costlab, machine="another")
    with costlab.start(*NIGHT) as first:
        assert reached.wait(60)
        for second in (costlab, other):
            done = second.night()
            assert done.exit_code == 5, done.output
            said = done.stderr.splitlines()[-2]
            assert f"in use by process {first.pid} on " in said
            assert "nightly --since 2026-11-20" in said
        with monkeypatch.context() as patch:
            patch.setattr(lease, "LENGTH_S", 1.0)
            threading.Event().wait(2.5)  # the store tells whole seconds
            done = other.night()
        assert done.exit_code == 0, done.output
        released.set()
        _, said = first.communicate(timeout=120)
    assert first.returncode == 5, said
    assert "Traceback" not in said
    assert other.left() == left
    assert costlab.is_sound()
    refuse_what_is_half_there(s3)


def stalling(store: RealStore, prefix: str) -> tuple[threading.Event, threading.Event]:
    """The first write below a prefix waits: the first event says that it came, the second lets it go on."""
    reached, released = threading.Event(), threading.Event()

    def before(method: str, key: str) -> int:
        if method == "PUT" and key.startswith(prefix) and not reached.is_set():
            reached.set()
            released.wait(60)
        return 0

    store.before = before
    return reached, released


def test_of_writers_that_race_for_a_day_the_rows_of_one_stand_whole_or_none_are_read(s3: RealStore) -> None:
    """Without a lease: the conditional put of a log's entry decides."""
    lake, lost, number = Lake.create(s3.address), 0, itertools.count()
    replace_day(lake, {"findings": findings("0"), "gpu_usage": usage(0)})
    with ExitStack() as ends:
        two = [ends.enter_context(writing(s3.address)) for _ in range(2)]
        for _ in range(4):
            rules = [f"{next(number)}" for _ in two]
            for writer, rule in zip(two, rules, strict=True):
                tell(writer, rule)
            won = [rule for writer, rule in zip(two, rules, strict=True) if answer(writer) == "won"]
            lost += 2 - len(won)
            if lake.states() == {("prod", DAY.date): DayState.REPAIR}:
                continue  # who lost took back what the other had just written: nobody reads it, and the next one mends it
            assert won
            [finding], [used] = (
                lake.read(table, "prod", DAY).to_pylist() for table in ("findings", "gpu_usage")
            )
            assert int(finding["rule"]) == used["power_watts"]
            assert finding["rule"] in won
    assert lost, "they never met"
    replace_day(lake, {"findings": findings("0"), "gpu_usage": usage(0)})
    assert lake.states() == {("prod", DAY.date): DayState.COMPLETE}
    refuse_what_is_half_there(s3)


def writing(address: str) -> "subprocess.Popen[str]":
    """Writes the day anew for each line that it is told, and says whether it won.

    A process of its own: Delta Lake, where it takes back, lets no other thread of its process answer.
    """
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, address]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=there)
    assert answer(process) == "ready"
    return process


WRITER = """
import sys
from small_lake import DAY, findings, replace_day, usage
from costlab.domain.errors import Busy
from costlab.store.lake import Lake
lake = Lake.open(sys.argv[1])
lake.snapshots()
print("ready", flush=True)
for rule in map(str.strip, sys.stdin):
    try:
        replace_day(lake, {"findings": findings(rule), "gpu_usage": usage(int(rule))})
        print("won", flush=True)
    except Busy:
        print("lost", flush=True)
"""


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def first_of_each(kinds: dict[str, str]) -> tuple[Callable[[str, str], bool], set[str]]:
    """Whether a write is the first whose key matches one of these, by name; and the names that have been."""
    seen = set[str]()

    def loses(_: str, key: str) -> bool:
        new = {name for name, pattern in kinds.items() if re.search(pattern, key)} - seen
        seen.update(new)
        return bool(new)

    return loses, seen


CANARY = "c4nary-secret-never-shown"
KINDS = {
    "the lake": r"/lake\.json$",
    "a lease": r"/_leases/",
    "a file": r"/container_usage/.*\.parquet$",
    "a file of charges": r"/charges/.*\.parquet$",
    "a table": r"/charges/_delta_log/0+\.json$",
    "a log entry": r"/charges/_delta_log/0+1\.json$",
    "the day": r"/runs/_delta_log/0+1\.json$",
}


def test_a_night_of_a_store_that_is_busy_and_loses_answers_after_they_landed_is_a_night_like_others(
    s3: RealStore, costlab: Costlab, left: dict[str, Any]
) -> None:
    """Of every forty requests three in a row are told to slow down, and the first write of each kind is not answered."""
    s3.after, seen = first_of_each(KINDS)
    count = itertools.count()
    s3.before = lambda *_: 503 * (next(count) % 40 < 3)
    done = costlab.night()
    assert done.exit_code == 0, done.output
    assert seen == set(KINDS)
    s3.after, s3.before = lambda *_: False, lambda *_: 0
    assert costlab.left() == left
    refuse_what_is_half_there(s3)


def test_who_may_only_read_is_answered_through_a_line_that_breaks_and_who_is_unknown_is_told_so(
    s3: RealStore,
    costlab: Costlab,
    in_a_folder: Costlab,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = Path(in_a_folder.lake)
    written = {path: path.read_bytes() for path in lake.rglob("*") if path.is_file() and path.name[0] != "."}
    s3.hold({f"lake/{path.relative_to(lake)}": content for path, content in written.items()})
    for name, value in READER.items():
        monkeypatch.setenv(name, value)
    for command in QUESTIONS:
        asked: collections.Counter[str] = collections.Counter()

        def first(key: str, asked: collections.Counter[str] = asked) -> bool:
            asked[key] += 1
            return asked[key] == 1

        s3.cut = first
        done = costlab.run(*command)
        assert (done.exit_code, done.stdout) == (0, in_a_folder.run(*command).stdout), done.output
        assert len(asked) > 20
    s3.cut = lambda _: False
    for refused in ("nightly --date 2026-11-20", "prune"):
        done = costlab.run(*refused.split())
        assert done.exit_code == 2, done.output
        assert "credentials" in done.stderr.splitlines()[-1]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    for told in ("cost", "nightly", f"backup {s3.address.replace('lake?', 'backup?')}"):
        done = costlab.run(*told.split())
        assert done.exit_code == 2, done.output
        assert re.search("credentials|SIGNATURE", done.output), done.output
        assert CANARY not in done.output


def test_a_night_that_is_killed_loses_nothing(s3: RealStore, costlab: Costlab, left: dict[str, Any]) -> None:
    """By a signal that nobody can catch, as the write arrives."""
    night: list[subprocess.Popen[str]] = []

    def kills(_: str, key: str) -> bool:
        if re.search(KINDS["the day"], key):
            night[0].kill()
            night[0].wait(30)
            return True
        return False

    s3.after = kills
    with costlab.start(*NIGHT) as started:
        night.append(started)
        started.communicate(timeout=120)
    assert started.returncode == -signal.SIGKILL
    s3.after = lambda *_: False
    assert [key for key in s3.objects if "/_leases/" in key and key.endswith(".json")]
    done = costlab.night()
    assert done.exit_code == 0, done.output
    assert costlab.left() == left
    assert costlab.is_sound()
    refuse_what_is_half_there(s3)

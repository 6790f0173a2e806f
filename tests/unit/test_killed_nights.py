"""Nights that are killed at any moment, by a signal that nobody can catch: each day is whole or absent, and nothing is lost.

COSTLAB_KILLS=50 kills that many; the suite kills a handful. The seed of a failure is in its message.
"""

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from killed_nights import CLUSTER, DAYS, settings_in
from object_store import Store
from store_faults import CREDENTIALS

from costlab.jobs.commit import MADE_BESIDE
from costlab.jobs.doctor import Status, lake_files
from costlab.jobs.doctor.at_home import lake as lake_check
from costlab.store.content import content_hash
from costlab.store.lake import READABLE, Lake
from costlab.store.warehouse import Warehouse

KILLS = int(os.environ.get("COSTLAB_KILLS", "2"))
TOTALS = "select date, kind, resource, sum(cost) as cost, sum(cost_used) as used from charges group by all order by all"


@dataclass(frozen=True, slots=True)
class Nights:
    """The process that starts and kills nights."""

    process: subprocess.Popen[str]

    def spend(self, folder: Path, kill_after_s: float | None, lake: str = "-") -> str:
        """How a night ended of a lake in the folder, or in a bucket."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        delay = "never" if kill_after_s is None else kill_after_s
        self.process.stdin.write(f"{lake} {folder} {delay}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    driver = Path(__file__).with_name("killed_nights.py")
    told = {**os.environ, **CREDENTIALS, "XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    with subprocess.Popen(
        [sys.executable, str(driver)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=told
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield Nights(process)
        process.stdin.close()


@pytest.fixture(scope="module")
def spent(started: Nights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The folder of an undisturbed night, and how many seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    code, lasted_s = started.spend(folder, None).split()
    assert code == "0"
    return folder, float(lasted_s)


@pytest.fixture(scope="module")
def undisturbed(spent: tuple[Path, float]) -> tuple[dict[str, Any], float]:
    """What an undisturbed night leaves, and how many seconds it took."""
    folder, lasted_s = spent
    left = told(folder)
    assert len(left["rows"]) == len(DAYS)
    return left, lasted_s


def held(lake: Lake) -> dict[str, dict[str, str]]:
    """What the rows of each day that readers see hash to, as they are read now, beside what `runs` says."""
    found = {}
    states = lake.days(CLUSTER)
    for day in DAYS:
        run = lake.run(CLUSTER, day)
        if states.get(day.date) in READABLE:
            assert run is not None
            found[str(day)] = {
                table: content_hash(lake.read(table, CLUSTER, day)) for table in run["content"]
            }
            assert found[str(day)] == run["content"]
    return found


def told(folder: Path, address: str = "-") -> dict[str, Any]:
    """All that a night leaves: rows, totals, reports; of a killed one also hidden files, which nobody reads."""
    lake = Lake.open(settings_in(folder, address).lake)
    reports = folder / "reports"
    return {
        "rows": held(lake),
        "totals": Warehouse.over(lake).sql(TOTALS).to_pylist(),
        "reports": {
            str(path.relative_to(reports)): path.read_bytes()
            for path in reports.rglob("[!.]*")
            if path.is_file()
        },
    }


def without_advice(rows: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Advice, and that on quotas, come in commits of their own, after the day's."""
    return {
        day: {name: said for name, said in of.items() if name not in MADE_BESIDE} for day, of in rows.items()
    }


def test_a_night_that_is_killed_at_any_moment_loses_nothing(
    started: Nights, undisturbed: tuple[dict[str, Any], float], tmp_path: Path
) -> None:
    (left, lasted_s), number, killed = undisturbed, 0, 0
    whole = without_advice(left["rows"])
    while killed < KILLS:
        seed = f"kill {killed}, lake {number}"
        folder, moment = tmp_path / str(number), random.Random(seed).uniform(0, lasted_s)
        ended = started.spend(folder, moment)
        killed += ended == "killed"
        assert ended == "killed" or ended.startswith("0 "), (seed, ended)
        if (folder / "lake" / "lake.json").exists():
            lake = Lake.open(folder / "lake")
            seen = without_advice(held(lake))
            assert seen == {day: whole[day] for day in seen}, (seed, moment, "a day is half there")
            Warehouse.over(lake).sql(TOTALS)
        # Most lakes are killed several times before they are whole.
        if ended != "killed" or killed % 3 == 0 or killed == KILLS:
            assert started.spend(folder, None).startswith("0 "), (seed, moment)
            again = told(folder)
            assert again["reports"].keys() == left["reports"].keys(), (seed, moment)
            assert again == left, (seed, moment)
            last = lake_files(settings_in(folder))[-1]
            assert last.status is Status.OK, (seed, moment, last.text)
            number += 1


@pytest.mark.parametrize("acknowledging", [False, True], ids=["its tables", "runs"])
def test_after_a_power_cut_a_night_leaves_what_an_undisturbed_one_does(
    started: Nights,
    spent: tuple[Path, float],
    undisturbed: tuple[dict[str, Any], float],
    tmp_path: Path,
    acknowledging: bool,
) -> None:
    """It tore each entry of the second day's tables, or that of `runs`; nothing after it was written."""
    folder = tmp_path / "night"
    shutil.copytree(spent[0], folder)
    shutil.rmtree(folder / "reports" / CLUSTER / str(DAYS[1]))
    written = sorted((folder / "lake").glob("*/_delta_log/*.json"), key=lambda path: path.stat().st_mtime_ns)
    second = [entry for entry in written if f"date={DAYS[1]}" in entry.read_text()]
    last = next(number for number, entry in enumerate(second) if entry.parts[-3] == "runs")
    torn = second[last : last + 1] if acknowledging else second[:last]
    for entry in second[second.index(torn[-1]) + 1 :]:
        entry.unlink()
    for entry in torn:
        entry.write_bytes(entry.read_bytes()[:300])
    assert started.spend(folder, None).startswith("0 ")
    assert told(folder) == undisturbed[0]
    assert lake_files(settings_in(folder))[-1].status is Status.OK
    kept = {path.parent.name for path in (folder / "lake" / "_torn").glob("*/*.json")}
    assert kept == {entry.parts[-3] for entry in torn}
    assert acknowledging or kept >= {"charges", "pods"}


def test_a_night_of_a_bucket_takes_back_a_day_that_it_cannot_end_is_killed_and_leaves_the_same_as_in_a_folder(
    started: Nights, undisturbed: tuple[dict[str, Any], float], tmp_path: Path, own_store: Store
) -> None:
    """The nights are in a process of their own: Delta Lake, where it takes back, lets no other thread of its process answer."""
    left, lasted_s = undisturbed
    first, second = map(str, DAYS)
    lake_at = settings_in(tmp_path, own_store.address)
    begun = threading.Event()

    def full(method: str, key: str) -> int:
        if method == "PUT" and key.startswith(f"lake/charges/cluster={CLUSTER}/date={second}/"):
            begun.set()
        return 403 * (begun.is_set() and method == "PUT" and key.startswith("lake/runs/_delta_log/"))

    own_store.before = full
    assert started.spend(tmp_path, None, own_store.address).startswith("1 ")
    own_store.before = lambda *_: 0
    lake = Lake.open(own_store.address)
    seen = held(lake)
    assert without_advice(seen) == without_advice({first: left["rows"][first]})
    assert lake.run(CLUSTER, DAYS[1]) is None
    restored = [key for key, body in own_store.objects.items() if "_delta_log/" in key and b"RESTORE" in body]
    assert {key.split("/")[1] for key in restored} >= {"charges", "pods"}
    for table in left["rows"][second]:
        assert not lake.read(table, CLUSTER, DAYS[1]).num_rows, (table, "is as before")
    ended = started.spend(tmp_path, random.Random(0).uniform(0, lasted_s), own_store.address)
    seen = without_advice(held(lake))
    whole = without_advice(left["rows"])
    assert seen == {day: whole[day] for day in seen}, (ended, "a day is half there")
    assert started.spend(tmp_path, None, own_store.address).startswith("0 ")
    assert told(tmp_path, own_store.address) == left
    assert [check.status for check in lake_files(lake_at)][-1] is Status.OK
    assert lake_check(lake_at).status is Status.OK
    assert not [key for key in own_store.objects if "/_leases/" in key and key.endswith(".json")]
    assert own_store.uploads() == []

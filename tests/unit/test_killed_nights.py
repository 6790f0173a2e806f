"""Nights that are killed at any moment, by a signal that nobody can catch: each day is whole or absent, and nothing is lost.

COSTLAB_KILLS=50 kills that many; the suite kills a handful. The seed of a failure is in its message.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killed_nights import CLUSTER, DAYS, settings_in

from costlab.jobs.commit import MADE_BESIDE
from costlab.jobs.doctor import Status, lake_files
from costlab.store.content import content_hash
from costlab.store.lake import READABLE, Lake
from costlab.store.warehouse import Warehouse

KILLS = int(os.environ.get("COSTLAB_KILLS", "3"))
TOTALS = "select date, kind, resource, sum(cost) as cost, sum(cost_used) as used from charges group by all order by all"


@dataclass(frozen=True, slots=True)
class Nights:
    """The process that starts and kills nights."""

    process: subprocess.Popen[str]

    def spend(self, folder: Path, kill_after_s: float | None) -> str:
        """How a night in the folder ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{folder} {'never' if kill_after_s is None else kill_after_s}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def nights() -> Iterator[Nights]:
    driver = Path(__file__).with_name("killed_nights.py")
    with subprocess.Popen(
        [sys.executable, str(driver)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Nights(process)


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


def told(folder: Path) -> dict[str, Any]:
    """All that a night leaves: rows, totals, reports; of a killed one also hidden files, which nobody reads."""
    lake = Lake.open(folder / "lake")
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


def test_a_night_that_is_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    with nights() as started:
        ended = started.spend(tmp_path / "undisturbed", None)
        code, lasted_s = ended.split()
        assert code == "0"
        undisturbed = told(tmp_path / "undisturbed")
        assert len(undisturbed["rows"]) == len(DAYS)
        whole, number, killed = without_advice(undisturbed["rows"]), 0, 0
        while killed < KILLS:
            seed = f"kill {killed}, lake {number}"
            folder, moment = tmp_path / str(number), random.Random(seed).uniform(0, float(lasted_s))
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
                assert again["reports"].keys() == undisturbed["reports"].keys(), (seed, moment)
                assert again == undisturbed, (seed, moment)
                last = lake_files(settings_in(folder))[-1]
                assert last.status is Status.OK, (seed, moment, last.text)
                number += 1
        started.process.stdin.close()  # type: ignore[union-attr] # it was asked for

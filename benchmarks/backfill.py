"""A backfill of 30 days of the synthetic cluster: on two dask workers, on one, and without dask; must be 1.6 times as fast.

Scheduler and workers are processes of their own that watch themselves as docs/operate.md tells; a worker has one thread, and
all are warm: each has spent a night before.
CPU seconds are those of the processes that are counted, on a quiet machine or not; wall-clock time needs a quiet one.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backfilling.synthetic import DAYS, source, story
from distributed import Client, SubprocessCluster

from costlab.config.settings import Settings
from costlab.jobs.crew import Crew
from costlab.jobs.dask_crew import dask_crew
from costlab.jobs.due import Asked
from costlab.jobs.nightly import nightly
from costlab.sources.synthetic import SyntheticSource
from costlab.store.lake import Lake

WAYS = (1, 2, 0)  # workers; 0: without dask
REACH = 1.6
# docs/operate.md, "From which size on".
WATCHING = {
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of a backfill: by the clock, of the driver's processor time and of the workers', and what the lake holds."""

    wall_s: float
    driver_s: float
    workers_s: float
    content: tuple[Any, ...]


def main() -> None:
    """Print the table, and what must be reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--days", type=int, default=DAYS)
    asked = parser.parse_args()
    # Scheduler and workers find the source of the days where this process finds it.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    os.environ |= WATCHING
    rounds: dict[int, list[Took]] = {workers: [] for workers in WAYS}
    print(f"{'workers':>8}{'round':>6}{'seconds':>9}{'driver CPU s':>14}{'workers CPU s':>15}")
    for number in range(1, asked.rounds + 1):
        for workers in WAYS:
            took = _backfill(workers, asked.days)
            rounds[workers].append(took)
            print(
                f"{workers or 'none':>8}{number:6}{took.wall_s:9.1f}{took.driver_s:14.1f}{took.workers_s:15.1f}",
                flush=True,
            )
    contents = {took.content for several in rounds.values() for took in several}
    print(f"\nlakes with the same rows: {'all' if len(contents) == 1 else 'NOT ALL'}")
    one, two, none = (statistics.median(took.wall_s for took in rounds[workers]) for workers in WAYS)
    print(f"two workers against none: {none / two:.2f}")
    print("must reach, two workers against one")
    print(
        f"  times as fast {one / two:6.2f}  {'reached' if one / two >= REACH else 'missed'} (at least {REACH})"
    )


def _backfill(workers: int, days: int) -> Took:
    with tempfile.TemporaryDirectory() as name, _crew_of(workers) as (crew, cpu_s):
        _night(Path(name) / "warm", crew, 2)
        before, driver, began = cpu_s(), time.process_time(), time.perf_counter()
        _night(Path(name) / "cold", crew, days)
        wall_s = time.perf_counter() - began
        took = wall_s, time.process_time() - driver, cpu_s() - before
        return Took(*took, _content(Path(name) / "cold"))


@contextmanager
def _crew_of(workers: int) -> Iterator[tuple[Crew | None, Callable[[], float]]]:
    """So many workers, and what they have used of processors by now."""
    if not workers:
        yield None, lambda: 0.0
        return
    scratch = tempfile.mkdtemp()
    with (
        SubprocessCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None,  # type: ignore[arg-type] # as its documentation has it

            worker_kwargs={"local_directory": scratch, "dashboard": False},
        ) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        dask_crew(cluster.scheduler_address.replace("tcp", "dask"), sources=source) as crew,
    ):  # fmt: skip
        client.wait_for_workers(workers)
        yield crew, lambda: sum(client.run(time.process_time).values())
    shutil.rmtree(scratch, ignore_errors=True)


def _night(folder: Path, crew: Crew | None, days: int) -> None:
    last = story().days[-1]
    outcome = nightly(
        _settings(folder), Asked(since=story().days[-days]),
        now=datetime.combine(last.next.date, datetime.min.time(), UTC) + timedelta(hours=6),
        source_of=lambda *_: SyntheticSource(story()), say=lambda _: None, crew=crew,
    )  # fmt: skip
    if outcome.exit_code:
        raise SystemExit(outcome.line)


def _settings(folder: Path) -> Settings:
    told = {
        "lake": str(folder / "lake"), "report": {"out": str(folder / "reports")},
        "clusters": [{"id": "demo", "prometheus": {"url": "http://127.0.0.1:9"}}],
    }  # fmt: skip
    return Settings.model_validate(told)


def _content(folder: Path) -> tuple[Any, ...]:
    lake = Lake.open(_settings(folder).lake)
    days = [lake.run("demo", day) for day in story().days]
    return tuple(str(run and sorted(run["content"].items())) for run in days)


if __name__ == "__main__":
    main()

"""What is told of a day's reading is that day's own, and the same whether or not its reading broke off; whose clock it ends by."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fault_server import FaultServer, Reply, Request, api_error, success
from small_prometheus import HOUR_MS, SmallPrometheus, Told, a_day
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.time import Day
from costlab.store.lake import Lake

START_MS = 1_795_132_800_000
FIRST, SECOND = Day(date(2026, 11, 20)), Day(date(2026, 11, 21))
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
BLANK = "DCGM_FI_DEV_GPU_UTIL: samples that are not finite, negative or blank were left out"


@dataclass(frozen=True)
class Installed:
    """A costlab, and the server that it asks one thing after the other."""

    folder: Path
    server: FaultServer

    def run(self, *command: str) -> Result:
        """A command of costlab."""
        return CliRunner().invoke(
            app, ["--config", str(self.folder / "costlab.yaml"), *command], obj=Desk({}, NOW)
        )

    def warnings(self, day: Day) -> list[str] | None:
        """What `runs` remarks of a day; None where it is not in the lake."""
        run = Lake.open(self.folder / "lake").run("prod", day)
        return None if run is None else list(run["warnings"])


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    with FaultServer().running() as server:
        settings = {"url": server.url, "engine": "json", "max_in_flight": 1}
        content = {
            "lake": "lake",
            "report": {"out": "reports"},
            "clusters": [{"id": "prod", "prometheus": settings}],
        }
        (tmp_path / "costlab.yaml").write_text(json.dumps(content))
        yield Installed(tmp_path, server)


def broken_once(told: list[Told]) -> list[Told]:
    """The same, but for one sample of a GPU at noon of the first day."""
    noon = START_MS + 12 * HOUR_MS
    return [
        replace(one, values=[-1.0 if at == noon else value for at, value in zip(one.at_ms, one.values, strict=True)])
        if one.metric == "DCGM_FI_DEV_GPU_UTIL"
        else one
        for one in told
    ]  # fmt: skip


class Talking(SmallPrometheus):
    """Says something beside each answer."""

    def _success(self, data: object) -> Reply:
        return success(
            json.dumps({"status": "success", "data": data, "infos": ["metric might not be a counter"]})
        )


def test_a_day_is_not_told_what_was_remarked_of_the_day_before(installed: Installed) -> None:
    installed.server.answers(SmallPrometheus(broken_once(a_day(START_MS, 48))))
    done = installed.run("nightly", "--since", str(FIRST.date))
    assert done.exit_code == 0, done.output
    assert (installed.warnings(FIRST), installed.warnings(SECOND)) == ([BLANK], [])


def test_what_was_remarked_before_a_run_broke_off_is_told_by_the_next(installed: Installed) -> None:
    def no_usage(request: Request) -> Reply | None:
        broken = "container_memory_working" in request.body
        return api_error("400 Bad Request", "bad_data", "no") if broken else None

    talking = Talking(a_day(START_MS))
    talking.fault = no_usage
    installed.server.answers(talking)
    assert installed.run("extract", "--date", str(FIRST.date)).exit_code == 3
    installed.server.answers(
        SmallPrometheus(a_day(START_MS))
    )  # it is asked for the rest alone, and says no more
    done = installed.run("extract", "--date", str(FIRST.date))
    assert done.exit_code == 0, done.output
    assert installed.warnings(FIRST) == ["metric might not be a counter"]


def test_a_day_that_cannot_be_read_does_not_take_the_next_with_it(installed: Installed) -> None:
    def not_the_first(request: Request) -> Reply | None:
        ends_s = float(request.body.partition("time=")[2].partition("&")[0])
        of_the_first = ends_s < SECOND.window.end_ms / 1000
        return api_error("400 Bad Request", "bad_data", "no") if of_the_first else None

    prometheus = SmallPrometheus(a_day(START_MS, 48))
    prometheus.fault = not_the_first
    installed.server.answers(prometheus)
    done = installed.run("nightly", "--since", str(FIRST.date))
    assert done.exit_code == 3, done.output
    assert (installed.warnings(FIRST), installed.warnings(SECOND)) == (None, [])


@pytest.mark.parametrize(
    ("ahead_h", "words"), [(-29.5, "is over, but samples of it may still come"), (-31, "is not over yet")]
)
@pytest.mark.parametrize("command", ["nightly", "extract"])
def test_a_day_that_has_not_ended_by_the_servers_clock_is_for_later(
    installed: Installed, command: str, ahead_h: float, words: str
) -> None:
    prometheus = SmallPrometheus(a_day(START_MS))
    prometheus.ahead_s = 3600 * ahead_h
    installed.server.answers(prometheus)
    done = installed.run(command, "--date", str(FIRST.date))
    assert done.exit_code == 5, done.output
    error, hint = done.stderr.splitlines()[-2:]
    assert words in error
    assert "by the clock of prod's Prometheus, which is -1" in error
    assert "2026-11-21 01:00 UTC by that clock; let NTP" in hint
    assert installed.warnings(FIRST) is None
    assert not (installed.folder / "lake" / "_fetched").exists()


@pytest.mark.parametrize("ahead_h", [-28, 3])
def test_a_clock_by_which_the_day_has_ended_is_remarked(installed: Installed, ahead_h: float) -> None:
    prometheus = SmallPrometheus(a_day(START_MS))
    prometheus.ahead_s = 3600 * ahead_h
    installed.server.answers(prometheus)
    done = installed.run("extract", "--date", str(FIRST.date))
    assert done.exit_code == 0, done.output
    told = installed.warnings(FIRST) or []
    assert told == [f"the server's clock is {60 * ahead_h:+.0f} min from ours: let NTP keep both"]
    prometheus.ahead_s += 3
    assert "unchanged, nothing committed" in installed.run("extract", "--date", str(FIRST.date)).output


@pytest.mark.parametrize("command", ["nightly", "extract"])
def test_a_run_sweeps_away_what_nobody_goes_on_with_unless_another_is_in_the_lake(
    installed: Installed, command: str
) -> None:
    lake = Lake.create(installed.folder / "lake")
    left = Path(str(lake.path), "_fetched", "gone", "2026-11-01", "cpu_seconds")
    left.mkdir(parents=True)
    for folder in (left, left.parent):
        os.utime(folder, (START_MS / 1000 - 30 * 86_400,) * 2)
    installed.server.answers(SmallPrometheus(a_day(START_MS)))
    with lake.locked():
        assert installed.run(command, "--date", str(FIRST.date)).exit_code == 5
    assert left.is_dir()
    assert installed.run(command, "--date", str(FIRST.date)).exit_code == 0
    assert not (lake.path / "_fetched").exists()

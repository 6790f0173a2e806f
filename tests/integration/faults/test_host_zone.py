"""A night is the same on a host of any zone, and a day that the calendar left out ends in words."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from fault_server import FaultServer
from small_prometheus import SmallPrometheus, a_day
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.time import Day
from costlab.store.lake import Lake

LORD_HOWE = Day(date(2024, 4, 7), "Australia/Lord_Howe")  # of 24.5 hours: clocks go back by half an hour
HOST = "Pacific/Kiritimati"  # 14 hours ahead of UTC, where a day has another date for the most part


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def night(folder: Path, url: str, day: Day, host: str) -> subprocess.CompletedProcess[str]:
    """`costlab nightly` of a day on a host of this zone."""
    configure(folder, url, day)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COSTLAB_")}
    return subprocess.run(
        [sys.executable, "-m", "costlab", "nightly", "--date", str(day)],
        cwd=folder, env=environment | {"TZ": host}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def configure(folder: Path, url: str, day: Day) -> None:
    """A lake of the day's zone."""
    folder.mkdir(parents=True)
    content = {
        "lake": "lake",
        "timezone": day.timezone,
        "report": {"out": "reports"},
        "clusters": [{"id": "prod", "prometheus": {"url": url, "timeout": 30.0}}],
    }
    (folder / "costlab.yaml").write_text(json.dumps(content))


def test_the_zone_of_the_host_is_in_no_figure(server: FaultServer, tmp_path: Path) -> None:
    """Of this one, in this process, and of one far away."""
    server.answers(SmallPrometheus(a_day(LORD_HOWE.window.start_ms, LORD_HOWE.window.hours)))
    contents, reports, here, there = set(), set(), tmp_path / "here", tmp_path / "there"
    done = night(there, server.url, LORD_HOWE, HOST)
    assert done.returncode == 0, done.stderr
    configure(here, server.url, LORD_HOWE)
    asked = ["--config", str(here / "costlab.yaml"), "nightly", "--date", str(LORD_HOWE)]
    ended = CliRunner().invoke(app, asked, obj=Desk({}, datetime.now(UTC)))
    assert ended.exit_code == 0, ended.output
    for folder in (here, there):
        lake = Lake.open(folder / "lake")
        run = lake.run("prod", LORD_HOWE)
        assert run is not None
        contents.add(json.dumps(run["content"], sort_keys=True, default=str))
        hours = {
            row["resource"]: row["billed_quantity"] for row in lake.read("charges", "prod", LORD_HOWE).to_pylist()
            if row["pod"] == "train-0"
        }  # fmt: skip
        assert hours == pytest.approx({"cpu": 24.5, "memory": 24.5, "gpu": 24.5})
        (page,) = (folder / "reports" / "prod").glob("2024*/index.html")
        reports.add(sha256(page.read_bytes()).hexdigest())
    assert len(contents) == len(reports) == 1


def test_a_day_that_the_calendar_left_out_is_refused_with_words(server: FaultServer, tmp_path: Path) -> None:
    """Samoa crossed the date line: 30 December 2011 has no hours."""
    skipped = Day(date(2011, 12, 30), "Pacific/Apia")
    server.answers(SmallPrometheus(a_day(skipped.window.start_ms)))
    done = night(tmp_path / "apia", server.url, skipped, "UTC")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines() == [
        "error: 2011-12-30 has no hours: the clocks of Pacific/Apia went over it",
        "hint: name another day",
    ]
    assert server.seen == []

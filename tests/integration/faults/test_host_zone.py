"""A night is the same on a host of any zone, and a day that the calendar left out ends in words."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from fault_server import FaultServer
from small_prometheus import SmallPrometheus, a_day

from costlab.domain.time import Day
from costlab.store.lake import Lake

LORD_HOWE = Day(date(2024, 4, 7), "Australia/Lord_Howe")  # of 24.5 hours: clocks go back by half an hour
HOSTS = ("Pacific/Kiritimati", "America/St_Johns")  # 14 hours ahead, and 3.5 behind


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def night(folder: Path, url: str, day: Day, host: str) -> subprocess.CompletedProcess[str]:
    """`costlab nightly` of a day on a host of this zone."""
    folder.mkdir(parents=True)
    content = {
        "lake": "lake",
        "timezone": day.timezone,
        "report": {"out": "reports"},
        "clusters": [{"id": "prod", "prometheus": {"url": url, "timeout": 30.0}}],
    }
    (folder / "costlab.yaml").write_text(json.dumps(content))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COSTLAB_")}
    return subprocess.run(
        [sys.executable, "-m", "costlab", "nightly", "--date", str(day)],
        cwd=folder, env=environment | {"TZ": host}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_the_zone_of_the_host_is_in_no_figure(server: FaultServer, tmp_path: Path) -> None:
    server.answers(SmallPrometheus(a_day(LORD_HOWE.window.start_ms, LORD_HOWE.window.hours)))
    contents, reports = set(), set()
    for host in HOSTS:
        folder = tmp_path / host.replace("/", "-")
        done = night(folder, server.url, LORD_HOWE, host)
        assert done.returncode == 0, done.stderr
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

"""Two processes write the same reports as one does, to the byte, and end together."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs import site
from costlab.jobs.both_ends import ProcessBeside
from costlab.store.lake import Lake

LATER = date(2027, 1, 31)


@pytest.fixture
def lake(demo_cache: Path) -> Path:
    (path,) = demo_cache.glob("costlab/demo-*/lake")
    return path


def asked(path: Path) -> tuple[Settings, list[tuple[str, Day]], list[tuple[str, Dates]]]:
    """The settings, the lake's last five days, and the editions of these."""
    told = {"lake": str(path), "report": {"keep": "10000d"}}
    settings, lake = Settings.model_validate(told), Lake.open(path)
    days = [(cluster, Day(held, lake.timezone)) for cluster, held in sorted(lake.states(), reverse=True)[:5]]
    return settings, days, site.editions_kept(days, settings, LATER)


def content(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


def gone(pid: str) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_two_write_the_same_bytes_as_one(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "FEWEST_APART", 2)
    settings, days, editions = asked(lake)
    assert editions
    one, two = tmp_path / "one", tmp_path / "two"
    alone = list(site.write_reports(Lake.open(lake), settings, days, one, editions))
    together = list(site.write_reports(Lake.open(lake), settings, days, two, editions, processes=2))
    assert [page.relative_to(one) for page in alone] == [page.relative_to(two) for page in together]
    assert content(one) == content(two)


def test_a_day_that_one_of_them_cannot_read_is_told_and_what_was_written_is_led_to(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "FEWEST_APART", 2)
    settings, days, _ = asked(lake)
    elsewhere = settings.model_copy(update={"lake": str(tmp_path / "empty")})
    with pytest.raises(ConfigError, match="there is no lake"):
        list(site.write_reports(Lake.open(lake), elsewhere, days, tmp_path / "out", processes=2))
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_both_and_leaves_nothing_half_written(
    lake: Path, tmp_path: Path, number: int, code: int
) -> None:
    command = [sys.executable, "-m", "costlab", "--lake", str(lake), "report", "--all"]
    environment = {**os.environ, "COSTLAB_REPORT__KEEP": "10000d"}
    # As from a terminal, whatever this process was told to ignore.
    listens = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*command, "--out", str(tmp_path)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=listens,  # noqa: PLW1509 - it takes no lock
    ) as run:  # fmt: skip
        while not list(tmp_path.glob("*/2*-*/index.html")):
            assert run.poll() is None
            time.sleep(0.02)
        beside = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert run.returncode == code, said
    assert b"Traceback" not in said
    assert beside
    deadline = time.monotonic() + 30  # Python's own tracker of resources ends once it hears that we did
    while not all(map(gone, beside)):
        assert time.monotonic() < deadline, "a process goes on alone"
        time.sleep(0.05)
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize(("processors", "begun"), [(1, 0), (2, 1)])
def test_one_processor_is_given_one_process(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int, begun: int
) -> None:
    begin, times = ProcessBeside.__init__, []

    def counted(*told: Any) -> None:
        times.append(told)
        begin(*told)

    monkeypatch.setattr(site, "FEWEST_APART", 1)
    monkeypatch.setattr(ProcessBeside, "__init__", counted)
    monkeypatch.setattr("costlab.jobs.processors.processors", lambda: processors)
    day = max(day for _, day in Lake.open(lake).states())
    command = ["report", "--date", str(day), "--lake", str(lake), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, command, obj=Desk({"HOME": str(tmp_path)}, datetime.now(UTC)))
    assert (done.exit_code, len(times)) == (0, begun), done.output

"""A run that is interrupted while it reads ends at once, leaves the lake as it was, and is gone on with from there."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from real_world import CLUSTER, settings_in
from stalling_proxy import in_front_of

from costlab.domain.signals import Signal
from costlab.domain.time import Day
from costlab.jobs.measure import extract_day
from costlab.sources.prometheus.catalogue import built_in
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.lake import Lake

pytestmark = pytest.mark.prometheus


def command(folder: Path, url: str, name: str, engine: str) -> list[str]:
    """`costlab extract` of the last day into a lake of its own."""
    config = folder / f"{name}.yaml"
    content = {
        "lake": f"./{name}",
        "clusters": [{"id": CLUSTER, "prometheus": {"url": url, "timeout": 50.0, "engine": engine}}],
    }
    config.write_text(json.dumps(content))
    return [sys.executable, "-m", "costlab", "--config", str(config), "extract", "--date", "2026-11-20"]


@pytest.fixture(scope="module")
def undisturbed(
    synthetic_cluster: SyntheticCluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What the day's tables hash to, whichever way it is read."""
    settings, day = settings_in(tmp_path_factory.mktemp("undisturbed")), synthetic_cluster.days[-1]
    lake = Lake.create(settings.lake)
    extract_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    content: dict[str, str] = (lake.run(CLUSTER, day) or {})["content"]
    return content


def marks(spool: Path) -> list[Path]:
    """The signals that were fetched whole."""
    return list(spool.rglob("fetched.json"))


def until(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    """Waits for it; raises AssertionError when it takes too long."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("engine", ["auto", "json"])
def test_an_interrupted_extract_goes_on_where_it_was(
    synthetic_prometheus: str,
    synthetic_cluster: SyntheticCluster,
    undisturbed: dict[str, str],
    tmp_path: Path,
    engine: str,
) -> None:
    day: Day = synthetic_cluster.days[-1]
    with in_front_of(synthetic_prometheus) as proxy:
        run = command(tmp_path, proxy.url, "interrupted", engine)
        proxy.stalls_at = b"container_memory_working_set_bytes"
        # As from a terminal, whatever this process was told to ignore.
        listens = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(
            run,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=listens,  # noqa: PLW1509 - it takes no lock
        ) as stopped:
            assert proxy.stalled.wait(60)
            # Beside it, others are read.
            spool = tmp_path / "interrupted" / "_fetched"
            until(lambda: len(marks(spool)) >= 3)
            began = time.monotonic()
            stopped.send_signal(signal.SIGINT)
            _, said = stopped.communicate(timeout=40)
        assert time.monotonic() - began < 10
        assert (stopped.returncode, said.decode().strip().splitlines()[-1]) == (130, "interrupted")
        assert Lake.open(tmp_path / "interrupted").run(CLUSTER, day) is None

        done = [built_in().metrics(Signal(mark.parent.name))[0].name for mark in marks(spool)]
        proxy.stalls_at = b""
        proxy.asked.clear()
        subprocess.run(run, check=True, capture_output=True, timeout=100)
        assert proxy.times_asked(b"container_memory_working_set_bytes") > 0
        # What was fetched whole before is not asked for again.
        assert len(done) >= 3
        assert not [metric for metric in done if proxy.times_asked(metric.encode())]
    resumed = Lake.open(tmp_path / "interrupted").run(CLUSTER, day)
    assert resumed is not None
    assert resumed["content"] == undisturbed
    assert not list(spool.rglob("*.parquet"))

"""What tests of several kinds share: the synthetic cluster, and real servers that hold it."""

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import prometheus_server as prometheus
import pytest
import s3_server
import typer.main
import victoria_server as victoria
from filelock import FileLock
from loopback import NotThere
from object_store import Store, object_store
from real_store import real_store
from store_faults import CREDENTIALS, FailingStore

from costlab.domain.time import HOUR_MS
from costlab.lab.demo import demo_lake
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.openmetrics import write_openmetrics

if TYPE_CHECKING:
    from distributed import LocalCluster

# Times of single examples say nothing on a shared machine, and the first one compiles kernels.
hypothesis.settings.register_profile("costlab", deadline=None)
hypothesis.settings.load_profile("costlab")

PrometheusServer = Callable[..., str]
LastDayServer = Callable[..., str]
VictoriaServer = Callable[..., str]


def pytest_configure() -> None:
    """Let SIGINT interrupt, also where a shell has started the tests in the background, which ignore it then."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Let nothing outlive the session.

    Hypothesis and dask leave callbacks with the garbage collector, and what they hold at the interpreter's end DuckDB's
    binding tells of in 40 lines, as leaked.
    """
    gc.callbacks[:] = [
        each for each in gc.callbacks if not str(each.__module__).startswith(("hypothesis.", "distributed."))
    ]


@pytest.fixture(scope="session", autouse=True)
def commands_made_once() -> Iterator[None]:
    """Typer's runner makes all commands anew for each one that it runs, which takes ten times as long as to parse it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def synthetic_cluster() -> SyntheticCluster:
    """The cluster of the demo; pure, so tests may share it."""
    return SyntheticCluster()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a session share: what is dear is made once, behind a lock."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def demo_cache(shared_folder: Path) -> Path:
    """A folder of caches, $XDG_CACHE_HOME, that holds the demo's lake."""
    folder = shared_folder / "caches"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, FileLock(folder / "demo.lock"):
        patch.setenv("XDG_CACHE_HOME", str(folder))
        demo_lake()
    return folder


@pytest.fixture(scope="session")
def prometheus_folder() -> Path:
    """Where `prometheus` and `promtool` are."""
    return unpacked(prometheus.binaries)


@pytest.fixture(scope="session")
def victoria_folder() -> Path:
    """Where `victoria-metrics` is."""
    return unpacked(victoria.binaries)


def unpacked(binaries: Callable[[], Path]) -> Path:
    """Where a server's programs are, or a browser; without them a test fails in CI and is skipped elsewhere."""
    try:
        return binaries()
    except NotThere as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def prometheus_server(
    prometheus_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    """Starts a Prometheus over an OpenMetrics file: `prometheus_server(file, *flags)` is its base URL."""
    with ExitStack() as servers:

        def start(openmetrics: Path, *flags: str) -> str:
            tsdb = tmp_path_factory.mktemp("prometheus")
            prometheus.make_blocks(openmetrics, tsdb, prometheus_folder)
            return servers.enter_context(prometheus.serving(tsdb, prometheus_folder, *flags))

        yield start


@pytest.fixture(scope="session")
def last_day_server(
    synthetic_cluster: SyntheticCluster,
    prometheus_folder: Path,
    shared_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LastDayServer]:
    """Starts a Prometheus with the synthetic cluster's last day, and an hour before and after it: its base URL."""
    blocks = shared_folder / "last-day"
    with FileLock(shared_folder / "last-day.lock"):
        if not blocks.exists():
            text, made = shared_folder / "last-day.om", shared_folder / "last-day.part"
            window = synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)
            write_openmetrics(synthetic_cluster, window, text)
            prometheus.make_blocks(text, made, prometheus_folder)
            text.unlink()  # 0.6 GB
            made.rename(blocks)
    with ExitStack() as servers:

        def start(*flags: str) -> str:
            tsdb = tmp_path_factory.mktemp("prometheus") / "tsdb"
            shutil.copytree(blocks, tsdb, copy_function=os.link)  # a block is never written again
            return servers.enter_context(prometheus.serving(tsdb, prometheus_folder, *flags))

        yield start


@pytest.fixture(scope="session")
def synthetic_prometheus(last_day_server: LastDayServer) -> str:
    """Base URL of a Prometheus with that day, under no further limits."""
    return last_day_server()


@pytest.fixture(scope="session")
def victoria_server(
    victoria_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VictoriaServer]:
    """Starts an empty VictoriaMetrics: `victoria_server(*flags)` is its base URL."""
    with ExitStack() as servers:

        def start(*flags: str) -> str:
            storage = tmp_path_factory.mktemp("victoria")
            return servers.enter_context(victoria.serving(storage, victoria_folder, *flags))

        yield start


@pytest.fixture(scope="session")
def s3_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a real object store that the tests of a process share, one after the other."""
    with s3_server.serving(tmp_path_factory.mktemp("s3"), unpacked(s3_server.binaries)) as host:
        yield host


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    """The tests' own, empty: for what costlab does, whichever store it is, and for what takes long."""
    let_in(monkeypatch, tmp_path)
    with object_store() as running:
        yield running


@pytest.fixture(params=["own", pytest.param("SeaweedFS", marks=pytest.mark.s3)])
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[FailingStore]:
    """An empty object store, once the tests' own and once a real one: for what hangs on a store's own answers."""
    let_in(monkeypatch, tmp_path)
    opened = object_store() if request.param == "own" else real_store(request.getfixturevalue("s3_host"))
    with opened as running:
        yield running


def let_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process may do everything in either of them."""
    for name, value in {**CREDENTIALS, "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator["LocalCluster"]:
    """Two workers of dask; it ends with its module, or its threads and processes would be beside all that follows."""
    from dask_workers import two_workers

    with two_workers() as made:
        yield made


@pytest.fixture(scope="session")
def synthetic_victoria(synthetic_cluster: SyntheticCluster, victoria_server: VictoriaServer) -> str:
    """Base URL of a VictoriaMetrics with the synthetic cluster's last day, and an hour before and after it."""
    url = victoria_server()
    window = synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)
    for metric in synthetic_cluster.metrics():
        victoria.put(url, synthetic_cluster.raw(metric, window))
    return url

"""What tests of several kinds share: the synthetic cluster, and a real Prometheus that holds it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from prometheus_server import NoPrometheus, binaries, make_blocks, serving

from costlab.domain.time import HOUR_MS
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.openmetrics import write_openmetrics

# Times of single examples say nothing on a shared machine, and the first one compiles kernels.
hypothesis.settings.register_profile("costlab", deadline=None)
hypothesis.settings.load_profile("costlab")

PrometheusServer = Callable[..., str]


@pytest.fixture(scope="session")
def synthetic_cluster() -> SyntheticCluster:
    """The cluster of the demo; pure, so tests may share it."""
    return SyntheticCluster()


@pytest.fixture(scope="session")
def prometheus_folder() -> Path:
    """Where `prometheus` and `promtool` are; without them a test fails in CI and is skipped elsewhere."""
    try:
        return binaries()
    except NoPrometheus as missing:
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
            make_blocks(openmetrics, tsdb, prometheus_folder)
            return servers.enter_context(serving(tsdb, prometheus_folder, *flags))

        yield start


@pytest.fixture(scope="session")
def synthetic_prometheus(
    synthetic_cluster: SyntheticCluster,
    prometheus_server: PrometheusServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Base URL of a Prometheus with the synthetic cluster's last day, and an hour before and after it."""
    file = tmp_path_factory.mktemp("synthetic") / "last-day.om"
    write_openmetrics(synthetic_cluster, synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS), file)
    url = prometheus_server(file)
    file.unlink()  # 0.6 GB of text
    return url

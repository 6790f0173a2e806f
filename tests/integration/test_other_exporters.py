"""GPU exporters through a real Prometheus: united, stood in for, and only those asked for that somebody runs."""

from collections.abc import Callable

import pytest
import requests

from costlab.config.servers import Engine, Prometheus
from costlab.config.settings import Settings
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.catalogue import Catalogue
from costlab.sources.prometheus.connection import open_session

pytestmark = pytest.mark.prometheus

START_MS = 1_795_132_800_000  # 2026-11-20
DAY_MS = 24 * HOUR_MS
PLAIN_DAY, BOTH_DAY = (
    Window(START_MS, START_MS + HOUR_MS),
    Window(START_MS + DAY_MS, START_MS + DAY_MS + HOUR_MS),
)
NEXT_DAY = Window(START_MS + 2 * DAY_MS, START_MS + 2 * DAY_MS + HOUR_MS)
PLAIN = 'gpu_utilization{gpu_id="0",instance="node-1:9400"}'
# What is told when: by metric and labels, the windows, and the value.
TOLD: dict[str, tuple[tuple[Window, ...], float]] = {
    'DCGM_FI_DEV_GPU_UTIL{UUID="GPU-1",Hostname="node-1"}': ((BOTH_DAY,), 50),
    'DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID="GPU-2",Hostname="node-1"}': ((NEXT_DAY,), 0.5),
    'gpu_gfx_activity{gpu_uuid="AMD-1",hostname="node-2",gpu_partition_id="0"}': ((BOTH_DAY,), 40),
    'gpu_gfx_activity{gpu_uuid="AMD-1",hostname="node-2",gpu_partition_id="1"}': ((BOTH_DAY,), 0),
    'kube_pod_info{namespace="a",pod="p",uid="u",node="node-1"}': ((PLAIN_DAY, BOTH_DAY, NEXT_DAY), 1),
    PLAIN: ((PLAIN_DAY, BOTH_DAY, NEXT_DAY), 25),
}


@pytest.fixture(scope="module")
def prometheus(prometheus_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    lines, named = [], ""
    for series, (windows, value) in TOLD.items():
        if (metric := series.partition("{")[0]) != named:
            lines.append(f"# TYPE {metric} gauge")
            named = metric
        lines += [
            f"{series} {value} {at_ms / 1000:.3f}"
            for window in windows
            for at_ms in range(window.start_ms, window.end_ms, MINUTE_MS)
        ]
    file = tmp_path_factory.mktemp("exporters") / "all.om"
    file.write_text("\n".join([*lines, "# EOF\n"]))
    return prometheus_server(file)


def busy(source: PrometheusSource, window: Window) -> dict[str, set[float]]:
    """The values by device, as its UUID or the node and number that stand for it."""
    found = source.fetch(Signal.GPU_UTILIZATION, window)
    return {
        labels.get("gpu_uuid") or f"{labels['node']}/{labels['gpu_index']}": set(
            found.values[low:high].tolist()
        )
        for labels, low, high in zip(found.labels, found.offsets[:-1], found.offsets[1:], strict=True)
    }


def test_nodes_of_two_vendors_are_united_and_the_plain_exporter_stands_in_for_nobody(prometheus: str) -> None:
    source = PrometheusSource(Prometheus(url=prometheus))
    assert busy(source, BOTH_DAY) == {"GPU-1": {0.5}, "AMD-1": {0.4}}
    assert busy(source, PLAIN_DAY) == {"node-1/0": {0.25}}
    # An exporter that shows its devices by another signal still shows them.
    assert busy(source, NEXT_DAY) == {}


def test_a_configuration_changes_what_an_exporter_means(prometheus: str) -> None:
    plain = {"name": "plain", "metrics": {"gpu_utilization": {"unit": "ratio"}}, "fallback": False}
    catalogue = Catalogue(Settings.model_validate({"accelerators": [plain]}).accelerators)
    source = PrometheusSource(Prometheus(url=prometheus), catalogue=catalogue)
    assert busy(source, BOTH_DAY) == {"GPU-1": {0.5}, "AMD-1": {0.4}, "node-1/0": {25.0}}
    usual = PrometheusSource(Prometheus(url=prometheus))
    assert source.asks(Signal.GPU_UTILIZATION, BOTH_DAY) != usual.asks(Signal.GPU_UTILIZATION, BOTH_DAY)
    assert source.asks(Signal.POD_INFO, BOTH_DAY) == usual.asks(Signal.POD_INFO, BOTH_DAY)


def test_only_exporters_that_somebody_runs_are_asked_for(prometheus: str) -> None:
    asked: list[str] = []

    def listen(response: requests.Response, *_: object, **__: object) -> None:
        asked.append(f"{response.request.url} {response.request.body!r}")

    settings = Prometheus(url=prometheus, engine=Engine.JSON)  # whose questions can be read
    session = open_session(settings)
    session.hooks["response"] = [listen]
    assert busy(PrometheusSource(settings, session), BOTH_DAY) == {"GPU-1": {0.5}, "AMD-1": {0.4}}
    assert len([line for line in asked if "/label/__name__/values" in line]) == 1, asked
    samples = [line for line in asked if "ms%5D" in line]  # a range of so many milliseconds
    assert all(name in "".join(samples) for name in ("DCGM_FI_DEV_GPU_UTIL", "gpu_gfx_activity"))
    assert not [line for line in samples if "habanalabs" in line or "neuron" in line or "duty_cycle" in line]

"""Through a real Prometheus and past it, the synthetic cluster is the same to the last bit."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from costlab.config.servers import Prometheus
from costlab.domain.signals import SIGNALS, Exporter, Series, Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.clock import ahead_s
from costlab.sources.prometheus.connection import Connection
from costlab.sources.prometheus.flavour import recognise
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.sources.synthetic.openmetrics import write_openmetrics

pytestmark = pytest.mark.prometheus
# No Kepler runs in the synthetic cluster.
SHOWN = [signal for signal, spec in SIGNALS.items() if spec.exporter is not Exporter.KEPLER]


def same(found: Series, wanted: Series) -> None:
    assert [dict(labels) for labels in found.labels] == [dict(labels) for labels in wanted.labels]
    np.testing.assert_array_equal(found.offsets, wanted.offsets)
    np.testing.assert_array_equal(found.at_ms, wanted.at_ms)
    assert found.values.tobytes() == wanted.values.tobytes()


@pytest.mark.parametrize("signal", SHOWN)
def test_a_day_with_its_margins(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster, signal: Signal
) -> None:
    window = synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)
    through, past = PrometheusSource(Prometheus(url=synthetic_prometheus)), SyntheticSource(synthetic_cluster)
    wanted = past.fetch(signal, window)
    assert len(wanted)
    same(through.fetch(signal, window), wanted)
    assert through.warnings == past.warnings


def test_a_window_that_begins_and_ends_at_a_sample(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster
) -> None:
    source = PrometheusSource(Prometheus(url=synthetic_prometheus))
    day = source.fetch(Signal.CPU_SECONDS, synthetic_cluster.days[-1].window)
    longest = int(np.argmax(np.diff(day.offsets)))
    of_one = day.at_ms[day.offsets[longest] : day.offsets[longest + 1]]
    start_ms, end_ms = int(of_one[200]), int(of_one[250])
    cut = source.fetch(Signal.CPU_SECONDS, Window(start_ms, end_ms))
    assert cut.at_ms.min() == start_ms
    assert cut.at_ms.max() < end_ms
    same(cut, SyntheticSource(synthetic_cluster).fetch(Signal.CPU_SECONDS, Window(start_ms, end_ms)))


def test_no_time_and_no_metric_are_no_series(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster
) -> None:
    source = PrometheusSource(Prometheus(url=synthetic_prometheus))
    start_ms = synthetic_cluster.days[-1].window.start_ms
    assert len(source.fetch(Signal.POD_INFO, Window(start_ms, start_ms))) == 0
    elsewhere = Prometheus(url=synthetic_prometheus, matchers={"cluster": 'no "such" \\ one\n'})
    hour = Window(start_ms, start_ms + HOUR_MS)
    assert len(PrometheusSource(elsewhere).fetch(Signal.POD_INFO, hour)) == 0


def test_matchers_narrow(synthetic_prometheus: str, synthetic_cluster: SyntheticCluster) -> None:
    start_ms = synthetic_cluster.days[-1].window.start_ms
    settings = Prometheus(url=synthetic_prometheus, matchers={"namespace": "data"})
    found = PrometheusSource(settings).fetch(Signal.POD_INFO, Window(start_ms, start_ms + HOUR_MS))
    assert {labels["namespace"] for labels in found.labels} == {"data"}


def test_halving_at_the_servers_limit_changes_nothing(
    prometheus_server: Callable[..., str], synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    start_ms = synthetic_cluster.days[-1].window.start_ms
    window = Window(start_ms, start_ms + 3 * HOUR_MS)
    write_openmetrics(synthetic_cluster, window, tmp_path / "hours.om")
    settings = Prometheus(
        url=prometheus_server(tmp_path / "hours.om", "--query.max-samples=1200"), max_in_flight=1
    )
    # 45 containers, each with a sample a minute: 30 minutes are below the limit, an hour is above.
    same(
        PrometheusSource(settings).fetch(Signal.MEMORY_BYTES, window),
        SyntheticSource(synthetic_cluster).fetch(Signal.MEMORY_BYTES, window),
    )
    # More than 1,200 samples in five minutes are not mended by shorter windows, but by asking namespace by namespace.
    same(
        PrometheusSource(settings).fetch(Signal.POD_PHASE, window),
        SyntheticSource(synthetic_cluster).fetch(Signal.POD_PHASE, window),
    )


def test_what_doctor_asks(synthetic_prometheus: str, synthetic_cluster: SyntheticCluster) -> None:
    settings = Prometheus(url=synthetic_prometheus)
    info = PrometheusSource(settings).info()
    assert (info.product, info.engine) == ("Prometheus", "remote-read")
    assert info.version[0].isdigit()
    doctor = Connection(settings)
    noon_ms = synthetic_cluster.days[-1].window.start_ms + 12 * HOUR_MS
    names = {
        series.labels["pod"]
        for series in synthetic_cluster.raw("kube_pod_info", Window(noon_ms - 5 * MINUTE_MS, noon_ms))
    }
    ((_, count),) = doctor.vector("count(kube_pod_info)", noon_ms)
    assert count >= len(names) > 0
    assert doctor.vector("count(no_such_metric)", noon_ms) == []
    hour = Window(noon_ms - HOUR_MS, noon_ms)
    every = Selector("", (Matcher("__name__", Operator.MATCHES, ".+"),))
    assert set(synthetic_cluster.metrics()) <= set(doctor.metrics(every, hour))
    assert doctor.metrics(Selector("kube_pod_info"), hour) == ["kube_pod_info"]
    product = recognise(doctor.client)
    assert abs(ahead_s(doctor.client, product)) < 30
    assert abs(ahead_s(doctor.client, product, lambda: time.time() + 3600) + 3600) < 30
    doctor.close()

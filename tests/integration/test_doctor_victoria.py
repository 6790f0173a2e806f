"""The doctor against a real VictoriaMetrics: recognised, entered by its export, and asked about this very moment."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from costlab.config.load import load
from costlab.config.servers import Engine, Prometheus
from costlab.domain.errors import SourceRefused
from costlab.jobs.doctor import PrometheusProbe, Status, examine
from costlab.sources.prometheus.flavour import Flavour
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.synthetic import SyntheticCluster

pytestmark = pytest.mark.victoria


def test_it_is_recognised_and_every_signal_found(
    synthetic_victoria: str, synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    path = tmp_path / "costlab.yaml"
    path.write_text(f"lake: lake\nclusters:\n  - id: prod\n    prometheus: {{url: '{synthetic_victoria}'}}\n")
    after = synthetic_cluster.days[-1].window.end + timedelta(minutes=30)
    found = examine(
        load(path, {}), now=after, environ={}, probe_of=lambda cluster: PrometheusProbe(cluster.prometheus)
    )
    checks = {check.subject.removeprefix("prod: "): check for check in found}
    assert checks["Prometheus"].text.startswith("VictoriaMetrics")
    assert checks["engine"].text == "victoria-export: VictoriaMetrics exports series by series"
    assert checks["retention"].text.endswith("; it keeps 100y")
    assert [check for check in checks.values() if check.status is not Status.OK] == []
    assert "series of kube_pod_info" in checks["pod_info"].text
    gpus = Selector("", (Matcher("__name__", Operator.MATCHES, "(?i).*gpu.*"),))
    with closing(PrometheusProbe(Prometheus(url=synthetic_victoria))) as probe:
        assert probe.metrics(gpus, synthetic_cluster.days[-1].window) == ["DCGM_FI_DEV_GPU_UTIL"]


def test_its_flags_are_its_limits_and_its_clock_is_not_half_a_minute_late(
    victoria_server: Callable[..., str],
) -> None:
    url = victoria_server("-search.maxSamplesPerQuery=1000000", "-search.maxUniqueTimeseries=3")
    probe = PrometheusProbe(Prometheus(url=url))
    product = probe.product()
    assert product.flavour is Flavour.VICTORIA_METRICS
    assert product.limits == {
        "retentionPeriod": "100y",
        "search.maxSamplesPerQuery": "1000000",
        "search.maxUniqueTimeseries": "3",
    }
    # Without nocache=1 it answers as of 30 s ago: -search.latencyOffset.
    assert abs(probe.ahead_s(product)) < 10
    probe.close()


def test_remote_read_of_it_is_refused_by_name(victoria_server: Callable[..., str]) -> None:
    probe = PrometheusProbe(Prometheus(url=victoria_server(), engine=Engine.REMOTE_READ))
    with pytest.raises(SourceRefused, match="does not speak remote-read, but victoria-export and json"):
        probe.choice(probe.product())
    probe.close()

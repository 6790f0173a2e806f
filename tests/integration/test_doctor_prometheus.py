"""The doctor against a real Prometheus that holds the synthetic cluster."""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from conftest import PrometheusServer
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.load import load
from costlab.config.servers import Prometheus
from costlab.domain.time import HOUR_MS, Window, milliseconds
from costlab.jobs.doctor import Check, PrometheusProbe, Status, examine
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.synthetic import SyntheticCluster

pytestmark = pytest.mark.prometheus


def test_the_doctor_finds_every_signal(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    (tmp_path / "costlab.yaml").write_text(
        f"lake: lake\nclusters:\n  - id: prod\n    prometheus: {{url: '{synthetic_prometheus}'}}\n"
    )
    noon = synthetic_cluster.days[-1].window.start + timedelta(hours=12)
    done = CliRunner().invoke(
        app, ["--config", str(tmp_path / "costlab.yaml"), "doctor", "-o", "json"], obj=Desk({}, noon)
    )
    assert done.exit_code == 0, done.output
    checks = {row["check"]: row for row in json.loads(done.stdout)["rows"]}
    assert checks["prod: Prometheus"]["found"].startswith("Prometheus ")
    assert checks["prod: engine"]["found"].startswith("remote-read: ")
    assert checks["prod: limits"]["found"].endswith("it streams: its limits of samples do not count")
    assert re.match(r"a day is about [\d,.]+( M)? samples, one in 120 s of ", checks["prod: limits"]["found"])
    assert checks["prod: retention"]["found"].endswith("; it keeps 20y")
    assert checks["prod: duplicates"]["found"] == "every pod is told of once"
    assert "at prices.gpu_hour=2.5" in checks["prod: GPU prices"]["found"]
    assert checks["prod: clock"]["status"] == "OK"
    found = {
        name.removeprefix("prod: "): row for name, row in checks.items() if " series of " in row["found"]
    }
    for signal in (
        "pod_info",
        "pod_labels",
        "cpu_seconds",
        "memory_bytes",
        "node_capacity",
        "gpu_utilization",
    ):
        assert found[signal]["status"] == "OK"
        assert "no series" not in found[signal]["found"]
    assert "pods with team" in checks["prod: owners"]["found"]


NOW = datetime(2025, 11, 22, 12, tzinfo=UTC)
REPLICAS = ("prometheus-a", "prometheus-b")


@pytest.fixture(scope="module")
def two_replicas(prometheus_server: PrometheusServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Base URL of a Prometheus that holds what two replicas saw, and calls itself cluster=prod."""
    rows = {
        "kube_pod_info": [{"namespace": "n", "pod": f"p{i}", "uid": f"u{i}", "node": "a"} for i in range(3)],
        "kube_state_metrics_build_info": [{"version": "v2.10.0", "instance": "ksm:8081"}],
        "DCGM_FI_DEV_GPU_UTIL": [{"gpu": "0", "UUID": "GPU-1", "modelName": "NVIDIA L4", "job": "dcgm"}],
    }
    file = tmp_path_factory.mktemp("replicas") / "replicas.om"
    with file.open("w") as out:
        for name, series in rows.items():
            out.write(f"# TYPE {name} gauge\n")
            for labels in ({**own, "monitor": replica} for own in series for replica in REPLICAS):
                told = ",".join(f'{label}="{value}"' for label, value in labels.items())
                for minute in range(80):
                    out.write(f"{name}{{{told}}} 1 {NOW.timestamp() - 60 * (79 - minute):.3f}\n")
        out.write("# EOF\n")
    url = prometheus_server(file, "--web.enable-lifecycle")
    with requests.Session() as session:
        session.trust_env = False
        flags = session.get(f"{url}/api/v1/status/flags", timeout=5).json()["data"]
        Path(flags["config.file"]).write_text(
            "global: {external_labels: {cluster: prod, prometheus_replica: r0}}\n"
        )
        session.post(f"{url}/-/reload", timeout=5).raise_for_status()
    return url


def checked(url: str, folder: Path, settings: str = "") -> Mapping[str, Check]:
    path = folder / "costlab.yaml"
    path.write_text(f"lake: lake\nclusters:\n  - id: prod\n    prometheus: {{url: '{url}'{settings}}}\n")
    found = examine(
        load(path, {}), now=NOW, environ={}, probe_of=lambda cluster: PrometheusProbe(cluster.prometheus)
    )
    return {check.subject.removeprefix("prod: "): check for check in found}


def test_replicas_that_are_not_configured_are_found(two_replicas: str, tmp_path: Path) -> None:
    checks = checked(two_replicas, tmp_path)
    assert re.fullmatch(r"Prometheus 2\.\S+", checks["Prometheus"].text)
    assert checks["duplicates"].text.startswith("3 pods are told of more than once")
    assert (
        checks["duplicates"].mend
        == "if monitor names replicas of one Prometheus, add it to prometheus.replica_labels"
    )
    known = checked(two_replicas, tmp_path, ", replica_labels: [monitor], engine: json")
    assert (known["duplicates"].status, known["duplicates"].text) == (
        Status.OK,
        "3 pods are told of by replicas, told apart by monitor",
    )
    assert known["replicas"].mend == "add prometheus_replica to prometheus.replica_labels"
    assert known["kube-state-metrics"].text == "v2.10.0 (2)"
    assert known["GPU exporter"].text == "DCGM_FI_DEV_GPU_UTIL by dcgm"
    assert "NVIDIA L4" in known["GPU prices"].text
    assert "one in 60 s of 8 series; query.max-samples=50000000 holds " in known["limits"].text


def test_an_external_label_is_no_matcher_of_the_query_api(two_replicas: str, tmp_path: Path) -> None:
    by_json = checked(two_replicas, tmp_path, ", matchers: {cluster: prod}, engine: json")
    assert by_json["matchers.cluster"].status is Status.FAIL
    assert "external label of this server ('prod')" in by_json["matchers.cluster"].text
    assert by_json["pod_info"].text == "none of the 6 series of kube_pod_info fits prometheus.matchers"
    by_chunks = checked(two_replicas, tmp_path, ", matchers: {cluster: prod}")
    assert by_chunks["engine"].text.startswith("remote-read: ")
    assert by_chunks["matchers"].text == "6 of 6 series of kube_pod_info"
    assert by_chunks["pod_info"].text == "6 series of kube_pod_info (kube-state-metrics)"
    other = checked(two_replicas, tmp_path, ", matchers: {cluster: dev}")
    assert "calls itself 'prod'" in other["matchers.cluster"].text


def test_a_matcher_with_a_slip_says_what_is_there(two_replicas: str, tmp_path: Path) -> None:
    check = checked(two_replicas, tmp_path, ", matchers: {monitor: prometheus-x}")["matchers.monitor"]
    assert "there is 'prometheus-a', 'prometheus-b'; did you mean" in check.text
    missing = checked(two_replicas, tmp_path, ", matchers: {region: eu}")["matchers.region"]
    assert missing.text == "none of the 6 series of kube_pod_info has such a label"


def test_an_engine_that_is_not_spoken_fails_and_all_else_is_told(two_replicas: str, tmp_path: Path) -> None:
    checks = checked(two_replicas, tmp_path, ", engine: victoria-export")
    assert checks["engine"].status is Status.FAIL
    assert "does not speak victoria-export, but remote-read and json" in checks["engine"].text
    assert checks["pod_info"].status is Status.OK


def test_names_of_metrics_are_found_out_by_a_pattern_within_the_matchers(two_replicas: str) -> None:
    now_ms = milliseconds(NOW)
    hour, gpus = Window(now_ms - HOUR_MS, now_ms), Matcher("__name__", Operator.MATCHES, "(?i).*gpu.*")
    with closing(PrometheusProbe(Prometheus(url=two_replicas))) as probe:
        for monitor, found in (("prometheus-a", ["DCGM_FI_DEV_GPU_UTIL"]), ("nobody", [])):
            narrowed = Selector("", (gpus, Matcher("monitor", Operator.EQUAL, monitor)))
            assert probe.metrics(narrowed, hour) == found

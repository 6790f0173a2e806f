"""The doctor against a real Prometheus that holds the synthetic cluster."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
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
    assert checks["prod: clock"]["status"] == "WARN"  # the story lies in another time than the server's clock
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

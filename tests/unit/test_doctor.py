"""The doctor: each fault is one line with its mend, and hides no other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from costlab.config.load import load
from costlab.domain.errors import SourceRefused, SourceUnavailable
from costlab.domain.signals import Signal
from costlab.jobs.doctor import Check, Status, examine
from costlab.sources import SourceInfo
from costlab.sources.prometheus.catalogue import built_in
from costlab.store.lake import Lake

Examined = Callable[..., dict[str, Check]]
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
CONFIG = """\
lake: lake
clusters:
  - id: prod
    prometheus: {url: 'http://prometheus:9090', matchers: {cluster: prod}}
"""


@dataclass
class FakeProbe:
    """Has every series, but for selectors that hold one of the `missing` words."""

    missing: tuple[str, ...] = ("count by",)
    skew_s: float = 0.2
    fault: Exception | None = None
    breaks_at: str = "never"
    asked: list[tuple[str, int]] = field(default_factory=list)
    closed: bool = False

    def info(self) -> SourceInfo:
        if self.fault and self.breaks_at == "never":
            raise self.fault
        return SourceInfo("Prometheus", "2.42.0", "json")

    def series_count(self, selector: str, at_ms: int) -> int:
        if self.fault and self.breaks_at in selector:
            raise self.fault
        self.asked.append((selector, at_ms))
        return 0 if any(word in selector for word in self.missing) else 7

    def clock_skew_s(self, now: datetime) -> float:
        assert now == NOW
        return self.skew_s

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def examined(tmp_path: Path) -> Examined:
    def run(probe: FakeProbe, more: str = "", config: str = CONFIG) -> dict[str, Check]:
        path = tmp_path / "costlab.yaml"
        path.write_text(config + more)
        return {check.subject: check for check in examine(load(path, {}), now=NOW, probe_of=lambda _: probe)}

    return run


def test_all_is_well(examined: Examined) -> None:
    probe = FakeProbe()
    checks = examined(probe)
    assert {check.status for check in checks.values()} == {Status.OK}
    assert not [check for check in checks.values() if check.mend]
    assert checks["prod: Prometheus"].text == "Prometheus 2.42.0, read by json"
    assert "7 series of kube_pod_info" in checks["prod: pod_info"].text
    assert all('cluster="prod"' in selector for selector, _ in probe.asked)
    assert probe.closed


@pytest.mark.parametrize(
    ("missing", "subject", "status", "found", "mend"),
    [
        (
            "kube_pod_info{",
            "pod_info",
            Status.FAIL,
            "no series of kube_pod_info",
            "scrape kube-state-metrics",
        ),
        (
            "container_cpu_usage",
            "cpu_seconds",
            Status.WARN,
            "use unobserved",
            "cAdvisor",
        ),
        ("DCGM_FI_DEV_GPU_UTIL", "gpu_utilization", Status.WARN, "nobody knows how busy", "DCGM"),
        ("kube_pod_labels{", "pod_labels", Status.WARN, "no team", "--metric-labels-allowlist"),
        ('label_team!=""', "owners", Status.OK, "7 pods with owner", ""),
        ("label_", "owners", Status.WARN, "no pod shows a label team or owner", "pods=[team,owner]"),
        ("kube_node_status_capacity", "node_capacity", Status.WARN, "no idle", "nodes"),
        ("kube_pod_overhead", "pod_overhead_cpu", Status.OK, "nothing may need it", ""),
        ("nothing", "duplicates", Status.WARN, "7 pods are told of more than once", "replica_labels"),
    ],
)
def test_what_is_missing_is_told_with_its_mend(
    examined: Examined, missing: str, subject: str, status: Status, found: str, mend: str
) -> None:
    words = ("count by", missing) if missing != "nothing" else ()
    utilization = built_in().metrics(Signal.GPU_UTILIZATION)
    gpu = tuple(metric.name for metric in utilization) if missing.startswith("DCGM") else ()
    check = examined(FakeProbe(missing=(*words, *gpu)))[f"prod: {subject}"]
    assert (check.status, found in check.text, mend in check.mend) == (status, True, True), check


def test_every_exporter_of_gpus_is_named_and_a_stand_in_only_without_them(examined: Examined) -> None:
    text = examined(FakeProbe())["prod: gpu_utilization"].text
    assert "7 series of DCGM_FI_DEV_GPU_UTIL and 7 series of gpu_gfx_activity" in text
    assert "of gpu_utilization" not in text
    *groups, stand_in = built_in().groups(Signal.GPU_UTILIZATION)
    others = [m.name for m in (*(m for group in groups for m in group.metrics), *stand_in.unless)]
    alone = examined(FakeProbe(missing=(*others, "count by")))["prod: gpu_utilization"]
    assert (alone.status, alone.text) == (Status.OK, "7 series of gpu_utilization (GPU exporter)")


def test_a_clock_that_is_off_is_told(examined: Examined) -> None:
    check = examined(FakeProbe(skew_s=-90))["prod: clock"]
    assert (check.status, check.text) == (Status.WARN, "-90 s from ours")


def test_yesterday_must_still_be_there(examined: Examined) -> None:
    class Forgetful(FakeProbe):
        def series_count(self, selector: str, at_ms: int) -> int:
            return 0 if at_ms < NOW.timestamp() * 1000 - 3_600_000 else super().series_count(selector, at_ms)

    check = examined(Forgetful())["prod: retention"]
    assert (check.status, "2026-11-21" in check.text) == (Status.WARN, True)


def test_an_unreachable_server_fails_and_the_next_cluster_is_still_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "costlab.yaml"
    path.write_text(CONFIG + "  - id: other\n    prometheus: {url: 'http://other'}\n")
    probes = {"prod": FakeProbe(fault=SourceUnavailable("not reachable", "look")), "other": FakeProbe()}
    checks = examine(load(path, {}), now=NOW, probe_of=lambda cluster: probes[cluster.id])
    [fail] = [check for check in checks if check.status is Status.FAIL]
    assert fail == Check(Status.FAIL, "prod: Prometheus", "not reachable", "look")
    assert any(check.subject == "other: cpu_seconds" for check in checks)


def test_a_server_that_breaks_off_keeps_what_was_found(examined: Examined) -> None:
    probe = FakeProbe(fault=SourceRefused("it said no", "ask nicely"), breaks_at="container_memory")
    checks = examined(probe)
    assert checks["prod: cpu_seconds"].status is Status.OK
    assert checks["prod: Prometheus"] == Check(Status.FAIL, "prod: Prometheus", "it said no", "ask nicely")
    assert probe.closed


def test_the_lake_is_looked_at(examined: Examined, tmp_path: Path) -> None:
    assert "not there yet" in examined(FakeProbe())["lake"].text
    Lake.create(tmp_path / "lake")
    assert examined(FakeProbe())["lake"].status is Status.OK
    other_zone = examined(FakeProbe(), "timezone: Asia/Tokyo\n")["lake"]
    assert (other_zone.status, "Asia/Tokyo" in other_zone.text) == (Status.FAIL, True)
    (tmp_path / "lake" / "lake.json").write_text("{")
    assert examined(FakeProbe())["lake"].status is Status.FAIL


def test_prices_and_settings_are_looked_at(examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"nodes: [{{match: {{a: b}}, hourly: 1, valid_to: {date(2026, 11, 1)}}}]\n"
    )
    checks = examined(
        FakeProbe(), "prices: {gpu_hour: null, book: p.yaml}\nbudgets: [{team: a, monthly: 1}]\n"
    )
    assert (checks["prices"].status, checks["budgets"].status) == (Status.WARN, Status.WARN)
    assert "nodes[0] ended on 2026-11-01" in checks["price book"].text
    none = examined(FakeProbe(), config="lake: lake\n")
    assert (none["configuration"].status, "names no cluster" in none["configuration"].text) == (
        Status.FAIL,
        True,
    )

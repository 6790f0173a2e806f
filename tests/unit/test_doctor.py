"""The doctor: each fault is one line with its mend, and hides no other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from costlab.config.load import load
from costlab.config.servers import Engine
from costlab.domain.errors import SourceRefused, SourceUnavailable
from costlab.domain.signals import Labels, Signal
from costlab.domain.time import Window
from costlab.jobs.doctor import Check, Status, examine
from costlab.sources.prometheus.catalogue import built_in
from costlab.sources.prometheus.flavour import Flavour, Product
from costlab.sources.prometheus.probe import Choice
from costlab.sources.prometheus.selector import Selector
from costlab.store.lake import Lake

PROMETHEUS = Product(Flavour.PROMETHEUS, "Prometheus", "2.42.0", {"query.max-samples": "50000000"})
JSON = Choice(Engine.JSON, "because")
REMOTE_READ = Choice(Engine.REMOTE_READ, "it streams")
Examined = Callable[..., dict[str, Check]]
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
CONFIG = """\
lake: lake
clusters:
  - id: prod
    prometheus: {url: 'http://prometheus:9090', matchers: {cluster: prod}}
"""


Vector = list[tuple[Labels, float]]
GPU_NAMES = tuple(metric.name for metric in built_in().metrics(Signal.GPU_UTILIZATION))


@dataclass
class FakeProbe:
    """Has 7 series of every metric, but for queries that hold one of the `missing` words; `told` answers others."""

    missing: tuple[str, ...] = ("count(count by",)
    told: Mapping[str, Vector] = field(default_factory=dict)
    found: Product = PROMETHEUS
    engine: Choice | Exception = JSON
    skew_s: float = 0.2
    names: tuple[str, ...] = ()
    fault: Exception | None = None
    breaks_at: str = "never"
    asked: list[tuple[str, int]] = field(default_factory=list)
    closed: bool = False

    def product(self) -> Product:
        if self.fault and self.breaks_at == "never":
            raise self.fault
        return self.found

    def choice(self, product: Product) -> Choice:
        assert product is self.found
        if isinstance(self.engine, Exception):
            raise self.engine
        return self.engine

    def vector(self, promql: str, at_ms: int) -> Vector:
        if self.fault and self.breaks_at in promql:
            raise self.fault
        self.asked.append((promql, at_ms))
        for word, answer in self.told.items():
            if word in promql:
                return answer
        if any(word in promql for word in self.missing) or promql.startswith("count by"):
            return []
        if promql.startswith("sum by (resource)"):
            return [({"resource": "cpu"}, 96.0), ({"resource": "nvidia_com_gpu"}, 8.0)]
        return [({}, 120.0 if promql.startswith("quantile") else 7.0)]

    def metrics(self, selector: Selector, window: Window) -> list[str]:
        assert window.end_ms == NOW.timestamp() * 1000
        pattern = selector.matchers[0]
        return [name for name in self.names if pattern.holds({"__name__": name})]

    def ahead_s(self, product: Product) -> float:
        assert product is self.found
        return self.skew_s

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def examined(tmp_path: Path) -> Examined:
    def run(probe: FakeProbe, more: str = "", config: str = CONFIG) -> dict[str, Check]:
        path = tmp_path / "costlab.yaml"
        path.write_text(config + more)
        return {
            check.subject: check
            for check in examine(load(path, {}), now=NOW, environ={}, probe_of=lambda _: probe)
        }

    return run


def test_all_is_well(examined: Examined) -> None:
    probe = FakeProbe()
    checks = examined(probe)
    assert {check.status for check in checks.values()} == {Status.OK}
    assert not [check for check in checks.values() if check.mend]
    assert checks["prod: Prometheus"].text == "Prometheus 2.42.0"
    assert checks["prod: engine"].text == "json: because"
    assert "7 series of kube_pod_info" in checks["prod: pod_info"].text
    unnarrowed = [selector for selector, _ in probe.asked if 'cluster="prod"' not in selector]
    assert unnarrowed == ["count(kube_pod_info{})"], "asked to see whether the matchers select anything"
    assert probe.closed


@pytest.mark.parametrize(
    ("missing", "subject", "status", "found", "mend"),
    [
        (("kube_pod_info{",), "pod_info", Status.FAIL, "no series of kube_pod_info", "scrape kube-state-metrics"),
        (("container_cpu_usage",), "cpu_seconds", Status.WARN, "use unobserved", "cAdvisor"),
        (("cfs_throttled",), "cpu_throttled_periods", Status.WARN, "which CPU limits throttle", "keep container_cpu_cfs"),
        (("cfs_periods", 'resource="cpu"'), "cpu_periods", Status.OK, "no container has a CPU limit", ""),
        (GPU_NAMES, "gpu_utilization", Status.WARN, "nobody knows how busy", "DCGM"),
        ((*GPU_NAMES, "sum by (resource)"), "gpu_utilization", Status.WARN, "nobody knows how busy", "DCGM"),
        (("kube_pod_labels{",), "pod_labels", Status.WARN, "no team", "--metric-labels-allowlist"),
        (('label_team!=""',), "owners", Status.OK, "7 pods with owner", ""),
        (("label_",), "owners", Status.WARN, "no pod shows a label team or owner", "pods=[team,owner]"),
        (("kube_node_status_capacity",), "node_capacity", Status.WARN, "no idle", "nodes"),
        (("kube_pod_overhead",), "pod_overhead_cpu", Status.OK, "a cluster need not have any", ""),
        (("quantile",), "limits", Status.WARN, "nobody knows how often", "targets"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_with_its_mend(
    examined: Examined, missing: tuple[str, ...], subject: str, status: Status, found: str, mend: str
) -> None:
    check = examined(FakeProbe(missing=("count(count by", *missing)))[f"prod: {subject}"]
    assert (check.status, found in check.text, mend in check.mend) == (status, True, True), check


def test_a_cluster_without_gpus_needs_no_exporter_of_theirs(examined: Examined) -> None:
    told: Mapping[str, Vector] = {"sum by (resource)": [({"resource": "cpu"}, 96.0)]}
    check = examined(FakeProbe(("count(count by", *GPU_NAMES), told))["prod: gpu_utilization"]
    assert (check.status, "no node has a GPU" in check.text) == (Status.OK, True)


MANY: Mapping[str, Vector] = {"count(container_memory_working_set_bytes": [({}, 2_000_000.0)]}


@pytest.mark.parametrize(
    ("found", "engine", "told", "subject", "status", "words"),
    [
        ({"query.max-samples": "50000000"}, JSON, {}, "limits", Status.OK, "query.max-samples=50000000 holds 59,524 h"),
        ({"query.max-samples": "50000000"}, JSON, MANY, "limits", Status.OK, "holds 12 min of container_memory"),
        ({"query.max-samples": "10000000"}, JSON, MANY, "limits", Status.WARN, "holds 2 min of container_memory"),
        ({"query.max-samples": "10000000"}, REMOTE_READ, MANY, "limits", Status.OK, "it streams"),
        ({}, JSON, MANY, "limits", Status.OK, "does not tell its limits"),
        ({"search.maxUniqueTimeseries": "300000"}, JSON, MANY, "limits", Status.WARN, "300000 is less than the 2,000,000 series"),
        ({"search.maxExportSeries": "1e7", "search.maxUniqueTimeseries": "1e6"}, Choice(Engine.VICTORIA_EXPORT, "x"), MANY,
         "limits", Status.WARN, "search.maxUniqueTimeseries=1e6 is less"),
        ({"query.max-concurrency": "2"}, JSON, {}, "queries at a time", Status.WARN, "takes all that query.max-concurrency=2"),
        ({"storage.remote.read-concurrent-limit": "1"}, REMOTE_READ, {}, "queries at a time", Status.WARN, "read-concurrent-limit=1"),
        ({"storage.tsdb.retention.time": "2d"}, JSON, {}, "retention", Status.WARN, "keeps 2d: a night that is missed is lost"),
        ({"storage.tsdb.retention.time": "1d12h"}, JSON, {}, "retention", Status.WARN, "keeps 1d12h"),
        ({"storage.tsdb.retention.time": "0s", "storage.tsdb.retention.size": "0B"}, JSON, {}, "retention", Status.OK, "keeps 15d"),
        ({"storage.tsdb.retention.time": "0s", "storage.tsdb.retention.size": "5GB"}, JSON, {}, "retention", Status.OK,
         "reaches back to the start of 2026-11-21"),
        ({"retentionPeriod": "1"}, JSON, {}, "retention", Status.OK, "keeps 1 months"),
        ({"retentionPeriod": "1d"}, JSON, {}, "retention", Status.WARN, "keeps 1d"),
        ({"retentionPeriod": "100y"}, JSON, {}, "retention", Status.OK, "keeps 100y"),
    ],
)  # fmt: skip
def test_limits_are_held_against_what_a_day_needs(
    examined: Examined, found: Mapping[str, str], engine: Choice, told: Mapping[str, Vector], subject: str,
    status: Status, words: str,
) -> None:  # fmt: skip
    server = Product(Flavour.UNKNOWN, "x", "1", found)
    check = examined(FakeProbe(found=server, engine=engine, told=told))[f"prod: {subject}"]
    assert (check.status, words in check.text, bool(check.mend)) == (status, True, status is Status.WARN), (
        check
    )


def test_an_engine_that_is_not_spoken_is_a_fault_and_the_rest_is_still_looked_at(examined: Examined) -> None:
    checks = examined(FakeProbe(engine=SourceRefused("it does not speak remote-read, but json", "set auto")))
    assert checks["prod: engine"] == Check(
        Status.FAIL, "prod: engine", "it does not speak remote-read, but json", "set auto"
    )
    assert checks["prod: pod_info"].status is Status.OK


def with_external(**labels: str) -> Product:
    return Product(Flavour.PROMETHEUS, "Prometheus", "2", {}, labels)


@pytest.mark.parametrize(
    ("probe", "subject", "status", "found", "mend"),
    [
        (FakeProbe(), "matchers", Status.OK, "7 of 7 series of kube_pod_info", ""),
        (FakeProbe(missing=("count(count by", 'cluster="prod"'), told={"count by (cluster)": [
            ({"cluster": "prd"}, 7.0), ({}, 1.0)]}), "matchers.cluster", Status.FAIL,
         "'prod' selects none of the 7 series of kube_pod_info; there is 'prd'; did you mean 'prd'?", "matchers.cluster"),
        (FakeProbe(missing=("count(count by", 'cluster="prod"')), "matchers.cluster", Status.FAIL,
         "none of the 7 series of kube_pod_info has such a label", "seen by remote read alone"),
        (FakeProbe(missing=("count(count by", 'cluster="prod"'), found=with_external(cluster="prod")), "matchers.cluster",
         Status.FAIL, "external label of this server ('prod'), which its query API neither shows nor takes", "remote-read"),
        (FakeProbe(missing=("count(count by", 'cluster="prod"'), found=with_external(cluster="prod"), engine=REMOTE_READ),
         "matchers", Status.OK, "7 of 7 series", ""),
        (FakeProbe(found=with_external(cluster="other"), engine=REMOTE_READ), "matchers.cluster", Status.FAIL,
         "this server calls itself 'other'", "prometheus.url"),
        (FakeProbe(missing=("count(count by", 'cluster="prod"')), "pod_info", Status.FAIL,
         "none of the 7 series of kube_pod_info fits prometheus.matchers", "matchers"),
        (FakeProbe(missing=("count(count by", 'cluster="prod"'), found=with_external(cluster="prod"), engine=REMOTE_READ),
         "pod_info", Status.OK, "7 series of kube_pod_info", ""),
    ],
)  # fmt: skip
def test_matchers_that_select_nothing_say_why(
    examined: Examined, probe: FakeProbe, subject: str, status: Status, found: str, mend: str
) -> None:
    check = examined(probe)[f"prod: {subject}"]
    assert (check.status, found in check.text, mend in check.mend) == (status, True, True), check


def test_matchers_that_only_together_select_nothing_are_told(examined: Examined) -> None:
    both = CONFIG.replace("{cluster: prod}", "{cluster: prod, shard: a}")
    checks = examined(FakeProbe(missing=("count(count by", 'cluster="prod",shard="a"')), config=both)
    assert (checks["prod: matchers"].status, "together" in checks["prod: matchers"].text) == (
        Status.FAIL,
        True,
    )


def tellers(*labels: Labels) -> Mapping[str, Vector]:
    """Seven pods that are told of more than once, one of them under these labels."""
    pod = {"namespace": "n", "pod": "p", "uid": "u"}
    return {
        "topk(1": [(pod, 2.0)],
        "count(count by": [({}, 7.0)],
        'uid="u"': [({**pod, **own}, 1.0) for own in labels],
    }


@pytest.mark.parametrize(
    ("told", "status", "found", "mend"),
    [
        (tellers({"prometheus_replica": "a"}, {"prometheus_replica": "b"}), Status.OK, "told apart by prometheus_replica", ""),
        (tellers({"replica": "a"}, {"replica": "b"}), Status.WARN, "they differ in replica", "add it to prometheus.replica_labels"),
        (tellers({"shard": "a"}, {}), Status.WARN, "they differ in shard", "if shard names replicas"),
        (tellers({"job": "ksm", "instance": "a"}, {"job": "opencost", "instance": "b"}), Status.WARN,
         "they differ in instance, job", "prometheus.matchers: {job: ksm}"),
        (tellers({"node": "a", "host_ip": "1"}, {"node": "b", "host_ip": "2"}), Status.WARN, "they differ in host_ip, node",
         "if it is not on purpose"),
        ({"count(count by": [({}, 7.0)], "topk(1": []}, Status.WARN, "7 pods are told of more than once", "replica_labels"),
    ],
)  # fmt: skip
def test_pods_that_are_told_of_twice_say_by_what_they_differ(
    examined: Examined, told: Mapping[str, Vector], status: Status, found: str, mend: str
) -> None:
    check = examined(FakeProbe(told=told))["prod: duplicates"]
    assert (check.status, found in check.text, mend in check.mend) == (status, True, True), check


def test_an_external_label_that_looks_like_a_replicas_is_told(examined: Examined) -> None:
    check = examined(FakeProbe(found=with_external(replica="r0", prometheus_replica="r0")))["prod: replicas"]
    assert (check.status, check.mend) == (Status.WARN, "add replica to prometheus.replica_labels")


def test_exporters_are_named(examined: Examined) -> None:
    told: Mapping[str, Vector] = {
        "count by (version)": [({"version": "v2.10.0"}, 2.0)],
        "count by (cadvisorVersion)": [({"cadvisorVersion": ""}, 3.0)],
        "count by (job)": [({"job": "dcgm-exporter"}, 8.0)],
    }
    checks = examined(FakeProbe(told=told))
    assert checks["prod: kube-state-metrics"].text == "v2.10.0 (2)"
    assert checks["prod: cAdvisor"].text == "does not tell its version"
    assert checks["prod: GPU exporter"].text.startswith("DCGM_FI_DEV_FB_FREE, ")
    assert checks["prod: GPU exporter"].text.endswith(" by dcgm-exporter")
    old = examined(FakeProbe(told={"count by (version)": [({"version": "v1.9.8"}, 1.0)]}))
    assert old["prod: kube-state-metrics"].status is Status.WARN


MODELS: Mapping[str, Vector] = {
    "count by (modelName)": [({"modelName": "NVIDIA A100-SXM4-80GB"}, 8.0)],
    "count by (label_nvidia_com_gpu_product)": [
        ({"label_nvidia_com_gpu_product": "NVIDIA-A100-SXM4-80GB"}, 1.0),
        ({"label_nvidia_com_gpu_product": "NVIDIA-L4"}, 1.0),
    ],
}


@pytest.mark.parametrize(
    ("book", "default", "status", "found"),
    [
        ("gpu_models: {NVIDIA A100-SXM4-80GB: 4, nvidia l4: 1}", "2.5", Status.OK, "each of 2 models has its own"),
        ("gpu_models: {NVIDIA A100-SXM4-80GB: 4}", "2.5", Status.WARN, "at prices.gpu_hour=2.5 instead: NVIDIA-L4"),
        ("gpu_models: {NVIDIA A100-SXM4-80GB: 4}", "null", Status.WARN, "no price for NVIDIA-L4"),
        ("nodes: [{match: {a: b}, hourly: 1}]", "2.5", Status.OK, "at prices.gpu_hour=2.5: NVIDIA A100-SXM4-80GB, NVIDIA-L4"),
        ("", "null", Status.WARN, "no price for NVIDIA A100-SXM4-80GB, NVIDIA-L4"),
    ],
)  # fmt: skip
def test_models_without_a_price_are_named_once_in_either_spelling(
    examined: Examined, tmp_path: Path, book: str, default: str, status: Status, found: str
) -> None:
    (tmp_path / "p.yaml").write_text(book)
    checks = examined(FakeProbe(told=MODELS), f"prices: {{gpu_hour: {default}, book: p.yaml}}\n")
    check = checks["prod: GPU prices"]
    assert (check.status, found in check.text) == (status, True), check


def test_destinations_are_read_and_not_shown(examined: Examined, tmp_path: Path) -> None:
    secret = "https://hooks.example/T0KEN"  # noqa: S105 - it leads nowhere
    for name, content in (
        ("good", secret + "\n"),
        ("two", f"{secret}\n{secret}\n"),
        ("plain", "http://x"),
    ):
        (tmp_path / name).write_text(content)
    channels = ("slack", "teams", "webhook", "slack", "webhook")
    files = ("good", "none", "two", "plain", "plain")
    lines = ", ".join(
        f"{{channel: {channel}, team: t{number}, url_file: {file}}}"
        for number, (channel, file) in enumerate(zip(channels, files, strict=True))
    )
    checks = examined(FakeProbe(), f"notify: [{lines}, {{channel: teams, url_env: NOT_THERE}}]\n")
    told = [checks[f"notify[{number}]"] for number in range(6)]
    assert [check.status for check in told] == [Status.OK, *[Status.WARN] * 3, Status.OK, Status.WARN]
    assert "slack t0: https://hooks.example/…" in told[0].text
    assert "cannot be read" in told[1].text
    assert "characters that cannot be sent" in told[2].text
    assert "https" in told[3].text
    assert "the variable NOT_THERE is not set" in told[5].text
    assert "T0KEN" not in str(checks)


def test_mailboxes_are_told_in_short(examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("T0KEN\n")
    common = "channel: mail, from: costlab@example.org, user: u"
    checks = examined(
        FakeProbe(),
        f"notify: [{{{common}, to: [leads@example.org, b@c.d], server: 'smtp://[::1]', secret_file: word}},"
        f" {{{common}, to: leads@example.org, team: a, server: 'smtps://mail.example', secret_env: NOT_THERE}},"
        f" {{{common}, to: leads@example.org, team: b, server: 'smtps://mail.example:99999', secret_file: word}}]\n",
    )
    told = [checks[f"notify[{number}]"] for number in range(3)]
    assert [check.status for check in told] == [Status.OK, Status.WARN, Status.WARN]
    assert (
        "mail all: smtp://[::1]:587 to l…@example.org and 1 more is named; nothing was sent" in told[0].text
    )
    assert "the variable NOT_THERE is not set" in told[1].text
    assert "notify[2].server" in told[2].text
    assert "T0KEN" not in str(checks)
    assert "leads" not in str(checks)


def test_comments_are_told_without_their_token(examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("T0KEN\n")
    checks = examined(
        FakeProbe(),
        "notify: [{channel: github, repository: acme/ml, issue: 12, secret_file: token},"
        " {channel: gitlab, project: a/b, merge_request: 7, api_url: 'http://git.example/api/v4', secret_file: token},"
        " {channel: gitlab, project: a/b, issue: 7, team: a, secret_env: NOT_THERE}]\n",
    )
    told = [checks[f"notify[{number}]"] for number in range(3)]
    assert [check.status for check in told] == [Status.OK, Status.WARN, Status.WARN]
    assert "github all: https://api.github.com/… acme/ml#12 is named; nothing was sent" in told[0].text
    assert "http://git.example/api/v4 is no https address" in told[1].text
    assert "the variable NOT_THERE is not set" in told[2].text
    assert "T0KEN" not in str(checks)


def test_a_service_of_apprise_is_told_by_its_scheme_alone(examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "chat").write_text("discord://4174216298/T0KEN-JHMHI8qBe7bk2ZwO5U711o3dV_js\n")
    (tmp_path / "two").write_text("ntfys://ntfy.example/T0KEN/b\n")
    checks = examined(
        FakeProbe(),
        "notify: [{channel: apprise, url_file: chat}, {channel: apprise, team: a, url_file: two},"
        " {channel: apprise, team: b, url_env: NOT_THERE}]\n",
    )
    told = [checks[f"notify[{number}]"] for number in range(3)]
    assert [check.status for check in told] == [Status.OK, Status.WARN, Status.WARN]
    assert told[0].text == "apprise all: discord://… is named; nothing was sent"
    assert "names 2 places" in told[1].text
    assert "the variable NOT_THERE is not set" in told[2].text
    assert "T0KEN" not in str(checks)


def test_a_clock_that_is_off_is_told(examined: Examined) -> None:
    check = examined(FakeProbe(skew_s=-90))["prod: clock"]
    assert (check.status, check.text) == (Status.WARN, "-90 s from ours: days begin and end by its clock")


def test_yesterday_must_still_be_there(examined: Examined) -> None:
    class Forgetful(FakeProbe):
        def vector(self, promql: str, at_ms: int) -> Vector:
            return [] if at_ms < NOW.timestamp() * 1000 - 3_600_000 else super().vector(promql, at_ms)

    check = examined(Forgetful())["prod: retention"]
    assert (check.status, "2026-11-21" in check.text) == (Status.WARN, True)


def test_an_unreachable_server_fails_and_the_next_cluster_is_still_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "costlab.yaml"
    path.write_text(CONFIG + "  - id: other\n    prometheus: {url: 'http://other'}\n")
    probes = {"prod": FakeProbe(fault=SourceUnavailable("not reachable", "look")), "other": FakeProbe()}
    checks = examine(load(path, {}), now=NOW, environ={}, probe_of=lambda cluster: probes[cluster.id])
    [fail] = [check for check in checks if check.status is Status.FAIL]
    assert fail == Check(Status.FAIL, "prod: Prometheus", "not reachable", "look")
    assert any(check.subject == "other: cpu_seconds" for check in checks)


def test_a_server_that_breaks_off_keeps_what_was_found(examined: Examined) -> None:
    probe = FakeProbe(fault=SourceRefused("it said no", "ask nicely"), breaks_at="container_memory")
    checks = examined(probe)
    assert checks["prod: cpu_seconds"].status is Status.OK
    assert checks["prod: Prometheus"] == Check(Status.FAIL, "prod: Prometheus", "it said no", "ask nicely")
    assert probe.closed


def test_a_count_that_is_none_is_a_fault_of_the_server(examined: Examined) -> None:
    checks = examined(FakeProbe(told={"count(": [({}, float("nan"))]}))
    assert checks["prod: Prometheus"].status is Status.FAIL
    assert "nan series" in checks["prod: Prometheus"].text


def test_the_lake_is_looked_at(examined: Examined, tmp_path: Path) -> None:
    assert "not there yet" in examined(FakeProbe())["lake"].text
    Lake.create(tmp_path / "lake")
    assert examined(FakeProbe())["lake"].status is Status.OK
    other_zone = examined(FakeProbe(), "timezone: Asia/Tokyo\n")["lake"]
    assert (other_zone.status, "Asia/Tokyo" in other_zone.text) == (Status.FAIL, True)
    (tmp_path / "lake" / "lake.json").write_text("{")
    assert examined(FakeProbe())["lake"].status is Status.FAIL


def test_prices_are_looked_at(examined: Examined, tmp_path: Path) -> None:
    ended, begins = date(2026, 11, 1), date(2026, 12, 1)
    rules = (
        f"{{match: {{a: b}}, hourly: 1, valid_to: {date(2026, 10, 1)}}}, "
        f"{{match: {{a: b}}, hourly: 2, valid_from: {date(2026, 10, 1)}, valid_to: {ended}}}, "
        f"{{match: {{c: d}}, hourly: 2, valid_from: {begins}}}, "
        f"{{match: {{e: f}}, hourly: 2, valid_from: {ended}, valid_to: {begins}}}"
    )
    (tmp_path / "p.yaml").write_text(f"nodes: [{rules}]\n")
    path = tmp_path / "costlab.yaml"
    path.write_text(CONFIG + "prices: {gpu_hour: null, book: p.yaml}\n")
    checks = examine(load(path, {}), now=NOW, environ={}, probe_of=lambda _: FakeProbe())
    told = [check.text for check in checks if check.subject == "price book"]
    assert told == [
        "nodes[1] ended on 2026-11-01; the default rates count since",
        "nodes[2] begins on 2026-12-01; the default rates count until then",
    ]
    assert {check.subject: check.status for check in checks}["GPU prices"] is Status.WARN
    rates = next(check.text for check in checks if check.subject == "prices")
    assert (
        rates
        == "USD an hour: CPU core 0.1, GiB of memory 0.05; price book: 4 rules for nodes, 0 models of GPU"
    )
    none = examined(FakeProbe(), config="lake: lake\n")
    assert (none["configuration"].status, "names no cluster" in none["configuration"].text) == (
        Status.FAIL,
        True,
    )


@pytest.mark.parametrize(
    ("lake", "out", "barred"), [("file/lake", "out", "lake"), ("lake", "file", "report"), ("lake", "out", "")]
)
def test_a_folder_that_cannot_be_written_is_in_the_way(
    examined: Examined, tmp_path: Path, lake: str, out: str, barred: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    checks = examined(FakeProbe(), config=f"{{lake: {lake}, report: {{out: {out}}}}}")
    for subject in ("lake", "report"):
        assert checks[subject].status is (Status.FAIL if subject == barred else Status.OK)
    if barred:
        assert checks[barred].text == f"{tmp_path / 'file'} cannot be written: Not a directory"
        assert "let this user write there" in checks[barred].mend
    assert sorted(path.name for path in tmp_path.iterdir()) == ["costlab.yaml", "file"]


def test_a_folder_of_metrics_that_is_not_there_is_told_and_not_made(
    examined: Examined, tmp_path: Path
) -> None:
    assert "metrics" not in examined(FakeProbe())
    told = examined(FakeProbe(), "metrics: {textfile: m/costlab.prom}\n")["metrics"]
    assert (told.status, told.text) == (Status.WARN, f"{tmp_path / 'm'} is no folder")
    assert "metrics.textfile" in told.mend
    (tmp_path / "m").mkdir()
    assert examined(FakeProbe(), "metrics: {textfile: m/costlab.prom}\n")["metrics"].status is Status.OK
    assert list((tmp_path / "m").iterdir()) == []


def test_where_there_are_no_pods_nothing_is_said_of_them(examined: Examined) -> None:
    checks = examined(FakeProbe(missing=("kube_pod_info{",)))
    assert not {"prod: owners", "prod: duplicates", "prod: retention"} & checks.keys()


def test_metrics_that_look_like_what_is_missing_are_named(examined: Examined) -> None:
    names = ("acme_gpu_load", "DCGM_FI_DEV_FB_USED", "kube_pod_info:renamed", "up")
    checks = examined(FakeProbe(missing=("kube_pod_info{", *GPU_NAMES), names=names))
    gpu, pods = checks["prod: gpu_utilization"], checks["prod: pod_info"]
    assert (gpu.status, pods.status) == (Status.WARN, Status.FAIL)
    assert (
        f"no series of DCGM_FI_DEV_GPU_UTIL or {len(GPU_NAMES) - 1} others, but of acme_gpu_load: GPUs"
        in gpu.text
    )
    assert "docs/exporters.md" in gpu.mend
    assert pods.text == "no series of kube_pod_info, but of kube_pod_info:renamed"
    assert "own names" in pods.mend


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (REMOTE_READ, "it streams"),
        (Choice(Engine.REMOTE_READ, "because", chunks=False), "storage.remote.read-sample-limit=840 holds 60 min of "),
        (JSON, "query.max-samples=50000000 holds "),
    ],
)  # fmt: skip
def test_each_engine_has_its_own_limit(examined: Examined, choice: Choice, told: str) -> None:
    limits = {"query.max-samples": "50000000", "storage.remote.read-sample-limit": "840"}
    found = Product(Flavour.PROMETHEUS, "Prometheus", "2.42.0", limits)
    assert f"; {told}" in examined(FakeProbe(found=found, engine=choice))["prod: limits"].text

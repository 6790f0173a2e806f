"""Remote read gives what the query API gives, bit for bit, and what only it has: the markers of a series' end."""

import json
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from prometheus_server import make_blocks, serving
from scrape_target import exposing, scraping

from costlab.config.servers import Prometheus
from costlab.domain.errors import SourceRefused
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources import Batch
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.answer import QueryTooLarge
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.engine import Engine
from costlab.sources.prometheus.flavour import external_labels
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.remote_read import RemoteReadEngine, speaks_remote_read
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.openmetrics import write_openmetrics

pytestmark = pytest.mark.prometheus
STALE = 0x7FF0_0000_0000_0002
Rows = dict[tuple[tuple[str, str], ...], list[tuple[int, int]]]


def client_of(url: str) -> Client:
    return Client(url, open_session(Prometheus(url=url)), 60.0)


def rows(batches: Iterable[Batch]) -> Rows:
    """By labels: times and the bits of values, in the order of time."""
    found: Rows = {}
    for batch in batches:
        for series in batch.series():
            samples = zip(series.at_ms.tolist(), series.values.view(np.uint64).tolist(), strict=True)
            found.setdefault(tuple(sorted(series.labels.items())), []).extend(samples)
    return {labels: sorted(samples) for labels, samples in found.items()}


def without_markers(found: Rows) -> Rows:
    kept = {
        labels: [(at, bits) for at, bits in samples if bits != STALE] for labels, samples in found.items()
    }
    return {labels: samples for labels, samples in kept.items() if samples}


def same_everywhere(client: Client, selector: Selector, window: Window) -> Rows:
    """The rows that chunks, samples and JSON agree on."""
    engines: list[Engine] = [
        QueryEngine(client),
        RemoteReadEngine(client),
        RemoteReadEngine(client, chunks=False),
    ]
    told, chunks, samples = (without_markers(rows(engine.read(selector, window))) for engine in engines)
    assert chunks == told
    assert samples == told
    return told


def test_every_metric_of_a_day(synthetic_prometheus: str, synthetic_cluster: SyntheticCluster) -> None:
    client, window = (
        client_of(synthetic_prometheus),
        synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS),
    )
    assert speaks_remote_read(client) == "chunks"
    seen = [same_everywhere(client, Selector(metric), window) for metric in synthetic_cluster.metrics()]
    assert sum(map(bool, seen)) > 15
    assert sum(len(samples) for found in seen for samples in found.values()) > 500_000


def test_windows_that_cut_chunks(synthetic_prometheus: str, synthetic_cluster: SyntheticCluster) -> None:
    client, day = client_of(synthetic_prometheus), synthetic_cluster.days[-1].window
    cpu, dice = Selector("container_cpu_usage_seconds_total"), random.Random(7)
    whole = rows(RemoteReadEngine(client).read(cpu, day))
    instants = max(whole.values(), key=len)
    edges = [(instants[100][0], instants[250][0]), (instants[100][0], instants[100][0] + 1)]
    edges += [(instants[100][0] + 1, instants[101][0]), (instants[100][0] - 1, instants[101][0] + 1)]
    edges += [sorted(dice.sample(range(day.start_ms, day.end_ms), 2)) for _ in range(12)]  # type: ignore[misc]
    for start_ms, end_ms in edges:
        found = same_everywhere(client, cpu, Window(start_ms, end_ms))
        inside = {
            labels: [(at, bits) for at, bits in samples if start_ms <= at < end_ms]
            for labels, samples in whole.items()
        }
        assert found == {labels: samples for labels, samples in inside.items() if samples}


def test_matchers_and_nothing(synthetic_prometheus: str, synthetic_cluster: SyntheticCluster) -> None:
    client, day = client_of(synthetic_prometheus), synthetic_cluster.days[-1].window
    hour = Window(day.start_ms, day.start_ms + HOUR_MS)
    data = Matcher("namespace", Operator.EQUAL, "data")
    for matchers in (
        (data,), (Matcher("namespace", Operator.NOT_EQUAL, "data"),), (Matcher("namespace", Operator.MATCHES, "d.*|x"), data),
        (Matcher("pod", Operator.NOT_MATCHES, "[a-m].*"), Matcher("no_such_label", Operator.EQUAL, "")),
    ):  # fmt: skip
        assert same_everywhere(client, Selector("kube_pod_info", matchers), hour)
    quoted = Matcher("namespace", Operator.EQUAL, 'no "such" \\ one\n')
    for selector in (Selector("kube_pod_info", (quoted,)), Selector("no_such_metric")):
        assert same_everywhere(client, selector, hour) == {}
    assert rows(RemoteReadEngine(client).read(Selector("kube_pod_info"), Window(5, 5))) == {}


def test_one_engine_serves_several_threads(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster
) -> None:
    engine, day = RemoteReadEngine(client_of(synthetic_prometheus)), synthetic_cluster.days[-1].window
    selectors = [Selector("kube_pod_status_phase"), Selector("kube_pod_info")]

    def read(selector: Selector) -> list[Batch]:
        return list(engine.read(selector, day))

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(read, selectors))
    for selector, batches in zip(selectors, together, strict=True):
        assert all(0 < len(batch.at_ms) < 400_000 for batch in batches)
        assert all(len(batch.labels) == len(batch.offsets) - 1 for batch in batches)
        assert rows(batches) == rows(read(selector)) != {}


@pytest.fixture
def small_block(
    prometheus_folder: Path, synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> Callable[[], Path]:
    """A TSDB with an hour of pods."""

    def make() -> Path:
        start_ms = synthetic_cluster.days[-1].window.start_ms
        window = Window(start_ms, start_ms + HOUR_MS)
        write_openmetrics(synthetic_cluster, window, tmp_path / "hour.om", ["kube_pod_info"])
        (tmp_path / "tsdb").mkdir()
        make_blocks(tmp_path / "hour.om", tmp_path / "tsdb", prometheus_folder)
        return tmp_path / "tsdb"

    return make


def test_external_labels_and_limits(
    prometheus_folder: Path, small_block: Callable[[], Path], synthetic_cluster: SyntheticCluster
) -> None:
    start_ms = synthetic_cluster.days[-1].window.start_ms
    hour, pods = Window(start_ms, start_ms + HOUR_MS), Selector("kube_pod_info")
    added = {"cluster": "prod-1", "prometheus_replica": "r 0"}
    settings = f"global: {{external_labels: {json.dumps(added)}}}\n"
    flags = ["--storage.remote.read-sample-limit=1000", "--storage.remote.read-max-bytes-in-frame=300"]
    with serving(small_block(), prometheus_folder, *flags, settings=settings) as url:
        client = client_of(url)
        assert external_labels(client) == added
        told = rows(QueryEngine(client).read(pods, hour))
        assert sum(map(len, told.values())) > 1000
        # Frames so small that a series goes on in the next one.
        assert rows(RemoteReadEngine(client, added).read(pods, hour)) == told
        assert {
            added.items() <= dict(labels).items()
            for labels in rows(RemoteReadEngine(client).read(pods, hour))
        } == {True}
        with pytest.raises(QueryTooLarge, match=r"exceeded sample limit \(1000\)"):
            list(RemoteReadEngine(client, added, chunks=False).read(pods, hour))
        short = Window(start_ms, start_ms + 10 * MINUTE_MS)
        assert rows(RemoteReadEngine(client, added, chunks=False).read(pods, short)) == rows(
            QueryEngine(client).read(pods, short)
        )
        with pytest.raises(SourceRefused):
            client.ask("api/v1/no_such_thing")


def test_the_head_while_it_is_written(prometheus_folder: Path, tmp_path: Path) -> None:
    scrapes, dice = count(1), random.Random(3)

    def tell() -> bytes:
        number = next(scrapes)
        lines = [
            f"scrapes_total {number}",
            "flat 1",
            f"noise {dice.gauss(0, 1e9)!r}",
            f"few {number // 9}",
            "odd NaN",
        ]
        return "\n".join([*lines, *(["passing 7.25"] if number < 20 else []), ""]).encode()

    with (
        exposing(tell) as target,
        serving(tmp_path, prometheus_folder, settings=scraping(target)) as url,
    ):
        time.sleep(10)  # the target is found after 5 s
        client, now_ms = client_of(url), int(time.time() * 1000)
        window = Window(now_ms - 10_000, now_ms - 500)
        for metric in ("scrapes_total", "flat", "noise", "few", "passing", "up", "scrape_duration_seconds"):
            (samples,) = same_everywhere(client, Selector(metric), window).values()
            assert len(samples) > 15
        (passing,) = rows(RemoteReadEngine(client).read(Selector("passing"), window)).values()
        assert passing[-1][1] == STALE
        assert passing == next(
            iter(rows(RemoteReadEngine(client, chunks=False).read(Selector("passing"), window)).values())
        )
        # Stored as Prometheus's own NaN; JSON says no more than that it is one.
        (odd,) = rows(RemoteReadEngine(client).read(Selector("odd"), window)).values()
        assert {bits for _, bits in odd} == {0x7FF8_0000_0000_0001}


def test_another_tenant_or_engine_is_another_question() -> None:
    def asks(**settings: object) -> str:
        told = Prometheus.model_validate({"url": "http://prometheus:9090", **settings})
        return PrometheusSource(told).asks(Signal.CPU_SECONDS, Window(0, 1))

    asked = [
        asks(),
        asks(headers={"X-Scope-OrgID": "ml"}),
        asks(headers={"X-Scope-OrgID": "hpc"}),
        asks(engine="json"),
    ]
    assert len(set(asked)) == len(asked)
    assert asks(headers={"X-Scope-OrgID": "ml"}) == asked[1]
    assert "X-Scope-OrgID" not in asked[1]

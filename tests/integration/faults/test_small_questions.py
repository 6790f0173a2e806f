"""The small questions beside the reading: what they leave out is nowhere, and they fit into an address."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest
from fault_server import FaultServer, Reply, Request, api_error, reply, success

from costlab.config.servers import Engine, Prometheus
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, Window
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.backend import enter
from costlab.sources.prometheus.planning import series_at_once
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

HOUR = Window(1_795_132_800_000, 1_795_132_800_000 + HOUR_MS)
BUILDS = {
    "Prometheus": {"version": "2.42.0", "revision": "r"},
    "Mimir": {"application": "Grafana Mimir", "version": "2.17.1", "features": {}},
}
GPU = "DCGM_FI_DEV_GPU_UTIL"
CPU = "container_cpu_usage_seconds_total"
IN_PART = '{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["a store is gone"]}'


def good(data: object) -> Reply:
    return success(json.dumps({"status": "success", "data": data}))


def counts(*names: str) -> Reply:
    found = [{"metric": {"__name__": name}, "value": [1, "1"]} for name in names]
    return good({"resultType": "vector", "result": found})


class Product:
    """A product that lists some names, and holds a sample of others, whatever it is asked for."""

    def __init__(
        self, product: str, *, lists: Sequence[str], holds: Sequence[str], count: Reply | None = None
    ) -> None:
        self._product, self._lists, self._holds, self._count = product, lists, holds, count
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Reply:
        path = urlsplit(request.line.split()[1]).path
        if path == "/api/v1/status/buildinfo":
            return good(BUILDS[self._product])
        if path == "/api/v1/label/__name__/values":
            return good(self._lists)
        if path != "/api/v1/query":
            return reply("404 Not Found", b"404 page not found", "text/plain")
        query = parse_qs(request.body)["query"][0]
        self.asked.append(query)
        if "last_over_time({__name__" in query:
            return self._count or counts(*(name for name in self._holds if name in re.split(r'[|"]', query)))
        if query.startswith("count"):
            return counts()
        named = query.partition("{")[0]
        series = {"metric": {"__name__": named}, "values": [[HOUR.start_ms / 1000, "1"]]}
        return good({"resultType": "matrix", "result": [series] if named in self._holds else []})


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def fetched(server: FaultServer, product: Product, **settings: object) -> int:
    server.answers(product)
    known = Prometheus.model_validate({"url": server.url, "engine": Engine.JSON, **settings})
    return PrometheusSource(known).fetch(Signal.GPU_UTILIZATION, HOUR).sample_count


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(None, id="counted"),
        pytest.param(api_error("400 Bad Request", "bad_data", "unknown function"), id="not understood"),
        pytest.param(good({"resultType": "vector", "result": [{}]}), id="without names"),
        pytest.param(success(IN_PART), id="in part"),
    ],
)
def test_a_metric_that_an_index_of_recent_hours_lacks_is_read(
    server: FaultServer, count: Reply | None
) -> None:
    product = Product("Mimir", lists=[CPU], holds=[GPU], count=count)
    assert fetched(server, product) == 1


def test_what_nobody_runs_is_not_asked_for(server: FaultServer) -> None:
    for product, questions in (("Prometheus", 0), ("Mimir", 1)):
        told = Product(product, lists=[CPU, GPU], holds=[CPU, GPU])
        assert fetched(server, told) == 1
        assert sum("last_over_time({__name__" in query for query in told.asked) == questions
        assert {query.partition("{")[0] for query in told.asked if query.endswith("]")} == {GPU}


def test_a_matcher_for_an_external_label_hides_no_metric(server: FaultServer) -> None:
    product = Product("Prometheus", lists=[CPU, GPU], holds=[GPU])
    assert fetched(server, product, matchers={"cluster": "prod"}) == 1
    (asked,) = {
        parse_qs(urlsplit(request.line.split()[1]).query)["match[]"][0]
        for request in server.seen
        if "__name__/values" in request.line
    }
    assert "cluster" not in asked


def listing(values: Sequence[str]) -> Callable[[Request], Reply]:
    """A server with these values of every label."""

    def told(request: Request) -> Reply:
        path = urlsplit(request.line.split()[1]).path
        return good(values if path.startswith("/api/v1/label/") else BUILDS["Prometheus"])

    return told


def test_a_question_about_labels_fits_into_an_address(server: FaultServer) -> None:
    namespaces = [f"team-{number:05}" for number in range(2000)]
    server.answers(listing([*namespaces, "other"]))
    backend = enter(Prometheus(url=server.url, engine=Engine.JSON))
    half = Matcher("namespace", Operator.MATCHES, "|".join(namespaces[:1000]))
    selector = Selector("up", (half, Matcher("pod", Operator.NOT_EQUAL, "")))
    assert backend.label_values("namespace", selector, HOUR) == namespaces[:1000]
    line = server.seen[-1].line
    assert len(line) < 8192
    assert parse_qs(urlsplit(line.split()[1]).query)["match[]"] == ['up{pod!=""}']
    everything = Selector("", (half,))
    assert len(backend.label_values("pod", everything, HOUR)) == 2001
    assert "match" not in server.seen[-1].line


@pytest.mark.parametrize("count", ["+Inf", "NaN", "many", "1e400"])
def test_a_count_that_is_none_is_no_estimate(server: FaultServer, count: str) -> None:
    found = [{"metric": {"__name__": CPU}, "value": [1, count]}]
    server.answers(good({"resultType": "vector", "result": found}))
    client = enter(Prometheus(url=server.url, engine=Engine.JSON)).client
    assert series_at_once(client, [CPU], (), HOUR) == {}

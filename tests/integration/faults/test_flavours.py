"""Every product is told apart by what it answers, or by its address, and read by the engine that it speaks."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import pytest
from fault_server import FaultServer, Reply, Request, reply

from costlab.config.servers import Engine, Prometheus
from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.sources import SourceInfo
from costlab.sources.prometheus.answer import AccessRefused
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.flavour import Flavour, Product, recognise
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.probe import choose

Pages = Mapping[str, Reply]
NOT_FOUND = reply("404 Not Found", b"404 page not found", "text/plain")
BUILD = {"version": "2.42.0", "revision": "x", "branch": "HEAD", "goVersion": "go1.19"}
FLAGS = {"query.max-samples": "50000000", "query.timeout": "2m", "web.listen-address": "0.0.0.0:9090"}
CONFIG = {"yaml": "global:\n  external_labels:\n    cluster: prod\n    shard: 7\nscrape_configs: []\n"}


def good(data: object) -> Reply:
    return reply(body=json.dumps({"status": "success", "data": data}).encode())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def serving(server: FaultServer, pages: Pages, otherwise: Reply = NOT_FOUND) -> Client:
    """A client of a server that has these paths; the query API is always there, unless a page says otherwise."""
    have = {"api/v1/query": good({"resultType": "vector", "result": []}), **pages}

    def told(request: Request) -> Reply:
        return have.get(request.line.split()[1].partition("?")[0].removeprefix("/"), otherwise)

    server.answers(told)
    return Client(server.url, open_session(Prometheus(url=server.url)), 5, sleep=lambda _: None)


def build(**told: object) -> Pages:
    return {"api/v1/status/buildinfo": good(told)}


EXPORT = {"api/v1/export": reply(body=b"", kind="application/stream+json; charset=utf-8")}
STORES = {"api/v1/stores": good({"sidecar": [{"name": "a"}], "store": []})}
MORE = {"api/v1/status/flags": good(FLAGS), "api/v1/status/config": good(CONFIG)}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param({**build(**BUILD), **MORE}, Product(
            Flavour.PROMETHEUS, "Prometheus", "2.42.0",
            {"query.max-samples": "50000000", "query.timeout": "2m"}, {"cluster": "prod", "shard": "7"}), id="Prometheus"),
        pytest.param(build(**BUILD), Product(Flavour.PROMETHEUS, "Prometheus", "2.42.0"), id="Prometheus, all else closed"),
        pytest.param(build(application="Grafana Mimir", version="2.17.1", features={}),
                     Product(Flavour.MIMIR, "Grafana Mimir", "2.17.1"), id="Mimir"),
        pytest.param(build(application="Grafana Enterprise Metrics", version="2.1"),
                     Product(Flavour.MIMIR, "Grafana Mimir", "2.1"), id="Enterprise Metrics"),
        pytest.param(build(application="Cortex", **BUILD), Product(Flavour.CORTEX, "Cortex", "2.42.0"), id="Cortex"),
        pytest.param(build(features={"ruler_config_api": "true"}, **BUILD),
                     Product(Flavour.CORTEX, "Cortex", "2.42.0"), id="Cortex without a name"),
        pytest.param({**build(**BUILD), **STORES}, Product(Flavour.THANOS, "Thanos", "2.42.0"), id="Thanos"),
        pytest.param({**build(), **EXPORT}, Product(Flavour.VICTORIA_METRICS, "VictoriaMetrics"), id="VictoriaMetrics"),
        pytest.param(
            {**build(version="2.24.0"), **EXPORT,
             "flags": reply(body=b'-retentionPeriod="12"\n-search.maxSamplesPerQuery="1000"\n-x="y"\n', kind="text/plain"),
             "metrics": reply(body=b'up 1\nvm_app_version{version="victoria-x-v1.120.0", short_version="v1.120.0"} 1\n', kind="text/plain")},
            Product(Flavour.VICTORIA_METRICS, "VictoriaMetrics", "v1.120.0",
                    {"retentionPeriod": "12", "search.maxSamplesPerQuery": "1000"}), id="VictoriaMetrics, newer"),
        pytest.param(EXPORT, Product(Flavour.VICTORIA_METRICS, "VictoriaMetrics"), id="VictoriaMetrics behind a gateway"),
        pytest.param(build(version="2.24.0"), Product(Flavour.UNKNOWN, "unknown", "2.24.0"), id="a version alone is no product"),
        pytest.param(build(application="GreptimeDB", version="1"), Product(Flavour.UNKNOWN, "GreptimeDB", "1"), id="another"),
        pytest.param({}, Product(Flavour.UNKNOWN, "unknown"), id="only queries are let through"),
        pytest.param({"api/v1/status/buildinfo": good(["x"])}, Product(Flavour.UNKNOWN, "unknown"), id="a list"),
    ],
)  # fmt: skip
def test_it_is_told_apart(server: FaultServer, pages: Pages, expected: Product) -> None:
    assert recognise(serving(server, pages)) == expected
    assert expected.info("json") == SourceInfo(expected.name, expected.version, "json", expected.limits)


@pytest.mark.parametrize(
    ("url", "flavour"),
    [
        ("https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1", Flavour.AMAZON),
        ("https://aps-workspaces-fips.us-east-1.amazonaws.com/workspaces/ws-1", Flavour.AMAZON),
        ("https://aps-workspaces.us-east-1.api.aws/workspaces/ws-1", Flavour.AMAZON),
        ("https://monitoring.googleapis.com/v1/projects/P/location/global/prometheus", Flavour.GOOGLE),
        ("https://x-abcd.westeurope.prometheus.monitor.azure.com:443", Flavour.AZURE),
        ("https://prometheus-prod-01-eu-west-0.grafana.net/api/prom", Flavour.MIMIR),
        ("https://aps-workspaces.example.com/", Flavour.UNKNOWN),
        ("https://monitoring.googleapis.com.example.org/", Flavour.UNKNOWN),
    ],
)
def test_managed_services_are_known_by_their_address(server: FaultServer, url: str, flavour: Flavour) -> None:
    client = serving(server, {})
    client.host = url.split("/")[2]
    assert recognise(client).flavour is flavour
    asked = [request.line.split()[1] for request in server.seen]
    assert asked[-1 if flavour is not Flavour.UNKNOWN else 1] == "/api/v1/query", "it was seen to answer"


@pytest.mark.parametrize(
    ("pages", "otherwise", "error", "said"),
    [
        ({}, reply("401 Unauthorized", b"no", "text/plain"), AccessRefused, "refused access"),
        (
            {"api/v1/status/buildinfo": reply("403 Forbidden", b"no", "text/plain")},
            NOT_FOUND,
            AccessRefused,
            "403",
        ),
        ({"api/v1/query": NOT_FOUND}, NOT_FOUND, SourceRefused, "404"),
        (
            {"api/v1/query": reply(body=b"<html>", kind="text/html")},
            reply(body=b"<html>", kind="text/html"),
            SourceRefused,
            "login page",
        ),
        ({}, reply("503 Unavailable", b"starting", "text/plain"), SourceUnavailable, "not available"),
    ],
)
def test_what_is_no_prometheus_or_lets_nobody_in_is_an_error(
    server: FaultServer, pages: Pages, otherwise: Reply, error: type[SourceError], said: str
) -> None:
    with pytest.raises(error, match=said):
        recognise(serving(server, pages, otherwise))


def test_questions_carry_what_the_product_needs() -> None:
    forms = {flavour: Product(flavour, "x").form for flavour in Flavour}
    assert forms.pop(Flavour.THANOS) == {
        "partial_response": "false",
        "dedup": "true",
        "max_source_resolution": "0s",
    }
    assert forms.pop(Flavour.VICTORIA_METRICS) == {"nocache": "1"}
    assert set(map(str, forms.values())) == {"{}"}
    assert [flavour for flavour in Flavour if Product(flavour, "x").whole_seconds] == [Flavour.GOOGLE]


def speaking(
    spoken: Literal["chunks", "samples"] | None,
) -> Callable[[Client], Literal["chunks", "samples"] | None]:
    return lambda _: spoken


def never(_: Client) -> None:
    raise AssertionError("nobody asks it for remote read")


@pytest.mark.parametrize(
    ("flavour", "spoken", "engine", "why"),
    [
        (Flavour.PROMETHEUS, "chunks", Engine.REMOTE_READ, "streams chunks"),
        (Flavour.MIMIR, "chunks", Engine.REMOTE_READ, "streams chunks"),
        (Flavour.CORTEX, "samples", Engine.JSON, "streams no chunks"),
        (Flavour.UNKNOWN, None, Engine.JSON, "does not answer remote read"),
        (Flavour.VICTORIA_METRICS, never, Engine.VICTORIA_EXPORT, "exports"),
        (Flavour.THANOS, never, Engine.JSON, "Thanos has no remote read"),
        (Flavour.AMAZON, never, Engine.JSON, "has no remote read"),
        (Flavour.GOOGLE, never, Engine.JSON, "has no remote read"),
        (Flavour.AZURE, never, Engine.JSON, "has no remote read"),
    ],
)  # fmt: skip
def test_the_best_engine_is_chosen(
    server: FaultServer, flavour: Flavour, spoken: object, engine: Engine, why: str
) -> None:
    asked = spoken if callable(spoken) else speaking(spoken)  # type: ignore[arg-type]
    choice = choose(Engine.AUTO, Product(flavour, flavour.value), serving(server, {}), asked)
    assert (choice.engine, why in choice.why) == (engine, True), choice


@pytest.mark.parametrize(
    ("wanted", "flavour", "spoken", "pages", "refused"),
    [
        (Engine.REMOTE_READ, Flavour.PROMETHEUS, "chunks", {}, None),
        (Engine.REMOTE_READ, Flavour.CORTEX, "samples", {}, None),
        (Engine.REMOTE_READ, Flavour.PROMETHEUS, None, {}, "does not speak remote-read, but json"),
        (
            Engine.REMOTE_READ,
            Flavour.VICTORIA_METRICS,
            "chunks",
            EXPORT,
            "does not speak remote-read, but victoria-export and json",
        ),
        (
            Engine.REMOTE_READ,
            Flavour.AMAZON,
            "chunks",
            {},
            r"\(Amazon Managed .*\) does not speak remote-read, but json",
        ),
        (Engine.VICTORIA_EXPORT, Flavour.VICTORIA_METRICS, None, EXPORT, None),
        (Engine.VICTORIA_EXPORT, Flavour.UNKNOWN, None, EXPORT, None),
        (Engine.VICTORIA_EXPORT, Flavour.UNKNOWN, None, {}, "does not speak victoria-export, but json"),
        (
            Engine.VICTORIA_EXPORT,
            Flavour.PROMETHEUS,
            "chunks",
            {},
            "does not speak victoria-export, but remote-read and json",
        ),
        (Engine.JSON, Flavour.VICTORIA_METRICS, None, EXPORT, None),
        (Engine.JSON, Flavour.PROMETHEUS, "chunks", {}, None),
    ],
)
def test_an_engine_that_is_asked_for_must_be_spoken(
    server: FaultServer,
    wanted: Engine,
    flavour: Flavour,
    spoken: Literal["chunks", "samples"] | None,
    pages: Pages,
    refused: str | None,
) -> None:
    client, product = serving(server, pages), Product(flavour, flavour.value)
    if refused is None:
        assert choose(wanted, product, client, speaking(spoken)).engine is wanted
        return
    with pytest.raises(SourceRefused, match=refused) as fault:
        choose(wanted, product, client, speaking(spoken))
    assert "prometheus.engine" in fault.value.hint

"""A broken, slow, foreign or hostile Prometheus: one typed error a fault, in time, and no secret in it."""

import gzip
import json
import logging
import socket
import time
import traceback
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from fault_server import (
    GOOD,
    FaultServer,
    Reply,
    Request,
    Reset,
    Teller,
    api_error,
    drip,
    reply,
    success,
    unsized,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from costlab.config.servers import BasicAuth, Engine, Prometheus
from costlab.domain.errors import ConfigError, CostlabError, SourceError, SourceRefused, SourceUnavailable
from costlab.domain.signals import Signal
from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.answer import Answer, MayPass, QueryTimedOut, QueryTooLarge, Server, refusal
from costlab.sources.prometheus.connection import Connection, open_session
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.selector import Selector
from costlab.sources.prometheus.verdict import ahead_s, check_head, late, slow

CANARY = "c4nary-t0ken-never-shown"
SHORT = Window(1000, 3000)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


class Asking:
    """A client whose pauses take no time; they are kept in `pauses`."""

    def __init__(self, url: str, timeout_s: float = 10.0, **arguments: Any) -> None:
        self.pauses: list[float] = []
        settings = Prometheus(url=url)
        self.client = Client(
            url, open_session(settings), timeout_s, sleep=self.pauses.append, jitter=lambda: 0.5, **arguments
        )

    def query(self) -> Answer:
        return self.client.query("up[2s]", 2999)


def test_what_is_sent(server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password netrc-password\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Asking(server.url + "/prometheus", 12.5).query().data["resultType"] == "matrix"
    (request,) = server.seen
    assert request.line == "POST /prometheus/api/v1/query HTTP/1.1"
    assert parse_qs(request.body) == {"query": ["up[2s]"], "time": ["2.999"], "timeout": ["11.250"]}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("costlab/")
    assert "authorization" not in request.headers


# A01: nobody there.
def test_refused_connections_are_tried_three_times() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host = f"127.0.0.1:{closed.getsockname()[1]}"
    asking = Asking(f"http://{host}")
    with pytest.raises(SourceUnavailable, match=f"{host} is not reachable: Connection refused") as fault:
        asking.query()
    assert "prometheus.url" in fault.value.hint
    assert asking.pauses == [0.5, 1.0]


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SourceUnavailable, match=r"prometheus\.nowhere:9090 .* Name or service not known"):
        Asking("http://prometheus.nowhere:9090").query()


# A02, A03: the deadline is total.
@pytest.mark.parametrize(
    "slow",
    [
        pytest.param([20.0], id="silence"),
        pytest.param(drip(reply()[0], 1, 0.05), id="drip from the first byte"),  # type: ignore[arg-type]
        pytest.param([*reply(body=b"", length=len(GOOD)), *drip(GOOD, 1, 0.05)], id="drip in the body"),
        pytest.param([unsized(b""), *drip(GOOD, 1, 0.05)], id="drip without length"),
        pytest.param([*reply("400 Bad", b"", length=len(GOOD)), *drip(GOOD, 1, 0.05)], id="drip in an error"),
        pytest.param([*reply(body=b"", length=len(GOOD)), GOOD[:20], 20.0], id="silence in the body"),
    ],
)
def test_a_slow_answer_ends_at_the_deadline_and_is_not_asked_again(server: FaultServer, slow: Reply) -> None:
    server.answers(slow)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"did not answer (in full )?within 0\.4 s") as fault:
        Asking(server.url, 0.4).query()
    assert time.monotonic() - started < 1.5
    assert "prometheus.timeout" in fault.value.hint
    assert len(server.seen) == 1


def test_a_drip_that_arrives_in_time_is_an_answer(server: FaultServer) -> None:
    server.answers(drip(reply()[0], 50, 0.01))  # type: ignore[arg-type]
    assert Asking(server.url).query().data["resultType"] == "matrix"


# A04, A05, A06: what passes.
UNAVAILABLE = [
    api_error("503 Service Unavailable", "unavailable", "starting up"),
    reply("503 Service Unavailable", b"<html>no backend</html>", "text/html"),
    reply("502 Bad Gateway", b"upstream", "text/plain"),
    reply("504 Gateway Timeout", b"", "text/plain"),
    api_error("429 Too Many Requests", "too_many_requests", "slow down"),
]


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_what_passes_is_asked_again(server: FaultServer, fault: Reply) -> None:
    server.answers(fault, fault, reply())
    asking = Asking(server.url)
    assert asking.query().data["resultType"] == "matrix"
    assert (len(server.seen), asking.pauses) == (3, [0.5, 1.0])


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_what_does_not_pass_fails_after_three_times(server: FaultServer, fault: Reply) -> None:
    server.answers(fault)
    with pytest.raises(SourceUnavailable, match="is not available"):
        Asking(server.url).query()
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("retry_after", "pause_s"),
    [
        ("7", 7.0),
        ("99", 99.0),
        ("Tue, 24 Nov 2026 00:00:09 GMT", 9.0),
        ("Tue, 24 Nov 2025 00:00:09 GMT", 0.5),
        ("Tue, 24 Nov 99999999999999999999 00:00:09 GMT", 0.5),
        ("nan", 0.5),
        ("1_0", 0.5),
        ("soon", 0.5),
        ("-3", 0.5),
        ("0", 0.5),
    ],
)
def test_retry_after_is_honoured(server: FaultServer, retry_after: str, pause_s: float) -> None:
    now = "Tue, 24 Nov 2026 00:00:00 GMT"
    busy = api_error("503 Service Unavailable", "unavailable", "x", Retry_After=retry_after, Date=now)
    server.answers(busy, reply())
    asking = Asking(server.url, 100)
    asking.query()
    assert asking.pauses == [pause_s]


@pytest.mark.parametrize(("retry_after", "said"), [("2000", "2,000 s"), ("9" * 400, "inf s")])
def test_no_pause_goes_beyond_the_deadline_and_what_was_asked_for_is_said(
    server: FaultServer, retry_after: str, said: str
) -> None:
    server.answers(api_error("503 Service Unavailable", "unavailable", "x", Retry_After=retry_after))
    asking = Asking(server.url, 150)
    with pytest.raises(MayPass, match=f"x; it asks to wait {said}, 150 s are left") as fault:
        asking.query()
    assert "prometheus.timeout" in fault.value.hint
    assert (len(server.seen), asking.pauses) == (1, [])


@given(st.text() | st.dates(), st.text() | st.dates())
def test_no_retry_after_and_no_date_is_too_odd(retry_after: object, date: object) -> None:
    response = requests.Response()
    response.headers["Date"] = str(date)
    assert isinstance(ahead_s(response, 0.0), float)
    response.headers["Retry-After"], response.status_code = str(retry_after), 503
    response.raw = SimpleNamespace(read1=lambda *_, **__: b"")
    with pytest.raises(MayPass) as fault:
        check_head(response, Server("memory"))
    assert fault.value.after_s >= 0


def test_a_client_that_waits_ends_at_once_when_it_is_told_to(server: FaultServer) -> None:
    server.answers(api_error("503 Service Unavailable", "unavailable", "x", Retry_After="20"))
    client = Client(server.url, open_session(Prometheus(url=server.url)), 30)
    Timer(0.3, client.abort).start()
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="reading was ended"):
        client.query("up", 0)
    assert time.monotonic() - started < 5


def test_one_request_takes_no_longer_than_its_signal_may(server: FaultServer) -> None:
    server.answers(lambda request: [30.0] if "%5B" in request.body else reply())
    source = PrometheusSource(Prometheus(url=server.url, engine=Engine.JSON, timeout=20, signal_timeout=0.5))
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="in the time that one signal has") as fault:
        source.fetch(Signal.POD_INFO, SHORT)
    assert time.monotonic() - started < 5
    assert "prometheus.signal_timeout" in fault.value.hint


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (401, "", "h refused access (401)"),
        (413, "", "h answered 413"),
        (503, "busy", "h is not available (503): busy"),
    ],
)
def test_a_server_without_words_is_told_by_its_status(status: int, said: str, told: str) -> None:
    assert refusal(Server("h", ()), status, said).message == told


@pytest.mark.parametrize(
    ("allowed_s", "told"), [(0.0, "0.001"), (0.04, "0.04"), (0.34, "0.3"), (120.0, "120")]
)
def test_what_is_left_of_a_signals_time_is_never_told_as_no_seconds(allowed_s: float, told: str) -> None:
    for fault in (late("h:9090", allowed_s), slow("h:9090", allowed_s)):
        assert fault.message.endswith(f" within {told} s")


# A07: too much for one query.
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (
            api_error(
                "422 Unprocessable Entity",
                "execution",
                "query processing would load too many samples into memory in query execution",
            ),
            QueryTooLarge,
        ),
        (
            api_error("400 Bad Request", "bad_data", "exceeded maximum resolution of 11,000 points"),
            QueryTooLarge,
        ),
        (reply("413 Payload Too Large", b"too large", "text/plain"), QueryTooLarge),
        (
            api_error(
                "422 Unprocessable Entity", "execution", "the query ... (err-mimir-max-chunks-per-query)"
            ),
            QueryTooLarge,
        ),
        (
            api_error("503 Service Unavailable", "timeout", "query timed out in expression evaluation"),
            QueryTimedOut,
        ),
        (
            api_error("422 Unprocessable Entity", "execution", "expanding series: context deadline exceeded"),
            QueryTimedOut,
        ),
        (api_error("200 OK", "timeout", "query timed out"), QueryTimedOut),
    ],
)
def test_too_much_is_never_asked_again_as_it_was(
    server: FaultServer, fault: Reply, kind: type[SourceError]
) -> None:
    server.answers(fault)
    with pytest.raises(kind):
        Asking(server.url).query()
    assert len(server.seen) == 1


# A08: a wrong query.
def test_a_wrong_query_is_said_in_the_servers_words(server: FaultServer) -> None:
    server.answers(api_error("400 Bad Request", "bad_data", 'parse error: unexpected "}"'))
    with pytest.raises(SourceRefused, match=r'400.*parse error: unexpected "}"'):
        Asking(server.url).query()
    assert len(server.seen) == 1


def test_an_internal_error_is_not_repeated(server: FaultServer) -> None:
    server.answers(api_error("500 Internal Server Error", "internal", "block is corrupt"))
    with pytest.raises(SourceUnavailable, match=r"500.*block is corrupt"):
        Asking(server.url).query()
    assert len(server.seen) == 1


# A09 to A11: broken off.
CHUNKED = "Transfer-Encoding: chunked\r\n"
BROKEN = {
    "shorter than its length": reply(body=GOOD[:60], length=len(GOOD)),
    "shorter by a byte": reply(body=GOOD[:-1], length=len(GOOD)),
    "ends early, length agrees": reply(body=GOOD[:60]),
    "ends early, no length": [unsized(GOOD[:-3])],
    "reset": [*reply(body=GOOD[:40], length=len(GOOD)), 0.05, Reset()],
    "reset at once": [Reset()],
    "closed at once": [b""],
    "last chunk is missing": [unsized(f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n", CHUNKED)],
    "cut in a chunk": [unsized(f"{len(GOOD):x}\r\n".encode() + GOOD[:50], CHUNKED)],
    "no such chunk size": [unsized(b"zz\r\n" + GOOD, CHUNKED)],
    "no HTTP": [b"220 mail.example ESMTP\r\n"],
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_asked_again(server: FaultServer, broken: Reply) -> None:
    server.answers(broken, broken, reply())
    assert Asking(server.url).query().data["resultType"] == "matrix"
    assert len(server.seen) == 3


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_is_always_broken_is_an_error(server: FaultServer, broken: Reply) -> None:
    server.answers(broken)
    with pytest.raises(SourceUnavailable, match=server.host):
        Asking(server.url).query()
    assert len(server.seen) == 3


def test_chunks_are_put_together(server: FaultServer) -> None:
    pieces = [GOOD[:11], GOOD[11:80], GOOD[80:]]
    body = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
    server.answers([unsized(body, CHUNKED)])
    assert Asking(server.url).query().data["result"][0]["metric"]["pod"] == "p"


# A12: bytes that were not asked for.
@pytest.mark.parametrize(
    "body", [gzip.compress(GOOD), gzip.compress(b" " * 50_000_000, 1), b"\x1f\x8bgarbage"]
)
def test_gzip_is_not_unpacked(server: FaultServer, body: bytes) -> None:
    server.answers(reply(body=body, Content_Encoding="gzip"))
    with pytest.raises(SourceRefused, match="gzip although plain bytes"):
        Asking(server.url).query()


def test_a_body_has_a_largest_size(server: FaultServer) -> None:
    server.answers(reply(body=b'{"status":"success","data":"' + b" " * 3_000_000 + b'"}'))
    with pytest.raises(QueryTooLarge, match="more than 1 MiB"):
        Asking(server.url, largest_body=2**20).query()


# A13 to A19: not Prometheus, or not its words.
ODD = {
    "a login page": (reply(body=b"<html><form>", kind="text/html; charset=utf-8"), "a login page"),
    "text": (reply(body=GOOD, kind="text/plain"), "did not answer as Prometheus does: 200, text/plain"),
    "no content": (reply("204 No Content", b""), "did not answer as Prometheus does: 204"),
    "an error in 200": (api_error("200 OK", "bad_data", "no such thing"), "no such thing"),
    "another JSON": (success('{"ok":true}'), "did not answer as Prometheus does"),
    "a list": (success("[1]"), "did not answer as Prometheus does"),
    "no data": (success('{"status":"success"}'), "did not answer as Prometheus does"),
    "no JSON": (success("Welcome!"), "did not answer as Prometheus does: Welcome!"),
    "NaN as JSON has none": (success('{"status":"success","data":NaN}'), "did not answer as Prometheus does"),
    "a vector": (success('{"status":"success","data":{"resultType":"vector","result":[]}}'), "no matrix but vector"),
    "null data": (success('{"status":"success","data":null}'), "no matrix but None"),
    "null result": (success('{"status":"success","data":{"resultType":"matrix","result":null}}'), "no list of series"),
    "a number as result": (success('{"status":"success","data":{"resultType":"matrix","result":1}}'), "no list of series"),
    "deep": (reply(body=b'{"a":' * 100_000), "did not answer as Prometheus does"),
    "deep lists": (reply(body=b"[" * 100_000), "did not answer as Prometheus does"),
    "data twice": (
        success(
            '{"status":"success","data":{"resultType":"matrix","result":[]},"data":{"resultType":"matrix","result":[]}}'
        ),
        "a key twice",
    ),
    "status twice, with spaces": (
        success('{"status" : "error", "status" : "success", "data" : {"resultType":"matrix","result":[]}}'),
        "a key twice",
    ),
    "a label twice": (
        success(GOOD.decode().replace('"pod":"p"', '"pod":"p","pod":"q"')),
        "a key twice",
    ),
    "values twice": (success(GOOD.decode().replace('"values"', '"values":[],"values"')), "a key twice"),
    # A20: samples.
    "a number as value": (success(GOOD.decode().replace('"2"]', "2]")), "a sample is not"),
    "text as time": (success(GOOD.decode().replace('[2,"2"]', '["2","2"]')), "a sample is not"),
    "true as time": (success(GOOD.decode().replace('[2,"2"]', '[true,"2"]')), "a sample is not"),
    "endless time": (success(GOOD.decode().replace('[2,"2"]', '[1e300,"2"]')), "a sample is not"),
    "three in a sample": (success(GOOD.decode().replace('[2,"2"]', '[2,"2",3]')), "a sample is not"),
    "no pair": (success(GOOD.decode().replace('[2,"2"]', "null")), "a sample is not"),
    "values null": (success(GOOD.decode().replace('[[1,"1"],[2,"2"]]', "null")), "a sample is not"),
    "values missing": (success(GOOD.decode().replace('"values"', '"valves"')), "a sample is not"),
    "not in order": (success(GOOD.decode().replace('[2,"2"]', '[0.999,"2"]')), "not in the order of time"),
    "the same instant": (success(GOOD.decode().replace('[2,"2"]', '[1,"2"]')), "not in the order of time"),
    "after the window": (success(GOOD.decode().replace('[2,"2"]', '[3,"2"]')), "outside of the window"),
    "before the window": (success(GOOD.decode().replace('[1,"1"]', '[0.998,"1"]')), "outside of the window"),
    "labels missing": (success(GOOD.decode().replace('"metric"', '"matrix"')), "no labels"),
    "a number as label": (success(GOOD.decode().replace('"p"', "7")), "no labels"),
    "a series that is none": (success(GOOD.decode().replace('[{"metric"', '[7,{"metric"')), "no labels"),
    # A23: a part of the truth.
    "warnings": (
        reply(body=GOOD[:-1] + b',"warnings":["PromQL partial response: store 10.0.0.3 is gone"]}'),
        "partial answer: PromQL partial response: store 10.0.0.3 is gone",
    ),
    "isPartial": (reply(body=GOOD[:-1] + b',"isPartial":true}'), "partial answer"),
}  # fmt: skip


def read_up(client: Client) -> list[Batch]:
    return list(QueryEngine(client).read(Selector("up"), SHORT))


@pytest.mark.parametrize(("odd", "words"), ODD.values(), ids=ODD)
def test_an_odd_answer_is_refused_at_once(server: FaultServer, odd: Reply, words: str) -> None:
    server.answers(odd)
    with pytest.raises(SourceRefused) as fault:
        read_up(Asking(server.url).client)
    assert words in fault.value.message
    assert server.host in fault.value.message
    assert fault.value.hint
    assert len(server.seen) == 1


def test_remarks_are_kept_once(server: FaultServer) -> None:
    server.answers(
        reply(
            body=GOOD[:-1].replace(b'"up"', b'"kube_pod_info"')
            + b',"infos":["metric might not be a counter"]}'
        )
    )
    source = PrometheusSource(Prometheus(url=server.url))
    for _ in range(2):
        assert source.fetch(Signal.POD_INFO, SHORT).sample_count == 2
    assert source.warnings == ["metric might not be a counter"]


def test_an_empty_warning_and_partial_false_are_whole(server: FaultServer) -> None:
    server.answers(reply(body=GOOD[:-1] + b',"warnings":[],"isPartial":false}'))
    assert len(read_up(Asking(server.url).client)) == 1


# A21, A22: redirects.
@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_no_redirect_is_followed(server: FaultServer, other_server: FaultServer, status: str) -> None:
    server.answers(reply(status, b"", Location=f"http://me:{CANARY}@{other_server.host}/login"))
    with pytest.raises(SourceRefused, match=f"redirects to {other_server.host}") as fault:
        Asking(server.url).query()
    assert CANARY not in fault.value.message
    server.answers(reply(status, b"", Location="/graph"))
    with pytest.raises(SourceRefused, match="redirects to the same host"):
        Asking(server.url).query()
    server.answers(reply(status, b"", Location="http://[not-an-address"))
    with pytest.raises(SourceRefused, match="redirects to an address that cannot be read"):
        Asking(server.url).query()
    assert (len(server.seen), len(other_server.seen)) == (3, 0)


def test_no_redirect_is_followed_by_a_session_of_somebody_else(
    server: FaultServer, other_server: FaultServer
) -> None:
    server.answers(reply("307 Temporary Redirect", b"", Location=other_server.url))
    with requests.Session() as session, pytest.raises(SourceRefused, match="redirects to"):
        Client(server.url, session, 10.0).query("up", 0)
    assert other_server.seen == []


# A24: no access.
@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_no_access_names_the_settings_to_check(server: FaultServer, status: str) -> None:
    server.answers(reply(status, b"no", "text/plain"))
    with pytest.raises(SourceRefused, match="refused access") as fault:
        Asking(server.url).query()
    assert {"bearer_token_file", "basic_auth", "headers"} <= set(
        fault.value.hint.replace(",", "").replace("prometheus.", "").split()
    )
    assert len(server.seen) == 1


# A26: credentials.
def test_a_token_is_read_anew_for_each_request(server: FaultServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = Prometheus(url=server.url, bearer_token_file=file)
    client = Client(server.url, open_session(settings), 10.0)
    for token in ("first", "second"):
        file.write_text(token + "\n")
        client.query("up", 0)
    assert [request.headers["authorization"] for request in server.seen] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    "content", [None, b"", b"two\nlines " + CANARY.encode(), "tökén".encode(), b"\xff\xfe"]
)
def test_a_token_that_cannot_be_sent_is_a_wrong_configuration(
    server: FaultServer, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    client = Client(server.url, open_session(Prometheus(url=server.url, bearer_token_file=file)), 10.0)
    with pytest.raises(ConfigError, match="bearer_token_file") as fault:
        client.query("up", 0)
    assert CANARY not in shown(fault.value)
    assert server.seen == []


def test_files_of_tls_are_looked_at_first(tmp_path: Path) -> None:
    for setting in ("ca_file", "client_cert"):
        settings = Prometheus.model_validate(
            {"url": "https://prometheus:9090", setting: tmp_path / "none.pem"}
        )
        with pytest.raises(ConfigError, match=f"prometheus.{setting}: .*none.pem cannot be read"):
            open_session(settings)


def shown(fault: BaseException) -> str:
    """Everything that a person could see of an error."""
    hint = fault.hint if isinstance(fault, CostlabError) else ""
    return "".join(traceback.format_exception(fault)) + str(fault) + repr(fault) + hint


def echo(status: str, kind: str) -> Teller:
    """Replies with all that was sent, and with what it decoded of it, as debugging proxies do."""

    def told(request: Request) -> Reply:
        words = f"{request.headers} so the password is {CANARY}"
        if kind == "json error":
            return api_error(status, "bad_data", "long words first " * 16 + words)
        if kind == "warning":
            return reply(body=GOOD[:-1] + b',"warnings":[' + json.dumps(words).encode() + b"]}")
        return reply(status, words.encode(), kind)

    return told


@pytest.mark.parametrize("credentials", ["bearer", "basic", "header"])
def test_no_secret_is_ever_shown(
    server: FaultServer,
    other_server: FaultServer,
    tmp_path: Path,
    credentials: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "secret"
    file.write_text(CANARY)
    settings = {
        "bearer": Prometheus(url=server.url, bearer_token_file=file),
        "basic": Prometheus(url=server.url, basic_auth=BasicAuth(username="me", password_file=file)),
        "header": Prometheus(url=server.url, headers={"X-Scope-OrgID": SecretStr(CANARY)}),
    }[credentials]
    statuses = (
        "200 OK",
        "400 Bad Request",
        "401 Unauthorized",
        "422 No",
        "429 Slow",
        "500 Broken",
        "503 Busy",
    )
    kinds = ("application/json", "text/plain", "text/html", "json error", "warning")
    faults: list[Reply | Teller] = [echo(status, kind) for status in statuses for kind in kinds]
    faults += [*BROKEN.values(), reply("302 Found", b"", Location=f"{other_server.url}/{CANARY}"), [2.0]]
    client = Client(server.url, open_session(settings), 0.5, sleep=lambda _: None)
    for fault in faults:
        server.answers(fault)
        with pytest.raises(SourceError) as raised:
            read_up(client)
        text = shown(raised.value)
        assert CANARY not in text
        assert "bWU6YzRuYXJ5" not in text, "base64 of me:c4nary"
        assert len(raised.value.message) < 420
        server.answers(fault)
        doctor = Connection(settings.model_copy(update={"timeout": 0.5}))
        with pytest.raises(SourceError) as raised:
            doctor.vector("up", 0)
        assert CANARY not in shown(raised.value)
        doctor.close()
    assert all(CANARY in request.headers.get("authorization", "") + request.headers.get("x-scope-orgid", "")
               or "bWU6YzRuYXJ5" in request.headers["authorization"] for request in server.seen)  # fmt: skip
    assert other_server.seen == []
    assert CANARY not in caplog.text + repr(settings) + "".join(capfd.readouterr())


# A37: values that are none.
def test_values_that_are_no_numbers_are_left_out_and_remarked(server: FaultServer) -> None:
    texts = ["1", "NaN", "+Inf", "-Inf", "0x1p3", "1e400", "-1", "9223372036854775794", "2"]
    values = [[1 + number / 100, text] for number, text in enumerate(texts)]
    series = {"metric": {"__name__": "kube_pod_info", "pod": "p"}, "values": values}
    server.answers(
        success(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}}))
    )
    source = PrometheusSource(Prometheus(url=server.url))
    found = source.fetch(Signal.POD_INFO, SHORT)
    assert found.values.tolist() == [1, 2]
    assert found.at_ms.tolist() == [1000, 1080]
    assert source.warnings == ["kube_pod_info: samples that are not finite, negative or blank were left out"]


# A31: whose midnight?
@pytest.mark.parametrize(("ahead_s", "remarked"), [(3600, True), (-3600, True), (20, False)])
def test_a_clock_that_is_off_is_remarked(server: FaultServer, ahead_s: int, remarked: bool) -> None:
    pods = GOOD.replace(b'"up"', b'"kube_pod_info"')
    server.answers(lambda _: reply(body=pods, Date=formatdate(time.time() + ahead_s, usegmt=True)))
    source = PrometheusSource(Prometheus(url=server.url, engine=Engine.JSON))
    source.fetch(Signal.POD_INFO, SHORT)
    told = [warning for warning in source.warnings if "clock is" in warning]
    assert len(told) == remarked
    if remarked:
        assert told[0].startswith(f"the server's clock is {ahead_s // 60:+} min from ours")


def test_control_characters_of_a_server_do_not_reach_the_terminal(server: FaultServer) -> None:
    server.answers(api_error("400 Bad Request", "bad_data", "\x1b[2J\x1b]0;owned\x07 wrong\r\n\u202equery"))
    with pytest.raises(SourceRefused) as fault:
        Asking(server.url).query()
    assert fault.value.message.isprintable()
    assert "wrong query" in fault.value.message


# The library's own small questions.
def test_doctors_questions_fail_as_plainly(server: FaultServer, other_server: FaultServer) -> None:
    doctor = Connection(Prometheus(url=server.url, timeout=1))
    for fault, words in (
        (reply("302 Found", b"", Location=other_server.url), "redirects to 127.0.0.1"),
        (reply("403 Forbidden", b"no", "text/plain"), "refused access"),
        (reply(body=b"<html>", kind="text/html"), "a login page"),
        (reply(body=b'{"status":"success"}'), "did not answer as Prometheus does"),
        (reply(body=b"{"), "ends in the middle"),
        ([Reset()], "is not reachable"),
        ([3.0], "did not answer within"),
        (drip(reply(body=b'{"status":"success","data":["up"]}')[0], 1, 0.1), "did not answer"),  # type: ignore[arg-type]
        (reply(body=GOOD[:-1] + b',"warnings":["store 3 is gone"]}'), "store 3 is gone"),
        (reply(body=GOOD), "did not answer as Prometheus does: no (vector|names of metrics)"),
    ):
        server.answers(fault)
        for ask in (
            lambda: doctor.metrics(Selector("up"), SHORT),
            lambda: doctor.vector("up", 0),
        ):
            with pytest.raises(SourceError, match=words):
                ask()
    assert other_server.seen == []
    doctor.close()


def test_a_path_that_is_not_there_names_the_address(server: FaultServer) -> None:
    server.answers(reply("404 Not Found", b"404 page not found", "text/plain"))
    with pytest.raises(SourceRefused, match="404 page not found") as fault:
        Asking(server.url).query()
    assert fault.value.hint == "prometheus.url is the address in front of /api/v1"

"""One request an engine, and each thing that can go wrong with it is told apart."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from fault_server import GOOD, FaultServer, Reply, Reset, api_error, drip, reply, success
from reading import entries

from costlab.config.servers import Prometheus
from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.domain.time import Window
from costlab.sources.prometheus.answer import BrokenOff, MayPass, QueryTimedOut, QueryTooLarge
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.engine import Engine
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.prometheus.victoria import VictoriaEngine

SHORT = Window(1000, 3000)
UP = Selector("up", (Matcher("pod", Operator.NOT_EQUAL, 'a"b'),))
LINE = b'{"metric":{"__name__":"up","pod":"p"},"values":[1,2],"timestamps":[1000,2000]}\n'
LONG = LINE.replace(b"[1,2]", b"[" + b"1," * 2999 + b"2]").replace(
    b"[1000,2000]", json.dumps([1000 + at // 2 for at in range(3000)], separators=(",", ":")).encode()
)
WORDS = b'remoteAddr: "10.0.0.7:5", X-Forwarded-For: "10.0.0.8"; requestURI: /api/v1/export?match=up; '


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def client(url: str, timeout_s: float = 10.0) -> Client:
    return Client(url, open_session(Prometheus(url=url)), timeout_s)


def stream(body: bytes, kind: str = "application/stream+json; charset=utf-8", **arguments: Any) -> Reply:
    return reply(body=body, kind=kind, **arguments)


def found(engine: Engine, window: Window = SHORT) -> list[Any]:
    return [
        (dict(labels), at_ms.tolist(), values.tolist())
        for batch in engine.read(UP, window)
        for labels, at_ms, values in entries(batch)
    ]


UP_P = ({"__name__": "up", "pod": "p"}, [1000, 2000], [1.0, 2.0])


def test_what_the_query_engine_sends(server: FaultServer) -> None:
    engine = QueryEngine(
        client(server.url + "/prometheus", 20.0), {"partial_response": "false", "dedup": "true"}
    )
    assert found(engine) == [UP_P]
    (request,) = server.seen
    assert request.line == "POST /prometheus/api/v1/query HTTP/1.1"
    assert parse_qs(request.body) == {
        "query": ['up{pod!="a\\"b"}[2000ms]'],
        "time": ["2.999"],
        "timeout": ["18.000"],
        "partial_response": ["false"],
        "dedup": ["true"],
    }


def test_what_the_export_engine_sends(server: FaultServer) -> None:
    server.answers(stream(LINE))
    engine = VictoriaEngine(client(server.url + "/select/0/prometheus", 20.0))
    assert found(engine) == [UP_P]
    (request,) = server.seen
    assert request.line == "POST /select/0/prometheus/api/v1/export HTTP/1.1"
    assert parse_qs(request.body) == {
        "match[]": ['up{pod!="a\\"b"}'],
        "start": ["1.000"],
        "end": ["2.9995"],
        "nocache": ["1"],
        "timeout": ["18.000"],
    }


@pytest.mark.parametrize("engine", [QueryEngine, VictoriaEngine])
def test_no_time_asks_nothing(server: FaultServer, engine: Any) -> None:
    assert found(engine(client(server.url)), Window(1000, 1000)) == []
    assert server.seen == []


@pytest.mark.parametrize("engine", [QueryEngine, VictoriaEngine])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (reply("503 Service Unavailable", b"no backend", "text/plain"), MayPass),
        (reply("429 Too Many Requests", b"slow down", "text/plain"), MayPass),
        ([Reset()], MayPass),
        (stream(LINE, length=500), BrokenOff),
        ([20.0], SourceUnavailable),
        (drip(stream(LINE)[0], 1, 0.05), SourceUnavailable),  # type: ignore[arg-type]
        ([*stream(b"", length=len(LINE)), LINE[:30], 20.0], QueryTimedOut),
        (
            reply("422 No", WORDS + b"cannot select more than -search.maxSamples=1", "text/plain"),
            QueryTooLarge,
        ),
        (
            api_error("422 No", "execution", "query processing would load too many samples into memory"),
            QueryTooLarge,
        ),
        (api_error("503 No", "timeout", "query timed out in expression evaluation"), QueryTimedOut),
        (reply("404 Not Found", b"no such page", "text/plain"), SourceRefused),
        (reply(body=b"<html>", kind="text/html"), SourceRefused),
        (stream(b"Welcome!"), SourceRefused),
    ],
)
def test_a_fault_is_met_once(server: FaultServer, engine: Any, fault: Reply, kind: type[SourceError]) -> None:
    server.answers(fault)
    with pytest.raises(kind) as raised:
        found(engine(client(server.url, 0.6)))
    assert type(raised.value) is kind
    assert raised.value.hint
    assert server.host in raised.value.message
    assert "remoteAddr" not in raised.value.message
    assert len(server.seen) == 1


def test_a_body_has_a_largest_size(server: FaultServer) -> None:
    with pytest.raises(QueryTooLarge):
        found(QueryEngine(client(server.url), largest_body=len(GOOD) - 1))
    assert found(QueryEngine(client(server.url), largest_body=len(GOOD))) == [UP_P]


def test_remarks_are_kept_once_and_histograms_are_among_them(server: FaultServer) -> None:
    histogram = b'{"metric":{"__name__":"h"},"histograms":[[1,{"count":"1","sum":"1"}]]}'
    body = GOOD[:-1].replace(b"[{", b"[" + histogram + b",{", 1) + b',"infos":["not a counter"]}'
    server.answers(success(body.decode()))
    engine = QueryEngine(client(server.url))
    for _ in range(2):
        assert found(engine) == [UP_P]
    assert engine.remarks == ("not a counter", "h: native histograms were left out")


def test_a_series_may_come_in_several_lines_and_without_any(server: FaultServer) -> None:
    later = LINE.replace(b"1000,2000", b"2500,2600")
    server.answers(stream(LINE + later), stream(b""))
    engine = VictoriaEngine(client(server.url))
    assert found(engine) == [UP_P, (UP_P[0], [2500, 2600], [1.0, 2.0])]
    assert found(engine) == []


def test_the_millisecond_at_either_end_is_left_out(server: FaultServer) -> None:
    wide = LINE.replace(b"[1,2]", b"[0,1,2,3]").replace(b"[1000,2000]", b"[999,1000,2000,3000]")
    server.answers(stream(wide + wide.replace(b"[999,1000,2000,3000]", b"[998,1000,2000,3000]")))
    with pytest.raises(SourceRefused, match="outside of the window asked for"):
        found(VictoriaEngine(client(server.url)))
    only_late = LINE.replace(b"[1,2]", b"[3]").replace(b"[1000,2000]", b"[3000]")
    server.answers(stream(only_late + wide))
    assert found(VictoriaEngine(client(server.url))) == [UP_P]


BROKEN: dict[str, tuple[bytes, type[SourceError], str]] = {
    "cut in a line": (LINE + LINE[:40], BrokenOff, "ends in the middle of a line"),
    "cut before the line's end": (LINE + LINE[:-1], BrokenOff, "ends in the middle of a line"),
    "words after lines": (LINE + WORDS + b"cannot open block\n", SourceRefused, "refused the query (200): cannot open block"),
    "words without an end": (LINE + WORDS + b"cannot open block", SourceRefused, "cannot open block"),
    "words in a line": (LINE + LINE[:40] + WORDS + b"timeout exceeded: 30s\n", QueryTimedOut, "timeout exceeded"),
    "a limit after lines": (LINE + WORDS + b"the number of matching timeseries exceeds 9\n", QueryTooLarge, "exceeds 9"),
    "an error as JSON": (LINE + b'{"status":"error","error":"query timed out"}\n', QueryTimedOut, "timed out"),
    "a partial answer": (b'{"isPartial":true}\n' + LINE, SourceRefused, "partial answer"),
    "a line with a part missing": (LINE.replace(b"}\n", b',"isPartial":true}\n'), SourceRefused, "partial answer"),
    "another JSON": (b'{"ok":true}\n', SourceRefused, "a line is no series"),
    "a list": (b"[1]\n", SourceRefused, "[1]"),
    "blank": (LINE + b"\n" + LINE, SourceRefused, "refused"),
    "deep": (b'{"a":' * 100_000 + b"\n", SourceRefused, "a line is no series"),
    "fewer instants": (LINE.replace(b"1000,2000", b"1000"), SourceRefused, "a line is no series"),
    "fewer values": (LINE.replace(b"[1,2]", b"[1]"), SourceRefused, "a line is no series"),
    "not in order": (LINE.replace(b"1000,2000", b"2000,1000"), SourceRefused, "a line is no series"),
    "instants that are none": (LINE.replace(b"2000", b"2000.5"), SourceRefused, "a line is no series"),
    "endless instants": (LINE.replace(b"2000", b"1" * 40), SourceRefused, "a line is no series"),
    "true as instant": (LINE.replace(b"[1000,2000]", b"[0,true]"), SourceRefused, "a line is no series"),
    "true as value": (LINE.replace(b"[1,2]", b"[1,true]"), SourceRefused, "a value is no number: true"),
    "text as value": (LINE.replace(b"[1,2]", b'[1,"2"]'), SourceRefused, "a value is no number"),
    "a value that is none": (LINE.replace(b"[1,2]", b"[1,2-3]"), SourceRefused, "a value is no number: 2-3"),
    "values twice": (LINE.replace(b'"values"', b'"values":[],"values"'), SourceRefused, "a line is no series"),
    "a label twice": (LINE.replace(b'"pod"', b'"pod":"q","pod"'), SourceRefused, "a label twice"),
    "a number as label": (LINE.replace(b'"p"', b"7"), SourceRefused, "no labels"),
    "a label that is no text": (LINE.replace(b'"p"', b'"\xff"'), SourceRefused, "no labels"),
    "half a letter as label": (LINE.replace(b'"p"', b'"\\ud800"'), SourceRefused, "no labels"),
    "labels missing": (LINE.replace(b'"metric"', b'"matrix"'), SourceRefused, "a line is no series"),
}  # fmt: skip


@pytest.mark.parametrize("came", [b"", LINE, LINE + LINE], ids=["nothing", "a line of two", "all"])
def test_an_export_that_does_not_show_its_end_is_refused(server: FaultServer, came: bytes) -> None:
    server.answers(
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/stream+json\r\nConnection: close\r\n\r\n" + came]
    )
    with pytest.raises(SourceRefused, match="does not show where it ends"):
        found(VictoriaEngine(client(server.url)))


@pytest.mark.parametrize(("body", "kind", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_export_is_an_error(
    server: FaultServer, body: bytes, kind: type[SourceError], words: str
) -> None:
    server.answers(stream(body))
    with pytest.raises(kind) as fault:
        found(VictoriaEngine(client(server.url)))
    assert type(fault.value) is kind
    assert words in fault.value.message
    assert server.host in fault.value.message
    assert fault.value.hint


def test_a_series_has_a_largest_size(server: FaultServer) -> None:
    endless = LINE[:40] + b"1," * 5_000_000
    server.answers(stream(endless))
    with pytest.raises(QueryTooLarge, match="more than 4 MiB"):
        found(VictoriaEngine(client(server.url), longest_line=2**22))
    # Twice an instant is no sample more: here the larger one is taken.
    server.answers(stream(LONG * 400))
    told = found(VictoriaEngine(client(server.url), longest_line=2**22))
    assert len(told) == 400
    assert told[0] == told[399] == (UP_P[0], list(range(1000, 2500)), [1.0] * 1499 + [2.0])


def test_blank_values_are_remarked(server: FaultServer) -> None:
    server.answers(stream(LINE.replace(b"[1,2]", b"[9223372036854775794,2]")))
    engine = VictoriaEngine(client(server.url))
    assert len(found(engine)) == 1
    assert engine.remarks == ("up: VictoriaMetrics keeps no decimals beside a blank value",)
    server.answers(stream(LINE.replace(b"[1,2]", b"[+Inf,null]")))
    engine = VictoriaEngine(client(server.url))
    assert len(found(engine)) == 1
    assert engine.remarks == ()

"""Remote read broken at any byte: one typed error a fault, and everything before it is known to be thrown away."""

import json
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from fault_server import FaultServer, Reply, Reset, api_error, drip, reply, success
from plain_wire import (
    bits_of,
    bytes_field,
    chunk_message,
    chunked_series,
    frame,
    http_chunks,
    label_fields,
    sampled_series,
    varint,
    xor_chunk,
)
from pydantic import SecretStr

from costlab.config.servers import Prometheus
from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.answer import BrokenOff, MayPass, QueryTimedOut, QueryTooLarge
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.flavour import external_labels
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.remote_read import RemoteReadEngine, speaks_remote_read
from costlab.sources.prometheus.selector import Selector

CANARY = "c4nary-t0ken-never-shown"
CHUNKS = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
SAMPLES = "application/x-protobuf"
UP = {"__name__": "up", "pod": "p"}
TWO = [(1000, bits_of(1.0)), (2000, bits_of(2.0))]
FIRST = frame(chunked_series(UP, [xor_chunk(TWO)]))
SECOND = frame(chunked_series(UP | {"pod": "q"}, [xor_chunk(TWO)]))
ASKED = Selector("up"), Window(1000, 3000)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def client_of(server: FaultServer, timeout_s: float = 10.0, token: str = "") -> Client:
    headers = {"X-Scope-OrgID": SecretStr(token)} if token else {}
    session = open_session(Prometheus(url=server.url, headers=headers))
    return Client(server.url, session, timeout_s, sleep=lambda _: None)


def read(server: FaultServer, timeout_s: float = 10.0, token: str = "") -> list[Batch]:
    return list(RemoteReadEngine(client_of(server, timeout_s, token)).read(*ASKED))


def streamed(*pieces: bytes) -> Reply:
    """A good head, and what is given in a chunk each, up to the last chunk."""
    return [in_chunks(), http_chunks(pieces)]


def in_chunks(kind: str = CHUNKS) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def sized(body: bytes, length: int | None = None) -> Reply:
    return reply(body=body, kind=CHUNKS, length=length)


def packed(message: bytes) -> Reply:
    body = pa.compress(message, codec="snappy", asbytes=True) if message else b"\0"
    return reply(body=body, kind=SAMPLES, Content_Encoding="snappy")


SOUND = {
    "in chunks": streamed(FIRST, SECOND),
    "in chunks of a byte": streamed(*(bytes([byte]) for byte in FIRST + SECOND)),
    "with a length": sized(FIRST + SECOND),
    "in pieces": [in_chunks(), *drip(http_chunks([FIRST, SECOND]), 11, 0.002)],
    "as samples": packed(bytes_field(1, sampled_series(UP, TWO) + sampled_series(UP | {"pod": "q"}, TWO))),
}


@pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)
def test_a_sound_answer_however_it_comes(server: FaultServer, sound: Reply) -> None:
    server.answers(sound)
    found = [series for batch in read(server) for series in batch.series()]
    assert [series.labels for series in found] == [UP, UP | {"pod": "q"}]
    assert [(series.at_ms.tolist(), series.values.tolist()) for series in found] == [
        ([1000, 2000], [1.0, 2.0])
    ] * 2
    (request,) = server.seen
    assert request.line == "POST /api/v1/read HTTP/1.1"
    assert request.headers["content-encoding"] == "snappy"
    assert request.headers["content-type"] == SAMPLES
    assert request.headers["x-prometheus-remote-read-version"] == "0.1.0"
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "empty",
    [streamed(), sized(b""), packed(bytes_field(1, b"")), packed(b"")],
    ids=["no chunk", "no byte", "a result without series", "no result"],
)
def test_nothing_is_no_series(server: FaultServer, empty: Reply) -> None:
    server.answers(empty)
    assert read(server) == []


def said(words: str, behind: bytes = FIRST) -> Reply:
    """Frames, and then an error in the middle of the answer, as Go's HTTP server writes it."""
    return streamed(*filter(None, [behind, words.encode() + b"\n"]))


LONG = "block 01HXYZ is corrupt " * 20
FAULTS: dict[str, tuple[Reply, type[SourceError], str]] = {
    "cut in a frame": (sized((FIRST + SECOND)[:-5]), BrokenOff, "ends in the middle, after"),
    "cut in a frame, chunked": (streamed(FIRST, SECOND[:-1]), BrokenOff, "ends in the middle, after"),
    "cut in a frame's head": (streamed(FIRST, SECOND[:3]), BrokenOff, "ends in the middle, after"),
    "shorter than its length": (sized(FIRST, len(FIRST) + 50), BrokenOff, "ends in the middle"),
    "no last chunk": ([in_chunks(), http_chunks([FIRST, SECOND])[:-5]], BrokenOff, "without its last chunk"),
    "cut in a chunk": ([in_chunks(), http_chunks([FIRST, SECOND])[:-30]], BrokenOff, "without its last chunk"),
    "no such chunk size": ([in_chunks(), http_chunks([FIRST])[:-5] + b"zz\r\n"], BrokenOff, "without its last chunk"),
    "reset": ([in_chunks(), http_chunks([FIRST])[:-5], 0.05, Reset()], BrokenOff, "ends in the middle: Connection reset"),
    "a wrong checksum": (streamed(FIRST, SECOND[:-1] + b"\xff"), MayPass, "checksum is wrong, at byte"),
    "an absurd length": (streamed(FIRST, varint(2**27) + SECOND), SourceRefused, "more than 64 MiB"),
    "an endless length": (streamed(FIRST, b"\xff" * 30), SourceRefused, "more than 64 MiB"),
    "a deadline in the middle": (said("expanding series: context deadline exceeded"), QueryTimedOut, "context deadline"),
    "a limit in the middle": (said("the query hit (err-mimir-max-chunks-per-query)"), QueryTooLarge, "err-mimir"),
    "a limit at once": (said("exceeded sample limit (5)", b""), QueryTooLarge, r"exceeded sample limit \(5\)"),
    "a long error in the middle": (said(LONG), SourceUnavailable, r"failed \(500\): block 01HXYZ is corrupt"),
    "a short error in the middle": (said("i/o error"), SourceUnavailable, r"failed \(500\): i/o error"),
    "400, a limit": (reply("400 Bad Request", b"exceeded sample limit (100000)\n", "text/plain"), QueryTooLarge, "100000"),
    "400, corrupt": (reply("400 Bad Request", b"snappy: corrupt input\n", "text/plain"), SourceRefused, "snappy: corrupt input"),
    "503": (reply("503 Service Unavailable", b"starting", "text/plain"), MayPass, "is not available"),
    "a web page": (reply(body=b"<html><form>", kind="text/html"), SourceRefused, "a login page"),
    "JSON": (success('{"status":"success"}'), SourceRefused, "did not answer as Prometheus does: 200, application/json"),
    "text": (reply(body=FIRST, kind="text/plain"), SourceRefused, "did not answer as Prometheus does: 200, text/plain"),
    "gzip": (reply(body=FIRST, kind=CHUNKS, Content_Encoding="gzip"), SourceRefused, "gzip although plain bytes"),
    "no message": (streamed(frame(b"\x0a\xff")), SourceRefused, "a message does not end"),
    "a chunk that ends early": (streamed(frame(chunked_series(UP, [xor_chunk(TWO)[:-1]]))), SourceRefused, "go on behind its end"),
    "a chunk that counts too many": (
        streamed(frame(chunked_series(UP, [b"\xff" + xor_chunk(TWO)[1:]]))),
        SourceRefused,
        "more samples than bits",
    ),
    "a new kind of chunk": (streamed(frame(chunked_series(UP, [xor_chunk(TWO)], 9))), SourceRefused, "unknown kind"),
    "another metric": (streamed(FIRST, frame(chunked_series({"__name__": "down"}, [xor_chunk(TWO)]))), SourceRefused, "is not one of up"),
    "no metric": (streamed(frame(chunked_series({"pod": "p"}, [xor_chunk(TWO)]))), SourceRefused, "is not one of up"),
    "no labels": (streamed(frame(chunked_series({}, [xor_chunk(TWO)]))), SourceRefused, "is not one of up"),
    "a label twice": (
        streamed(frame(bytes_field(1, label_fields(UP) * 2 + bytes_field(2, chunk_message(xor_chunk(TWO)))))),
        SourceRefused,
        "a label stands twice",
    ),
    "no UTF-8": (streamed(frame(chunked_series(UP, [xor_chunk(TWO)]).replace(b"pod", b"p\xffd"))), SourceRefused, "not UTF-8"),
    "samples, not snappy": (reply(body=b"\x20junk", kind=SAMPLES, Content_Encoding="snappy"), SourceRefused, "cannot be unpacked"),
    "samples, no byte": (reply(body=b"", kind=SAMPLES, Content_Encoding="snappy"), SourceRefused, "cannot be unpacked"),
    "samples, plain": (reply(body=bytes_field(1, b""), kind=SAMPLES), SourceRefused, "cannot be unpacked"),
    "samples, a GiB": (
        reply(body=varint(2**30) + b"\0\0", kind=SAMPLES, Content_Encoding="snappy"),
        QueryTooLarge,
        "an answer of 1024 MiB",
    ),
    "samples, no message": (packed(b"\x0a\xff\xff"), SourceRefused, "a message does not end"),
    "samples, broken within": (packed(bytes_field(1, bytes_field(1, bytes_field(2, b"\x09")))), SourceRefused, "a message does not end"),
    "samples, two results": (packed(bytes_field(1, b"") * 2), SourceRefused, "more results than queries"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_typed_error(
    server: FaultServer, fault: Reply, kind: type[SourceError], words: str
) -> None:
    server.answers(fault)
    with pytest.raises(kind, match=words) as raised:
        read(server)
    assert raised.type is kind
    assert server.host in raised.value.message
    assert raised.value.hint
    assert len(raised.value.message) < 420
    assert len(server.seen) == 1


def test_frames_before_a_fault_have_been_given(server: FaultServer) -> None:
    """Whoever reads has to throw them away; that there are some is why."""
    many = b"".join(
        frame(chunked_series(UP | {"pod": f"p{place:05d}"}, [xor_chunk(TWO)])) for place in range(20_000)
    )
    server.answers(streamed(many, b"out of memory\n"))
    batches = RemoteReadEngine(client_of(server)).read(*ASKED)
    assert len(next(batches).labels) > 1000
    with pytest.raises(SourceUnavailable, match="out of memory"):
        list(batches)


@pytest.mark.parametrize(
    "slow",
    [
        [20.0],
        [in_chunks(), 20.0],
        [in_chunks(), http_chunks([FIRST])[:-5], 20.0],
        [in_chunks(), *drip(http_chunks([FIRST, SECOND]), 1, 0.05)],
        [*sized(FIRST[:9], len(FIRST)), *drip(FIRST[9:], 1, 0.05)],
        [*reply(body=b"", kind=SAMPLES, length=50, Content_Encoding="snappy"), *drip(b"x" * 50, 1, 0.05)],
    ],
    ids=["silence", "silence before a frame", "silence after a frame", "drip", "drip with a length", "drip of samples"],
)  # fmt: skip
def test_a_slow_answer_ends_at_the_deadline(server: FaultServer, slow: Reply) -> None:
    server.answers(slow)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"did not answer (in full )?within 0\.4 s"):
        read(server, 0.4)
    assert time.monotonic() - started < 1.5


def test_memory_is_not_made_for_what_a_frame_only_promises(server: FaultServer) -> None:
    server.answers(streamed(varint(2**26) + bytes(4) + FIRST))
    with pytest.raises(BrokenOff):
        read(server)


@pytest.mark.parametrize(
    "fault", [said(f"no such tenant {CANARY}"), said(LONG + CANARY), reply("400 No", CANARY.encode())]
)
def test_no_secret_is_shown(server: FaultServer, fault: Reply) -> None:
    server.answers(fault)
    with pytest.raises(SourceError) as raised:
        read(server, token=CANARY)
    assert server.seen[0].headers["x-scope-orgid"] == CANARY
    assert CANARY not in raised.value.message + raised.value.hint


def test_control_characters_in_an_error_do_not_reach_the_terminal(server: FaultServer) -> None:
    server.answers(said("wrong\r\n\tthing\u00ad here"))
    with pytest.raises(SourceError) as raised:
        read(server)
    assert raised.value.message.isprintable()
    # What no terminal should see is no text: then it is a frame that is wrong.
    server.answers(said("wrong \x1b[2J thing, and quite a lot of it, so that it could be a frame " * 2))
    with pytest.raises(SourceError, match="checksum is wrong") as raised:
        read(server)
    assert raised.value.message.isprintable()


def test_histograms_are_one_remark_however_often_they_are_read(server: FaultServer) -> None:
    mixed = frame(chunked_series(UP, [b"\0\1histogram"], 2)) + FIRST
    server.answers(streamed(mixed, mixed))  # an answer with two of them, read twice
    engine = RemoteReadEngine(client_of(server))
    for _ in range(2):
        assert sum(len(batch.at_ms) for batch in engine.read(*ASKED)) == 2
    assert engine.remarks == ("up: native histograms were left out",)


def test_samples_outside_of_the_window_are_left_out(server: FaultServer) -> None:
    wider = [(999, 1), *TWO, (3000, 2)]
    for answer in (
        streamed(
            frame(
                chunked_series(UP, [xor_chunk(wider)])
                + chunked_series(UP | {"pod": "q"}, [xor_chunk(wider[:1])])
            )
        ),
        packed(bytes_field(1, sampled_series(UP, wider) + sampled_series(UP | {"pod": "q"}, wider[-1:]))),
    ):
        server.answers(answer)
        (batch,) = read(server)
        assert batch.labels.to_pylist() == [list(UP.items())]
        assert batch.at_ms.tolist() == [1000, 2000]
        assert batch.offsets.tolist() == [0, 2]
        assert np.array_equal(batch.values, [1.0, 2.0])


@pytest.mark.parametrize("came", [b"", FIRST, FIRST + SECOND], ids=["nothing", "one frame of two", "all"])
def test_a_stream_that_does_not_show_its_end_is_refused(server: FaultServer, came: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {CHUNKS}\r\nConnection: close\r\n\r\n".encode()
    server.answers([head + came])
    with pytest.raises(SourceRefused, match="does not show where it ends") as refused:
        read(server)
    assert "HTTP/1.1" in refused.value.hint
    # So it is not chosen, either.
    assert speaks_remote_read(client_of(server)) is None


# Who speaks it.


@pytest.mark.parametrize(
    ("answer", "spoken"),
    [
        (streamed(), "chunks"),
        (sized(b""), "chunks"),
        (packed(bytes_field(1, b"")), "samples"),
        (reply("400 Bad Request", b"unsupported path requested: /api/v1/read\n", "text/plain"), None),
        (reply("404 Not Found", b"404 page not found\n", "text/plain"), None),
        (reply("405 Method Not Allowed", b"", "text/plain"), None),
        (reply("403 Forbidden", b"no", "text/plain"), None),
        (reply("302 Found", b"", Location="/graph"), None),
        (reply(body=b"<html>", kind="text/html"), None),
    ],
)
def test_who_speaks_remote_read(server: FaultServer, answer: Reply, spoken: str | None) -> None:
    server.answers(answer)
    assert speaks_remote_read(client_of(server)) == spoken
    assert len(server.seen) == 1


@pytest.mark.parametrize("answer", [reply("503 Busy", b"", "text/plain"), [Reset()], [5.0]])
def test_who_does_not_answer_may_well_speak_it(server: FaultServer, answer: Reply) -> None:
    server.answers(answer)
    with pytest.raises(SourceUnavailable):
        speaks_remote_read(client_of(server, 0.4))


def configuration(text: object) -> Reply:
    return success(json.dumps({"status": "success", "data": {"yaml": text}}))


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        (configuration('global:\n  external_labels:\n    cluster: prod-1\n    replica: "01"\n'), {"cluster": "prod-1", "replica": "01"}),
        (configuration("global:\n  scrape_interval: 1m\n"), {}),
        (configuration("global:\n  external_labels: [a, b]\n"), {}),
        (configuration("global"), {}),
        (configuration("a: b: c"), {}),
        (configuration(7), {}),
        (configuration(None), {}),
        (success('{"status":"success","data":[]}'), {}),
        (reply("404 Not Found", b"404 page not found\n", "text/plain"), {}),
        (reply("403 Forbidden", b"no", "text/plain"), {}),
        (api_error("400 Bad Request", "bad_data", "no"), {}),
    ],
)  # fmt: skip
def test_external_labels_as_far_as_a_server_shows_them(
    server: FaultServer, answer: Reply, labels: dict[str, str]
) -> None:
    server.answers(answer)
    assert external_labels(client_of(server)) == labels
    assert [request.line for request in server.seen] == ["GET /api/v1/status/config HTTP/1.1"]


def test_external_labels_of_a_server_that_is_down(server: FaultServer) -> None:
    server.answers(reply("503 Busy", b"", "text/plain"))
    with pytest.raises(SourceUnavailable):
        external_labels(client_of(server))

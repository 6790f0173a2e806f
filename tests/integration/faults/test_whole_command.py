"""Each fault of a source through the whole command, by either engine: its exit code, its words, and the lake as it was."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fault_server import GOOD, FaultServer, Reply, Request, Reset, Teller, api_error, drip, reply, success
from plain_wire import http_chunks
from small_prometheus import CHUNKS, SmallPrometheus, a_day
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk

DAY, START_MS = "2026-11-20", 1_795_132_800_000
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
CANARY = "c4nary-t0ken-never-shown"
ENGINES = ("remote-read", "json")


@dataclass(frozen=True)
class Installed:
    """A costlab with a good day in its lake, and the server it was read from."""

    folder: Path
    engine: str
    server: FaultServer
    prometheus: SmallPrometheus
    elsewhere: FaultServer

    def configure(self, **times: float) -> None:
        """Write the configuration, with a secret in it."""
        prometheus = {"url": self.server.url, "engine": self.engine, "headers": {"X-Scope-OrgID": CANARY}}
        content = {
            "lake": "lake",
            "report": {"out": "reports"},
            "clusters": [{"id": "prod", "prometheus": {**prometheus, **times}}],
        }
        (self.folder / "costlab.yaml").write_text(json.dumps(content))

    def breaks(self, fault: Reply | Teller, patience_s: float = 0.9) -> None:
        """From now on each question for samples is answered so; 0.9 s of patience are too short for a pause."""
        self.prometheus.fault = fault
        self.configure(timeout=0.9, signal_timeout=patience_s)

    def recover(self) -> None:
        """All is as it was when the day was measured."""
        self.prometheus.fault = None
        self.server.answers(self.prometheus)
        self.configure()

    def run(self, name: str = "nightly") -> Result:
        """`costlab nightly` of the day, or another command."""
        command = ["--config", str(self.folder / "costlab.yaml"), name, "--date", DAY]
        return CliRunner().invoke(app, command, obj=Desk({}, NOW))

    def files(self) -> dict[Path, tuple[bytes, int]]:
        """Every file of the lake and the reports, with the instant of its last change; not the lock."""
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for written in ("lake", "reports")
            for path in (self.folder / written).rglob("*")
            if path.is_file() and not path.name.startswith(".lock")
        }


@pytest.fixture(scope="module", params=ENGINES)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    folder, prometheus = tmp_path_factory.mktemp(request.param), SmallPrometheus(a_day(START_MS))
    with FaultServer().running() as server, FaultServer().running() as elsewhere:
        server.answers(prometheus)
        one = Installed(folder, request.param, server, prometheus, elsewhere)
        one.configure()
        done = one.run()
        assert done.exit_code == 0, done.output
        yield one
        one.recover()
        before = one.files()
        assert "unchanged, nothing committed" in one.run().output
        assert one.files() == before


def echo(status: str, kind: str = "text/plain") -> Teller:
    """Replies with what was sent, secrets included."""

    def told(request: Request) -> Reply:
        return reply(status, f"no: {request.headers}".encode(), kind)

    return told


def refused(one: Installed, *words: str, command: str = "nightly") -> None:
    """The command ends with 3 and two lines, and nothing of the lake and the reports was touched."""
    before = one.files()
    done = one.run(command)
    assert done.exit_code == 3, done.output
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ")
    for word in words:
        assert word in error + hint
    assert CANARY not in done.output
    assert one.files() == before


IN_CHUNKS = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: "
CUT = http_chunks([GOOD])[:-5]

EITHER: Mapping[str, tuple[Reply | Teller, tuple[str, ...]]] = {
    "silence": ([3.0], ("did not answer within 0.9 s", "prometheus.timeout")),
    "drop by drop": (drip(reply()[0], 1, 0.05), ("did not answer", "prometheus.timeout")),  # type: ignore[arg-type]
    "503": (api_error("503 Service Unavailable", "unavailable", "starting", Retry_After="1"), ("503", "starting")),
    "429": (api_error("429 Too Many Requests", "too_many", "slow down"), ("429", "slow down")),
    "too many samples, for ever": (
        api_error("422 Unprocessable Entity", "execution", "query processing would load too many samples into memory"),
        ("too many samples", "even for 5 minutes of "),
    ),
    "413": (reply("413 Payload Too Large", b"too large", "text/plain"), ("even for 5 minutes",)),
    "a wrong query": (api_error("400 Bad Request", "bad_data", "parse error: unexpected }"), ("parse error: unexpected }",)),
    "an internal error": (api_error("500 Internal Server Error", "internal", "block is corrupt"), ("block is corrupt",)),
    "what was sent, in a 400": (echo("400 Bad Request"), ("400",)),
    "what was sent, in a 500": (echo("500 Internal Server Error"), ("500",)),
    "shorter than its length": (reply(body=GOOD[:60], length=len(GOOD)), ()),
    "a reset": ([Reset()], ("is not reachable",)),
    "closed at once": ([b""], ("is not reachable",)),
    "garbage as gzip": (reply(body=b"\x1f\x8bgarbage", Content_Encoding="gzip"), ("gzip although plain bytes",)),
    "200 MB as gzip": (
        reply(body=gzip.compress(bytes(200_000_000), 1), Content_Encoding="gzip"),
        ("gzip although plain bytes", "Accept-Encoding"),
    ),
    "a login page": (reply(body=b"<html><form>", kind="text/html"), ("a login page",)),
    "text": (reply(body=GOOD, kind="text/plain"), ("did not answer as Prometheus does", "text/plain")),
    "an error in 200": (api_error("200 OK", "bad_data", "no such thing"), ()),
    "401": (reply("401 Unauthorized", b"who?", "text/plain"), ("refused access (401)", "bearer_token_file", "basic_auth")),
    "403": (reply("403 Forbidden", b"no", "text/plain"), ("refused access (403)", "prometheus.")),
    "what was sent, in a 401": (echo("401 Unauthorized"), ("refused access", "prometheus.headers")),
}  # fmt: skip
# Asked again without a pause, for ever shorter windows: many questions, which a busy machine takes its time for.
HALVED = frozenset({"too many samples, for ever", "413"})
OF_JSON: Mapping[str, tuple[Reply, tuple[str, ...]]] = {
    "cut, with the right length": (reply(body=GOOD[:60]), ("ends in the middle",)),
    "no last chunk": ([IN_CHUNKS + b"application/json\r\n\r\n" + CUT], ("ends in the middle",)),
    "an error in 200": (api_error("200 OK", "bad_data", "no such thing"), ("no such thing",)),
    "a vector": (success('{"status":"success","data":{"resultType":"vector","result":[]}}'), ("no matrix but vector",)),
    "no list": (success('{"status":"success","data":{"resultType":"matrix","result":null}}'), ("no list of series",)),
    "a label twice": (success(GOOD.decode().replace('"pod":"p"', '"pod":"p","pod":"q"')), ("a key twice",)),
    "deep": (reply(body=b'{"a":' * 100_000), ("did not answer as Prometheus does",)),
    "a number as value": (success(GOOD.decode().replace('"2"]', "2]")), ("a sample is not",)),
    "text as time": (success(GOOD.decode().replace('[2,"2"]', '["2","2"]')), ("a sample is not",)),
    "not in order": (success(GOOD.decode().replace('[2,"2"]', '[0,"2"]')), ("not in the order of time",)),
    "outside of the window": (success(GOOD.decode()), ("outside of the window",)),
    "warnings": (reply(body=GOOD[:-1] + b',"warnings":["store 3 is gone"]}'), ("partial answer", "store 3 is gone")),
    "isPartial": (reply(body=GOOD[:-1] + b',"isPartial":true}'), ("partial answer", "run again")),
}  # fmt: skip
OF_REMOTE_READ: Mapping[str, tuple[Reply, tuple[str, ...]]] = {
    "no last chunk": ([IN_CHUNKS + CHUNKS.encode() + b"\r\n\r\n" + CUT], ("without its last chunk",)),
    "no frame": (reply(body=GOOD, kind=CHUNKS), ()),
    "a wrong checksum": (reply(body=b"\x04\0\0\0\0junk", kind=CHUNKS), ("checksum is wrong",)),
    "an absurd length": (reply(body=b"\xff" * 30, kind=CHUNKS), ("more than 64 MiB",)),
    "words in its middle": (reply(body=b"expanding series: store 3 is gone\n", kind=CHUNKS), ("store 3 is gone",)),
}  # fmt: skip


@pytest.mark.parametrize("name", EITHER)
def test_a_fault_leaves_the_lake_as_it_was(installed: Installed, name: str) -> None:
    fault, words = EITHER[name]
    installed.breaks(fault, patience_s=30.0 if name in HALVED else 0.9)
    # A night makes the same of a fault, whichever engine met it, and then writes the pages that lead to its reports.
    refused(installed, *words, command="nightly" if installed.engine == "remote-read" else "extract")


@pytest.mark.parametrize("installed", ["json"], indirect=True)
@pytest.mark.parametrize(("fault", "words"), OF_JSON.values(), ids=OF_JSON)
def test_a_fault_of_json_leaves_the_lake_as_it_was(
    installed: Installed, fault: Reply, words: tuple[str, ...]
) -> None:
    installed.breaks(fault)
    refused(installed, *words, command="extract")


@pytest.mark.parametrize("installed", ["remote-read"], indirect=True)
@pytest.mark.parametrize(("fault", "words"), OF_REMOTE_READ.values(), ids=OF_REMOTE_READ)
def test_a_fault_of_remote_read_leaves_the_lake_as_it_was(
    installed: Installed, fault: Reply, words: tuple[str, ...]
) -> None:
    installed.breaks(fault)
    refused(installed, *words, command="extract")


def test_a_redirect_is_not_followed_and_the_lake_is_as_it_was(installed: Installed) -> None:
    """Neither to another host, which never hears of the tenant, nor to the same."""
    location = f"http://me:{CANARY}@{installed.elsewhere.host}/login"
    installed.breaks(reply("302 Found", b"", Location=location))
    refused(installed, f"redirects to {installed.elsewhere.host}", "prometheus.url")
    installed.breaks(reply("302 Found", b"", Location="/graph"))
    refused(installed, "redirects to the same host")
    assert installed.elsewhere.seen == []


def test_a_server_that_has_forgotten_the_day_does_not_empty_it(installed: Installed) -> None:
    installed.recover()
    installed.server.answers(SmallPrometheus([]))
    refused(installed, "kube-state-metrics gives nothing for 2026-11-20", "costlab doctor")
    without_usage = [one for one in a_day(START_MS) if not one.metric.startswith("container_")]
    installed.server.answers(SmallPrometheus(without_usage))
    refused(installed, "would become worse", "cpu_seconds is gone", "--force REASON")


def test_what_was_fetched_whole_beside_a_fault_is_all_that_stays_for_the_next_run(
    installed: Installed,
) -> None:
    installed.recover()
    before = installed.files()

    def no_memory(request: Request) -> Reply | None:
        return echo("400 Bad Request")(request) if "container_memory_working" in request.body else None

    installed.prometheus.fault = no_memory
    done = installed.run()
    assert (done.exit_code, CANARY in done.output) == (3, False)
    after = installed.files()
    spool = installed.folder / "lake" / "_fetched"
    kept = {path for path in after if path.is_relative_to(spool)}
    assert {path: after[path] for path in after.keys() - kept} == before
    assert all((path.parent / "fetched.json").is_file() for path in kept)
    assert CANARY.encode() not in b"".join(after[path][0] for path in kept)
    installed.recover()
    assert installed.run().exit_code == 0
    assert installed.files() == before

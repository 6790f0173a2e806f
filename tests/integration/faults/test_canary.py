"""A secret in every place that may hold one, every way to fail, every command that asks: it is shown nowhere."""

import json
import logging
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from authority import Authority
from fault_server import GOOD, FaultServer, Reply, Request, Teller, api_error, reply
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.load import load
from costlab.domain.errors import CostlabError
from costlab.sources.prometheus.connection import Connection, open_session
from costlab.sources.prometheus.flavour import recognise
from costlab.sources.prometheus.http import Client

CANARY = "c4nary/t0ken+never=shown??~"  # base64 has a / in it
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
Place = Callable[[Path], str]


def spellings() -> Iterator[str]:
    """The canary as it may come back: plain, in an address, as JSON and Python write it, as base64 wherever it begins."""
    yield from (CANARY, quote(CANARY, safe=""), quote(CANARY, safe="").lower(), quote_plus(CANARY))
    yield from (json.dumps(CANARY)[1:-1], CANARY[::-1], CANARY.encode().hex())
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            yield encode(b"x" * before + CANARY.encode() + b"xyz").decode()[4:-6]


def a_file(folder: Path, name: str, text: str = CANARY) -> Path:
    (folder / name).write_text(text + "\n")
    return folder / name


def a_command(folder: Path) -> str:
    program = a_file(folder, "print-token", f"#!{sys.executable}\nprint({CANARY!r})")
    program.chmod(0o700)
    return f"token_command: [{program}]"


def a_client_key(folder: Path) -> str:
    """The key's file holds the canary beside the key."""
    mine = Authority(folder, "clients").issue("DNS:costlab")
    a_file(folder, "client.key", f"{CANARY}\n{mine.key.read_text()}{CANARY}")
    return f"client_cert: {mine.cert}, client_key: {folder / 'client.key'}"


PLACES: Mapping[str, Place] = {
    "tenant header": lambda _: f"headers: {{X-Scope-OrgID: '{CANARY}'}}",
    "Authorization header": lambda _: f"headers: {{Authorization: 'Bearer {CANARY}'}}",
    "token file": lambda folder: f"bearer_token_file: {a_file(folder, 'token')}",
    "token command": a_command,
    "password file": lambda folder: f"basic_auth: {{username: me, password_file: {a_file(folder, 'password')}}}",
    "client key": a_client_key,
    "Amazon's keys": lambda _: "sigv4: {region: eu-central-1}",
}  # fmt: skip


def echo(status: str, kind: str = "text/plain") -> Teller:
    """Replies with everything that was sent, as it came, decoded, encoded once more, and with the canary itself."""

    def told(request: Request) -> Reply:
        sent = " ".join(request.headers.values())
        words = f"{request.headers} {quote(sent, safe='')} {b64encode(sent.encode()).decode()}"
        if {
            "authorization",
            "x-scope-orgid",
        } & request.headers.keys():  # a key is never sent: no server knows it
            words += f" so it was x{quote(CANARY, safe='')} xx{b64encode(CANARY.encode()).decode()}"
        if kind == "json":
            return api_error(status, "bad_data", words)
        if kind == "warnings":
            return reply(status, GOOD[:-1] + b',"warnings":[' + json.dumps(words).encode() + b"]}")
        return reply(status, words.encode(), kind)

    return told


FAULTS: Mapping[str, Reply | Teller] = {
    "401": echo("401 Unauthorized"),
    "403": echo("403 Forbidden", "json"),
    "400": echo("400 Bad Request", "json"),
    "422": echo("422 Unprocessable Entity", "json"),
    "429": echo("429 Too Many Requests"),
    "500": echo("500 Internal Server Error"),
    "500 in JSON": echo("500 Internal Server Error", "json"),
    "503": echo("503 Service Unavailable", "text/html"),
    "another type": echo("200 OK", "text/csv"),
    "broken JSON": echo("200 OK", "application/json"),
    "half of JSON": reply(body=b'{"status":"success","data":{"' + CANARY.encode() + b'":'),
    "partial": echo("200 OK", "warnings"),
    "an error in 200": echo("200 OK", "json"),
    "redirect": reply("302 Found", b"", Location=f"http://me:{CANARY}@127.0.0.1:9/{quote(CANARY)}?t={CANARY}"),
    "encoding": reply(Content_Encoding=CANARY),
    "silence": [2.0],
    "no HTTP": [CANARY.encode() + b"\r\n\r\n"],
    **{f"base64 {n}": reply("400 No", b64encode(b"x" * n + CANARY.encode() + b"yz"), "text/plain") for n in range(3)},
    **{f"safe base64 {n}": reply("400 No", urlsafe_b64encode(b"x" * n + CANARY.encode()), "text/plain") for n in range(3)},
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture(autouse=True)
def _amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", CANARY)


def written(folder: Path, url: str, place: str) -> Path:
    path = folder / "costlab.yaml"
    path.write_text(
        f"lake: {folder / 'lake'}\nclusters:\n  - id: prod\n    prometheus: "
        f"{{url: '{url}', timeout: 0.3, signal_timeout: 0.5, {PLACES[place](folder)}}}\n"
    )
    return path


@pytest.mark.parametrize("place", PLACES)
def test_no_fault_shows_it(
    server: FaultServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    place: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = load(written(tmp_path, server.url, place), {})
    (cluster,) = settings.clusters
    shown = [repr(settings), str(cluster), repr(cluster.prometheus)]
    client = Client(
        server.url, open_session(cluster.prometheus), cluster.prometheus.timeout, sleep=lambda _: None
    )
    doctor = Connection(cluster.prometheus)
    shown += [repr(client), repr(doctor), repr(doctor.__dict__)]
    for name, fault in FAULTS.items():
        if place == "client key" and (CANARY in str(fault) or "base64" in name):
            continue  # no server knows it
        server.answers(fault)
        for ask in (
            lambda: client.query("up", 0),
            lambda: recognise(client),
            lambda: doctor.vector("up", 0),
        ):
            with pytest.raises(CostlabError) as raised:
                ask()
            error = raised.value
            shown += [
                "".join(traceback.format_exception(error)),
                repr(error),
                error.message,
                error.hint,
                name,
            ]
    doctor.close()
    carried = "".join(str(request.headers) for request in server.seen)
    if place not in {"client key", "password file"}:  # the key opens no door without TLS; the other is base64
        assert CANARY in carried or quote(CANARY) in carried
    assert_unseen(*shown, caplog.text, *capfd.readouterr())


COMMANDS = (
    ("doctor", "-o", "json"),
    ("extract", "--date", "2026-11-20"),
    ("--log-format", "json", "-vv", "--debug", "extract", "--date", "2026-11-20"),
    ("--debug", "nightly", "--date", "2026-11-20"),
    ("config", "show"),
    ("config", "check"),
)


@pytest.mark.parametrize("place", PLACES)
def test_no_command_shows_it(
    server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.DEBUG)
    path = written(tmp_path, server.url, place)
    shown, codes = [], set()
    for name in ("401", "500 in JSON", "broken JSON", "redirect", "partial"):
        server.answers(FAULTS[name])
        for command in COMMANDS:
            done = CliRunner().invoke(app, ["--config", str(path), *command], obj=Desk({}, NOW))
            codes.add((command[-1] if command[0] == "config" else name, done.exit_code))
            shown += [done.stdout, done.stderr]
            if done.exc_info and done.exception and not isinstance(done.exception, SystemExit):
                shown.append("".join(traceback.format_exception(done.exception)))
    assert {code for name, code in codes if name in {"show", "check"}} == {0}
    assert {code for name, code in codes if name not in {"show", "check"}} == {3, 8}
    written_down = [
        file.read_bytes().decode("latin-1")
        for file in tmp_path.rglob("*")
        if file.is_file() and "lake" in file.parts
    ]
    assert_unseen(*shown, *written_down, caplog.text)


def test_files_that_cannot_be_used_do_not_show_it(server: FaultServer, tmp_path: Path) -> None:
    """What is in them is a secret even when it is no token, no key and no certificate."""
    whole = f"{CANARY}\n{CANARY}"
    settings = (
        f"bearer_token_file: {a_file(tmp_path, 'two-lines', whole)}",
        f"basic_auth: {{username: me, password_file: {a_file(tmp_path, 'umlaut', CANARY + 'ü')}}}",
        f"client_cert: {a_file(tmp_path, 'cert')}, client_key: {a_file(tmp_path, 'key')}",
        f"ca_file: {a_file(tmp_path, 'ca')}",
        f"headers: {{X-A: '{CANARY}ü'}}",
        f"sigv4: {{region: r, profile: p}}, timeout: {CANARY}",
        f"headers: [{CANARY}]",
        f"token_command: {CANARY}",
    )
    shown = []
    for setting in settings:
        path = tmp_path / "costlab.yaml"
        path.write_text(
            f"lake: lake\nclusters:\n  - id: prod\n    prometheus: {{url: '{server.url}', {setting}}}\n"
        )
        with pytest.raises(CostlabError) as raised:
            asked_by(path)
        shown += [
            "".join(traceback.format_exception(raised.value)),
            raised.value.hint,
            repr(raised.value),
        ]
    assert server.seen == []
    assert_unseen(*shown)


def test_tls_that_fails_does_not_show_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    authority = Authority(tmp_path, "ours")
    with FaultServer(authority.issue("IP:127.0.0.1").server()).running() as server:
        for place in PLACES:
            (cluster,) = load(written(tmp_path, server.url, place), {}).clusters
            with pytest.raises(CostlabError, match="TLS failed") as raised:
                Client(server.url, open_session(cluster.prometheus), 5).query("up", 0)
            shown += ["".join(traceback.format_exception(raised.value)), raised.value.hint]
    assert server.seen == []
    assert_unseen(*shown, caplog.text)


def asked_by(path: Path) -> None:
    (cluster,) = load(path, {}).clusters
    Client(cluster.prometheus.url, open_session(cluster.prometheus), 1).query("up", 0)


def assert_unseen(*shown: str) -> None:
    text = "\n".join(shown)
    assert len(text) > 200
    assert [spelled for spelled in spellings() if spelled in text] == []

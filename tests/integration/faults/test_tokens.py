"""Tokens out of files and commands: renewed once when they are refused, and told to nobody else."""

import stat
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fault_server import FaultServer, Reply, Request, Teller, reply, success

from costlab.config.servers import BasicAuth, Prometheus
from costlab.domain.errors import ConfigError, SourceUnavailable
from costlab.domain.time import Window
from costlab.sources.prometheus.answer import AccessRefused
from costlab.sources.prometheus.connection import Connection, open_session
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.secret import secret_of
from costlab.sources.prometheus.selector import Selector

REFUSED = reply("401 Unauthorized", b"who are you", "text/plain")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def client(settings: Prometheus, timeout_s: float = 10.0) -> Client:
    return Client(settings.url, open_session(settings), timeout_s, sleep=lambda _: None)


def program(folder: Path, body: str) -> tuple[str, ...]:
    """A command that runs this Python."""
    path = folder / "print-token"
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path), "--audience", "prometheus")


def counting(folder: Path) -> tuple[str, ...]:
    """A command that prints token-1 the first time it is run, token-2 the second time, and so on."""
    (folder / "runs").touch()
    return program(
        folder,
        f"import sys\nruns = open({str(folder / 'runs')!r}, 'a+')\nruns.write('x'); runs.seek(0)\n"
        "print(f'token-{len(runs.read())}')\nprint(sys.argv[1:], file=sys.stderr)",
    )


def only(token: str) -> Teller:
    """Lets in who has this token."""
    return lambda request: reply() if request.headers["authorization"] == f"Bearer {token}" else REFUSED


def sent(server: FaultServer) -> list[str]:
    return [request.headers["authorization"] for request in server.seen]


def test_a_command_is_run_once_and_again_when_its_token_is_refused(
    server: FaultServer, tmp_path: Path
) -> None:
    asking = client(Prometheus(url=server.url, token_command=counting(tmp_path)))
    for _ in range(3):
        asking.query("up", 0)
    assert sent(server) == ["Bearer token-1"] * 3
    server.answers(only("token-2"))
    assert asking.query("up", 0).data["resultType"] == "matrix"
    assert sent(server)[3:] == ["Bearer token-1", "Bearer token-2"]
    assert server.seen[3].body == server.seen[4].body != ""
    asking.query("up", 0)
    assert sent(server)[5:] == ["Bearer token-2"]


def test_a_request_renews_once(server: FaultServer, tmp_path: Path) -> None:
    server.answers(REFUSED)
    asking = client(Prometheus(url=server.url, token_command=counting(tmp_path)))
    with pytest.raises(AccessRefused, match=r"refused access.*who are you") as fault:
        asking.query("up", 0)
    assert sent(server) == ["Bearer token-1", "Bearer token-2"]
    assert "token_command" in fault.value.hint
    with pytest.raises(AccessRefused):
        asking.query("up", 0)
    assert sent(server)[2:] == ["Bearer token-2", "Bearer token-3"]


def test_threads_renew_a_token_together(server: FaultServer, tmp_path: Path) -> None:
    asking = client(Prometheus(url=server.url, token_command=counting(tmp_path), max_in_flight=4))
    asking.query("up", 0)
    meeting = threading.Barrier(4)

    def told(request: Request) -> Reply:
        if request.headers["authorization"] != "Bearer token-1":
            return reply()
        meeting.wait(5)  # all four were refused before any of them renews
        return REFUSED

    server.answers(told)
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda _: asking.query("up", 0), range(4)))) == 4
    assert set(sent(server)) == {"Bearer token-1", "Bearer token-2"}
    assert (tmp_path / "runs").read_text() == "xx"


def test_a_file_is_read_again_when_its_token_is_refused(server: FaultServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    def told(request: Request) -> Reply:
        if request.headers["authorization"] == "Bearer new":
            return reply()
        file.write_text("new\n")  # renewed while the request was under way
        return REFUSED

    server.answers(told)
    assert client(Prometheus(url=server.url, bearer_token_file=file)).query("up", 0).data
    assert sent(server) == ["Bearer old", "Bearer new"]


def test_credentials_that_did_not_change_are_not_sent_again(server: FaultServer, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("same")
    server.answers(REFUSED)
    for settings in (
        Prometheus(url=server.url, bearer_token_file=file),
        Prometheus(url=server.url, basic_auth=BasicAuth(username="me", password_file=file)),
        Prometheus(url=server.url, token_command=program(tmp_path, "print('always-the-same')")),
    ):
        with pytest.raises(AccessRefused):
            client(settings).query("up", 0)
    assert len(server.seen) == 3


def test_a_password_is_read_again_too(server: FaultServer, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old")

    def told(request: Request) -> Reply:
        file.write_text("new")
        return reply() if request.headers["authorization"] == "Basic bWU6bmV3" else REFUSED  # me:new

    server.answers(told)
    settings = Prometheus(url=server.url, basic_auth=BasicAuth(username="me", password_file=file))
    assert client(settings).query("up", 0).data
    assert sent(server) == ["Basic bWU6b2xk", "Basic bWU6bmV3"]


def test_doctors_questions_renew_as_well(server: FaultServer, tmp_path: Path) -> None:
    server.answers(
        only("token-2"),
        lambda _: success('{"status":"success","data":["up"]}'),
    )
    doctor = Connection(Prometheus(url=server.url, token_command=counting(tmp_path)))
    assert doctor.metrics(Selector("up"), Window(0, 1)) == ["up"]
    assert sent(server) == ["Bearer token-1", "Bearer token-2"]
    doctor.close()


def test_two_requests_take_no_longer_than_one_may(server: FaultServer, tmp_path: Path) -> None:
    server.answers([0.5, *REFUSED], [30.0])
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="did not answer within 1 s"):
        client(Prometheus(url=server.url, token_command=counting(tmp_path)), 1.0).query("up", 0)
    assert time.monotonic() - began < 2.0
    assert len(server.seen) == 2


CANARY = "c4nary-t0ken-never-shown"


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        (f"import sys; print({CANARY!r}); print({CANARY!r}, file=sys.stderr); sys.exit(7)", SourceUnavailable,
         "print-token ended with exit status 7"),
        (f"import os; print({CANARY!r}, flush=True); os.kill(os.getpid(), 15)", SourceUnavailable, "exit status -15"),
        ("pass", ConfigError, "printed nothing"),
        (f"print('one'); print({CANARY!r})", ConfigError, "token_command holds characters that cannot be sent"),
        (f"print({CANARY!r} + '\\u00e9')", ConfigError, "cannot be sent"),
        (f"while True: print({CANARY!r})", ConfigError, "printed more than 65536 bytes"),
        (f"print({CANARY!r}, flush=True); import time; time.sleep(60)", SourceUnavailable, "took longer than 0.5 s"),
    ],
)  # fmt: skip
def test_a_command_that_fails_says_how_and_not_what(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, error: type[Exception], said: str
) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=said) as fault:
        secret_of(program(tmp_path, body), "prometheus.token_command", 0.5 if "0.5" in said else 20.0)
    assert time.monotonic() - began < 10
    shown = "".join(traceback.format_exception(fault.value)) + repr(fault.value) + fault.value.hint  # type: ignore[attr-defined]
    assert CANARY not in shown + "".join(capfd.readouterr())


def test_a_command_that_cannot_be_started_is_wrong_configuration(server: FaultServer, tmp_path: Path) -> None:
    for command, said in (
        (("no-such-program-here", "x"), "no-such-program-here cannot be started: No such file"),
        ((str(tmp_path), "x"), "cannot be started: Permission denied"),
        (("print\0token",), "cannot be started"),
    ):
        with pytest.raises(ConfigError, match=f"prometheus.token_command: .*{said}") as fault:
            client(Prometheus(url=server.url, token_command=command)).query("up", 0)
        assert "no shell" in fault.value.hint


def test_no_shell_reads_the_command(server: FaultServer, tmp_path: Path) -> None:
    settings = Prometheus(url=server.url, token_command=("echo", f"$HOME;touch {tmp_path}/made", "*"))
    client(settings).query("up", 0)
    assert sent(server) == [f"Bearer $HOME;touch {tmp_path}/made *"]
    assert not (tmp_path / "made").exists()


def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    body = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="took longer"):  # though its child holds the pipe open
        secret_of(program(tmp_path, body), "prometheus.token_command", 1.0)
    assert time.monotonic() - began < 10

"""What goes wrong outside ends in two lines, the right exit code, and the lake as it was: through the whole command.

Mostly in this process: to start another takes longer than a command that is refused.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from real_world import CLUSTER, last_day_measured
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.sources.synthetic import SyntheticCluster
from costlab.store.lake import Lake

DAY = "2026-11-20"
EMPTY = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
LOGIN = b"<!doctype html><form action=/login><input type=password></form>"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server says to everything, and after how long."""

    status: int = 200
    kind: str = "application/json"
    body: bytes = EMPTY
    after_s: float = 0.0


class Server(ThreadingHTTPServer):
    """Its clients may go away before they were told all: what it would say of them is no word of the command."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], str]]:
    """Starts a server on a free loopback port that gives one reply; its base URL."""
    servers: list[Server] = []

    def start(reply: Reply) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(reply.after_s)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Nothing: the test's own output is enough."""

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def one_day(synthetic_cluster: SyntheticCluster, shared_folder: Path) -> Path:
    """A folder whose lake holds a good day."""
    return last_day_measured(synthetic_cluster, shared_folder)


@pytest.fixture
def folder(one_day: Path, tmp_path: Path) -> Path:
    """A copy of it, with a configuration that can be spoilt."""
    subprocess.run(["cp", "-r", f"{one_day}/.", str(tmp_path)], check=True)
    return tmp_path


def configure(folder: Path, url: str = "http://127.0.0.1:9", more: str = "", lake: str = "lake") -> None:
    (folder / "costlab.yaml").write_text(
        f"lake: {lake}\nclusters:\n  - id: {CLUSTER}\n    prometheus: {{url: {url}, timeout: 2.0}}\n{more}"
    )


def state(folder: Path) -> dict[str, bytes]:
    """The lake's files; the lock is none of them, nor is what was fetched for the next attempt."""
    lake = folder / "lake"
    files = (path for path in lake.rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes()
        for path in files
        if path.relative_to(lake).parts[0] not in {".lock", ".lock.holder", "_fetched"}
    }


def run(folder: Path, *command: str) -> tuple[int, list[str]]:
    """The exit code of `costlab …`, and the lines of its standard error."""
    with chdir(folder):
        done = CliRunner().invoke(app, command, obj=Desk(environment(), datetime.now(UTC)))
    return told(done.exit_code, done.stdout, done.stderr)


def run_apart(folder: Path, *command: str) -> tuple[int, list[str]]:
    """The same of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "costlab", *command],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return told(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COSTLAB_")}


def told(code: int, stdout: str, stderr: str) -> tuple[int, list[str]]:
    assert "Traceback" not in stderr
    assert stdout == ""
    return code, stderr.splitlines()


def refused(
    folder: Path,
    code: int,
    error: str,
    hint: str,
    *command: str,
    by: Callable[..., tuple[int, list[str]]] = run,
) -> None:
    before = state(folder)
    ended, lines = by(folder, *(command or ("nightly", "--date", DAY)))
    said = "\n".join(lines)
    assert ended == code, said
    assert lines[-2].startswith("error: "), said
    assert lines[-1].startswith("hint: "), said
    assert error in lines[-2], said
    assert hint in lines[-1], said
    assert state(folder) == before


@pytest.mark.parametrize(
    ("reply", "error", "hint"),
    [
        pytest.param(
            Reply(404, "text/plain", b"404 page not found"), "refused the query (404)", "prometheus.url",
            id="not Prometheus",
        ),
        pytest.param(Reply(200, "text/html", LOGIN), "a login page?", "prometheus.url", id="a login page"),
        pytest.param(Reply(after_s=4.0), "did not answer within 2 s", "prometheus.timeout", id="too slow"),
        pytest.param(
            Reply(), "kube-state-metrics gives nothing for 2026-11-20", "costlab doctor", id="an empty answer"
        ),
        pytest.param(
            Reply(body=b'{"status":"succ'), "the answer ends in the middle, after 15 bytes", "proxy", id="cut off"
        ),
        pytest.param(
            Reply(401, "text/plain", b"who are you"), "refused access (401)", "bearer_token_file", id="not let in"
        ),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_used(
    folder: Path, serve: Callable[[Reply], str], reply: Reply, error: str, hint: str
) -> None:
    configure(folder, serve(reply))
    refused(folder, 3, error, hint)


def test_a_source_that_is_not_there(folder: Path) -> None:
    configure(folder)
    refused(folder, 3, "127.0.0.1:9", "url", by=run_apart)


def test_faults_of_the_configuration_come_all_at_once(folder: Path) -> None:
    configure(folder, more="prcies: {gpu_hour: 2}\nprices: {gpu_hour: -1}\nbilling: {resolution: 7m}\n")
    before = state(folder)
    code, lines = run(folder, "nightly", "--date", DAY)
    said = "\n".join(lines)
    assert code == 2, said
    for fault in (
        "costlab.yaml:5",
        "did you mean 'prices'",
        "costlab.yaml:6",
        "costlab.yaml:7",
        "30 minutes",
    ):
        assert fault in said
    assert lines[-1].startswith("hint: ")
    assert state(folder) == before


def test_a_negative_price_in_the_price_book(folder: Path) -> None:
    configure(folder, more="prices: {book: prices.yaml}\n")
    (folder / "prices.yaml").write_text("nodes:\n  - match: {pool: gpu}\n    hourly: -32.77\n")
    code, lines = run(folder, "nightly", "--date", DAY)
    assert code == 2
    assert "prices.yaml:3" in "\n".join(lines)


def test_a_lake_of_a_newer_version(folder: Path) -> None:
    configure(folder)
    (folder / "lake" / "lake.json").write_text('{"format": 2, "timezone": "UTC"}')
    refused(folder, 6, "newer costlab", "install")
    refused(folder, 6, "newer costlab", "install", "cost", "--window", "7d")


def test_a_lake_where_none_can_be(folder: Path) -> None:
    (folder / "file").write_text("")
    configure(folder, lake="file/lake")
    refused(folder, 6, "cannot be written", "--lake")


def test_a_second_run_while_one_is_under_way(folder: Path) -> None:
    configure(folder)
    with Lake.open(folder / "lake").locked():
        refused(folder, 5, f"process {os.getpid()}", "again", by=run_apart)


@pytest.mark.parametrize(
    ("nth", "billing"), [(-2, {}), (-1, {"max_gap": "4m"})], ids=["another day", "the same day again"]
)
def test_a_disk_that_fills_up_during_a_commit(
    one_day: Path, tmp_path: Path, nth: int, billing: dict[str, str]
) -> None:
    """A day of the demo, on a file system that has room for half of it."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        subprocess.run(["cp", "-r", f"{one_day}/.", str(small)], check=True)
        code = (
            "import sys, json; from pathlib import Path; from real_world import *; "
            "from costlab.jobs.measure import measure_day; "
            "from costlab.sources.synthetic import SyntheticCluster, SyntheticSource; "
            "from costlab.store.lake import Lake; from costlab.domain.errors import LakeFull\n"
            "settings = settings_in(Path(sys.argv[1]), billing=json.loads(sys.argv[3])); cluster = SyntheticCluster()\n"
            "day = cluster.days[int(sys.argv[2])]\n"
            "try: measure_day(SyntheticSource(cluster), Lake.open(settings.lake), settings, CLUSTER, day)\n"
            "except LakeFull as full: print(full.exit_code, full.message)"
        )
        before = state(small)
        room = os.statvfs(small)
        (small / "ballast").write_bytes(b"x" * (room.f_bavail * room.f_bsize - 2_000_000))
        done = subprocess.run(
            [sys.executable, "-c", code, str(small), str(nth), json.dumps(billing)],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert done.stdout.startswith("5 no space left"), done.stdout + done.stderr
        assert state(small) == before
        days = Lake.open(small / "lake").days(CLUSTER)
        assert {str(day): state for day, state in days.items()} == {DAY: "complete"}
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)

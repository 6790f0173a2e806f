"""Real servers on free loopback ports, unpacked by a script of the project, each ended by its own pid."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

CHECKOUT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60.0


class NotThere(Exception):
    """A program is not on this system and could not be unpacked; the text says why."""


def folder_of(script: str, variable: str) -> Path:
    """Folder of a server's programs: what the variable says, else what the script in scripts/ finds."""
    if given := os.environ.get(variable):
        return Path(given)
    found = subprocess.run(
        [str(CHECKOUT / "scripts" / script)], capture_output=True, text=True, timeout=300, check=False
    )
    if found.returncode:
        raise NotThere(found.stderr.strip())
    return Path(found.stdout.strip())


def free_port() -> int:
    """A port that nobody listens on."""
    [port] = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on, none of them twice."""
    with ExitStack() as probes:
        found = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(int(probe.getsockname()[1]))
        return found


@contextmanager
def serving(
    command: Sequence[str], ready: str, log: Path, ends_at: signal.Signals = signal.SIGTERM
) -> Iterator[None]:
    """While the command runs; entered when it answers at the address `ready`."""
    with log.open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words) as process:
        try:
            _wait_until_ready(ready, process, log)
            yield
        finally:
            process.send_signal(ends_at)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(ready: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if session.get(ready, timeout=2).status_code == requests.codes.ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
    raise AssertionError(f"a server is not ready: {log}: {log.read_text()[-2000:]}")

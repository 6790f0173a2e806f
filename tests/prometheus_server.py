"""A real Prometheus on a free loopback port, with blocks that promtool made of an OpenMetrics file."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

CHECKOUT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60.0


class NoPrometheus(Exception):
    """There is no prometheus and promtool; the text says why."""


def binaries() -> Path:
    """Folder of `prometheus` and `promtool`: $COSTLAB_PROMETHEUS_DIR, else what scripts/prometheus finds."""
    if given := os.environ.get("COSTLAB_PROMETHEUS_DIR"):
        return Path(given)
    script = CHECKOUT / "scripts" / "prometheus"
    found = subprocess.run([str(script)], capture_output=True, text=True, timeout=300, check=False)
    if found.returncode:
        raise NoPrometheus(found.stderr.strip())
    return Path(found.stdout.strip())


def make_blocks(openmetrics: Path, tsdb: Path, folder: Path) -> None:
    """Turns an OpenMetrics file into TSDB blocks; raises AssertionError with promtool's words if it refuses."""
    command = [
        folder / "promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=744h",
        openmetrics, tsdb,
    ]  # fmt: skip
    made = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, check=False
    )
    if made.returncode:
        raise AssertionError(f"promtool: {made.stdout}{made.stderr}")


@contextmanager
def serving(tsdb: Path, folder: Path, *flags: str) -> Iterator[str]:
    """Base URL of a Prometheus over the blocks; it is ready, and ends by its own pid."""
    config = tsdb / "prometheus.yml"
    config.write_text("global: {}\n")
    log = tsdb / "prometheus.log"
    port = _free_port()
    command = [
        str(folder / "prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tsdb}",
        "--storage.tsdb.retention.time=20y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *flags,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words) as process:
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if session.get(f"{url}/-/ready", timeout=2).status_code == requests.codes.ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
    raise AssertionError(f"prometheus is not ready: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

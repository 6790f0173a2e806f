"""A Prometheus on a free loopback port, with what the kernel knows of its process."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

CHECKOUT = Path(__file__).resolve().parents[2]
_READY_WITHIN_S = 120.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB: resident now, of that the process's own (not mapped from files), and the most resident since it was asked."""

    resident: float
    own: float
    peak: float


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prometheus."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Seconds of CPU that it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def memory(self) -> Memory:
        """What it occupies."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
        return Memory(kib["VmRSS"] / 1024, kib["RssAnon"] / 1024, kib["VmHWM"] / 1024)

    def forget_peak(self) -> None:
        """From now on the peak is a new one."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def binaries() -> Path:
    """The folder of `prometheus` and `promtool`: $COSTLAB_PROMETHEUS_DIR, else what scripts/prometheus finds."""
    if given := os.environ.get("COSTLAB_PROMETHEUS_DIR"):
        return Path(given)
    found = subprocess.run(
        [CHECKOUT / "scripts" / "prometheus"], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(found.stdout.strip())


def direct() -> requests.Session:
    """A session that no proxy stands between: this machine speaks to itself."""
    session = requests.Session()
    session.trust_env = False
    return session


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Server]:
    """A server over the folder's `tsdb`, which it leaves in blocks of two hours; it ends by its own pid."""
    tsdb, config, log = (folder / name for name in ("tsdb", "prometheus.yml", "prometheus.log"))
    config.write_text("global: {}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        str(binaries() / "prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tsdb}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", "--storage.tsdb.retention.time=20y",
        # Blocks that grow together while they are read would be other blocks in every round.
        "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h", *flags,
    ]  # fmt: skip
    with log.open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, log)
            yield Server(url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def thrown_away(tsdb: Path) -> None:
    """Removes what a server writes beside its blocks, so that the next one starts as this one did."""
    for name in ("wal", "chunks_head", "queries.active", "lock"):
        path = tsdb / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    with direct() as session:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if session.get(f"{url}/-/ready", timeout=2).ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
    raise RuntimeError(f"prometheus is not ready: {log.read_text()[-2000:]}")

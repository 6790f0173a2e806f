"""A real Prometheus on a free loopback port, with blocks that promtool made of an OpenMetrics file."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import loopback


def binaries() -> Path:
    """Folder of `prometheus` and `promtool`; raises loopback.NotThere."""
    return loopback.folder_of("prometheus", "COSTLAB_PROMETHEUS_DIR")


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
def serving(tsdb: Path, folder: Path, *flags: str, settings: str = "global: {}\n") -> Iterator[str]:
    """Base URL of a Prometheus over the blocks."""
    config = tsdb / "prometheus.yml"
    config.write_text(settings)
    port = loopback.free_port()
    command = [
        str(folder / "prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tsdb}",
        "--storage.tsdb.retention.time=20y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *flags,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with loopback.serving(command, f"{url}/-/ready", tsdb / "prometheus.log"):
        yield url

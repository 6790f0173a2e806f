"""A real VictoriaMetrics on a free loopback port, with series that were put into it over its import."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import loopback
import requests

from costlab.sources import RawSeries


def binaries() -> Path:
    """Folder of `victoria-metrics`; raises loopback.NotThere."""
    return loopback.folder_of("victoria-metrics", "COSTLAB_VICTORIA_METRICS_DIR")


@contextmanager
def serving(storage: Path, folder: Path, *flags: str) -> Iterator[str]:
    """Base URL of a VictoriaMetrics that keeps what it is given in the folder `storage`."""
    port = loopback.free_port()
    command = [
        str(folder / "victoria-metrics"), f"-storageDataPath={storage / 'data'}", "-retentionPeriod=100y",
        f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN", *flags,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with loopback.serving(command, f"{url}/health", storage / "victoria-metrics.log"):
        yield url


def put(url: str, family: Iterable[RawSeries]) -> None:
    """Stores the samples, and waits until they can be read."""
    with requests.Session() as session:
        session.trust_env = False
        lines = (_line(series) for series in family)
        session.post(f"{url}/api/v1/import", data=lines, timeout=120).raise_for_status()
        session.get(f"{url}/internal/force_flush", timeout=60).raise_for_status()


def _line(series: RawSeries) -> bytes:
    """A series as the import takes it; it knows no NaN."""
    document = {
        "metric": series.labels,
        "values": series.values.tolist(),
        "timestamps": series.at_ms.tolist(),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"

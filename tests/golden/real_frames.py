"""Asks a real Prometheus for the golden answers of remote read: a block that promtool made, and an open head."""

import json
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import requests
from plain_wire import bytes_field, label_fields, number_field, varint, zigzag
from prometheus_server import make_blocks, serving
from scrape_target import exposing, scraping

BLOCK_S = 1_795_132_800  # 2026-11-20
# Steps of the scrapes that need each width: 30 s, then longer by 8 s, by a minute, by 5 minutes and by half an hour.
GAPS_S = (30, 30, 38, 30, 98, 30, 398, 30, 1830, 30, 30, 30.001, 0.001)
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
ASKED = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}


def block() -> str:
    """Series as OpenMetrics: noisy, flat, of two samples and of one, and of values that are none."""
    lines = []
    stories = {"noisy": 0.1, "flat": 0.0, "two": 1e9, "one": 1.0, "odd": 0.0}
    for name, rise in stories.items():
        lines += [f"# TYPE golden_{name} gauge"]
        at, value = float(BLOCK_S), 1.5
        for place, gap in enumerate(GAPS_S):
            told = ("NaN", "+Inf", "-Inf", "-0", "5e-324", "1.7976931348623157e308")[place % 6]
            lines += [f'golden_{name}{{pod="pöd"}} {told if name == "odd" else value} {at:.3f}']
            if (name, place) in {("one", 0), ("two", 1)}:
                break
            at, value = at + gap, value * (1.1 if rise else 1.0) + rise
    return "\n".join([*lines, "# EOF\n"])


class Exporter:
    """A counter that rises, a gauge that goes away after ten scrapes, and a native histogram."""

    def __init__(self) -> None:
        self._scrapes = 0

    def __call__(self) -> bytes:
        self._scrapes += 1
        seen = float(self._scrapes)
        families = [family("golden_scrapes_total", 0, bytes_field(3, b"\x09" + struct.pack("<d", seen)))]
        if self._scrapes <= 10:
            families += [family("golden_passing", 1, bytes_field(2, b"\x09" + struct.pack("<d", seen / 3)))]
        span = bytes_field(12, number_field(1, zigzag(0)) + number_field(2, 1))
        counts = (
            number_field(1, self._scrapes) + b"\x11" + struct.pack("<d", seen) + number_field(5, zigzag(0))
        )
        histogram = (
            counts + span + number_field(13, zigzag(self._scrapes)) + b"\x31" + struct.pack("<d", 0.001)
        )
        families += [family("golden_seconds", 4, bytes_field(7, histogram))]
        return b"".join(varint(len(one)) + one for one in families)


def family(name: str, kind: int, value: bytes) -> bytes:
    metric = label_fields({"pod": "p"}) + value
    return bytes_field(1, name.encode()) + number_field(3, kind) + bytes_field(4, metric)


def ask(url: str, window_ms: tuple[int, int], answers: bytes) -> bytes:
    """The body of remote read for all golden metrics; `answers`: the kinds that are accepted."""
    matcher = number_field(1, 2) + bytes_field(2, b"__name__") + bytes_field(3, b"golden_.*")
    query = number_field(1, window_ms[0]) + number_field(2, window_ms[1]) + bytes_field(3, matcher)
    request = pa.compress(bytes_field(1, query) + bytes_field(2, answers), codec="snappy", asbytes=True)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/api/v1/read", data=request, headers=ASKED, stream=True, timeout=20)
        assert answer.status_code == requests.codes.ok, answer.text
        return bytes(answer.raw.read(decode_content=False))


def values(url: str, window_ms: tuple[int, int]) -> list[dict[str, object]]:
    """What the query API says of the same: labels, and the samples as texts."""
    length_ms = window_ms[1] - window_ms[0] + 1
    query = {"query": f'{{__name__=~"golden_.*"}}[{length_ms}ms]', "time": f"{window_ms[1] / 1000:.3f}"}
    with requests.Session() as session:
        session.trust_env = False
        found: Mapping[str, dict[str, list[dict[str, object]]]] = session.get(
            f"{url}/api/v1/query", params=query, timeout=20
        ).json()
    return [series for series in found["data"]["result"] if "values" in series]


def renew(prometheus: Path, tsdb: Path, folder: Path) -> None:
    """Writes chunks.hex, samples.hex and values.json."""
    (tsdb / "block.om").write_text(block())
    make_blocks(tsdb / "block.om", tsdb, prometheus)
    with (
        exposing(Exporter(), PROTOBUF) as target,
        serving(tsdb, prometheus, "--enable-feature=native-histograms", settings=scraping(target)) as url,
    ):
        time.sleep(10)  # the target is found after 5 s
        now_ms = int(time.time() * 1000)
        windows = (BLOCK_S * 1000, BLOCK_S * 1000 + 3_600_000), (now_ms - 8000, now_ms - 500)
        for name, answers in (("chunks", b"\x01"), ("samples", b"\x00")):
            told = [ask(url, window, answers).hex(" ", 1) for window in windows]
            (folder / f"{name}.hex").write_text("\n".join(told) + "\n")
        document = {"windows": windows, "values": [values(url, window) for window in windows]}
        (folder / "values.json").write_text(json.dumps(document, indent=1) + "\n")

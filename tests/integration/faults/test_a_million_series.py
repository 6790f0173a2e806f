"""An exporter gone wild: a million series end in an error that names the labels, within the memory of a small pod."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fault_server import FaultServer, Reply, Request, reply, success
from plain_wire import bits_of, chunked_series, varint, xor_chunk

from costlab.core.frames import crc32c

SERIES, A_FRAME = 1_000_000, 2_000
AT_MS = 1_795_132_860_000  # a minute into 2026-11-20
METRIC = "container_memory_working_set_bytes"
# The command says how much it held at most, where no test's own memory is in the way.
COMMAND = """
import resource, sys
from costlab.__main__ import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stdout)
"""
MOST_MIB = 1_000  # 1,000,000 label sets as Python objects would take more than that alone


def labels_of(batch: str, place: int) -> dict[str, str]:
    request = f"{batch}{place:04}" * 3
    return {
        "__name__": METRIC,
        "container": "c",
        "id": f"/kubepods/{request}",
        "namespace": "ml",
        "pod": f"p-{request}",
    }


def chunks() -> Iterator[bytes]:
    """A stream of remote read; every frame has pods of its own."""
    yield (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse\r\n\r\n"
    )
    chunk = xor_chunk([(AT_MS, bits_of(1.0))])
    template = b"".join(chunked_series(labels_of("#####", place), [chunk]) for place in range(A_FRAME))
    for batch in range(SERIES // A_FRAME):
        payload = template.replace(b"#####", b"%05d" % batch)
        checksum = int(crc32c(np.frombuffer(payload, np.uint8), 0, len(payload)))
        frame = varint(len(payload)) + struct.pack(">I", checksum) + payload
        yield f"{len(frame):x}\r\n".encode() + frame + b"\r\n"
    yield b"0\r\n\r\n"


def matrix() -> Iterator[bytes]:
    """The same as JSON."""
    series = [
        json.dumps(
            {"metric": labels_of("#####", place), "values": [[AT_MS / 1000, "1"]]}, separators=(",", ":")
        )
        for place in range(A_FRAME)
    ]
    template = ",".join(series).encode()
    yield b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n"
    yield b'{"status":"success","data":{"resultType":"matrix","result":['
    for batch in range(SERIES // A_FRAME):
        yield (b"," if batch else b"") + template.replace(b"#####", b"%05d" % batch)
    yield b"]}}"


def wild(request: Request) -> Reply:
    """A Prometheus in which one metric has a million series, and no other has any."""
    path = request.line.split()[1].split("?")[0]
    if path == "/api/v1/status/buildinfo":
        return success('{"status":"success","data":{"version":"2.42.0","revision":"r"}}')
    if path == "/api/v1/label/__name__/values":
        return success(json.dumps({"status": "success", "data": [METRIC]}))
    if path == "/api/v1/read":
        return chunks() if METRIC in request.body else reply(kind="application/x-streamed-protobuf", body=b"")  # type: ignore[return-value]
    if path == "/api/v1/query" and "count" in request.body:
        return success('{"status":"success","data":{"resultType":"vector","result":[]}}')
    if path == "/api/v1/query" and METRIC in request.body:
        return matrix()  # type: ignore[return-value]
    return reply("404 Not Found", b"404 page not found", "text/plain")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.mark.parametrize("engine", ["remote-read", "json"])
def test_a_million_series_are_an_error_and_not_the_end(
    server: FaultServer, tmp_path: Path, engine: str
) -> None:
    server.answers(wild)
    config = tmp_path / "costlab.yaml"
    prometheus = {"url": server.url, "engine": engine, "max_in_flight": 1}
    config.write_text(json.dumps({"lake": "lake", "clusters": [{"id": "prod", "prometheus": prometheus}]}))
    ran = subprocess.run(
        [sys.executable, "-c", COMMAND, "--config", str(config), "extract", "--date", "2026-11-20"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 3, ran.stderr
    error, hint = ran.stderr.splitlines()
    assert "has more than 500,000 series: cardinality limit; top labels: " in error
    assert "pod (" in error
    assert "id (" in error
    assert "prometheus.max_series" in hint
    assert int(ran.stdout) < MOST_MIB
    assert not list((tmp_path / "lake").rglob("*.parquet"))

"""A Prometheus that holds a cluster of one pod with a GPU, answers both engines, and is broken where it is told to be."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import pyarrow as pa
from fault_server import Reply, Request, reply, success
from plain_wire import bits_of, bytes_field, chunk_message, frame, http_chunks, label_fields, xor_chunk

Labels = Mapping[str, str]
Value = float | str
STEP_MS, HOUR_MS = 120_000, 3_600_000
CHUNKS = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
IN_A_CHUNK = 120  # samples
GIB = 2.0**30


@dataclass(frozen=True)
class Told:
    """A series: epoch milliseconds, and values; a text is a value that only JSON can carry."""

    labels: Labels
    at_ms: Sequence[int]
    values: Sequence[Value]

    @property
    def metric(self) -> str:
        return self.labels["__name__"]


def a_day(start_ms: int, hours: float = 24.0) -> list[Told]:
    """A node, a pod that uses half of what it asks for, and a GPU that is busy for a quarter; told an hour around, too."""
    times = range(start_ms - HOUR_MS, start_ms + round((hours + 1) * HOUR_MS), STEP_MS)
    pod = {"namespace": "ml", "pod": "train-0", "uid": "u-1"}
    told: list[Told] = []

    def add(metric: str, value: float | Callable[[int], float], **labels: str) -> None:
        values = [value(at) if callable(value) else value for at in times]
        told.append(Told({"__name__": metric, **labels}, times, values))

    add("kube_pod_info", 1.0, node="n1", **pod)
    for phase in ("Running", "Succeeded", "Failed"):
        add("kube_pod_status_phase", float(phase == "Running"), phase=phase, **pod)
    add("kube_pod_status_scheduled_time", start_ms / 1000 - 7200, **pod)
    sizes = {"cpu": (4.0, 1.0), "memory": (16 * GIB, GIB), "nvidia_com_gpu": (1.0, 1.0)}
    for resource, (size, asked) in sizes.items():
        for metric in ("kube_node_status_capacity", "kube_node_status_allocatable"):
            add(metric, size, node="n1", resource=resource)
        add(
            "kube_pod_container_resource_requests",
            asked,
            container="app",
            resource=resource,
            node="n1",
            **pod,
        )
    cgroup = {
        "namespace": "ml",
        "pod": "train-0",
        "container": "app",
        "id": "/kubepods/pod1/app",
        "node": "n1",
    }
    add("container_cpu_usage_seconds_total", lambda at: (at - times[0]) / 1000 * 0.5, **cgroup)
    add("container_memory_working_set_bytes", GIB / 2, **cgroup)
    add("container_start_time_seconds", start_ms / 1000 - 7200, **cgroup)
    device = {"gpu": "0", "UUID": "GPU-1", "modelName": "NVIDIA L4", "Hostname": "n1"}
    user = {"namespace": "ml", "pod": "train-0", "container": "app"}
    add("DCGM_FI_DEV_GPU_UTIL", 25.0, **device, **user)
    return told


class SmallPrometheus:
    """Tells a fault server what to answer; `fault` takes the place of each answer with samples.

    One that is asked may give None: then the answer is the true one.
    """

    def __init__(self, told: Sequence[Told]) -> None:
        self.ahead_s = 0.0
        """How far its clock is ahead of this machine's."""
        self.fault: Reply | Callable[[Request], Reply | None] | None = None
        self._told = told
        self._frames = {metric: list(_frames(found)) for metric, found in self._by_metric()}

    def __call__(self, request: Request) -> Reply:
        path = request.line.split()[1].partition("?")[0]
        simple = {
            "/api/v1/status/buildinfo": {"version": "2.42.0", "revision": "r"},
            "/api/v1/label/__name__/values": [metric for metric, _ in self._by_metric()],
        }
        if path in simple or path.startswith("/api/v1/label/"):
            return self._success(simple.get(path, ["one"]))  # nothing can be parted by a label
        if path == "/api/v1/read":
            return self._read(request)
        if path == "/api/v1/query":
            form = parse_qs(request.body)
            return self._instant(request, form["query"][0], float(form.get("time", ["0"])[0]))
        return reply("404 Not Found", b"404 page not found", "text/plain")

    def _instant(self, request: Request, query: str, at_s: float) -> Reply:
        if query.endswith("ms]"):
            return self._faulty(request) or self._query(query, at_s)
        if query.startswith("count(last_over_time("):
            return self._count(query, at_s)
        found = [  # how many series there are of each
            {"metric": {"__name__": metric}, "value": [1, str(len(told))]}
            for metric, told in self._by_metric()
        ]
        if query == "vector(time())":
            found = [{"metric": {}, "value": [0, repr(time.time() + self.ahead_s)]}]
        return self._success({"resultType": "vector", "result": found})

    def _by_metric(self) -> Iterator[tuple[str, list[Told]]]:
        for metric in dict.fromkeys(one.metric for one in self._told):
            yield metric, [one for one in self._told if one.metric == metric]

    def _faulty(self, request: Request) -> Reply | None:
        return self.fault(request) if callable(self.fault) else self.fault

    def _success(self, data: object) -> Reply:
        return success(json.dumps({"status": "success", "data": data}))

    def _count(self, query: str, time_s: float) -> Reply:
        """Whether anything is in the range, as a count of 1."""
        (answer,) = self._query(query.removeprefix("count(last_over_time(").removesuffix("))"), time_s)
        found = b'"values"' in answer  # type: ignore[operator]
        result = [{"metric": {}, "value": [time_s, "1"]}] if found else []
        return self._success({"resultType": "vector", "result": result})

    def _query(self, query: str, time_s: float) -> Reply:
        """`metric{…}[…ms]` at the end of the range; whatever it is narrowed by."""
        metric, length_ms = re.split(r"[{\[]", query)[0], int(query.rpartition("[")[2][:-3])
        end_ms = round(time_s * 1000)
        result = []
        for one in self._told:
            pairs = [
                [at / 1000, value if isinstance(value, str) else repr(value)]
                for at, value in zip(one.at_ms, one.values, strict=True)
                if one.metric == metric and end_ms - length_ms <= at <= end_ms
            ]
            if pairs:
                result.append({"metric": dict(one.labels), "values": pairs})
        return self._success({"resultType": "matrix", "result": result})

    def _read(self, request: Request) -> Reply:
        """All samples of the metric that is asked for, whatever the window."""
        packed = request.body.encode(errors="surrogateescape")
        asked = pa.decompress(packed, _length(packed), "snappy", asbytes=True)
        named = re.search(rb"__name__\x1a(.)", asked, re.DOTALL)
        metric = asked[named.end() : named.end() + named[1][0]].decode() if named else ""
        fault = self._faulty(request) if metric in self._frames else None
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {CHUNKS}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        return fault or [head.encode(), http_chunks(self._frames.get(metric, ()))]


def _frames(told: Sequence[Told]) -> Iterator[bytes]:
    for one in told:
        samples = [
            (at, bits_of(value))
            for at, value in zip(one.at_ms, one.values, strict=True)
            if isinstance(value, float)
        ]
        chunks = (samples[begin : begin + IN_A_CHUNK] for begin in range(0, len(samples), IN_A_CHUNK))
        inside = label_fields(one.labels) + b"".join(
            bytes_field(2, chunk_message(xor_chunk(chunk))) for chunk in chunks
        )
        yield frame(bytes_field(1, inside))


def _length(packed: bytes) -> int:
    """How long it is when it is unpacked: the number in front, seven bits a byte."""
    found = 0
    for place, byte in enumerate(packed):
        found |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return found

"""A server on a loopback port that answers as it is told, broken at any byte."""

import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread


@dataclass(frozen=True)
class Reset:
    """Ends the connection with a TCP reset."""


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: str


Step = bytes | float | Reset  # send these bytes, wait so many seconds, reset
Reply = Sequence[Step]
Teller = Callable[[Request], Reply]

SERIES = {"metric": {"__name__": "up", "pod": "p"}, "values": [[1, "1"], [2, "2"]]}
GOOD = json.dumps(
    {"status": "success", "data": {"resultType": "matrix", "result": [SERIES]}}, separators=(",", ":")
).encode()


def reply(
    status: str = "200 OK",
    body: bytes = GOOD,
    kind: str = "application/json",
    length: int | None = None,
    **headers: str,
) -> Reply:
    """A whole response; `length` may lie, and header names are written with underscores."""
    size = len(body) if length is None else length
    further = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n{further}\r\n"
    return (head.encode() + body,)


def unsized(body: bytes, further: str = "") -> bytes:
    """A response without Content-Length: it ends with the connection."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n{further}\r\n".encode()
        + body
    )


def api_error(status: str, kind: str, text: str, **headers: str) -> Reply:
    """An error as Prometheus words it."""
    body = json.dumps({"status": "error", "errorType": kind, "error": text}).encode()
    return reply(status, body, "application/json", None, **headers)


def success(text: str) -> Reply:
    """200 with this body."""
    return reply(body=text.encode())


def drip(whole: bytes, portion: int, pause_s: float) -> Reply:
    """The bytes in small portions with pauses between: no single read takes long."""
    steps: list[Step] = []
    for start in range(0, len(whole), portion):
        steps += [whole[start : start + portion], pause_s]
    return steps


@dataclass
class FaultServer:
    """Gives its replies in turn, the last one for ever; `seen` are the requests."""

    tls: ssl.SSLContext | None = None
    seen: list[Request] = field(default_factory=list)
    _replies: list[Reply | Teller] = field(default_factory=lambda: [reply()])
    _stop: Event = field(default_factory=Event)
    _threads: list[Thread] = field(default_factory=list)

    def answers(self, *replies: Reply | Teller) -> None:
        self._replies = list(replies)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @contextmanager
    def running(self) -> Iterator["FaultServer"]:
        with socket.create_server(("127.0.0.1", 0)) as self._listener:
            self._start(self._accept)
            try:
                yield self
            finally:
                self._stop.set()
                with suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)
                for thread in self._threads:
                    thread.join(5)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._converse, connection)

    def _converse(self, connection: socket.socket) -> None:
        # The client may go away at any moment; that is what the tests are about.
        with connection, suppress(OSError):
            connection.settimeout(5)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                request = _read_request(connection)
                if request is None:
                    return
                self.seen.append(request)
                told = self._replies[min(len(self.seen), len(self._replies)) - 1]
                for step in told(request) if callable(told) else told:
                    self._do(connection, step)

    def _do(self, connection: socket.socket, step: Step) -> None:
        if isinstance(step, bytes):
            connection.sendall(step)
        elif isinstance(step, Reset):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        else:
            self._stop.wait(step)


def _read_request(connection: socket.socket) -> Request | None:
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65_536)
        if not more:
            return None
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        more = connection.recv(65_536)
        if not more:
            return None  # whoever asked hung up in the middle of it
        body += more
    return Request(line, headers, body.decode(errors="surrogateescape"))

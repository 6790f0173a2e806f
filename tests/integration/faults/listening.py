"""A listening server on a loopback port while a block runs, and a clock that passes only where somebody waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread

from costlab.publish.posting import Patience


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A connection that breaks is what the test wants."""


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], tls: SSLContext | None = None
) -> Iterator[tuple[str, int]]:
    """The scheme and the port of a server while the block runs."""
    quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
    with _Server(("127.0.0.1", 0), quiet) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield "https" if tls else "http", server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)


@dataclass
class Clock:
    """Time passes only where somebody waits."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def patience(self) -> Patience:
        return Patience(clock=lambda: self.now, sleep=self.sleep, chance=lambda: 0.5, answer_s=5)

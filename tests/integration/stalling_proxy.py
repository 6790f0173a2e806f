"""A proxy in front of a real Prometheus that counts what is asked for, and stalls in the answer to one metric."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

PORTION = 65_536


@dataclass
class Proxy:
    """Its base URL, the bodies of all requests for samples, and the metric at which answers stall.

    stalled: set once an answer stalls; half of it was sent by then.
    """

    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    stalls_at: bytes = b""
    stalled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def times_asked(self, metric: bytes) -> int:
        """How many requests named the metric."""
        return sum(metric in body for body in self.asked)


@contextmanager
def in_front_of(prometheus: str) -> Iterator[Proxy]:
    """A proxy on a free loopback port; it passes everything on, chunk by chunk."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.pass_on(b"")

        def do_POST(self) -> None:
            self.pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def pass_on(self, body: bytes) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = requests.request(
                self.command, prometheus + self.path, headers=headers, data=body, timeout=60
            )
            for_samples = (
                self.path.split("?")[0] in ("/api/v1/read", "/api/v1/query") and b"count" not in body
            )
            if for_samples:
                proxy.asked.append(body)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            stalls = for_samples and proxy.stalls_at and proxy.stalls_at in body
            self.wfile.write(answer.content[: len(answer.content) // 2] if stalls else answer.content)
            if stalls:
                self.wfile.flush()
                proxy.stalled.set()
                proxy.over.wait(60)
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing: the test's own output is enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        server.shutdown()
        thread.join()
        server.server_close()

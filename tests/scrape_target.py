"""An exporter on a loopback port: what a Prometheus scrapes while a test waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TEXT = "text/plain; version=0.0.4"


@contextmanager
def exposing(tell: Callable[[], bytes], kind: str = TEXT) -> Iterator[str]:
    """Host and port of an exporter that answers each scrape with what `tell` gives."""

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = tell()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a scrape is no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(5)


def scraping(target: str, further: str = "") -> str:
    """The configuration of a Prometheus that scrapes it five times a second."""
    return f"""\
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
{further}
scrape_configs:
  - job_name: exporter
    static_configs:
      - targets: ["{target}"]
"""

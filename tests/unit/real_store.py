"""A real object store behind a proxy that passes everything on as it came, and fails on demand."""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.config
import botocore.session
from s3_server import OWNER, REGION
from store_faults import BUCKET, Asked, FailingStore

AT_ONCE = 1000  # objects that one request deletes
_HOP = {"transfer-encoding", "connection", "content-length"}


def client(host: str, credentials: Mapping[str, str] = OWNER) -> Any:
    """Amazon's own client, who has nothing in common with costlab, on its own way to the store."""
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=f"http://{host}",
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )


class Objects(MutableMapping[str, bytes]):
    """What lies in the bucket, as that client sees it."""

    def __init__(self, of: Any) -> None:
        self.client = of

    def __getitem__(self, key: str) -> bytes:
        try:
            return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except self.client.exceptions.NoSuchKey:
            raise KeyError(key) from None

    def __setitem__(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def __delitem__(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def __iter__(self) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return (found["Key"] for page in pages for found in page.get("Contents", ()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """It is empty."""
        there = [{"Key": key} for key in self]
        for begin in range(0, len(there), AT_ONCE):
            self.client.delete_objects(
                Bucket=BUCKET, Delete={"Objects": there[begin : begin + AT_ONCE], "Quiet": True}
            )


@dataclass
class RealStore(FailingStore):
    """A proxy's faults, and what lies behind it."""

    host: str = ""
    behind: Objects = field(default_factory=lambda: Objects(None))

    @property
    def objects(self) -> Objects:
        return self.behind

    def uploads(self) -> list[str]:
        return [one["Key"] for one in self._uploads()]

    def clear(self) -> None:
        """The bucket is empty."""
        self.behind.clear()
        for one in self._uploads():
            self.behind.client.abort_multipart_upload(Bucket=BUCKET, Key=one["Key"], UploadId=one["UploadId"])

    def _uploads(self) -> list[dict[str, Any]]:
        return list(self.behind.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))


@contextmanager
def real_store(host: str) -> Iterator[RealStore]:
    """An empty bucket of a real store, which has it for itself until the block ends."""
    asking = client(host)
    with suppress(asking.exceptions.BucketAlreadyExists, asking.exceptions.BucketAlreadyOwnedByYou):
        asking.create_bucket(Bucket=BUCKET)
    store = RealStore(host=host, behind=Objects(asking))
    store.clear()

    class Handler(_Relay):
        held = store

    server = _Proxy(("127.0.0.1", 0), Handler)
    store.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with closing(asking):
            yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked was killed: that is what the test wants."""


class _Relay(Asked, BaseHTTPRequestHandler):
    """Passes a request on with the headers that were signed, on a connection of its own."""

    held: RealStore

    def setup(self) -> None:
        super().setup()
        self._behind = HTTPConnection(self.held.host, timeout=60)

    def finish(self) -> None:
        self._behind.close()
        with suppress(OSError):  # whoever asked hung up, or was hung up on
            super().finish()

    def do_GET(self) -> None:
        self._relay()

    def do_HEAD(self) -> None:
        self._relay()

    def do_PUT(self) -> None:
        self._relay()

    def do_POST(self) -> None:
        self._relay()

    def do_DELETE(self) -> None:
        self._relay()

    def _relay(self) -> None:
        self.held.asked.append(f"{self.command} {self.path}")
        body = self.raw_body()
        if self.refused(self.held):
            return
        status, headers, answer = self._passed_on(body)
        landed = status < 300 and self._writes()
        if landed and self.held.loses_answer(self.command, self.key):
            self.hang_up()
            return
        cut = self.command == "GET" and status < 300 and bool(self.key) and self.held.cut(self.key)
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(answer))
        if status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(answer[: len(answer) // 2] if cut else answer)
        if cut:
            self.hang_up()

    def _writes(self) -> bool:
        """Whether an object, or a part of one, was written."""
        begun = "uploads" in parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return self.command == "PUT" or (self.command == "POST" and bool(self.key) and not begun)

    def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of the store's answer."""
        behind = self._behind
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":  # that was answered here
                behind.putheader(name, value)
        behind.endheaders(body or None)
        answer = behind.getresponse()
        return answer.status, answer.getheaders(), answer.read()

"""An object store on this machine that speaks as much of S3 as a lake and its backups need, and fails on demand.

Objects of one part or several, listings, deletions; no signatures are checked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "backups"
PAGE = 20  # objects of a listing that come at once
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


@dataclass
class Store:
    """What it holds, and how it is to fail.

    refuse: so many of the next requests are answered 503. forbid: the methods that are answered 403. before: is called
    with each request's method and key before it is looked at; a status that it gives is the answer. drop_after: after so many writes have landed, the connection
    of the next one ends without an answer although it landed too; -1: never. longer_bytes: how much longer an
    answer that `before` gives is. signers: the keys that requests came with.
    """

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    refuse: int = 0
    forbid: frozenset[str] = frozenset()
    before: Callable[[str, str], int] = lambda *_: 0
    drop_after: int = -1
    asked: list[str] = field(default_factory=list)
    longer_bytes: int = 0
    signers: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    @property
    def address(self) -> str:
        """Where a backup may lie in it."""
        return f"s3://{BUCKET}/lake?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"


@contextmanager
def object_store() -> Iterator[Store]:
    """A store that is gone with the block."""
    store = Store()

    class Handler(_Handler):
        held = store

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    store.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body would wait 40 ms for each other
    wbufsize = -1
    held: Store

    def handle_expect_100(self) -> bool:
        """Let the body come."""
        more = super().handle_expect_100()
        self.wfile.flush()
        return more

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        key, query = self._asked()
        if self._refused():
            return
        if "list-type" in query:
            self._answer(200, _listing(self.held, query))
        elif key not in self.held.objects:
            self._answer(404, _fault("NoSuchKey"))
        else:
            content, wanted = self.held.objects[key], self.headers.get("Range")
            if not wanted:
                self._answer(200, content)
                return
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            first = int(begin) if begin else max(len(content) - int(end), 0)
            part = content[first : int(end) + 1] if begin and end else content[first:]
            self._answer(206, part, f"bytes {first}-{first + len(part) - 1}/{len(content)}")

    def do_HEAD(self) -> None:
        key, _ = self._asked()
        if self._refused():
            return
        found = key in self.held.objects or not key
        size = len(self.held.objects.get(key, b""))
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(size))
        self.send_header("Last-Modified", "Thu, 26 Nov 2026 04:00:00 GMT")
        self.end_headers()

    def do_PUT(self) -> None:
        key, query = self._asked()
        body = self._body()
        if self._refused():
            return
        with self.held.lock:
            if self.headers.get("If-None-Match") == "*" and key in self.held.objects:
                self._answer(412, _fault("PreconditionFailed"))
                return
            if "partNumber" in query:
                self.held.parts[query["uploadId"]][int(query["partNumber"])] = body
            elif source := self.headers.get("x-amz-copy-source"):
                self._land(
                    key, self.held.objects[unquote(source).removeprefix("/").removeprefix(f"{BUCKET}/")]
                )
                self._landed(_xml("CopyObjectResult", "<ETag>x</ETag>"))
                return
            else:
                self._land(key, body)
        self._landed(b"", etag=md5(body).hexdigest())  # noqa: S324 - what S3 calls an ETag

    def do_POST(self) -> None:
        key, query = self._asked()
        body = self._body()
        if self._refused():
            return
        if "uploads" in query:
            name = str(len(self.held.parts))
            self.held.parts[name] = {}
            said = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            self._answer(200, _xml("InitiateMultipartUploadResult", said))
        elif "uploadId" in query:
            with self.held.lock:
                parts = self.held.parts[query["uploadId"]]
                self._land(key, b"".join(parts[number] for number in sorted(parts)))
            said = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><ETag>x</ETag>"
            self._landed(_xml("CompleteMultipartUploadResult", said))
        else:
            for name in body.decode().split("<Key>")[1:]:
                self.held.objects.pop(name.partition("</Key>")[0], None)
            self._answer(200, _xml("DeleteResult", ""))

    def do_DELETE(self) -> None:
        key, _ = self._asked()
        if self._refused():
            return
        self.held.objects.pop(key, None)
        self._answer(204, b"")

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        self.held.asked.append(f"{self.command} {self.path}")
        self.held.signers.add(
            self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        )
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return self._key(), query

    def _body(self) -> bytes:
        """The request's bytes, out of the chunks with their signatures where it is sent so."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raw = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return raw
        body = b""
        while raw:
            head, _, raw = raw.partition(b"\r\n")
            size = int(head.split(b";")[0], 16)
            if not size:
                break
            body, raw = body + raw[:size], raw[size + 2 :]
        return body

    def _land(self, key: str, body: bytes) -> None:
        self.held.objects[key] = body
        self.held.written[key] = datetime.now(UTC)

    def _landed(self, body: bytes, etag: str = "x") -> None:
        if self.held.drop_after == 0:
            self.held.drop_after = -1
            self.close_connection = True
            self.connection.close()
            return
        self.held.drop_after -= self.held.drop_after > 0
        self._answer(200, body, etag=etag)

    def _refused(self) -> bool:
        if not self.path.startswith(f"/{BUCKET}"):
            self._answer(404, _fault("NoSuchBucket"))
            return True
        status = 403 if self.command in self.held.forbid else self.held.before(self.command, self._key())
        if status:
            code = "AccessDenied" if status == 403 else "SlowDown"
            said = _fault(code) + b" " * self.held.longer_bytes
            self._answer(status, said if self.command != "HEAD" else b"")
            return True
        if self.held.refuse > 0:
            self.held.refuse -= 1
            self._answer(503, _fault("SlowDown") if self.command != "HEAD" else b"")
            return True
        return False

    def _answer(self, status: int, body: bytes, of: str = "", etag: str = "x") -> None:
        self.send_response(status)
        if of:
            self.send_header("Content-Range", of)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{etag}"')
        self.send_header("Last-Modified", "Thu, 26 Nov 2026 04:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)


def _listing(store: Store, query: dict[str, str]) -> bytes:
    """A page of what there is: a real store's has a thousand, and a small lake would never need a second."""
    prefix, after = query.get("prefix", ""), query.get("continuation-token") or query.get("start-after", "")
    found = sorted(key for key in list(store.objects) if key.startswith(prefix) and key > after)
    page, rest = found[:PAGE], found[PAGE:]
    said = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(store.objects[key])}</Size>"
        f"<LastModified>{store.written[key]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
        for key in page
    )
    more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if rest else ""
    return _xml(
        "ListBucketResult",
        f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{more}{said}",
    )


def _fault(code: str) -> bytes:
    return _xml("Error", f"<Code>{code}</Code><Message>{code}</Message>")


def _xml(name: str, inside: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inside}</{name}>'.encode()

"""An object store on this machine that speaks as much of S3 as a lake and its backups need, and fails on demand.

Objects of one part or several, listings, deletions; no signatures are checked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from store_faults import BUCKET, Asked, FailingStore, fault, xml

PAGE = 20  # objects of a listing that come at once


@dataclass
class Store(FailingStore):
    """What it holds, and when each of it was written."""

    contents: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    under_way: dict[str, str] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, bytes]:
        return self.contents

    def uploads(self) -> list[str]:
        return sorted(self.under_way.values())


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


class _Handler(Asked, BaseHTTPRequestHandler):
    held: Store

    def do_GET(self) -> None:
        key, query = self._asked()
        if self._refused():
            return
        if "list-type" in query:
            self._answer(200, _listing(self.held, query))
        elif key not in self.held.objects:
            self._answer(404, fault("NoSuchKey"))
        else:
            content, wanted = self.held.objects[key], self.headers.get("Range")
            cut = self.held.cut(key)
            if not wanted:
                self._answer(200, content, cut=cut)
                return
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            first = int(begin) if begin else max(len(content) - int(end), 0)
            part = content[first : int(end) + 1] if begin and end else content[first:]
            self._answer(206, part, f"bytes {first}-{first + len(part) - 1}/{len(content)}", cut=cut)

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
                self._answer(412, fault("PreconditionFailed"))
                return
            if "partNumber" in query:
                self.held.parts[query["uploadId"]][int(query["partNumber"])] = body
            elif source := self.headers.get("x-amz-copy-source"):
                self._land(
                    key, self.held.objects[unquote(source).removeprefix("/").removeprefix(f"{BUCKET}/")]
                )
                self._landed(xml("CopyObjectResult", "<ETag>x</ETag>"))
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
            self.held.parts[name], self.held.under_way[name] = {}, key
            said = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            self._answer(200, xml("InitiateMultipartUploadResult", said))
        elif "uploadId" in query:
            with self.held.lock:
                parts = self.held.parts[query["uploadId"]]
                self._land(key, b"".join(parts[number] for number in sorted(parts)))
                self.held.under_way.pop(
                    query["uploadId"], None
                )  # who asks again is answered again, as by others
            said = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><ETag>x</ETag>"
            self._landed(xml("CompleteMultipartUploadResult", said))
        else:
            for name in body.decode().split("<Key>")[1:]:
                self.held.objects.pop(name.partition("</Key>")[0], None)
            self._answer(200, xml("DeleteResult", ""))

    def do_DELETE(self) -> None:
        key, query = self._asked()
        if self._refused():
            return
        if "uploadId" in query:
            del self.held.under_way[query["uploadId"]]
        else:
            self.held.objects.pop(key, None)
        self._answer(204, b"")

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        self.held.asked.append(f"{self.command} {self.path}")
        self.held.signers.add(
            self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        )
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return self.key, query

    def _body(self) -> bytes:
        """The request's bytes, out of the chunks with their signatures where it is sent so."""
        raw = self.raw_body()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raw = _joined(raw)
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            raw = _joined(raw)
        return raw

    def _land(self, key: str, body: bytes) -> None:
        self.held.objects[key] = body
        self.held.written[key] = datetime.now(UTC)

    def _landed(self, body: bytes, etag: str = "x") -> None:
        if self.held.loses_answer(self.command, self.key):
            self.hang_up()
        else:
            self._answer(200, body, etag=etag)

    def _refused(self) -> bool:
        if not self.path.startswith(f"/{BUCKET}"):
            self._answer(404, fault("NoSuchBucket"))
            return True
        return self.refused(self.held)

    def _answer(self, status: int, body: bytes, of: str = "", etag: str = "x", *, cut: bool = False) -> None:
        self.send_response(status)
        if of:
            self.send_header("Content-Range", of)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{etag}"')
        self.send_header("Last-Modified", "Thu, 26 Nov 2026 04:00:00 GMT")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.hang_up()


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
    return xml(
        "ListBucketResult",
        f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{more}{said}",
    )


def _joined(raw: bytes) -> bytes:
    """The bytes of a body that is sent in chunks, be each signed."""
    body = b""
    while True:
        head, _, raw = raw.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        if not size:
            return body
        body, raw = body + raw[:size], raw[size + 2 :]

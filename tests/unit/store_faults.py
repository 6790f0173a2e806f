"""How an object store of the tests fails on demand, be it their own or a real one behind a proxy."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import RLock
from urllib.parse import unquote, urlsplit

from s3_server import OWNER

BUCKET = "backups"
CREDENTIALS = {**OWNER, "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass
class FailingStore(ABC):
    """What is asked of a store, what it holds, and how it is to fail.

    refuse: so many of the next requests are answered 503. forbid: the methods that are answered 403. before: is called
    with each request's method and key before it is looked at; a status that it gives is the answer. after: is called with the method
    and key of each write that has landed; when it says so, the connection ends without an answer. drop_after: so it is with
    the write after so many others; -1: never. cut: is called with the key of each object that is read; when it says so, the
    connection ends in the middle of it. longer_bytes: how much longer a refusal is. signers: the keys that requests came with.
    """

    port: int = 0
    refuse: int = 0
    forbid: frozenset[str] = frozenset()
    before: Callable[[str, str], int] = lambda *_: 0
    after: Callable[[str, str], bool] = lambda *_: False
    drop_after: int = -1
    cut: Callable[[str], bool] = lambda _: False
    asked: list[str] = field(default_factory=list)
    longer_bytes: int = 0
    signers: set[str] = field(default_factory=set)
    lock: RLock = field(default_factory=RLock)

    @property
    def address(self) -> str:
        """Where a lake, or a backup, may lie in it."""
        return f"s3://{BUCKET}/lake?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"

    @property
    @abstractmethod
    def objects(self) -> MutableMapping[str, bytes]:
        """What it holds, by key; whoever changes that is not asked for anything, and meets no fault."""

    @abstractmethod
    def uploads(self) -> list[str]:
        """The objects of which an upload in parts was begun, and neither ended nor broken off."""

    def hold(self, objects: Mapping[str, bytes]) -> None:
        """It holds these objects from now on, and no others."""
        held = self.objects
        for key in held.keys() - objects.keys():
            del held[key]
        held.update(objects)

    def refusal(self, method: str, key: str) -> int:
        """The status that a request is refused with; 0 when it is not."""
        status = 403 if method in self.forbid else self.before(method, key)
        with self.lock:
            if not status and self.refuse > 0:
                self.refuse -= 1
                return 503
        return status

    def loses_answer(self, method: str, key: str) -> bool:
        """Whether the connection ends now, although the write has landed."""
        with self.lock:
            if lost := self.drop_after == 0:
                self.drop_after = -1
            self.drop_after -= self.drop_after > 0
        return self.after(method, key) or lost


class Asked(BaseHTTPRequestHandler):
    """A request to a store, and answers to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body would wait 40 ms for each other
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """Let the body come."""
        more = super().handle_expect_100()
        self.wfile.flush()
        return more

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    @property
    def key(self) -> str:
        """The object that is asked for; empty when it is the bucket."""
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")

    def raw_body(self) -> bytes:
        """The request's bytes as they come, in chunks where they are sent so."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        raw = b""
        while True:
            head = self.rfile.readline()
            size = int(head.split(b";")[0], 16)
            raw += head + self.rfile.read(size) + self.rfile.readline()
            if not size:
                return raw

    def hang_up(self) -> None:
        """The connection ends at once."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def refused(self, store: FailingStore) -> bool:
        """Whether the request was answered with a refusal."""
        status = store.refusal(self.command, self.key)
        if status:
            body = b"" if self.command == "HEAD" else fault("AccessDenied" if status == 403 else "SlowDown")
            body += b" " * (store.longer_bytes if body else 0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        return bool(status)


def fault(code: str) -> bytes:
    """An error as S3 tells it; it is longer than many a piece of a small file."""
    told = {
        "Code": code,
        "Message": "Please reduce your request rate.",
        "RequestId": "N" * 16,
        "HostId": "h" * 76,
    }
    return xml("Error", "".join(f"<{name}>{value}</{name}>" for name, value in told.items()))


def xml(name: str, inside: str) -> bytes:
    """A document."""
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inside}</{name}>'.encode()

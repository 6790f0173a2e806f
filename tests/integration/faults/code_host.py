"""A code host on a loopback port that is as strict as GitHub or GitLab, and fails as it is told to."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qs, urlsplit

from listening import listening

TOKEN = "T0KEN-of-the-comments"  # noqa: S105 - it leads nowhere
PATHS = {
    "github": (r"/repos/acme/ml/issues/12/comments", r"/repos/acme/ml/issues/comments/(\d+)"),
    "gitlab": (
        r"/projects/acme%2Fml/merge_requests/12/notes",
        r"/projects/acme%2Fml/merge_requests/12/notes/(\d+)",
    ),
}


@dataclass(frozen=True)
class Fault:
    """What becomes of the next request of a method: this status, or (None) no answer; `done` before that, or not."""

    method: str
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    done: bool = False


@dataclass
class CodeHost:
    """The comments of one issue or merge request by their numbers, and what was asked."""

    service: str
    port: int = 0
    scheme: str = "http"
    comments: dict[int, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    page: int = 100  # most comments of one answer
    elsewhere: str = ""  # another host, which links to further pages name

    @property
    def api(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def writes(self) -> list[str]:
        return [method for method in self.asked if method != "GET"]

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and content, after what is asked was done."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if refused := self._refused(headers):
            return refused
        every, one = PATHS[self.service]
        if re.fullmatch(every, path) and method == "GET":
            return self._listed(path, query)
        text = json.loads(body).get("body") if body else None
        if not isinstance(text, str) or headers.get("Content-Type") != "application/json":
            return 400, {}, {"message": "no body"}
        if len(text) > 65_536:
            return 422, {}, {"message": "Body is too long (maximum is 65536 characters)"}
        named = re.fullmatch(one, path)
        changes = method == {"github": "PATCH", "gitlab": "PUT"}[self.service]
        if named and changes and int(named[1]) in self.comments:
            number, status = int(named[1]), 200
        elif re.fullmatch(every, path) and method == "POST":
            number, status = max(self.comments, default=0) + 1, 201
        else:
            return 404, {}, {"message": "Not Found"}
        self.comments[number] = text
        return status, {}, {"id": number, "body": text}

    def _refused(self, headers: Mapping[str, str]) -> tuple[int, dict[str, str], Any] | None:
        if not headers.get("User-Agent", "").startswith("costlab/"):
            return 403, {}, {"message": "Request forbidden by administrative rules."}
        if self.service == "gitlab":
            return (
                None if headers.get("PRIVATE-TOKEN") == TOKEN else (401, {}, {"message": "401 Unauthorized"})
            )
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {}, {"message": "Bad credentials"}
        asked = headers.get("Accept"), headers.get("X-GitHub-Api-Version")
        return (
            None
            if asked == ("application/vnd.github+json", "2022-11-28")
            else (400, {}, {"message": str(asked)})
        )

    def _listed(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], Any]:
        if self.service == "gitlab" and (query["sort"], query["order_by"]) != (["asc"], ["created_at"]):
            return 400, {}, {"message": "the newest come first"}
        size = min(int(query.get("per_page", ["20"])[0]), self.page)
        page = int(query.get("page", ["1"])[0])
        rows = [{"id": number, "body": text} for number, text in sorted(self.comments.items())]
        shown, headers = rows[(page - 1) * size : page * size], {}
        if len(rows) > page * size:
            rest = "&".join(f"{name}={value[0]}" for name, value in query.items() if name != "page")
            where = f"{self.elsewhere or self.api}/another/way{path}?{rest}&page={page + 1}"
            headers["Link"] = f'<{where}>; rel="next", <{where}>; rel="last"'
        return 200, headers, shown

    def failing(self, method: str) -> Fault | None:
        """What becomes of a request of the method, once."""
        fault = next((each for each in self.faults if each.method in (method, "*")), None)
        if fault:
            self.faults.remove(fault)
        return fault


@contextmanager
def hosting(service: str, tls: SSLContext | None = None) -> Iterator[CodeHost]:
    """A code host while the block runs."""
    host = CodeHost(service)

    class Handler(BaseHTTPRequestHandler):
        def converse(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            host.asked.append(self.command)
            fault = host.failing(self.command)
            status, headers, content = 0, {}, None  # type: int, Mapping[str, str], Any
            if fault is None or fault.done:
                status, headers, content = host.answer(self.command, self.path, dict(self.headers), body)
            written = json.dumps(content).encode()
            if fault and fault.status is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault:
                status, headers, written = fault.status or 0, fault.headers, fault.body
            self.send_response_only(status)
            for name, value in {**headers, "Content-Length": str(len(written))}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # whoever was too impatient has hung up
                self.wfile.write(written)

    for method in ("GET", "POST", "PATCH", "PUT"):
        setattr(Handler, f"do_{method}", Handler.converse)
    with listening(Handler, tls) as (host.scheme, host.port):
        yield host

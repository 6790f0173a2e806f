"""What Elasticsearch's reference says of a few requests, and no more kindness than it has: strict about form and mapping."""

import fnmatch
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, Any]]
_FITS: dict[str, Callable[[Any], object]] = {
    "keyword": lambda value: isinstance(value, str),
    "long": lambda value: isinstance(value, int),
    "double": lambda value: isinstance(value, Decimal | int),
    "scaled_float": lambda value: isinstance(value, Decimal | int),
    "date": lambda value: (date if len(value) == len("2026-11-22") else datetime).fromisoformat(value),
}


@dataclass
class Elastic:
    """held: what is indexed; searched: what a search finds, which is less until there was a refresh.

    fault: asked before each request, with its method and path; what it gives is answered. full: ids that get 429 once.
    """

    key: str = "key"
    fault: Callable[[str, str], Answer | None] = lambda _method, _path: None
    full: set[str] = field(default_factory=set)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    searched: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    written: int = 0
    url: str = ""

    def answer(self, method: str, address: str, headers: Any, body: bytes) -> Answer:  # noqa: PLR0911 - a return for each request
        """Status and JSON of an answer."""
        parts = urlsplit(address)
        path, given = parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((method, path, len(body)))
        if fault := self.fault(method, path):
            return fault
        if headers["Authorization"] != f"ApiKey {self.key}":
            return 401, {"error": {"type": "security_exception", "reason": "unable to authenticate"}}
        if body and headers["Content-Type"] not in ("application/json", "application/x-ndjson"):
            return 406, {"error": {"type": "media_type_header_exception", "reason": "wrong Content-Type"}}
        if match := re.fullmatch(r"/_index_template/([^/]+)", path):
            return self._template(method, match[1], json.loads(body))
        if path == "/_bulk":
            return self._bulk(body)
        if match := re.fullmatch(r"/([^/]+)/_doc/([^/]+)", path):
            found = self.held.get(match[1], {}).get(match[2])
            return (200, {"found": True, "_source": found}) if found else (404, {"found": False})
        if match := re.fullmatch(r"/([^/]+)/_refresh", path):
            if match[1] not in self.held and given.get("ignore_unavailable") != "true":
                return _missing(match[1])
            self.searched[match[1]] = dict(self.held.get(match[1], {}))
            return 200, {}
        if match := re.fullmatch(r"/([^/]+)/_delete_by_query", path):
            return self._delete(match[1], given, json.loads(body)["query"])
        return 400, {"error": {"type": "illegal_argument_exception", "reason": f"no handler for {path}"}}

    def _template(self, method: str, name: str, template: dict[str, Any]) -> Answer:
        known = {"index_patterns", "priority", "_meta", "template", "version", "composed_of"}
        if method != "PUT" or template.keys() - known or not template["index_patterns"]:
            return 400, {"error": {"type": "x_content_parse_exception", "reason": "unknown field"}}
        self.templates[name] = template
        return 200, {"acknowledged": True}

    def _bulk(self, body: bytes) -> Answer:
        if not body.endswith(b"\n"):
            reason = "The bulk request must be terminated by a newline [\\n]"
            return 400, {"error": {"type": "illegal_argument_exception", "reason": reason}}
        lines = [json.loads(line, parse_float=Decimal) for line in body[:-1].split(b"\n")]
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            [[verb, where]] = action.items()
            assert verb == "index"
            items.append({"index": self._indexed(where["_index"], where["_id"], source)})
        return 200, {"errors": any(item["index"]["status"] >= 400 for item in items), "items": items}

    def _indexed(self, index: str, name: str, source: dict[str, Any]) -> dict[str, Any]:
        if name in self.full:
            self.full.remove(name)
            error = {"type": "es_rejected_execution_exception", "reason": "rejected execution"}
            return {"status": 429, "error": error}
        mapping = self._mapping(index)
        for field_name, value in source.items():
            kind = mapping.get(field_name, {"type": "none"})["type"]
            if not _FITS.get(kind, lambda _: False)(value):
                reason = f"failed to parse field [{field_name}] of type [{kind}]"
                return {"status": 400, "error": {"type": "document_parsing_exception", "reason": reason}}
        self.written += 1
        self.held.setdefault(index, {})[name] = source
        return {"status": 201}

    def _mapping(self, index: str) -> dict[str, Any]:
        fitting = [
            one for one in self.templates.values()
            if any(fnmatch.fnmatch(index, pattern) for pattern in one["index_patterns"])
        ]  # fmt: skip
        nothing: dict[str, Any] = {"template": {"mappings": {}}}
        best = max(fitting, key=lambda one: one.get("priority", 0), default=nothing)
        found: dict[str, Any] = best["template"]["mappings"].get("properties", {})
        return found

    def _delete(self, index: str, given: dict[str, str], query: dict[str, Any]) -> Answer:
        if index not in self.held and given.get("ignore_unavailable") != "true":
            return _missing(index)
        [(kind, parts)] = query.items()
        assert kind == "bool"
        assert parts.keys() <= {"filter", "must_not"}

        def fits(source: dict[str, Any], clause: dict[str, Any]) -> bool:
            [(name, value)] = clause["term"].items()
            return bool(source.get(name) == value)

        held, gone = self.held.get(index, {}), 0
        for name, seen in list(self.searched.get(index, {}).items()):
            if all(fits(seen, each) for each in parts["filter"]) and not any(
                fits(seen, each) for each in parts["must_not"]
            ):
                if held.get(name) is not seen and given.get("conflicts") != "proceed":
                    return 409, {"failures": [{"cause": {"type": "version_conflict_engine_exception"}}]}
                if held.get(name) is seen:
                    del held[name]
                    gone += 1
        return 200, {"deleted": gone, "failures": [], "timed_out": False}

    def documents(self, part: str) -> list[dict[str, Any]]:
        """All that is indexed of a part: charges or days."""
        return [
            source for index, held in self.held.items() if f"-{part}-" in index for source in held.values()
        ]


def _missing(index: str) -> Answer:
    return 404, {"error": {"type": "index_not_found_exception", "reason": f"no such index [{index}]"}}


@contextmanager
def serving(elastic: Elastic) -> Iterator[Elastic]:
    """While it answers at its url."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, told = elastic.answer(self.command, self.path, self.headers, body)
            content = json.dumps(told, default=float).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _handle  # noqa: N815 - so http.server calls them

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    elastic.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield elastic
    finally:
        server.shutdown()
        server.server_close()

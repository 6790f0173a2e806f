"""Documents into Elasticsearch or OpenSearch: by bulk, each under its own id, and again where that may help.

Everything that is asked of the server may be asked twice: a document is replaced by itself. docs/elasticsearch.md.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
import requests
import urllib3

from costlab import __version__
from costlab.config.servers import Elasticsearch
from costlab.domain.errors import ConfigError, PostError
from costlab.publish.address import secret
from costlab.publish.posting import TRIES, Patience, asked_to_wait_s, content_of, session_of
from costlab.sources.prometheus.secret import secret_in

SETTING = "elasticsearch"
BULK_BYTES = 4_000_000  # of one request; servers take 100 MB, proxies before them often less
_CONNECT_S, _ANSWER_S = 10.0, 60.0
_LONGEST_PAUSE_S = 60.0
_LARGEST_BYTES = 2**26  # of one answer; of more than that it is no Elasticsearch
_PASSING = frozenset({429, 500, 502, 503, 504})
_NDJSON, _JSON = "application/x-ndjson", "application/json"
_OF_ITEMS = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_AGAIN = "run costlab export elasticsearch again, or wait for the next night: what is there is replaced"

PATIENT = Patience(answer_s=_ANSWER_S)


@dataclass(frozen=True, slots=True)
class Document:
    """What is indexed; id: the same for the same thing each time."""

    index: str
    id: str
    source: dict[str, Any]

    @property
    def lines(self) -> bytes:
        """Its two lines of a bulk request."""
        action = {"index": {"_index": self.index, "_id": self.id}}
        return orjson.dumps(action) + b"\n" + orjson.dumps(self.source) + b"\n"


@dataclass(frozen=True, slots=True)
class Indices:
    """A server's indices; each method raises ConfigError for what only a person can mend, and PostError for what may pass."""

    url: str
    _session: requests.Session = field(repr=False)
    _patience: Patience = field(repr=False)

    def put_template(self, name: str, template: Mapping[str, Any]) -> None:
        """Indices that are made from now on have the template's mapping."""
        self._asked("PUT", f"/_index_template/{name}", orjson.dumps(template))

    def source_of(self, index: str, document: str) -> Mapping[str, Any] | None:
        """What is indexed under an id; None where there is nothing, or no such index."""
        found: Mapping[str, Any] | None = self._asked("GET", f"/{index}/_doc/{document}").get("_source")
        return found

    def send(self, documents: Iterable[Document]) -> int:
        """How many documents are indexed now; a bounded number of bytes is in memory and under way."""
        sent = 0
        for chunk in chunks(documents):
            self._bulk(chunk)
            sent += len(chunk)
        return sent

    def delete_others(self, index: str, query: Mapping[str, Any]) -> int:
        """How many documents of an index the query found and deleted; what was sent before is seen by it.

        A document that another writer changed meanwhile is left by the server, which counts it and calls that no failure:
        it is looked at again.
        """
        absent = "ignore_unavailable=true&allow_no_indices=true"
        path = f"/{index}/_delete_by_query?conflicts=proceed&refresh=true&{absent}"
        deleted = 0
        for attempt in count(1):
            self._asked("POST", f"/{index}/_refresh?{absent}")
            answer = self._asked("POST", path, orjson.dumps({"query": query}))
            deleted += int(answer.get("deleted", 0))
            left = answer.get("version_conflicts")
            if not left and not answer.get("failures") and not answer.get("timed_out"):
                return deleted
            if not left or attempt == TRIES:
                raise PostError(f"{self.url} could not delete all that is no more in {index}", _AGAIN)
            self._wait(attempt)
        raise AssertionError  # count() has no end

    def _bulk(self, lines: Sequence[bytes]) -> None:
        """Every document is indexed; those that the server had no room for are sent again, and no others."""
        for attempt in count(1):
            answer = self._asked("POST", f"/_bulk?{_OF_ITEMS}", b"".join(lines), _NDJSON)
            items = _items(answer)
            if len(items) != len(lines):
                raise ConfigError(f"{self.url} does not answer a bulk request as Elasticsearch does", _NAMED)
            wrong = [item for item in items if item["status"] >= _REFUSED and item["status"] not in _PASSING]
            if wrong:
                raise ConfigError(
                    f"{self.url} refused {len(wrong):,} of {len(lines):,} documents: {_reason(wrong[0])}",
                    "an index with another mapping stands in the way: delete it, or name another with elasticsearch.index",
                )
            lines = [line for line, item in zip(lines, items, strict=True) if item["status"] in _PASSING]
            if not lines:
                return
            if attempt == TRIES:
                raise PostError(f"{self.url} has no room for {len(lines):,} documents", _AGAIN)
            self._wait(attempt)

    def _asked(self, method: str, path: str, body: bytes | None = None, kind: str = _JSON) -> dict[str, Any]:
        """The answer; empty for a GET of what is not there."""
        for attempt in count(1):
            failed, asked_s = "is not reachable, or does not answer", 0.0
            try:
                with self._session.request(
                    method, self.url + path, data=body, headers={"Content-Type": kind} if body else {},
                    timeout=(_CONNECT_S, self._patience.answer_s), allow_redirects=False, verify=self._session.verify,
                    stream=True,
                ) as response:  # fmt: skip
                    if response.status_code not in _PASSING:
                        content = content_of(response, _LARGEST_BYTES, self._patience.answer_s)
                        return self._judged(response.status_code, content, method)
                    failed = f"is not available ({response.status_code})"
                    asked_s = asked_to_wait_s(response.headers)
            except requests.exceptions.SSLError:
                raise ConfigError(
                    f"{SETTING}: TLS with {self.url} failed: its certificate is not trusted, or not its own",
                    "name the authority's certificate with elasticsearch.ca_file, or mend the server's",
                ) from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
                pass
            if attempt == TRIES or asked_s > _LONGEST_PAUSE_S:
                raise PostError(f"{self.url} {failed}", _AGAIN)
            self._wait(attempt, asked_s)
        raise AssertionError  # count() has no end

    def _judged(self, status: int, content: bytes, method: str) -> dict[str, Any]:
        if status == requests.codes.not_found and method == "GET":
            return {}
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise ConfigError(
                f"{self.url} refused the key or the user ({status})",
                "docs/elasticsearch.md lists what it must be allowed to do",
            )
        if requests.codes.multiple_choices <= status < requests.codes.bad_request:
            raise ConfigError(
                f"{self.url} sends on to another address ({status}), which is not followed", _NAMED
            )
        if status == requests.codes.request_entity_too_large:
            raise ConfigError(
                f"{self.url} takes no request as large as {BULK_BYTES / 1e6:g} MB (413)",
                "let the server and each proxy before it take so much; nginx's client_max_body_size is 1 MB by default",
            )
        try:
            answer = orjson.loads(content)
            error = answer.get("error") or {}
        except (orjson.JSONDecodeError, AttributeError):
            raise ConfigError(
                f"{self.url} does not answer as Elasticsearch does ({status})", _NAMED
            ) from None
        if status >= _REFUSED:
            told = _reason({"error": error}) if isinstance(error, dict) else ""
            raise ConfigError(
                f"{self.url} refused what it was asked ({status}): {told or 'no reason'}", _NAMED
            )
        found: dict[str, Any] = answer
        return found

    def _wait(self, attempt: int, asked_s: float = 0.0) -> None:
        self._patience.sleep(max(2.0 ** (attempt - 1) * (0.5 + self._patience.chance()), asked_s))


_REFUSED = 400
_NAMED = "see what elasticsearch.url names"


@contextmanager
def opened(named: Elasticsearch, environ: Mapping[str, str], patience: Patience) -> Iterator[Indices]:
    """The indices of the configured server; nothing is asked of it yet.

    Raises ConfigError when its key, password or certificate cannot be read.
    """
    with session_of(SETTING, named.ca_file) as session:
        session.headers.update({"User-Agent": f"costlab/{__version__}", "Accept": _JSON})
        session.headers["Accept-Encoding"] = "identity"
        if allowed := authorization(named, environ):
            session.headers["Authorization"] = allowed
        yield Indices(named.url, session, patience)


def authorization(named: Elasticsearch, environ: Mapping[str, str]) -> str | None:
    """The header that lets us in; None where nothing is configured. Raises ConfigError when it cannot be read."""
    if named.api_key_env or named.api_key_file:
        return f"ApiKey {secret(named.api_key_env, named.api_key_file, environ, f'{SETTING}.api_key')}"
    if named.basic_auth:
        password = secret_in(named.basic_auth.password_file, f"{SETTING}.basic_auth.password_file")
        pair = f"{named.basic_auth.username}:{password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return None


def chunks(documents: Iterable[Document], most_bytes: int = BULK_BYTES) -> Iterator[list[bytes]]:
    """The documents' lines, together at most so many bytes; one that alone has more comes alone."""
    held: list[bytes] = []
    held_bytes = 0
    for document in documents:
        lines = document.lines
        if held and held_bytes + len(lines) > most_bytes:
            yield held
            held, held_bytes = [], 0
        held.append(lines)
        held_bytes += len(lines)
    if held:
        yield held


def _items(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a bulk request's answer says of each document; none where one of them is not told of as it should be."""
    try:
        items: list[dict[str, Any]] = [next(iter(item.values()), {}) for item in answer["items"]]
        return items if all(isinstance(item["status"], int) for item in items) else []
    except (KeyError, TypeError, AttributeError):
        return []


def _reason(item: Mapping[str, Any]) -> str:
    """What the server says is wrong, on one line."""
    error = item.get("error") or {}
    if not isinstance(error, dict):
        error = {"reason": error}
    told = f"{error.get('type', '')}: {error.get('reason', '')}".strip(": ")
    return "".join(each if each.isprintable() else " " for each in told)[:300]

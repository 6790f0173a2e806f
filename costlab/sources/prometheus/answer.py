"""What the query API answers, read strictly: whole, unambiguous and complete, or a typed error."""

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable

_TOO_LARGE = re.compile(
    r"too many (samples|points|chunks|series)|exceeded (sample|series|chunks|bytes) limit|maximum resolution"
    r"|err-mimir-max-|max_samples_processed|cannot select more than|matching (unique )?timeseries exceeds"
)
_TIMED_OUT = re.compile(r"deadline exceeded|timeout exceeded|timed out")
# VictoriaMetrics puts the request before its words.
_REQUEST = re.compile(r'^remoteAddr: "[^"]*"(?:, X-Forwarded-For: "[^"]*")?; requestURI: \S*; ')


class QueryTooLarge(SourceRefused):
    """The query asks for more than the server gives at once; a shorter window may do."""


class QueryTimedOut(SourceUnavailable):
    """The server gave up on the query; a shorter window may do, the same query will not."""


class BrokenOff(SourceUnavailable):
    """The answer ends in the middle; the same query may do."""


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers: the host as messages name it, and what was sent along that no message may show."""

    host: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def quoted(self, text: object, longest: int = 300) -> str:
        """The server's words in one line of at most `longest` characters, without control characters.

        A longer one loses its middle: wrapped errors end with their cause.
        """
        words = "; ".join(map(str, text)) if isinstance(text, list) else str(text)
        for secret in self.secrets:
            # A short one, such as a tenant's name, may be a part of ordinary words.
            pattern = re.escape(secret) if len(secret) > 7 else rf"(?<!\w){re.escape(secret)}(?!\w)"
            words = re.sub(pattern, "***", words)
        line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
        end = (longest - 1) // 2
        return line if len(line) <= longest else f"{line[: longest - 1 - end]}…{line[-end:]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The `data` of a successful answer, the server's harmless remarks, and the server itself."""

    data: Any
    infos: tuple[str, ...]
    server: Server


def read_answer(body: bytes | bytearray, server: Server) -> Answer:
    """The envelope of a complete, successful answer; raises SourceRefused, BrokenOff or as `refusal`."""
    document = _decode(body, server)
    status = document.get("status") if isinstance(document, dict) else None
    if status == "error":
        raise refusal(server, 200, document)
    if status != "success" or "data" not in document:
        raise _not_prometheus(server, body)
    check_complete(document, server)
    if _has_duplicate_keys(body, document):
        raise SourceRefused(
            f"{server.host} sent JSON with a key twice",
            "something between costlab and Prometheus changes answers",
        )
    infos = document.get("infos")
    return Answer(
        document["data"], tuple(map(server.quoted, infos)) if isinstance(infos, list) else (), server
    )


def check_complete(document: dict[str, Any], server: Server) -> None:
    """Passes an answer that says nothing of missing parts; raises SourceRefused."""
    if document.get("warnings") or document.get("isPartial"):
        raise SourceRefused(
            f"{server.host} gave a partial answer: {server.quoted(document.get('warnings') or 'isPartial')}",
            "a part of the metrics is not reachable at the moment; mend it and run again",
        )


def refusal(server: Server, status: int, document: Any) -> SourceError:
    """The error that an answer with `errorType` and `error`, or any other text, stands for."""
    kind, text = "", document
    if isinstance(document, dict) and "error" in document:
        kind, text = str(document.get("errorType", "")), document["error"]
    said = _REQUEST.sub("", str(text))
    words = f"{server.host}: {server.quoted(said)}"
    if status == 413 or _TOO_LARGE.search(said):
        return QueryTooLarge(words, "raise the server's sample limit, or narrow with prometheus.matchers")
    if kind == "timeout" or _TIMED_OUT.search(said):
        return QueryTimedOut(words, "raise the server's query timeout, or narrow with prometheus.matchers")
    if status >= 500:
        return SourceUnavailable(
            f"{server.host} failed ({status}): {server.quoted(said)}", "look into the server's log"
        )
    return SourceRefused(
        f"{server.host} refused the query ({status}): {server.quoted(said)}",
        "see prometheus.matchers and prometheus.url",
    )


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for garbage while a list a sample is made: 1.7 M samples a second instead of 0.9."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _decode(body: bytes | bytearray, server: Server) -> Any:
    try:
        with collector_paused():
            return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        if body.lstrip()[:1] == b"{" and fault.pos >= len(fault.doc) - 1:
            raise BrokenOff(
                f"{server.host}: the answer ends in the middle, after {len(body)} bytes",
                "a proxy between may limit the size of answers",
            ) from None
        raise _not_prometheus(server, body) from None


def _not_prometheus(server: Server, body: bytes | bytearray) -> SourceRefused:
    return SourceRefused(
        f"{server.host} did not answer as Prometheus does: {server.quoted(body[:2000].decode(errors='replace'), 120)}",
        "prometheus.url is the address in front of /api/v1",
    )


def _has_duplicate_keys(body: bytes | bytearray, document: dict[str, Any]) -> bool:
    """Whether a key stands twice in an object, where a parser would silently take the last.

    Counting the keys in the bytes settles it for compact JSON; only if the counts differ is it parsed again.
    """
    data = document["data"]
    keys = len(document) + (len(data) if isinstance(data, dict) else 0)
    result = data.get("result") if isinstance(data, dict) else None
    for series in result if isinstance(result, list) else ():
        if isinstance(series, dict):
            metric = series.get("metric")
            keys += len(series) + (len(metric) if isinstance(metric, dict) else 0)
    if body.count(b'":') == keys:
        return False
    try:
        json.loads(body, object_pairs_hook=distinct)
    except (KeyError, RecursionError):
        return True
    return False


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's pairs, for the general parser; raises KeyError for a key that stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise KeyError
    return found

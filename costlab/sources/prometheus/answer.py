"""What the query API answers, read strictly: whole, unambiguous and complete, or a typed error."""

import gc
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import orjson

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.sources.prometheus.refusals import Meaning, read_refusal

# VictoriaMetrics puts the request before its words.
_REQUEST = re.compile(r'^remoteAddr: "[^"]*"(?:, X-Forwarded-For: "[^"]*")?; requestURI: \S*; ')
_GATEWAY_TIMEOUT = 504
_URL_SAFE = str.maketrans("+/", "-_")


class QueryTooLarge(SourceRefused):
    """The query asks for more than the server gives at once; a shorter window may do."""


class QueryTooLong(QueryTooLarge):
    """The query reaches over too much time; a shorter window may do, fewer series will not."""


class QueryTimedOut(SourceUnavailable):
    """The server gave up on the query; a shorter window may do, the same query will not."""


class MayPass(SourceUnavailable):
    """A fault that the same query may not meet again, after `after_s` seconds at the earliest."""

    def __init__(self, message: str, hint: str, after_s: float = 0.0) -> None:
        super().__init__(message, hint)
        self.after_s = after_s


class BrokenOff(MayPass):
    """The answer ends in the middle; if the same query meets it again, a shorter window may do."""


class GatewayTimedOut(MayPass):
    """What stands before the server waited no longer; if the same query meets it again, a shorter window may do."""


class AccessRefused(SourceRefused):
    """The server does not know who asks, or does not let them."""

    every_day = True


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
            for spelling in _spellings(secret):
                # A short one, such as a tenant's name, may be a part of ordinary words.
                pattern = re.escape(spelling)
                words = re.sub(pattern if len(spelling) > 7 else rf"(?<!\w){pattern}(?!\w)", "***", words)
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


def refusal(server: Server, status: int, document: Any, after_s: float = 0.0) -> SourceError:
    """The error that an answer with `errorType` and `error`, or any other text, stands for.

    after_s: how long the server asks to wait.
    """
    kind, text = "", document
    if isinstance(document, dict) and "error" in document:
        kind, text = str(document.get("errorType", "")), document["error"]
    said = _REQUEST.sub("", str(text))
    reading = read_refusal(status, kind, said)
    if reading.meaning is Meaning.BUSY:
        passing = GatewayTimedOut if status == _GATEWAY_TIMEOUT else MayPass
        return passing(
            _told("{host} is not available ({status})", server, status, said), reading.hint, after_s
        )
    error, words = _ERRORS[reading.meaning]
    return error(_told(words, server, status, said), reading.hint)


def _told(words: str, server: Server, status: int, said: str) -> str:
    """Our words, and the server's behind a colon where it has any; else its status."""
    if theirs := server.quoted(said):
        return f"{words.format(host=server.host, status=status)}: {theirs}"
    return (words if "{status}" in words else f"{words} answered {{status}}").format(
        host=server.host, status=status
    )


_ERRORS: dict[Meaning, tuple[type[SourceError], str]] = {
    Meaning.TOO_LARGE: (QueryTooLarge, "{host}"),
    Meaning.TOO_LONG: (QueryTooLong, "{host}"),
    Meaning.TIMED_OUT: (QueryTimedOut, "{host}"),
    Meaning.NO_ACCESS: (AccessRefused, "{host} refused access ({status})"),
    Meaning.FAILED: (SourceUnavailable, "{host} failed ({status})"),
    Meaning.REFUSED: (SourceRefused, "{host} refused the query ({status})"),
}


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


def _spellings(secret: str) -> Iterator[str]:
    """The secret as it is, as it stands in an address, and as base64 shows it wherever in the bytes it begins."""
    address = quote(secret, safe="")
    yield from dict.fromkeys(
        (secret, address, re.sub("%..", lambda code: code[0].lower(), address), quote_plus(secret))
    )
    raw = secret.encode()
    for before in range(3 if len(raw) > 7 else 0):
        # Characters that also hold bits of a neighbour are left out: 2 or 3 before it, 1 behind it.
        spelled = b64encode(b"\0" * before + raw).decode().rstrip("=")
        inner = spelled[before and before + 1 : len(spelled) - ((before + len(raw)) % 3 > 0)]
        yield from dict.fromkeys((inner, inner.translate(_URL_SAFE)))


def _decode(body: bytes | bytearray, server: Server) -> Any:
    try:
        with collector_paused():
            return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        if body.lstrip()[:1] == b"{" and _ends_early(body, fault):
            raise BrokenOff(
                f"{server.host}: the answer ends in the middle, after {len(body)} bytes",
                "a proxy between may limit the size of answers",
            ) from None
        raise _not_prometheus(server, body) from None


def _ends_early(body: bytes | bytearray, fault: orjson.JSONDecodeError) -> bool:
    """Whether a parser stopped because there was no more, be it in the middle of a letter."""
    if fault.doc:
        return fault.pos >= len(fault.doc) - 1
    try:
        body.decode()
    except UnicodeDecodeError as letter:
        return letter.reason == "unexpected end of data"
    return False


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

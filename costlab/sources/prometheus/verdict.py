"""What a response's head, or its absence, means: go on, try again, or a typed error that says how to mend it."""

import base64
import binascii
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.sources.prometheus.answer import QueryTimedOut, Server, refusal

JSON = frozenset({"application/json"})
PLAIN = frozenset({"identity"})
_ERROR_BODY = 65_536  # of an error's body no more is read
_OUR_HEADERS = frozenset(
    {"accept", "accept-encoding", "user-agent", "connection", "content-type", "content-length", "host"}
    | {"content-encoding", "x-prometheus-remote-read-version"}
)


class MayPass(SourceUnavailable):
    """A fault that the same query may not meet again, after `after_s` seconds at the earliest."""

    def __init__(self, message: str, hint: str, after_s: float = 0.0) -> None:
        super().__init__(message, hint)
        self.after_s = after_s


def kind_of(response: requests.Response) -> str:
    """The content type, in lower case and without parameters."""
    return response.headers.get("Content-Type", "").split(";")[0].strip().lower()


def check_head(
    response: requests.Response,
    server: Server,
    kinds: frozenset[str] = JSON,
    encodings: frozenset[str] = PLAIN,
) -> None:
    """Passes a success that promises one of these types, encoded so; raises SourceRefused, MayPass or SourceUnavailable."""
    status = response.status_code
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding not in encodings:
        raise SourceRefused(
            f"{server.host} sent {server.quoted(encoding, 40)} although plain bytes were asked for",
            "let the proxy in front of Prometheus honour Accept-Encoding",
        )
    if 300 <= status < 400:
        raise SourceRefused(
            f"{server.host} redirects to {server.quoted(host_of(response.headers.get('Location', '')), 120)}",
            "set prometheus.url to where Prometheus itself is; a redirect often leads to a login page",
        )
    if status >= 400:
        raise _refused(response, server)
    kind = kind_of(response)
    if status == 200 and kind in kinds:
        return
    if kind == "text/html":
        raise SourceRefused(
            f"{server.host} sent a web page, not metrics: a login page?",
            "check prometheus.url, and its bearer_token_file, basic_auth or headers",
        )
    raise SourceRefused(
        f"{server.host} did not answer as Prometheus does: {status}, {server.quoted(kind or 'no content type', 80)}",
        "prometheus.url is the address in front of /api/v1",
    )


def late(host: str, timeout_s: float) -> SourceUnavailable:
    """Not even the answer's head came in time: a shorter window would meet the same silence."""
    return SourceUnavailable(
        f"{host} did not answer within {timeout_s:g} s",
        "raise prometheus.timeout, or see whether it is overloaded",
    )


def slow(host: str, timeout_s: float) -> QueryTimedOut:
    """The answer came, but was not complete in time."""
    return QueryTimedOut(
        f"{host} did not answer in full within {timeout_s:g} s",
        "raise prometheus.timeout, or see whether it is overloaded",
    )


def unreachable(host: str, fault: Exception) -> SourceUnavailable:
    """The connection could not be made, is not trusted, or broke."""
    reason = _reason(fault)
    if isinstance(fault, requests.exceptions.SSLError):
        return SourceUnavailable(
            f"{host}: TLS failed: {reason}", "name the authority's certificate in prometheus.ca_file"
        )
    return MayPass(f"{host} is not reachable: {reason}", "check prometheus.url, and that it runs")


def host_of(url: str) -> str:
    """Host and port of an address, never the user name and password in it."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "the same host"
    except ValueError:
        return "an address that cannot be read"


def carried_secrets(request: requests.PreparedRequest) -> tuple[str, ...]:
    """What the request's headers carry beyond the usual, longest first: credentials, tenants."""
    found = set()
    for name, value in request.headers.items():
        if name.lower() not in _OUR_HEADERS:
            scheme, _, credentials = value.partition(" ")
            found |= {value, credentials, *_password(credentials if scheme == "Basic" else "")}
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def _refused(response: requests.Response, server: Server) -> SourceError:
    """The error that a status of 400 and above stands for."""
    status, document = response.status_code, _error_body(response)
    words = server.quoted(
        document["error"] if isinstance(document, dict) and "error" in document else document
    )
    if status in {401, 403}:
        return SourceRefused(
            f"{server.host} refused access ({status}): {words}",
            "check prometheus.bearer_token_file, prometheus.basic_auth and prometheus.headers",
        )
    kind = document.get("errorType") if isinstance(document, dict) else ""
    if status in {429, 502, 504} or (status == 503 and kind != "timeout"):
        return MayPass(
            f"{server.host} is not available ({status}): {words}",
            "try again later, or lower prometheus.max_in_flight",
            _asked_s(response.headers.get("Retry-After", ""), response.headers.get("Date", "")),
        )
    return refusal(server, status, document)


def _error_body(response: requests.Response) -> Any:
    """The JSON of an error's body, else its text."""
    body = b""
    while len(body) < _ERROR_BODY and (portion := response.raw.read1(_ERROR_BODY, decode_content=False)):
        body += portion
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


def _asked_s(retry_after: str, date: str) -> float:
    """Seconds that a Retry-After asks for, as a number or a date after the server's `date`; 0 for neither."""
    try:
        return float(int(retry_after))
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _password(credentials: str) -> tuple[str, ...]:
    """The password in the credentials of basic authentication."""
    try:
        return (base64.b64decode(credentials).decode("latin-1").partition(":")[2],)
    except (binascii.Error, ValueError):
        return ()


def _reason(fault: BaseException) -> str:
    """What the operating system or TLS said at the bottom of wrapped exceptions, without addresses or headers."""
    seen: list[BaseException] = []
    below: BaseException | None = fault
    while below is not None and below not in seen:
        seen.append(below)
        inner = getattr(below, "reason", None) or below.__cause__ or below.__context__
        below = inner if isinstance(inner, BaseException) else None
    for error in reversed(seen):
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
    return type(seen[-1]).__name__

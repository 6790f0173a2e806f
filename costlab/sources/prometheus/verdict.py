"""What a response's head, or its absence, means: go on, try again, or a typed error that says how to mend it."""

import base64
import binascii
import re
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.sources.prometheus.answer import BrokenOff, MayPass, QueryTimedOut, Server, refusal

JSON = frozenset({"application/json"})
PLAIN = frozenset({"identity"})
_AMAZON = re.compile(r"(?<=Credential=)[^/,]+|(?<=Signature=)\w+")  # in Amazon's Authorization header
_ERROR_BODY = 65_536  # of an error's body no more is read
_OUR_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "user-agent",
        "connection",
        "content-type",
        "content-length",
        "host",
        "x-amz-date",
        "content-encoding",
        "x-prometheus-remote-read-version",
    }
)

_TLS = {
    "expired": "renew the server's certificate, or set this machine's clock",
    "not yet valid": "set this machine's clock",
    "mismatch": "use a name in prometheus.url that the server's certificate has",
    "verify failed": "name the authority's certificate in prometheus.ca_file",
    "alert": "the server wants a certificate of ours: prometheus.client_cert and client_key",
    "": "check that prometheus.url speaks TLS, and whether it wants prometheus.client_cert",
}


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


def late(host: str, allowed_s: float) -> SourceUnavailable:
    """Not even the answer's head came in time: a shorter window would meet the same silence."""
    return SourceUnavailable(
        f"{host} did not answer within {_told(allowed_s)} s",
        "raise prometheus.timeout, or see whether it is overloaded",
    )


def slow(host: str, allowed_s: float) -> QueryTimedOut:
    """The answer came, but was not complete in time."""
    return QueryTimedOut(
        f"{host} did not answer in full within {_told(allowed_s)} s",
        "raise prometheus.timeout, or see whether it is overloaded",
    )


def unreachable(host: str, fault: Exception) -> SourceUnavailable:
    """The connection could not be made, is not trusted, or broke."""
    reason = _reason(fault)
    if isinstance(fault, requests.exceptions.SSLError):
        hint = next(hint for words, hint in _TLS.items() if words in reason)
        return SourceUnavailable(f"{host}: TLS failed: {reason}", hint)
    return MayPass(f"{host} is not reachable: {reason}", "check prometheus.url, and that it runs")


def broken_off(host: str, fault: Exception) -> BrokenOff:
    """The connection broke, or ended too early, while the answer came."""
    return BrokenOff(
        f"{host}: the answer ends in the middle: {_reason(fault)}",
        "a proxy between may limit the size or the time of answers",
    )


def ahead_s(response: requests.Response, now_s: float) -> float:
    """How far the server's clock is ahead of `now_s`, epoch seconds, by its Date; 0 where it tells none."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp() - now_s
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return 0.0  # there is none, or it is a time that no clock shows


def host_of(url: str) -> str:
    """Host and port of an address, never the user name and password in it."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "the same host"
    except ValueError:
        return "an address that cannot be read"


def sent_secrets(response: requests.Response) -> tuple[str, ...]:
    """What was sent along to get this response, and what was refused before it, longest first."""
    sent = {secret for asked in (*response.history, response) for secret in carried_secrets(asked.request)}
    return tuple(sorted(sent, key=len, reverse=True))


def carried_secrets(request: requests.PreparedRequest) -> tuple[str, ...]:
    """What the request's headers carry beyond the usual, longest first: credentials, tenants."""
    found = set()
    for name, value in request.headers.items():
        if name.lower() not in _OUR_HEADERS:
            scheme, _, credentials = value.partition(" ")
            found |= {value, credentials, *_password(credentials if scheme == "Basic" else "")}
            found |= set(_AMAZON.findall(value))
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def _told(allowed_s: float) -> str:
    """Seconds to a tenth; what is less than one, of what was left of a signal's time, is not told as nothing."""
    return f"{round(allowed_s, 1):g}" if allowed_s >= 0.1 else f"{max(allowed_s, 0.001):.1g}"


def _refused(response: requests.Response, server: Server) -> SourceError:
    """The error that a status of 400 and above stands for."""
    asked_s = waits_s(response.headers.get("Retry-After", ""), response.headers.get("Date", ""))
    return refusal(server, response.status_code, _error_body(response), asked_s)


def _error_body(response: requests.Response) -> Any:
    """The JSON of an error's body, else its text."""
    body = b""
    while len(body) < _ERROR_BODY and (portion := response.raw.read1(_ERROR_BODY, decode_content=False)):
        body += portion
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


def waits_s(retry_after: str, date: str) -> float:
    """Seconds that a Retry-After asks for, as a number or a date after the server's `date`; 0 for neither.

    Never less than 0; infinite for a number of seconds beyond all numbers.
    """
    digits = retry_after.strip()
    if digits.isascii() and digits.isdigit():
        return float(digits)
    try:
        until, told = parsedate_to_datetime(retry_after), parsedate_to_datetime(date)
        return max((until - told).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
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
        # urllib3 hands the error below on as `reason`, as an argument, or as Python itself does.
        inner = (getattr(below, "reason", None), *below.args, below.__cause__, below.__context__)
        below = next((error for error in inner if isinstance(error, BaseException)), None)
    for error in reversed(seen):
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
    return type(seen[-1]).__name__

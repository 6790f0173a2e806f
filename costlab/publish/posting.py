"""Deliver a post over HTTP: in time, to the host that was named and no other, again where that may help."""

import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from itertools import count
from pathlib import Path

import requests
import urllib3

from costlab import __version__
from costlab.domain.errors import ConfigError, PostError, UnsurePost
from costlab.publish.address import Address
from costlab.sources.prometheus.adapter import PromptAdapter, StayingSession
from costlab.sources.prometheus.verdict import waits_s
from costlab.sources.prometheus.watchdog import cut_off_after

TRIES = 4
CONNECT_S, _ANSWER_S = 10.0, 15.0
ALL_S = 60.0  # for all tries of one post, pauses included: a night does not wait for a chat
_TOO_MANY = 429
# What Slack says is wrong, such as no_service; longer answers could hold what was sent.
_WORD = re.compile(rb"[a-z_]{3,40}")


@dataclass(frozen=True, slots=True)
class Patience:
    """The clock that bounds a delivery, how it waits, and the chance (0 to 1) that keeps several senders apart."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random
    answer_s: float = _ANSWER_S


PATIENT = Patience()


def post(address: Address, body: bytes, headers: Mapping[str, str], patience: Patience = PATIENT) -> None:
    """The receiver has taken the post: it answered with 2xx.

    A connection that could not be made, 429 and 5xx are tried again, four times in all within a minute, each time later, or
    when Retry-After says. Raises PostError when that did not help, UnsurePost when it was sent and no answer came, or 504 in
    its place, which is never tried again, and ConfigError for any other answer, and for a certificate that is not trusted.
    """
    deadline = patience.clock() + ALL_S
    with session_of(address.setting, address.authority) as session:
        for attempt in count(1):
            failed, asked_s = _tried(session, address, body, headers, patience)
            if failed is None:
                return
            pause_s = max(0.5 * 2.0 ** (attempt - 1) * (0.5 + patience.chance()), asked_s)
            if asked_s and patience.clock() + pause_s >= deadline:
                raise PostError(f"{failed}; it asks to wait {asked_s:,.0f} s", AGAIN)
            if attempt == TRIES or patience.clock() + pause_s >= deadline:
                raise PostError(failed, AGAIN)
            patience.sleep(pause_s)


AGAIN = "run costlab notify again: what was delivered is not posted twice"


def session_of(setting: str, authority: Path | None) -> requests.Session:
    """A session that follows no redirect, repeats nothing, and trusts one authority where one is named.

    setting: where its ca_file stands. Raises ConfigError when there is no certificate in it.
    """
    session = StayingSession()
    session.trust_env = False  # neither ~/.netrc nor proxies that were meant for something else
    if authority:
        try:
            ssl.create_default_context(cafile=str(authority))
        except (OSError, ssl.SSLError):
            raise ConfigError(
                f"{setting}.ca_file: {authority} cannot be read, or holds no certificate",
                "it must be PEM: -----BEGIN CERTIFICATE-----",
            ) from None
        session.verify = str(authority)
    for scheme in ("http://", "https://"):
        session.mount(scheme, PromptAdapter())
    return session


def _tried(
    session: requests.Session, address: Address, body: bytes, headers: Mapping[str, str], patience: Patience
) -> tuple[str | None, float]:
    """None, or what failed in a way that may pass; and how many seconds the receiver asks to wait."""
    sent = {
        "Content-Type": "application/json",
        "User-Agent": f"costlab/{__version__}",
        "Accept-Encoding": "identity",
        **headers,
    }
    try:
        response = session.post(
            address.url,
            data=body,
            headers=sent,
            timeout=(CONNECT_S, patience.answer_s),
            stream=True,
            allow_redirects=False,
            verify=session.verify,
        )
    except requests.exceptions.SSLError:
        raise ConfigError(
            f"{address.setting}: TLS with {address.shown} failed: its certificate is not trusted, or not its own",
            f"name the authority's certificate with ca_file beside {address.setting}, or mend the receiver's",
        ) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
        if never_connected(fault):
            return f"{address.shown} is not reachable", 0.0
        raise _unsure(address) from None
    with response:
        return _judged(response, address, patience)


def _judged(response: requests.Response, address: Address, patience: Patience) -> tuple[str | None, float]:
    status = response.status_code
    if requests.codes.ok <= status < requests.codes.multiple_choices:
        return None, 0.0
    if (
        status == requests.codes.gateway_timeout
    ):  # somebody in between has passed it on, and waited for an answer
        raise _unsure(address)
    if status == _TOO_MANY or status >= requests.codes.internal_server_error:
        return f"{address.shown} is not available ({status})", asked_to_wait_s(response.headers)
    if status < requests.codes.bad_request:
        raise ConfigError(
            f"{address.setting}: {address.shown} sends on to another address ({status}), which is not followed",
            "put the address to which it leads into its place",
        )
    raise ConfigError(
        f"{address.setting}: {address.shown} refused the post ({status}{_word(response, patience.answer_s)})",
        "look whether the webhook is still there, and put its present address into its place",
    )


def _word(response: requests.Response, answer_s: float) -> str:
    try:
        said = content_of(response, 64, answer_s).strip()
    except (urllib3.exceptions.HTTPError, OSError):
        return ""
    return f": {said.decode()}" if _WORD.fullmatch(said) else ""


def asked_to_wait_s(headers: Mapping[str, str]) -> float:
    """The seconds that Retry-After asks for; of a date by the receiver's own clock, or by ours where it tells none."""
    return waits_s(headers.get("Retry-After", ""), headers.get("Date") or formatdate(usegmt=True))


def content_of(response: requests.Response, most_bytes: int, limit_s: float) -> bytes:
    """An answer's body, or as many of its bytes; raises OSError or urllib3's HTTPError where not all came in time.

    A read timeout would begin anew with each byte, and a night would wait for as long as the server likes.
    """
    begun_s = time.monotonic()
    with cut_off_after(limit_s, response):
        try:
            content: bytes = response.raw.read(most_bytes, decode_content=False)
        except ValueError:  # TLS, cut off between two reads
            raise TimeoutError from None
    if time.monotonic() - begun_s >= limit_s:  # of an answer that does not tell its length this may be a part
        raise TimeoutError
    return content


def never_connected(fault: Exception) -> bool:
    """Whether the connection was not even made, so that nothing can have arrived."""
    # No host has such a name.
    unnamed = requests.exceptions.InvalidURL | urllib3.exceptions.LocationValueError
    if isinstance(fault, requests.ConnectTimeout | unnamed):
        return True
    reason = getattr(fault.args[0] if fault.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _unsure(address: Address) -> UnsurePost:
    return UnsurePost(
        f"{address.shown} was sent the post, and gave no answer: whether it has it is not known",
        "look there; where it is missing, post it again with costlab notify --again",
    )

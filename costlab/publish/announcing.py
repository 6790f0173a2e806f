"""Have the library apprise bring a post to one of the services that it speaks to. The only place that knows of apprise.

It answers yes or no. What was refused, and what never got out, it tells in its log alone, whose words are read for that:
HTTP's status, and the name of the fault that urllib3 had. The log itself is not shown, for addresses are in it.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from costlab.domain.errors import ConfigError, CostlabError, PostError, UnsurePost
from costlab.publish.herald import Herald
from costlab.publish.posting import AGAIN, ALL_S, CONNECT_S, PATIENT, Patience

if TYPE_CHECKING:  # an extra, and slow to import: it waits until a destination wants it
    from apprise import Apprise, NotifyBase

Words = Mapping[str, str]

_SENT = re.compile(r"^Sent\b", re.IGNORECASE)
_STATUS = re.compile(r"\berror=([1-5]\d\d)\b")
_FAULT = re.compile(r"^Socket Exception|connection error", re.IGNORECASE)
_NEVER_OUT = re.compile(r"Caused by (NewConnectionError|NameResolutionError|ConnectTimeoutError|SSLError)\(")
_FAULTS_LINES = 2  # that plugins write of one fault: that there was one, and which
_BETWEEN = 24  # characters between title and body where one text holds both; HTML's are the most
_TOO_MANY = 429
# One post is one message, tried once, whatever the address says.
_ONCE = {"overflow": "truncate", "retry": 0, "optional": False}
# What is not in a post does not get into it, no key is made and left behind, and nobody is sent on to elsewhere.
_MANNERS: Mapping[str, Any] = {
    "service_timeout": ALL_S,
    "async_mode": False,
    "interpret_emojis": False,
    "http_redirects": False,
    "pgp_autogen": False,
    "pem_autogen": False,
}


def announce(herald: Herald, words: Callable[[int], Words], patience: Patience = PATIENT) -> None:
    """The service has taken the post, as far as apprise can say: all that it asked of it was answered with 2xx.

    words: title and body, the body in at most so many characters as the service takes. It is tried once. Raises PostError
    when it never got out, or the service is not available; ConfigError when it was refused, and as `refuse_unusable`;
    UnsurePost for whatever else, as it may have arrived.
    """
    with _quiet():
        service = _service(herald, patience)
        told = _fitting(service, words)
        crier = _crier(service)
        result = crier.notify(
            title=told["title"], body=told["body"], body_format="text", log_level=logging.DEBUG
        )
        lines = [entry.message for entry in result.logs()]
    if not result:
        raise verdict(herald, lines)


def refuse_unusable(herald: Herald) -> None:
    """Raises ConfigError without the extra `apprise`, and for an address to which it cannot post, or of several places."""
    with _quiet():
        _service(herald, PATIENT)


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of apprise and urllib3 gets into a log: addresses would be in it, at any level.

    Apprise is kept quiet afterwards, too: what took too long goes on in a thread of its own. Within, it says all that it
    has to say to whoever reads it here: which fault there was it tells at its lowest level alone.
    """
    heard, below = logging.getLogger("apprise"), logging.getLogger("urllib3.connectionpool")
    heard.propagate = False
    if not heard.handlers:
        heard.addHandler(logging.NullHandler())  # without any, warnings go to stderr
    was, below.disabled = below.disabled, True
    level = heard.level
    heard.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        heard.setLevel(level)
        below.disabled = was


def _service(herald: Herald, patience: Patience) -> "NotifyBase":
    """The service behind the address; raises ConfigError."""
    try:
        from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - an extra, and slow to import
        from apprise.plugins import url_to_dict  # noqa: PLC0415 - the same
    except ImportError:
        raise ConfigError(
            f"{herald.setting}: posts to {herald.shown} need the package apprise",
            "pip install costlab[apprise]",
        ) from None
    parts: dict[str, Any] | None = url_to_dict(herald.url)  # type: ignore[no-untyped-call]
    told = {"cto": CONNECT_S, "rto": patience.answer_s} | (parts or {}) | _ONCE
    service = Apprise.instantiate(told, asset=AppriseAsset(**_MANNERS)) if parts else None
    if service is None:
        raise ConfigError(
            f"{herald.setting}: apprise cannot post to this address of {herald.shown}",
            "look up how apprise writes it, and whether the service needs another library: apprise --details",
        )
    if len(service) > 1:
        raise ConfigError(
            f"{herald.setting}: its address of {herald.shown} names {len(service)} places",
            "name one: where one of several fails, nobody could say who has the post; another is another destination",
        )
    return service


def _crier(service: "NotifyBase") -> "Apprise":
    from apprise import Apprise  # noqa: PLC0415 - an extra, and slow to import

    crier = Apprise(asset=service.asset)
    crier.add(service)
    return crier


def _fitting(service: "NotifyBase", words: Callable[[int], Words]) -> Words:
    """The words as many as fit, title included where the service has none, in the form that it will be given."""
    from apprise.conversion import convert_between  # noqa: PLC0415 - an extra, and slow to import

    form = service.resolve_format("text")

    def length(text: str) -> int:
        return len(convert_between("text", form, content=text))  # type: ignore[no-untyped-call]

    room = most = int(service.body_maxlen)
    told = words(most)
    if service.title_maxlen <= 0 or service.overflow_amalgamate_title:
        room -= length(told["title"]) + _BETWEEN
    while most > 1 and length(told["body"]) > room:
        most = min(most, len(told["body"])) * 9 // 10
        told = words(most)
    return told


def verdict(herald: Herald, lines: Sequence[str]) -> CostlabError:
    """What became of a post that the service did not take, by apprise's log: not known, where that says anything else."""
    statuses = [int(found[1]) for line in lines if (found := _STATUS.search(line))]
    faults = [line for line in lines if _FAULT.search(line)]
    never_out = [found[1] for line in faults if (found := _NEVER_OUT.search(line))]
    known = statuses or never_out
    if not known or any(map(_SENT.match, lines)) or len(faults) > _FAULTS_LINES * len(never_out):
        return UnsurePost(
            f"{herald.shown} did not take the post, and apprise does not say why: whether it has it is not known",
            "look there; where it is missing, post it again with costlab notify --again",
        )
    if "SSLError" in never_out:
        return ConfigError(
            f"{herald.setting}: TLS with {herald.shown} failed: its certificate is not trusted, or not its own",
            "name the authority's certificate in REQUESTS_CA_BUNDLE, or mend the receiver's",
        )
    if not statuses:
        return PostError(f"{herald.shown} is not reachable", AGAIN)
    return _refused(herald, statuses[-1])


def _refused(herald: Herald, status: int) -> CostlabError:
    if status == _TOO_MANY or status >= 500:
        return PostError(f"{herald.shown} is not available ({status})", AGAIN)
    does = "refused the post" if status >= 400 else "sends on to another address, which is not followed"
    return ConfigError(
        f"{herald.setting}: {herald.shown} {does} ({status})",
        "look whether what the address names is still there, and put the present one into its place",
    )

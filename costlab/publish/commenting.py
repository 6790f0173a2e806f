"""Keep one comment up to date on GitHub or GitLab: found by its first line, changed in place, and never there twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import requests
import urllib3

from costlab import __version__
from costlab.config.destination import Channel
from costlab.domain.errors import ConfigError, PostError
from costlab.publish.posting import (
    AGAIN,
    ALL_S,
    CONNECT_S,
    PATIENT,
    TRIES,
    Patience,
    asked_to_wait_s,
    content_of,
    never_connected,
    session_of,
)
from costlab.publish.thread import Thread

_PAGE, _PAGES = 100, 100  # comments of one answer, which is the most that both give; answers
_LARGEST_BYTES = 2**26  # of one answer, of which more is no JSON: GitHub's 100 comments have 26 MB at most
_READS = 4  # times as long as for the head of an answer: a page may be large
_BETWEEN_WRITES_S = 1.0  # docs.github.com/rest/guides/best-practices-for-using-the-rest-api
_LIMITED_S = 60.0  # how long GitHub wants to be left alone where it says nothing else
_LIMITS = (requests.codes.forbidden, requests.codes.too_many_requests)
_NAMES = {Channel.GITHUB: "GitHub", Channel.GITLAB: "GitLab"}


class _Later(Exception):
    """What failed in a way that may pass. asked_s: how long to wait; done: whether it may have been done all the same."""

    def __init__(self, text: str, asked_s: float = 0.0, *, done: bool = False) -> None:
        super().__init__(text)
        self.asked_s, self.done = asked_s, done


def comment(thread: Thread, marker: str, body: str, patience: Patience = PATIENT) -> None:
    """The thread has one comment that begins with the marker, and it is the body, which begins with it.

    Each try looks for the comment first, changes it where it is another, and writes one where there is none. What may
    pass is tried again, four times in all within a minute; once it may have been written although no answer came, it
    is only looked for, and not written again. Raises PostError when that did not help, and ConfigError for what only
    a person can mend.
    """
    deadline = patience.clock() + ALL_S
    unsure = False
    with session_of(thread.setting, thread.authority) as session:
        session.headers.update({"User-Agent": f"costlab/{__version__}", "Accept-Encoding": "identity"})
        session.headers.update(thread.headers)
        desk = _Desk(thread, session, patience, deadline)
        for attempt in count(1):
            try:
                desk.bring(marker, body, writes=not unsure)
            except _Later as fault:
                unsure = unsure or fault.done
                pause_s = max(0.5 * 2.0 ** (attempt - 1) * (0.5 + patience.chance()), fault.asked_s)
                if attempt == TRIES or patience.clock() + pause_s >= deadline:
                    asks = f"; it asks to wait {fault.asked_s:,.0f} s" if fault.asked_s else ""
                    raise PostError(f"{fault}{asks}", AGAIN) from None
                patience.sleep(pause_s)
            else:
                return


@dataclass(frozen=True, slots=True)
class _Desk:
    """What is asked of a service about one thread; each method raises _Later and what `comment` does."""

    thread: Thread
    session: requests.Session = field(repr=False)
    patience: Patience = field(repr=False)
    deadline: float

    def bring(self, marker: str, body: str, *, writes: bool) -> None:
        found = next((each for each in self._all() if each["body"].startswith(marker)), None)
        if found and found["body"].strip() == body.strip():
            return
        if self.thread.service is Channel.GITHUB:
            self.patience.sleep(_BETWEEN_WRITES_S)
        if found:
            method = "PATCH" if self.thread.service is Channel.GITHUB else "PUT"
            self._asked(method, f"{self.thread.each}{found['id']}", {}, body)
        elif writes:
            self._asked("POST", self.thread.listed, {}, body)
        else:
            raise _Later(
                f"{self.thread.shown} was sent the comment, gave no answer, and does not show it yet",
                done=True,
            )

    def _all(self) -> Iterator[dict[str, Any]]:
        """The comments, the oldest first."""
        query = {"per_page": str(_PAGE)}
        if self.thread.service is Channel.GITLAB:
            query |= {"sort": "asc", "order_by": "created_at"}
        for _ in range(_PAGES):
            if self.patience.clock() >= self.deadline:
                raise _Later(f"{self.thread.shown} is too slow")
            content, following = self._asked("GET", self.thread.listed, query)
            yield from _comments(content, self.thread)
            if not following:
                return
            # Of where the next page is only the question is taken: the token goes to no other address.
            query = dict(parse_qsl(urlsplit(following).query))
        raise ConfigError(
            f"{self.thread.setting}: {self.thread.shown} has more than {_PAGE * _PAGES:,} comments",
            "name another issue",
        )

    def _asked(
        self, method: str, path: str, query: Mapping[str, str], body: str | None = None
    ) -> tuple[bytes, str]:
        """The answer, and the address of what follows it; empty where nothing does."""
        shown = self.thread.shown
        try:
            with self.session.request(
                method, self.thread.api + path, params=query, timeout=(CONNECT_S, self.patience.answer_s), stream=True,
                data=None if body is None else orjson.dumps({"body": body}), allow_redirects=False,
                headers={} if body is None else {"Content-Type": "application/json"}, verify=self.session.verify,
            ) as response:  # fmt: skip
                content = content_of(response, _LARGEST_BYTES, _READS * self.patience.answer_s)
                self._judge(response, content, method)
                return content, str(response.links.get("next", {}).get("url", ""))
        except requests.exceptions.SSLError:
            raise ConfigError(
                f"{self.thread.setting}: TLS with {shown} failed: its certificate is not trusted, or not its own",
                f"name the authority's certificate with ca_file beside {self.thread.setting}, or mend the server's",
            ) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
            if never_connected(fault):
                raise _Later(f"{shown} is not reachable") from None
            raise _Later(f"{shown} gave no answer", done=method == "POST") from None

    def _judge(self, response: requests.Response, content: bytes, method: str) -> None:
        """Nothing for 2xx; raises _Later for what may pass, and ConfigError for what does not."""
        status = response.status_code
        if requests.codes.ok <= status < requests.codes.multiple_choices:
            return
        told, setting = f"{self.thread.shown} refused ({status})", self.thread.setting
        if status in _LIMITS and (asked_s := _limited_s(response, content, self.thread.service)) is not None:
            raise _Later(f"{self.thread.shown} limits how often it is asked ({status})", asked_s)
        if status >= requests.codes.internal_server_error:
            asked_s = asked_to_wait_s(response.headers)
            # All but 503 may come from whoever stands before the service, and has lost its answer.
            lost = method == "POST" and status != requests.codes.service_unavailable
            raise _Later(f"{self.thread.shown} is not available ({status})", asked_s, done=lost)
        if method in ("PATCH", "PUT") and status == requests.codes.not_found:
            raise _Later(f"{self.thread.shown}: the comment was deleted just now")
        if requests.codes.multiple_choices <= status < requests.codes.bad_request:
            raise ConfigError(
                f"{setting}: {self.thread.shown} is at another address ({status}), which is not followed",
                "put its present name, or the API's present address, into its place",
            )
        raise ConfigError(f"{setting}: {told}", _HINTS.get(status, _ELSE))


_ELSE = "look whether the token may comment there, and whether the issue takes one more comment"
_HINTS = {
    401: "the token is wrong, or no longer good: make a new one; docs/notify.md says what it must be allowed",
    403: "the token may not comment there, or the issue is locked; docs/notify.md says what it must be allowed",
    404: "there is no such issue, or the token may not see it: both services answer so to whoever may not",
    410: "the issue was deleted, or the repository has no issues: name another",
}


def _limited_s(response: requests.Response, content: bytes, service: Channel) -> float | None:
    """How long a limit asks to wait, in seconds; None where the answer is no limit but a refusal."""
    headers = response.headers
    if asked_s := asked_to_wait_s(headers):
        return asked_s
    before = "X-" if service is Channel.GITHUB else ""
    until = headers.get(f"{before}RateLimit-Reset", "")
    if headers.get(f"{before}RateLimit-Remaining") == "0" and until.isascii() and until.isdigit():
        return max(float(until) - _told_s(headers.get("Date", "")), 1.0)
    if response.status_code == requests.codes.too_many_requests or b"rate limit" in content.lower():
        return _LIMITED_S if service is Channel.GITHUB else 0.0
    return None


def _told_s(date: str) -> float:
    """The server's own clock, epoch seconds; infinite, so that nothing is waited for, where it tells none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return float("inf")


def _comments(content: bytes, thread: Thread) -> Iterator[dict[str, Any]]:
    try:
        for each in orjson.loads(content):
            yield {"id": int(each["id"]), "body": str(each["body"] or "").replace("\r\n", "\n")}
    except (ValueError, TypeError, KeyError):
        service = _NAMES[thread.service]
        raise ConfigError(
            f"{thread.setting}: {thread.shown} does not answer as {service} does",
            f"api_url is the address of {service}'s API, such as {_EXAMPLES[thread.service]}",
        ) from None


_EXAMPLES = {
    Channel.GITHUB: "https://github.example/api/v3",
    Channel.GITLAB: "https://gitlab.example/api/v4",
}

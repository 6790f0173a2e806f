"""Asking over HTTP, strictly: in time, whole, from the host that was named; or a typed error."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import count
from threading import Event

import requests
import urllib3

from costlab import __version__
from costlab.domain.errors import SourceRefused, SourceUnavailable
from costlab.sources.prometheus.adapter import PromptAdapter
from costlab.sources.prometheus.answer import Answer, MayPass, QueryTooLarge, Server, read_answer
from costlab.sources.prometheus.patience import pause_s
from costlab.sources.prometheus.verdict import (
    JSON,
    PLAIN,
    ahead_s,
    broken_off,
    check_head,
    host_of,
    kind_of,
    late,
    sent_secrets,
    slow,
    unreachable,
)
from costlab.sources.prometheus.watchdog import cut_off_after

TRIES = 3
CONNECT_S = 10.0
LARGEST_BODY = 2**28  # about 8 M samples, which take 1 GiB while they are read; beyond, windows are halved
_PORTION = 2**20
_SERVER_SHARE = 0.9  # of our own patience: the server's refusal arrives before we hang up
HEADERS = {
    "Accept": "application/json",
    # gzip costs the server 3 to 6 times the time of the answer itself.
    "Accept-Encoding": "identity",
    "User-Agent": f"costlab/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API: a POST when it has data (a form, or bytes), with `query` behind the path in any case.

    kinds: the content types of a good answer. encodings: how its body may be encoded; it comes as it was sent.
    """

    path: str
    data: Mapping[str, str] | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    encodings: frozenset[str] = PLAIN


class Client:
    """Sends queries to one Prometheus; one client may be used by several threads.

    timeout_s: for a query in all, from the first connection to the last byte, repetitions included.
    """

    def __init__(
        self,
        url: str,
        session: requests.Session,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self.host = host_of(url)
        self._url = url.rstrip("/")
        self._session = session
        self._timeout_s = timeout_s
        self._clock = clock
        self._wall = wall
        self.skew_s = 0.0
        """How far the server's clock was ahead of ours at its last answer, as far as it told; whole seconds."""
        self._aborted = Event()
        self._sleep = sleep or self._aborted.wait
        self._jitter = jitter
        self._largest_body = largest_body

    @property
    def timeout_s(self) -> float:
        """For a query in all."""
        return self._timeout_s

    def query(
        self,
        promql: str,
        at_ms: int,
        further: Mapping[str, str] | None = None,
        *,
        deadline: float = math.inf,
    ) -> Answer:
        """The answer to an instant query at epoch milliseconds, with further parameters; raises SourceError."""
        seconds, rest = divmod(at_ms, 1000)
        form = {
            "query": promql,
            "time": f"{seconds}.{rest:03d}",
            "timeout": self.server_timeout(deadline),
            **(further or {}),
        }
        return self.ask("api/v1/query", form, deadline=deadline)

    def ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        deadline: float = math.inf,
    ) -> Answer:
        """The answer of an API path, by POST if there is a form; raises SourceError.

        Repeats, up to 3 times in all, what may pass: broken connections and answers, 429, 502, 503, 504.
        """
        deadline = min(self._clock() + self._timeout_s, deadline)
        for attempt in count(1):
            try:
                return self.ask_once(Call(path, form or None, query=query or {}), deadline)
            except MayPass as fault:
                if attempt == TRIES:
                    raise
                left_s = deadline - self._clock()
                self._sleep(pause_s(fault, attempt, left_s, self._jitter(), "prometheus.timeout"))
        raise AssertionError  # the loop has no end

    def ask_once(self, call: Call, deadline: float = math.inf) -> Answer:
        """The answer to one call, which is not repeated; raises as `receive`."""
        with self.receive(call, deadline) as body:
            return read_answer(body.whole(self._largest_body), body.server)

    def server_timeout(self, deadline: float) -> str:
        """The `timeout` of a query that is sent now: the seconds after which the server is to give up on it."""
        return f"{max(_SERVER_SHARE * self._allowed_s(deadline), 0.001):.3f}"

    @contextmanager
    def receive(self, call: Call, deadline: float = math.inf) -> Iterator["Body"]:
        """The body of one answer while it arrives, asked for once, in what is left until `deadline` on the client's clock.

        Raises SourceError: MayPass and BrokenOff where the same call may do, QueryTooLarge and QueryTimedOut where a
        shorter window may. What was read before an error has to be thrown away.
        """
        if self._aborted.is_set():
            raise SourceUnavailable("reading was ended", "see the error before it")
        allowed_s = self._allowed_s(deadline)
        deadline = min(self._clock() + self._timeout_s, deadline)
        request = requests.Request(
            "GET" if call.data is None else "POST",
            f"{self._url}/{call.path}",
            headers={**HEADERS, **call.headers},
            params=call.query,
            data=call.data,
        )
        try:
            prepared = self._session.prepare_request(request)
            response = self._send(prepared, deadline)
            server = Server(self.host, sent_secrets(response))
            self.skew_s = ahead_s(response, self._wall())
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
            if self._clock() >= deadline or isinstance(fault, requests.ReadTimeout):
                raise late(self.host, allowed_s) from None
            raise unreachable(self.host, fault) from None
        if self._clock() >= deadline:
            response.close()  # its head may end where time was up
            raise late(self.host, allowed_s)
        with response, cut_off_after(deadline - self._clock(), response):
            body = Body(response, server, deadline, allowed_s, self._clock)
            with body.translated():
                check_head(response, server, call.kinds, call.encodings)
            yield body

    def abort(self) -> None:
        """End every request that is under way, from another thread; from now on each one fails."""
        self._aborted.set()
        for adapter in self._session.adapters.values():
            if isinstance(adapter, PromptAdapter):
                adapter.abort()

    def _allowed_s(self, deadline: float) -> float:
        """How long a request that begins now may take."""
        return max(min(self._timeout_s, deadline - self._clock()), 0.0)

    def _send(self, prepared: requests.PreparedRequest, deadline: float) -> requests.Response:
        """The response when its head has arrived."""
        left_s = max(deadline - self._clock(), 0.001)
        return self._session.send(
            prepared,
            timeout=(min(CONNECT_S, left_s), left_s),
            stream=True,
            allow_redirects=False,
            verify=self._session.verify,
            cert=self._session.cert,
        )


class Body:
    """The bytes of an answer whose head was good, as they arrive."""

    def __init__(
        self,
        response: requests.Response,
        server: Server,
        deadline: float,
        allowed_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.server = server
        self.kind = kind_of(response)
        self._response = response
        self._deadline = deadline
        self._allowed_s = allowed_s
        self._clock = clock

    def portions(self, size: int = _PORTION) -> Iterator[bytes]:
        """The bytes in pieces of at most `size`, up to the body's end; raises SourceError."""
        while True:
            with self.translated():
                portion = self._response.raw.read1(size, decode_content=False)
            if not portion:
                return
            yield portion

    @property
    def chunked(self) -> BufferedReader | None:
        """What comes over the wire, where it comes in HTTP's chunks and nothing of it has been read; for `translated`."""
        # The way to it is the one by which requests finds cookies.
        original = getattr(self._response.raw, "_original_response", None)
        return original.fp if original is not None and original.chunked else None

    def must_show_its_end(self) -> None:
        """Raises SourceRefused where only the end of the connection ends it: a cut between two records would look whole."""
        headers = self._response.headers
        if "Content-Length" not in headers and headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise SourceRefused(
                f"{self.server.host} sends a stream that does not show where it ends",
                "let the proxy in front of it speak HTTP/1.1 (nginx: proxy_http_version 1.1), or set prometheus.engine: json",
            )

    def whole(self, largest: int) -> bytearray:
        """All bytes; raises QueryTooLarge if there are more than `largest`, and as `portions`."""
        body = bytearray()
        for portion in self.portions():
            body += portion
            if len(body) > largest:
                raise QueryTooLarge(
                    f"{self.server.host}: an answer of more than {largest // 2**20} MiB",
                    "narrow the series with prometheus.matchers",
                )
        return body

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Faults of the network within it become SourceError; so does what ended only because time was up."""
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
            if self._clock() >= self._deadline:
                raise slow(self.server.host, self._allowed_s) from None
            raise broken_off(self.server.host, fault) from None
        if self._clock() >= self._deadline:
            raise slow(self.server.host, self._allowed_s)

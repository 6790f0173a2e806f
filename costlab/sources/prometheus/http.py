"""Asking over HTTP, strictly: in time, whole, from the host that was named; or a typed error."""

import random
import time
from collections.abc import Callable, Mapping
from itertools import count

import requests
import urllib3

from costlab import __version__
from costlab.domain.errors import SourceError
from costlab.sources.prometheus.answer import Answer, BrokenOff, QueryTooLarge, Server, read_answer
from costlab.sources.prometheus.verdict import (
    MayPass,
    carried_secrets,
    check_head,
    host_of,
    late,
    unreachable,
)
from costlab.sources.prometheus.watchdog import cut_off_after

TRIES = 3
CONNECT_S = 10.0
LONGEST_PAUSE_S = 30.0
LARGEST_BODY = 2**28  # about 8 M samples, which take 1 GiB while they are read; beyond, windows are halved
_PORTION = 2**20
HEADERS = {
    "Accept": "application/json",
    # gzip costs the server 3 to 6 times the time of the answer itself.
    "Accept-Encoding": "identity",
    "User-Agent": f"costlab/{__version__}",
}


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
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self.host = host_of(url)
        self._url = url.rstrip("/")
        self._session = session
        self._timeout_s = timeout_s
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._largest_body = largest_body

    def query(self, promql: str, at_ms: int) -> Answer:
        """The answer to an instant query at epoch milliseconds; raises SourceError."""
        seconds, rest = divmod(at_ms, 1000)
        form = {"query": promql, "time": f"{seconds}.{rest:03d}", "timeout": f"{self._timeout_s:.3f}"}
        return self.ask("api/v1/query", form)

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> Answer:
        """The answer of an API path, by POST if there is a form; raises SourceError.

        Repeats, up to 3 times in all, what may pass: broken connections and answers, 429, 502, 503, 504.
        """
        deadline = self._clock() + self._timeout_s
        for attempt in count(1):
            try:
                return self._once(path, form, deadline)
            except (MayPass, BrokenOff) as fault:
                pause_s = self._pause_s(fault, attempt)
                if attempt == TRIES or self._clock() + pause_s >= deadline:
                    raise
                self._sleep(pause_s)
        raise AssertionError  # the loop has no end

    def _once(self, path: str, form: Mapping[str, str] | None, deadline: float) -> Answer:
        request = requests.Request(
            "POST" if form else "GET", f"{self._url}/{path}", headers=HEADERS, data=form
        )
        try:
            prepared = self._session.prepare_request(request)
            server = Server(self.host, carried_secrets(prepared))
            response = self._send(prepared, deadline)
            with response, cut_off_after(deadline - self._clock(), response):
                check_head(response, server)
                body = self._body(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
            if self._clock() >= deadline or isinstance(fault, requests.ReadTimeout):
                raise late(self.host, self._timeout_s) from None
            raise unreachable(self.host, fault) from None
        if self._clock() >= deadline:
            raise late(self.host, self._timeout_s)
        return read_answer(body, server)

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

    def _body(self, response: requests.Response) -> bytes:
        """All bytes of the body; raises SourceRefused if there are too many."""
        body = bytearray()
        while portion := response.raw.read1(_PORTION, decode_content=False):
            body += portion
            if len(body) > self._largest_body:
                raise QueryTooLarge(
                    f"{self.host}: an answer of more than {self._largest_body // 2**20} MiB",
                    "narrow the series with prometheus.matchers",
                )
        return bytes(body)

    def _pause_s(self, fault: SourceError, attempt: int) -> float:
        """How long to wait after the n-th attempt: 0.5 s, 1 s, ... give or take half, or as the server asks."""
        pause_s = 0.5 * 2.0 ** (attempt - 1) * (0.5 + self._jitter())
        asked_s = fault.after_s if isinstance(fault, MayPass) else 0.0
        return min(max(pause_s, asked_s), LONGEST_PAUSE_S)

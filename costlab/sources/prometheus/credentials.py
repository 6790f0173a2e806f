"""Who costlab says it is: each way to authenticate as what `requests` signs its requests with."""

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import requests
from requests.auth import AuthBase

from costlab.config.servers import Prometheus
from costlab.sources.prometheus.secret import secret_in, secret_of

FILE = "prometheus.bearer_token_file"
COMMAND = "prometheus.token_command"
PASSWORD = "prometheus.basic_auth.password_file"  # noqa: S105 - a setting's name


def credentials(settings: Prometheus) -> AuthBase | None:
    """What the settings say to authenticate with; raises ConfigError when it is not there."""
    if settings.bearer_token_file:
        return Renewing(_Bearer.of_file(settings.bearer_token_file))
    if settings.token_command:
        return Renewing(_Bearer.of_command(settings.token_command))
    if settings.basic_auth:
        return Renewing(_Basic(settings.basic_auth.username, settings.basic_auth.password_file))
    if settings.sigv4:
        from costlab.sources.prometheus.amazon import Signed  # noqa: PLC0415 - botocore comes with an extra only

        return Signed(settings.sigv4)
    return None


class Renewing(AuthBase):
    """Sends credentials, and, when they are refused, once more with new ones, if there are new ones."""

    def __init__(self, kept: "_Bearer | _Basic") -> None:
        self._kept = kept

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with the credentials of this moment."""
        request.headers["Authorization"] = self._kept.current()
        request.hooks["response"].append(self._renewed)
        return request

    def _renewed(self, response: requests.Response, **how: Any) -> requests.Response:
        """The answer to the same request with new credentials, in what is left of its time; else the same answer."""
        if response.status_code != requests.codes.unauthorized:
            return response
        began = time.monotonic()
        refused = str(response.request.headers["Authorization"])
        new = self._kept.after(refused)
        if new == refused:
            return response
        response.close()
        again = response.request.copy()
        again.headers["Authorization"] = new
        spent_s = response.elapsed.total_seconds() + time.monotonic() - began
        answer: requests.Response = response.connection.send(
            again, **how | _less(how.get("timeout"), spent_s)
        )
        answer.history.append(response)
        return answer


class _Basic:
    """A user name with the password in a file, which is read for each request."""

    def __init__(self, username: str, file: Path) -> None:
        self._username = username
        self._file = file

    def current(self) -> str:
        pair = f"{self._username}:{secret_in(self._file, PASSWORD)}".encode()
        return f"Basic {b64encode(pair).decode()}"

    def after(self, refused: str) -> str:
        """Read again: the file may have changed while the request was under way."""
        del refused
        return self.current()


class _Bearer:
    """A token; kept as long as it is good, if it is dear to come by."""

    def __init__(self, read: Callable[[], str], *, kept: bool) -> None:
        self._read = read
        self._keeps = kept
        self._last = ""
        self._lock = Lock()

    @classmethod
    def of_file(cls, file: Path) -> "_Bearer":
        """Read for each request: Kubernetes renews it while a run lasts."""
        return cls(lambda: secret_in(file, FILE), kept=False)

    @classmethod
    def of_command(cls, command: Sequence[str]) -> "_Bearer":
        """Run once, and again when its token is refused."""
        return cls(lambda: secret_of(command, COMMAND), kept=True)

    def current(self) -> str:
        with self._lock:
            if not self._last or not self._keeps:
                self._last = f"Bearer {self._read()}"
            return self._last

    def after(self, refused: str) -> str:
        """A newer one than that which was refused; another thread may have brought it already."""
        with self._lock:
            if self._last == refused:
                self._last = f"Bearer {self._read()}"
            return self._last


def _less(timeout: object, spent_s: float) -> dict[str, object]:
    """The timeout of a second request, so that both take no longer than one may."""
    if isinstance(timeout, tuple):
        return {"timeout": tuple(max(part - spent_s, 0.001) for part in timeout)}
    return {"timeout": max(timeout - spent_s, 0.001)} if isinstance(timeout, int | float) else {}

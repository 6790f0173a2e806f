"""The way in: sessions made from the settings, and the small questions that `doctor` asks."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from costlab.config.settings import Prometheus
from costlab.domain.errors import ConfigError, SourceRefused
from costlab.sources import SourceInfo
from costlab.sources.prometheus.adapter import PromptAdapter
from costlab.sources.prometheus.answer import Server
from costlab.sources.prometheus.http import HEADERS, Client
from costlab.sources.prometheus.verdict import carried_secrets, check_head, host_of, unreachable


def open_session(settings: Prometheus) -> requests.Session:
    """A session with the settings' credentials and certificates, and nothing from the environment.

    Raises ConfigError for a file that cannot be read and for a header that HTTP does not allow.
    """
    session = _Session()
    session.trust_env = False  # neither ~/.netrc nor proxies that were meant for something else
    session.headers.update(HEADERS)
    for name, value in settings.headers.items():
        session.headers[name] = _sendable(value.get_secret_value(), f"prometheus.headers.{name}")
    session.auth = _credentials(settings)
    if settings.ca_file:
        session.verify = _readable(settings.ca_file, "prometheus.ca_file")
    if settings.client_cert:
        certificate = _readable(settings.client_cert, "prometheus.client_cert")
        key = settings.client_key
        session.cert = (certificate, _readable(key, "prometheus.client_key")) if key else certificate
    session.mount("http://", PromptAdapter(pool_maxsize=settings.max_in_flight))
    session.mount("https://", PromptAdapter(pool_maxsize=settings.max_in_flight))
    return session


def build_info(client: Client) -> SourceInfo:
    """The product and version behind the query API; raises SourceUnavailable or SourceRefused."""
    data = client.ask("api/v1/status/buildinfo").data
    if not isinstance(data, dict):
        data = {}
    product, version = data.get("application") or "Prometheus", data.get("version") or ""
    return SourceInfo(str(product), str(version), "json")


class Connection:
    """Discovery and small instant queries, by prometheus-api-client; raises as `Client` does."""

    def __init__(self, settings: Prometheus) -> None:
        session = open_session(settings)
        session.hooks["response"] = [_check]
        self._host = host_of(settings.url)
        self._connect = PrometheusConnect(
            settings.url, session=session, timeout=settings.timeout, retry=Retry(0)
        )

    def metrics(self) -> list[str]:
        """Names of all metrics that it knows."""
        with self._translated():
            return list(self._connect.all_metrics())

    def series_count(self, selector: str, at_ms: int) -> int:
        """How many series a selector has at epoch milliseconds."""
        with self._translated():
            answer = self._connect.custom_query(f"count({selector})", params={"time": f"{at_ms / 1000:.3f}"})
            return int(float(answer[0]["value"][1])) if answer else 0

    def clock_skew_s(self, now: datetime) -> float:
        """How many seconds the server's clock is ahead of `now`, the aware instant of asking."""
        with self._translated():
            return float(self._connect.custom_query("time()")[1]) - now.timestamp()

    def close(self) -> None:
        """Gives its connections back."""
        self._connect.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError, PrometheusApiClientException):
            # A refusal with an error's status never comes so far: the hook reads it first.
            raise SourceRefused(
                f"{self._host} did not answer as Prometheus does",
                "prometheus.url is the address in front of /api/v1",
            ) from None
        except requests.RequestException as fault:
            raise unreachable(self._host, fault) from None


class _Session(requests.Session):
    """Takes a redirect for the answer that it is: followed, it would carry our headers to another host."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


class _Bearer(AuthBase):
    """Sends the token in a file, read anew for each request: Kubernetes renews it while a run lasts."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = _secret_in(self._file, "prometheus.bearer_token_file")
        request.headers["Authorization"] = f"Bearer {token}"
        return request


class _Basic(AuthBase):
    """Sends a user name with the password in a file."""

    def __init__(self, username: str, file: Path) -> None:
        self._username = username
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        password = _secret_in(self._file, "prometheus.basic_auth.password_file")
        pair = f"{self._username}:{password}".encode()
        request.headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return request


def _credentials(settings: Prometheus) -> AuthBase | None:
    if settings.bearer_token_file:
        return _Bearer(settings.bearer_token_file)
    if settings.basic_auth:
        return _Basic(settings.basic_auth.username, settings.basic_auth.password_file)
    return None


def _secret_in(file: Path, setting: str) -> str:
    """The one line in a secret's file; raises ConfigError that does not show it."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "not text"
        raise ConfigError(
            f"{setting}: {file} cannot be read: {reason}", "name a file that this user may read"
        ) from None
    if not text:
        raise ConfigError(f"{setting}: {file} is empty", "put the secret into it, on one line")
    return _sendable(text, setting)


def _sendable(text: str, setting: str) -> str:
    """The text, if HTTP allows it in a header."""
    if not (text.isascii() and text.isprintable()):
        raise ConfigError(
            f"{setting} holds characters that cannot be sent", "one line of plain ASCII is needed"
        )
    return text


def _readable(file: Path, setting: str) -> str:
    try:
        file.read_bytes()
    except OSError as fault:
        raise ConfigError(
            f"{setting}: {file} cannot be read: {fault.strerror}", "name a file that this user may read"
        ) from None
    return str(file)


def _check(response: requests.Response, *_: Any, **__: Any) -> None:
    """Refuses a bad answer before its body is read, and a redirect before it is followed."""
    server = Server(host_of(response.request.url or ""), carried_secrets(response.request))
    check_head(response, server)

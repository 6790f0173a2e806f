"""The way in: sessions made from the settings, and the small questions that `doctor` asks."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from costlab.config.settings import Prometheus
from costlab.domain.errors import ConfigError, SourceRefused
from costlab.domain.signals import Labels
from costlab.sources.prometheus.adapter import PromptAdapter
from costlab.sources.prometheus.answer import Server
from costlab.sources.prometheus.credentials import credentials
from costlab.sources.prometheus.http import HEADERS
from costlab.sources.prometheus.secret import sendable
from costlab.sources.prometheus.verdict import check_head, host_of, sent_secrets, unreachable


def open_session(settings: Prometheus) -> requests.Session:
    """A session with the settings' credentials and certificates, and nothing from the environment.

    Raises ConfigError for a file that cannot be read and for a header that HTTP does not allow.
    """
    session = _Session()
    session.trust_env = False  # neither ~/.netrc nor proxies that were meant for something else
    session.headers.update(HEADERS)
    for name, value in settings.headers.items():
        session.headers[name] = sendable(value.get_secret_value(), f"prometheus.headers.{name}")
    session.auth = credentials(settings)
    if settings.ca_file:
        session.verify = _authority(settings.ca_file)
    if settings.client_cert:
        session.cert = _client(settings.client_cert, settings.client_key)
    session.mount("http://", PromptAdapter(pool_maxsize=settings.max_in_flight))
    session.mount("https://", PromptAdapter(pool_maxsize=settings.max_in_flight))
    return session


class Connection:
    """Discovery and small instant queries, by prometheus-api-client; raises as `Client` does.

    form: parameters that every query carries.
    """

    def __init__(self, settings: Prometheus) -> None:
        session = open_session(settings)
        session.hooks["response"] = [_check]
        self.form: Mapping[str, str] = {}
        self._host = host_of(settings.url)
        self._connect = PrometheusConnect(
            settings.url, session=session, timeout=settings.timeout, retry=Retry(0)
        )

    def metrics(self) -> list[str]:
        """Names of all metrics that it knows."""
        with self._translated():
            return list(self._connect.all_metrics())

    def vector(self, promql: str, at_ms: int) -> list[tuple[Labels, float]]:
        """The series of an instant query at epoch milliseconds, and their values."""
        with self._translated():
            answer = self._connect.custom_query(promql, params={"time": f"{at_ms / 1000:.3f}", **self.form})
            return [(dict(entry["metric"]), float(entry["value"][1])) for entry in answer]

    def series_count(self, selector: str, at_ms: int) -> int:
        """How many series a selector has at epoch milliseconds."""
        found = self.vector(f"count({selector})", at_ms)
        return int(found[0][1]) if found else 0

    def clock_skew_s(self, now: datetime) -> float:
        """How many seconds the server's clock is ahead of `now`, the aware instant of asking."""
        with self._translated():
            answer = self._connect.custom_query("vector(time())", params=dict(self.form))
            return float(answer[0]["value"][1]) - now.timestamp()

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


def _authority(file: Path) -> str:
    name = _readable(file, "prometheus.ca_file")
    try:
        ssl.create_default_context(cafile=name)
    except ssl.SSLError:
        raise ConfigError(
            f"prometheus.ca_file: {file} holds no certificate", "it must be PEM: -----BEGIN CERTIFICATE-----"
        ) from None
    return name


def _client(certificate: Path, key: Path | None) -> str | tuple[str, str]:
    """Certificate and key, as `requests` takes them, tried out: OpenSSL would ask a person for a passphrase."""
    name = _readable(certificate, "prometheus.client_cert")
    key_name = _readable(key, "prometheus.client_key") if key else None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(name, key_name, lambda: "")
    except (ssl.SSLError, ValueError):
        raise ConfigError(
            f"prometheus.client_cert: {certificate} and {key or 'the key in it'} are no certificate and its key",
            "both must be PEM, belong together, and the key must have no passphrase",
        ) from None
    return (name, key_name) if key_name else name


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
    server = Server(host_of(response.request.url or ""), sent_secrets(response))
    check_head(response, server)

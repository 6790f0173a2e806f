"""The way in: sessions made from the settings, and the small questions that `doctor` asks."""

import ssl
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import requests
from prometheus_api_client import PrometheusConnect

from costlab.config.servers import Prometheus
from costlab.domain.errors import ConfigError, SourceRefused
from costlab.domain.signals import Labels
from costlab.domain.time import Window
from costlab.sources.prometheus.adapter import PromptAdapter, StayingSession
from costlab.sources.prometheus.credentials import credentials
from costlab.sources.prometheus.http import HEADERS, Client
from costlab.sources.prometheus.secret import sendable
from costlab.sources.prometheus.selector import Selector


def open_session(settings: Prometheus) -> requests.Session:
    """A session with the settings' credentials and certificates, and nothing from the environment.

    Raises ConfigError for a file that cannot be read and for a header that HTTP does not allow.
    """
    session = StayingSession()
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
    """Discovery and small instant queries, each asked, bounded and read as `Client` does; raises SourceError.

    form: parameters that every query carries. Raises ConfigError as `open_session`.
    """

    def __init__(self, settings: Prometheus) -> None:
        self._session = open_session(settings)
        self.client = Client(settings.url, self._session, settings.timeout)
        self.form: Mapping[str, str] = {}
        # Without an address: that is the client's.
        self._discovery = PrometheusConnect("", session=_Asking(self.client))

    def metrics(self, selector: Selector, window: Window) -> list[str]:
        """Names of the metrics that the selected series have in the window, and perhaps around it."""
        params = {
            "match[]": str(selector),
            "start": f"{window.start_ms / 1000:.3f}",
            "end": f"{window.end_ms / 1000:.3f}",
        }
        names = self._discovery.all_metrics(params)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._odd("names of metrics")
        return names

    def vector(self, promql: str, at_ms: int) -> list[tuple[Labels, float]]:
        """The series of an instant query at epoch milliseconds, and their values."""
        found = self.client.query(promql, at_ms, self.form).data
        try:
            if found["resultType"] != "vector":
                raise self._odd("vector")
            return [(dict(entry["metric"]), float(entry["value"][1])) for entry in found["result"]]
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            raise self._odd("vector") from None

    def close(self) -> None:
        """Gives its connections back."""
        self._session.close()

    def _odd(self, wanted: str) -> SourceRefused:
        return SourceRefused(
            f"{self.client.host} did not answer as Prometheus does: no {wanted}",
            "prometheus.url is the address in front of /api/v1",
        )


class _Asking(requests.Session):
    """What prometheus-api-client takes for a session: by itself it would wait for ever, and pass over warnings."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def request(self, method: str, url: str, params: Mapping[str, str], **_: Any) -> requests.Response:  # type: ignore[override]  # noqa: ARG002 - the library has settings of its own
        """The answer to what the library asks for, after it has been checked; raises SourceError."""
        answer = self._client.ask(url.removeprefix("/"), query=params)
        response = requests.Response()
        response.status_code = 200
        response.raw = BytesIO(orjson.dumps({"status": "success", "data": answer.data}))
        return response


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

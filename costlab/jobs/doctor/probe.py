"""The few questions that the doctor puts to a Prometheus."""

from datetime import datetime
from typing import Protocol

from costlab.config.settings import Prometheus
from costlab.domain.signals import Labels
from costlab.sources.prometheus.connection import Connection, open_session
from costlab.sources.prometheus.flavour import Product, recognise
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.probe import Choice, choose
from costlab.sources.prometheus.remote_read import speaks_remote_read


class Probe(Protocol):
    """Small questions to one Prometheus; each raises SourceError or ConfigError."""

    def product(self) -> Product:
        """Who answers."""
        ...

    def choice(self, product: Product) -> Choice:
        """The engine that reads it, and why."""
        ...

    def vector(self, promql: str, at_ms: int) -> list[tuple[Labels, float]]:
        """The series of an instant query at epoch milliseconds, and their values."""
        ...

    def clock_skew_s(self, now: datetime) -> float:
        """How far its clock is ahead of `now`."""
        ...

    def close(self) -> None:
        """Give its connections back."""
        ...


class PrometheusProbe(Connection):
    """The questions of `Connection`, and who answers them."""

    def __init__(self, settings: Prometheus) -> None:
        super().__init__(settings)
        self._settings = settings
        # Of its own: `Connection` reads every answer as the query API's, and the server has other pages as well.
        self._session = open_session(settings)
        self._client = Client(settings.url, self._session, settings.timeout)

    def product(self) -> Product:
        """Who answers; from now on questions carry what this product needs. Raises SourceError."""
        product = recognise(self._client)
        self.form = product.form
        return product

    def choice(self, product: Product) -> Choice:
        """The engine that reads it, and why; raises SourceError."""
        return choose(self._settings.engine, product, self._client, speaks_remote_read)

    def close(self) -> None:
        """Gives the connections back."""
        super().close()
        self._session.close()

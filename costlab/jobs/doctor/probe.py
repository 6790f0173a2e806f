"""The few questions that the doctor puts to a Prometheus."""

from typing import Protocol

from costlab.config.servers import Prometheus
from costlab.domain.signals import Labels
from costlab.domain.time import Window
from costlab.sources.prometheus.clock import ahead_s
from costlab.sources.prometheus.connection import Connection
from costlab.sources.prometheus.flavour import Product, recognise
from costlab.sources.prometheus.probe import Choice, choose
from costlab.sources.prometheus.remote_read import speaks_remote_read
from costlab.sources.prometheus.selector import Selector


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

    def metrics(self, selector: Selector, window: Window) -> list[str]:
        """Names of the metrics that the selected series have in the window."""
        ...

    def ahead_s(self, product: Product) -> float:
        """How far its clock is ahead of this machine's."""
        ...

    def close(self) -> None:
        """Give its connections back."""
        ...


class PrometheusProbe(Connection):
    """The questions of `Connection`, and who answers them."""

    def __init__(self, settings: Prometheus) -> None:
        super().__init__(settings)
        self._settings = settings

    def product(self) -> Product:
        """Who answers; from now on questions carry what this product needs. Raises SourceError."""
        product = recognise(self.client)
        self.form = product.form
        return product

    def choice(self, product: Product) -> Choice:
        """The engine that reads it, and why; raises SourceError."""
        return choose(self._settings.engine, product, self.client, speaks_remote_read)

    def ahead_s(self, product: Product) -> float:
        """How far the server's clock is ahead of this machine's; raises SourceUnavailable."""
        return ahead_s(self.client, product)

"""The way into one Prometheus, once it is known who answers: client, engine, and the questions that splitting asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import requests

from costlab.config.settings import Engine, Prometheus
from costlab.domain.errors import SourceRefused
from costlab.domain.time import Window
from costlab.sources import SourceInfo
from costlab.sources.prometheus.clock import ahead_s
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.engine import Engine as ReadsSamples
from costlab.sources.prometheus.flavour import Product, recognise
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.probe import Choice, choose
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.remote_read import RemoteReadEngine, speaks_remote_read
from costlab.sources.prometheus.selector import Selector
from costlab.sources.prometheus.victoria import VictoriaEngine


@dataclass(frozen=True, slots=True)
class Backend:
    """A server that was entered: what it is, and by which engine it is read.

    engine: makes one, which remarks of nothing but what it reads itself.
    ahead_s: how far the server's clock was ahead of this machine's when it was entered.
    """

    client: Client
    engine: Callable[[], ReadsSamples]
    info: SourceInfo
    ahead_s: float

    def label_values(self, label: str, selector: Selector, window: Window) -> Sequence[str]:
        """The values of a label over the selected series; raises SourceError."""
        form = {
            "match[]": str(selector),
            "start": f"{window.start_ms / 1000:.3f}",
            "end": f"{window.end_ms / 1000:.3f}",
        }
        values = self.client.ask(f"api/v1/label/{label}/values", query=form).data
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise SourceRefused(
                f"{self.client.host} did not list the values of {label}",
                "something between costlab and Prometheus changes answers",
            )
        return values


def enter(settings: Prometheus, session: requests.Session | None = None) -> Backend:
    """Find out who answers, and choose the engine that the settings ask for. Raises SourceError and ConfigError."""
    client = Client(settings.url, session or open_session(settings), settings.timeout)
    product = recognise(client)
    choice = choose(settings.engine, product, client, speaks_remote_read)
    return Backend(
        client,
        partial(_engine, choice, product, client),
        product.info(choice.engine),
        ahead_s(client, product),
    )


def _engine(choice: Choice, product: Product, client: Client) -> ReadsSamples:
    if choice.engine is Engine.REMOTE_READ:
        return RemoteReadEngine(client, product.external_labels, chunks=choice.chunks)
    if choice.engine is Engine.VICTORIA_EXPORT:
        return VictoriaEngine(client)
    return QueryEngine(client, product.form, whole_seconds=product.whole_seconds)

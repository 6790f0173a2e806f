"""The way into one Prometheus, once it is known who answers: client, engine, and the questions that splitting asks."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from urllib.parse import urlencode

import requests

from costlab.config.servers import Engine, Prometheus
from costlab.domain.errors import SourceRefused
from costlab.domain.time import Window
from costlab.sources import SourceInfo
from costlab.sources.prometheus.batches import malformed
from costlab.sources.prometheus.clock import ahead_s
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.engine import Engine as ReadsSamples
from costlab.sources.prometheus.flavour import Product, recognise
from costlab.sources.prometheus.http import Call, Client
from costlab.sources.prometheus.probe import Choice, choose
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.ranges import around
from costlab.sources.prometheus.remote_read import RemoteReadEngine, speaks_remote_read
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.prometheus.victoria import VictoriaEngine

_LONGEST_QUERY = 7000  # bytes; proxies take 8 KiB of an address, by their defaults


@dataclass(frozen=True, slots=True)
class Backend:
    """A server that was entered: what it is, and by which engine it is read.

    engine: makes one, which remarks of nothing but what it reads itself.
    ahead_s: how far the server's clock was ahead of this machine's when it was entered.
    """

    client: Client
    engine: Callable[[], ReadsSamples]
    engine_name: str
    product: Product
    ahead_s: float

    @property
    def info(self) -> SourceInfo:
        """The same for `runs`."""
        return self.product.info(self.engine_name)

    def label_values(
        self, label: str, selector: Selector, window: Window, deadline: float = inf
    ) -> Sequence[str]:
        """The values of a label over the selected series, asked for once; raises SourceError.

        They may be those of more series where an address cannot hold all matchers; the label's own hold for each.
        """
        call = Call(f"api/v1/label/{label}/values", query=self._short_form(selector, window))
        values = self.client.ask_once(call, deadline).data
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise SourceRefused(
                f"{self.client.host} did not list the values of {label}",
                "something between costlab and Prometheus changes answers",
            )
        own = [matcher for matcher in selector.matchers if matcher.label == label]
        return [value for value in values if all(matcher.holds({label: value}) for matcher in own)]

    def names_known(self, names: Collection[str], window: Window, deadline: float = inf) -> Collection[str]:
        """Those of the names under which there may be samples in the window, whatever their labels; raises SourceError.

        Settings' matchers are not asked for: remote read takes some, the external labels, that no index knows.
        """
        found = set(self.label_values("__name__", Selector("", (_named(names),)), window, deadline))
        absent = set(names) - found
        if self.product.lists_all_names or not found or not absent:
            return found
        # Those that are absent indeed cost nothing to look for.
        asked = around(window, whole_seconds=self.product.whole_seconds)
        form = {
            "query": f"count by (__name__) (last_over_time({Selector('', (_named(absent),))}[{asked.length}]))",
            "time": asked.time,
            "timeout": self.client.server_timeout(deadline),
            **self.product.form,
        }
        answer = self.client.ask_once(Call("api/v1/query", form), deadline)
        try:
            return found | {entry["metric"]["__name__"] for entry in answer.data["result"]}
        except (KeyError, TypeError):
            raise malformed(answer.server, "the counts of series have no names") from None

    def _short_form(self, selector: Selector, window: Window) -> dict[str, str]:
        """The question about labels, without the longest matchers where it would be longer than an address may be."""
        kept = sorted(selector.matchers, key=lambda matcher: len(matcher.value))
        while True:
            form = {"start": f"{window.start_ms / 1000:.3f}", "end": f"{window.end_ms / 1000:.3f}"}
            if kept or selector.metric:
                form["match[]"] = str(Selector(selector.metric, tuple(kept)))
            if not kept or len(urlencode(form)) <= _LONGEST_QUERY:
                return form
            kept.pop()


def enter(settings: Prometheus, session: requests.Session | None = None) -> Backend:
    """Find out who answers, and choose the engine that the settings ask for. Raises SourceError and ConfigError."""
    client = Client(settings.url, session or open_session(settings), settings.timeout)
    product = recognise(client)
    choice = choose(settings.engine, product, client, speaks_remote_read)
    return Backend(
        client, partial(_engine, choice, product, client), choice.engine, product, ahead_s(client, product)
    )


def _named(names: Iterable[str]) -> Matcher:
    return Matcher("__name__", Operator.MATCHES, "|".join(sorted(names)))


def _engine(choice: Choice, product: Product, client: Client) -> ReadsSamples:
    if choice.engine is Engine.REMOTE_READ:
        return RemoteReadEngine(client, product.external_labels, chunks=choice.chunks)
    if choice.engine is Engine.VICTORIA_EXPORT:
        return VictoriaEngine(client)
    return QueryEngine(client, product.form, whole_seconds=product.whole_seconds)

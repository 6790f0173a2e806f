"""Which engine reads this server: the best that it speaks, or the one that the settings ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from costlab.config.servers import Engine
from costlab.domain.errors import SourceRefused
from costlab.sources.prometheus.flavour import Flavour, Product, exports
from costlab.sources.prometheus.http import Client

SpeaksRemoteRead = Callable[[Client], Literal["chunks", "samples"] | None]

# Not asked for it: a gateway of theirs may take the question for an attack, or for a bill.
_WITHOUT_REMOTE_READ = frozenset(
    {Flavour.THANOS, Flavour.VICTORIA_METRICS, Flavour.AMAZON, Flavour.GOOGLE, Flavour.AZURE}
)


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, never `auto`, and why it was chosen; chunks: whether remote read gives them, and not samples."""

    engine: Engine
    why: str
    chunks: bool = True


def choose(wanted: Engine, product: Product, client: Client, speaks_remote_read: SpeaksRemoteRead) -> Choice:
    """The engine to read with; raises SourceRefused when the server does not speak the one that is wanted."""
    if wanted is Engine.JSON:
        return Choice(Engine.JSON, "as prometheus.engine says")
    if wanted is Engine.AUTO:
        return _best(product, client, speaks_remote_read)
    best = _best(product, client, speaks_remote_read)
    if wanted is best.engine:
        return Choice(wanted, "as prometheus.engine says")
    if wanted is Engine.VICTORIA_EXPORT and product.flavour is Flavour.UNKNOWN and exports(client):
        return Choice(wanted, "as prometheus.engine says")
    if (
        wanted is Engine.REMOTE_READ
        and product.flavour not in _WITHOUT_REMOTE_READ
        and speaks_remote_read(client)
    ):
        return Choice(wanted, "as prometheus.engine says, in samples: it streams no chunks", chunks=False)
    spoken = "json" if best.engine is Engine.JSON else f"{best.engine} and json"
    raise SourceRefused(
        f"{client.host} ({product.name}) does not speak {wanted}, but {spoken}",
        "set prometheus.engine to auto, or prometheus.url to the server itself instead of a gateway",
    )


def _best(product: Product, client: Client, speaks_remote_read: SpeaksRemoteRead) -> Choice:
    if product.flavour is Flavour.VICTORIA_METRICS:
        return Choice(Engine.VICTORIA_EXPORT, "VictoriaMetrics exports series by series")
    if product.flavour in _WITHOUT_REMOTE_READ:
        return Choice(Engine.JSON, f"{product.name} has no remote read")
    spoken = speaks_remote_read(client)
    if spoken == "chunks":
        return Choice(Engine.REMOTE_READ, "it streams chunks, which cost it no memory")
    if spoken == "samples":
        return Choice(Engine.JSON, "its remote read streams no chunks")
    return Choice(Engine.JSON, "it does not answer remote read")

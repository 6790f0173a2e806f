"""Who speaks Prometheus' language here: product, version, limits, and what each of its questions has to carry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import yaml

from costlab.domain.errors import SourceError, SourceRefused
from costlab.sources import SourceInfo
from costlab.sources.prometheus.answer import AccessRefused
from costlab.sources.prometheus.http import Call, Client


class Flavour(StrEnum):
    """The products that are told apart, as they call themselves."""

    PROMETHEUS = "Prometheus"
    MIMIR = "Grafana Mimir"
    CORTEX = "Cortex"
    THANOS = "Thanos"
    VICTORIA_METRICS = "VictoriaMetrics"
    AMAZON = "Amazon Managed Service for Prometheus"
    GOOGLE = "Google Cloud Managed Service for Prometheus"
    AZURE = "Azure Monitor managed service for Prometheus"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Product:
    """A server that was recognised.

    name: the flavour's, or what an unknown product calls itself. version: empty where it is not told.
    limits: those of its flags that bound a query, by their names; what a server does not tell is not in it.
    external_labels: which the query API neither shows nor takes, and remote read does both.
    """

    flavour: Flavour
    name: str
    version: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    external_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> Mapping[str, str]:
        """Parameters that every query must carry, so that its answer is whole, raw and of this moment."""
        return _FORMS.get(self.flavour, {})

    @property
    def lists_all_names(self) -> bool:
        """Whether the names that it lists for a window lack none; others may look at the most recent hours alone."""
        return self.flavour in (Flavour.PROMETHEUS, Flavour.VICTORIA_METRICS)

    @property
    def whole_seconds(self) -> bool:
        """Whether it gives nothing, and no error, for instants with a fraction of a second."""
        return self.flavour is Flavour.GOOGLE

    def info(self, engine: str) -> SourceInfo:
        """The same for `runs`."""
        return SourceInfo(self.name, self.version, engine, self.limits)


def recognise(client: Client) -> Product:
    """Who answers; raises SourceError when nobody does, access is refused, or it is no Prometheus at all."""
    host = client.host.rpartition(":")[0] if re.search(r":\d+$", client.host) else client.host
    for pattern, flavour in _HOSTS:
        if pattern.search(host.lower()):
            _must_answer(client)
            return Product(flavour, flavour.value)
    try:
        told = client.ask("api/v1/status/buildinfo").data
    except AccessRefused:
        raise
    except SourceRefused:
        _must_answer(client)
        return _without_build_info(client, host.lower())
    return _by_build_info(client, told if isinstance(told, dict) else {})


def external_labels(client: Client) -> Mapping[str, str]:
    """What a server adds to all of its series in remote read; nothing where it does not show. Raises SourceUnavailable."""
    try:
        labels = yaml.safe_load(client.ask("api/v1/status/config").data["yaml"])["global"]["external_labels"]
        return {str(name): str(value) for name, value in labels.items()}
    except (SourceRefused, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}  # closed, or there are none


def exports(client: Client) -> bool:
    """Whether it has VictoriaMetrics' export; raises SourceError when nobody answers."""
    nothing = {"match[]": '{__name__="costlab_asks_for_nothing"}', "start": "1", "end": "2"}
    try:
        with client.receive(Call("api/v1/export", nothing, kinds=_EXPORTED)) as body:
            return not body.whole(2**20)
    except SourceRefused:
        return False


_HOSTS = (
    (re.compile(r"^aps-workspaces\b.*\.(amazonaws\.com|api\.aws)"), Flavour.AMAZON),
    (re.compile(r"^monitoring\.googleapis\.com$"), Flavour.GOOGLE),
    (re.compile(r"\.prometheus\.monitor\.azure\.\w+$"), Flavour.AZURE),
)
_APPLICATIONS = (
    (re.compile("mimir|grafana", re.IGNORECASE), Flavour.MIMIR),  # Grafana Enterprise Metrics is made of it
    (re.compile("cortex", re.IGNORECASE), Flavour.CORTEX),
    (re.compile("thanos", re.IGNORECASE), Flavour.THANOS),
    (re.compile("prometheus", re.IGNORECASE), Flavour.PROMETHEUS),
)
_FORMS: Mapping[Flavour, Mapping[str, str]] = {
    # By default it leaves out stores that do not answer, and takes down-sampled data for old ones.
    Flavour.THANOS: {"partial_response": "false", "dedup": "true", "max_source_resolution": "0s"},
    # Otherwise time() is 30 s back (-search.latencyOffset), and what is cached may lack late samples.
    Flavour.VICTORIA_METRICS: {"nocache": "1"},
}
_LIMITS = frozenset(
    {
        "query.max-samples", "query.timeout", "query.max-concurrency", "query.max-concurrent",
        "storage.remote.read-sample-limit", "storage.remote.read-concurrent-limit",
        "storage.tsdb.retention.time", "storage.tsdb.retention.size",
        "search.maxSamplesPerQuery", "search.maxQueryDuration", "search.maxUniqueTimeseries", "search.maxExportSeries",
        "search.maxExportDuration", "search.maxConcurrentRequests", "retentionPeriod",
    }
)  # fmt: skip
_EXPORTED = frozenset({"application/stream+json", "application/json"})
_TEXT = frozenset({"text/plain"})


def _must_answer(client: Client) -> None:
    """Raises SourceError unless it answers a query."""
    client.ask("api/v1/query", {"query": "vector(1)"})


def _without_build_info(client: Client, host: str) -> Product:
    """Old versions, and gateways that let only queries through."""
    if host.endswith(".grafana.net"):
        return Product(Flavour.MIMIR, Flavour.MIMIR.value)
    return _victoria(client) if exports(client) else Product(Flavour.UNKNOWN, Flavour.UNKNOWN.value)


def _by_build_info(client: Client, told: Mapping[str, Any]) -> Product:
    application, version = str(told.get("application") or ""), str(told.get("version") or "")
    if application:
        flavour = next((f for pattern, f in _APPLICATIONS if pattern.search(application)), Flavour.UNKNOWN)
        name = application if flavour is Flavour.UNKNOWN else flavour.value
        return Product(flavour, name, version, _flags(client))
    if told.keys() <= {"version"} and exports(client):
        return _victoria(client)  # it tells nothing, or the version of a Prometheus that it wants to pass for
    if "features" in told:
        return Product(Flavour.CORTEX, Flavour.CORTEX.value, version, _flags(client))
    if _is_thanos(client):
        return Product(Flavour.THANOS, Flavour.THANOS.value, version, _flags(client))
    if "revision" in told:
        name = Flavour.PROMETHEUS
        return Product(name, name.value, version, _flags(client), external_labels(client))
    return Product(Flavour.UNKNOWN, Flavour.UNKNOWN.value, version)


def _is_thanos(client: Client) -> bool:
    stores = _open(client, "api/v1/stores")
    return isinstance(stores, dict) and all(isinstance(kind, list) for kind in stores.values())


def _flags(client: Client) -> Mapping[str, str]:
    flags = _open(client, "api/v1/status/flags")
    return (
        {name: str(flags[name]) for name in sorted(_LIMITS & flags.keys())} if isinstance(flags, dict) else {}
    )


def _victoria(client: Client) -> Product:
    flags = dict(re.findall(r'^-([\w.]+)="(.*)"$', _page(client, "flags"), re.MULTILINE))
    version = re.search(r'^vm_app_version\{.*short_version="(.*?)"', _page(client, "metrics"), re.MULTILINE)
    return Product(
        Flavour.VICTORIA_METRICS,
        Flavour.VICTORIA_METRICS.value,
        version[1] if version else "",
        {name: flags[name] for name in sorted(_LIMITS & flags.keys())},
    )


def _open(client: Client, path: str) -> Any:
    """What an API path says; None where it is closed or not there."""
    try:
        return client.ask(path).data
    except SourceError:
        return None


def _page(client: Client, path: str) -> str:
    """A plain page of the server's own; empty where it is closed or not there."""
    try:
        with client.receive(Call(path, kinds=_TEXT)) as body:
            return body.whole(2**22).decode(errors="replace")
    except SourceError:
        return ""

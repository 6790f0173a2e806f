"""The configuration's shape: pydantic models with the defaults that `costlab init` writes out."""

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import orjson
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from costlab.config.accelerator import Accelerator, Texts, without_contradictions
from costlab.config.book import PriceBook, Validity
from costlab.config.destination import Destination
from costlab.config.device_resource import ResourceName
from costlab.config.faults import meant
from costlab.config.section import (
    DAY_MS,
    Cores,
    Count,
    Duration,
    Number,
    Price,
    Ratio,
    Section,
    Size,
    Variable,
    Where,
    WhereLake,
    anchored,
)
from costlab.domain.errors import ConfigError
from costlab.domain.tables import IMPORTED, TABLES

HALF_HOUR_MS = 1_800_000
WAYS_IN = ("bearer_token_file", "token_command", "basic_auth", "sigv4")


class Engine(StrEnum):
    """How samples are read out of Prometheus."""

    AUTO = "auto"
    REMOTE_READ = "remote-read"
    JSON = "json"
    VICTORIA_EXPORT = "victoria-export"


class Basis(StrEnum):
    """What a container is billed for in a cell: the larger of request and usage, or one of them."""

    MAX = "max"
    REQUEST = "request"
    USAGE = "usage"


class WorkloadClass(StrEnum):
    """What kind of work a workload does: its risk and its default size depend on it."""

    TRAINING = "training"
    INFERENCE = "inference"
    NOTEBOOK = "notebook"
    BATCH = "batch"
    SERVICE = "service"


class Risk(StrEnum):
    """How often a workload of a class may exceed what was advised for it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class BasicAuth(Section):
    """A user name, and the file that holds the password."""

    username: str
    password_file: Where


class SigV4(Section):
    """Amazon's request signing; without a profile, credentials are looked for where Amazon's own tools look."""

    region: Annotated[str, Field(min_length=1)]
    profile: str | None = None
    service: Annotated[str, Field(min_length=1)] = "aps"


class Prometheus(Section):
    """Where a cluster's metrics are, and how to ask for them.

    timeout: seconds for one request; signal_timeout: for all requests of one signal of a day, pauses included.
    max_series: in one answer; more are a mistake in the matchers or in an exporter.
    token_command: the program and its arguments; what it prints is the bearer token.
    settle: how long after a day's end its samples may still come; before, the day is not measured.
    """

    url: str
    matchers: Mapping[str, str] = {}
    replica_labels: tuple[str, ...] = ("prometheus_replica",)
    engine: Engine = Engine.AUTO
    max_in_flight: Annotated[Count, Field(ge=1, le=16)] = 2
    timeout: Annotated[Number, Field(gt=0, le=3600)] = 120.0
    signal_timeout: Annotated[Number, Field(gt=0, le=86400)] = 1800.0
    max_series: Annotated[Count, Field(ge=1)] = 500_000
    settle_ms: Annotated[Duration, Field(alias="settle")] = 3_600_000
    headers: Mapping[str, SecretStr] = {}
    bearer_token_file: Where | None = None
    token_command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    basic_auth: BasicAuth | None = None
    sigv4: SigV4 | None = None
    ca_file: Where | None = None
    client_cert: Where | None = None
    client_key: Where | None = None

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        return _plain(
            url,
            "http://prometheus:9090",
            ": use basic_auth or bearer_token_file",
            ": use matchers and headers",
        )

    @field_validator("token_command")
    @classmethod
    def _is_found(cls, command: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if command is None or "/" not in command[0]:  # a bare name is looked for on the PATH
            return command
        return str(anchored(Path(command[0]), info)), *command[1:]

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [way for way in WAYS_IN if getattr(self, way)]
        ways += [f"headers.{name}" for name in self.headers if name.lower() == "authorization"]
        if len(ways) > 1:
            named = f"{', '.join(ways[:-1])} and {ways[-1]}"
            raise PydanticCustomError("auth", "takes one way to authenticate, not {ways}", {"ways": named})
        if self.client_key and not self.client_cert:
            raise PydanticCustomError("auth", "has a client_key without client_cert")
        return self


Pue = Annotated[Number, Field(ge=1, le=10)]
Intensity = Annotated[Number, Field(ge=0, le=10_000)]


class Electricity(Section):
    """What a cluster's electricity is, where it is not as `energy` says."""

    grams_co2_per_kwh: Intensity | None = None
    pue: Pue | None = None


class Cluster(Section):
    """One Kubernetes cluster."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    prometheus: Prometheus
    energy: Electricity = Electricity()


class Fee(Validity):
    """What is paid by the hour whatever runs, such as a control plane; of one cluster, or (null) of each."""

    name: Annotated[str, Field(min_length=1)]
    hourly: Price
    cluster: str | None = None


class Prices(Section):
    """Default rates, fixed fees and the price book; null means that no price is known.

    storage_gib_hour: of a claim whose class the book does not price. network_gib: of what pods send, be it to another
    node or to the world, for metrics do not tell these apart; null: traffic is neither read nor charged.
    """

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    gpu_hour: Price | None = 2.5
    cpu_core_hour: Price = 0.1
    memory_gib_hour: Price = 0.05
    storage_gib_hour: Price | None = 0.0001
    network_gib: Price | None = None
    fees: tuple[Fee, ...] = ()
    book: Where | None = None

    @field_validator("fees")
    @classmethod
    def _are_charged_once(cls, fees: tuple[Fee, ...]) -> tuple[Fee, ...]:
        for i, later in enumerate(fees):
            for earlier in fees[:i]:
                same = earlier.name == later.name and (
                    None in (earlier.cluster, later.cluster) or earlier.cluster == later.cluster
                )
                if same and earlier.overlaps(later):
                    raise PydanticCustomError(
                        "fees", "has {name} twice at the same time", {"name": repr(later.name)}
                    )
        return fees


class Share(Section):
    """Whose cost the others bear when `costlab cost` is asked; nothing that is stored depends on it.

    across: cluster, each cluster's within it; lake, over all clusters.
    """

    namespaces: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")], ...] = ()
    teams: tuple[Annotated[str, Field(pattern=r"^[^,]+$")], ...] = ()
    fees: bool = False
    method: Literal["cost", "even"] = "cost"
    across: Literal["cluster", "lake"] = "cluster"


class Billing(Section):
    """The grid, how long a sample holds, what is billed, and whose cost is shared."""

    basis: Basis = Basis.MAX
    resolution_ms: Annotated[Duration, Field(alias="resolution")] = 60_000
    max_gap_ms: Annotated[Duration, Field(alias="max_gap")] = 300_000
    share: Share = Share()

    @field_validator("resolution_ms")
    @classmethod
    def _divides_half_an_hour(cls, resolution_ms: int) -> int:
        if HALF_HOUR_MS % resolution_ms:
            raise PydanticCustomError("resolution", "must divide 30 minutes: 60s, 30s, 5m, …")
        return resolution_ms


class Energy(Section):
    """CO2 of a kilowatt-hour, and how many of them the data centre draws for one that its machines use.

    The defaults are averages of the world: docs/methods.md names their sources.
    """

    grams_co2_per_kwh: Intensity = 480.0
    pue: Pue = 1.56


class PipelineLabels(Section):
    """Labels by which pods name their pipeline, its task and its run: one of each, or several in their order."""

    pipeline: Texts
    task: Texts = ()
    run: Texts = ()


class Owner(Section):
    """How a pod's team is found, and by which labels its pipeline, before those of the engines that are known."""

    labels: tuple[str, ...] = ("team", "owner")
    namespaces: Mapping[str, str] = {}
    pipelines: tuple[PipelineLabels, ...] = ()


class ClassRule(Section):
    """Pods that have one of these labels, or whose workload's name matches one of these patterns."""

    labels: Mapping[str, str] = {}
    names: tuple[str, ...] = ()


class Quality(Section):
    """Below this coverage a day is committed, but the run ends with exit code 4."""

    min_coverage: Ratio = 0.9


class Least(Section):
    """Of each resource an amount, as Kubernetes writes it: whole millicores, and bytes."""

    cpu: Cores
    memory: Size


class Silence(Section):
    """Containers that get no advice, by patterns of their names: for good, or up to a day (exclusive), and why."""

    namespace: str = "*"
    workload: str = "*"
    container: str = "*"
    resource: Literal["cpu", "memory", "gpu"] | None = None
    until: date | None = None
    reason: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if {self.namespace, self.workload, self.container} == {"*"} and self.resource is None:
            raise PydanticCustomError("silence", "names a namespace, workload, container or resource")
        return self


class Rightsizing(Section):
    """How many past days advice rests on, by which rule it is made, and what is no advice.

    minimum: what is proposed at least. step: what proposals are rounded up to. limits: those that are set are kept (never
    below the request), or they are as the rule says. min_days, min_hours: of usage behind it.
    keep_within: yesterday's advice stands while today's is at most this share below it. near_enough: a change by a
    smaller share is none, nor is a cut that saves less than near_enough_monthly.
    """

    window_ms: Annotated[Duration, Field(alias="window")] = 14 * DAY_MS
    policy: Annotated[str, Field(min_length=1)] = "costlab"
    minimum: Least = Least.model_validate({"cpu": "10m", "memory": "100Mi"})
    step: Least = Least.model_validate({"cpu": "1m", "memory": "1Mi"})
    limits: Literal["keep", "rule"] = "keep"
    min_days: Annotated[Count, Field(ge=1)] = 3
    min_hours: Annotated[Number, Field(ge=0)] = 1.0
    keep_within: Ratio = 0.1
    near_enough: Ratio = 0.05
    near_enough_monthly: Price = 1.0
    silence: tuple[Silence, ...] = ()
    risk: Mapping[WorkloadClass, Risk] = {
        WorkloadClass.TRAINING: Risk.LOW,
        WorkloadClass.INFERENCE: Risk.LOW,
        WorkloadClass.BATCH: Risk.MEDIUM,
        WorkloadClass.NOTEBOOK: Risk.HIGH,
    }

    def risk_of(self, workload_class: str) -> Risk:
        """The risk that a class may take; medium where none is named."""
        known = {name.value: risk for name, risk in self.risk.items()}
        return known.get(workload_class, Risk.MEDIUM)

    @property
    def days(self) -> int:
        """The window in days, at least one."""
        return max(1, self.window_ms // DAY_MS)


class Quota(Section):
    """The room a quota leaves above demand, of how many past days, and how far ahead it looks."""

    headroom: Annotated[Number, Field(ge=0, le=10)] = 0.15
    horizon_ms: Annotated[Duration, Field(alias="horizon")] = 30 * DAY_MS
    window_ms: Annotated[Duration, Field(alias="window")] = 30 * DAY_MS

    @property
    def days(self) -> int:
        """The window in days, at least one."""
        return max(1, self.window_ms // DAY_MS)

    @property
    def days_ahead(self) -> int:
        """The horizon in days, at least one."""
        return max(1, self.horizon_ms // DAY_MS)


class Forecasting(Section):
    """Days on which as little is done as on a Sunday, and the share of intervals that shall hold what comes."""

    holidays: tuple[date, ...] = ()
    coverage: Annotated[Number, Field(ge=0.5, le=0.99)] = 0.8


Alerts = Annotated[tuple[Annotated[Number, Field(gt=0, le=10)], ...], Field(min_length=1)]


class Budget(Section):
    """What a team, a namespace, a pipeline or a cluster may cost in a calendar month, in the lake's currency.

    One of the four is named. Idle and system capacity is a cluster's alone. alert_at: shares of it at which somebody is told.
    """

    team: str | None = None
    namespace: str | None = None
    pipeline: str | None = None
    cluster: str | None = None
    monthly: Annotated[Number, Field(gt=0, le=1_000_000_000)]
    alert_at: Alerts = (0.5, 0.8, 1.0)

    @model_validator(mode="after")
    def _is_of_one(self) -> Self:
        if len(self._named()) != 1:
            raise PydanticCustomError("budget", "names one of team, namespace, pipeline and cluster")
        return self

    @property
    def dimension(self) -> str:
        """What it is of: team, namespace, pipeline or cluster."""
        return next(iter(self._named()))

    @property
    def subject(self) -> str:
        """The name of the team, namespace, pipeline or cluster."""
        return next(iter(self._named().values()))

    def _named(self) -> dict[str, str]:
        return self.model_dump(include={"team", "namespace", "pipeline", "cluster"}, exclude_none=True)


class Report(Section):
    """Where reports are written, and of how many past days the nightly keeps them."""

    out: Annotated[Where, Field(validate_default=True)] = Path("reports/out")
    keep_ms: Annotated[Duration, Field(alias="keep")] = 90 * DAY_MS

    def kept_since(self, today: date) -> date:
        """The first day whose report is kept."""
        return today - timedelta(days=max(1, self.keep_ms // DAY_MS))


class Metrics(Section):
    """Where a night leaves its metrics: a file of the node exporter's textfile collector, a Pushgateway, or both."""

    textfile: Where | None = None
    pushgateway: str | None = None

    @field_validator("textfile")
    @classmethod
    def _is_read(cls, path: Path | None) -> Path | None:
        if path is not None and path.suffix != ".prom":
            raise PydanticCustomError("textfile", "must end with .prom: the collector reads no other files")
        return path

    @field_validator("pushgateway")
    @classmethod
    def _is_plain(cls, url: str | None) -> str | None:
        return url and _plain(url, "http://pushgateway:9091")


class Elasticsearch(Section):
    """Where a night's documents go: an Elasticsearch or OpenSearch, and what the names of their indices begin with.

    api_key_env, api_key_file: where an API key is, as base64; basic_auth: a user, which OpenSearch takes.
    """

    url: str
    index: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")] = "costlab"
    api_key_env: Variable | None = None
    api_key_file: Where | None = None
    basic_auth: BasicAuth | None = None
    ca_file: Where | None = None

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        return _plain(url, "https://elasticsearch:9200", ": use api_key_file or basic_auth")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = ("api_key_env", "api_key_file", "basic_auth")
        if sum(getattr(self, way) is not None for way in ways) > 1:
            raise PydanticCustomError("auth", "takes one of api_key_env, api_key_file and basic_auth")
        if (self.api_key_env or "").startswith("COSTLAB_"):
            raise PydanticCustomError("auth", "names a variable COSTLAB_…, which would be a setting")
        return self


class Configuration(Section):
    """Everything that may stand in `costlab.yaml`."""

    lake: Annotated[WhereLake, Field(validate_default=True)] = Path("lake")
    timezone: str = "UTC"
    clusters: tuple[Cluster, ...] = ()
    accelerators: Annotated[tuple[Accelerator, ...], AfterValidator(without_contradictions)] = ()
    device_resources: Mapping[ResourceName, Annotated[Count, Field(ge=0, le=1000)]] = {}
    prices: Prices = Prices()
    billing: Billing = Billing()
    energy: Energy = Energy()
    owner: Owner = Owner()
    classes: Mapping[WorkloadClass, ClassRule] = {}
    quality: Quality = Quality()
    rightsizing: Rightsizing = Rightsizing()
    quota: Quota = Quota()
    forecast: Forecasting = Forecasting()
    budgets: tuple[Budget, ...] = ()
    report: Report = Report()
    metrics: Metrics = Metrics()
    notify: tuple[Destination, ...] = ()
    elasticsearch: Elasticsearch | None = None
    retention: Mapping[str, Duration] = {
        "container_usage": 30 * DAY_MS,
        "gpu_usage": 30 * DAY_MS,
        "charges": 400 * DAY_MS,
    }

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ValueError, OSError, KeyError):  # malformed, a folder of the database, not in it
            hint = meant(timezone, available_timezones())
            raise PydanticCustomError(
                "timezone", "is no time zone such as Europe/Berlin{hint}", {"hint": hint}
            ) from None
        return timezone

    @field_validator("prices")
    @classmethod
    def _names_clusters(cls, prices: Prices, info: ValidationInfo) -> Prices:
        ids = [cluster.id for cluster in info.data.get("clusters", ())]
        for fee in prices.fees if ids else ():
            if fee.cluster is not None and fee.cluster not in ids:
                told = {"cluster": repr(fee.cluster), "hint": meant(fee.cluster, ids)}
                raise PydanticCustomError(
                    "cluster", "has a fee of cluster {cluster}, which is not configured{hint}", told
                )
        return prices

    @field_validator("retention")
    @classmethod
    def _names_tables(cls, retention: Mapping[str, int]) -> Mapping[str, int]:
        for table in retention.keys() - TABLES.keys():
            raise PydanticCustomError(
                "table",
                "has no table {table}{hint}",
                {"table": repr(table), "hint": meant(table, TABLES)},
            )
        if "runs" in retention:
            raise PydanticCustomError("runs", "cannot delete runs, which says what became of each day")
        whole = retention.get("charges")
        longer = sorted(t for t, ms in retention.items() if whole and ms > whole and t not in IMPORTED)
        if longer:
            told = {"table": longer[0]}
            raise PydanticCustomError(
                "longer", "keeps {table} longer than charges, with which all of a day goes", told
            )
        return retention


class Settings(Configuration):
    """The configuration as it was found: with the price book, and where each value comes from.

    origins: dotted key → "costlab.yaml:12", a variable's name or --lake; a key that is not in it has its default.
    looked_in: where a file was looked for; the file that was found is its last.
    """

    book: PriceBook = PriceBook()
    file: Path | None = None
    looked_in: tuple[Path, ...] = ()
    origins: Mapping[str, str] = {}

    @property
    def config_hash(self) -> str:
        """SHA-256 over what shapes figures beside prices, which have their own hash."""
        names = {"timezone", "accelerators", "device_resources", "billing", "owner", "classes", "quality"}
        shape = self.model_dump(mode="json", include=names, exclude={"billing": {"share"}})
        shape["clusters"] = {
            cluster.id: cluster.prometheus.model_dump(mode="json", include={"matchers", "replica_labels"})
            for cluster in self.clusters
        }
        return sha256(orjson.dumps(shape, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def electricity(self, cluster_id: str) -> Energy:
        """That of a cluster, configured or not."""
        own = next((cluster.energy for cluster in self.clusters if cluster.id == cluster_id), Electricity())
        given = {name: value for name, value in own.model_dump().items() if value is not None}
        return self.energy.model_copy(update=given)

    def chosen(self, cluster_id: str | None = None) -> tuple[Cluster, ...]:
        """The cluster of that id, or all of them; raises ConfigError when there is none."""
        if not self.clusters and self.file is None:
            places = ", ".join(str(place) for place in self.looked_in)
            raise ConfigError(
                f"no configuration found; looked in {places}",
                "write one with `costlab init`, or name it with --config",
            )
        ids = [cluster.id for cluster in self.clusters]
        if not ids:
            raise ConfigError(
                f"{self.file} names no cluster", "add one under `clusters:`; see `costlab config schema`"
            )
        if cluster_id is not None and cluster_id not in ids:
            raise ConfigError(
                f"there is no cluster {cluster_id!r}{meant(cluster_id, ids)}", f"configured: {', '.join(ids)}"
            )
        return tuple(cluster for cluster in self.clusters if cluster_id in (None, cluster.id))


def _plain(url: str, example: str, instead_of_password: str = "", instead_of_query: str = "") -> str:
    """The address without a slash at its end; raises PydanticCustomError, which says what to use instead."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, a port that is no number
        parts, usable = urlsplit(""), False
    told = {"example": example, "password": instead_of_password, "query": instead_of_query}
    if not usable:
        raise PydanticCustomError("url", "must be an address such as {example}", told)
    if "@" in parts.netloc:
        raise PydanticCustomError("url", "must not hold a password{password}", told)
    if parts.query or parts.fragment:
        raise PydanticCustomError("url", "must end before ? and #{query}", told)
    return url.rstrip("/")

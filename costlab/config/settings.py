"""The configuration's shape: pydantic models with the defaults that `costlab init` writes out."""

from collections.abc import Mapping
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import orjson
from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from costlab.config.accelerator import Accelerator, Texts, without_contradictions
from costlab.config.advising import Budget, Forecasting, Quota, Rightsizing, WorkloadClass
from costlab.config.book import PriceBook
from costlab.config.charging import Billing, Electricity, Energy, Prices
from costlab.config.destination import Destination
from costlab.config.device_resource import ResourceName
from costlab.config.faults import meant
from costlab.config.section import DAY_MS, Count, Duration, Ratio, Section, Where, WhereLake
from costlab.config.servers import Elasticsearch, Metrics, Prometheus
from costlab.domain.errors import ConfigError
from costlab.domain.tables import IMPORTED, TABLES


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


class Report(Section):
    """Where reports are written, and of how many past days the nightly keeps them."""

    out: Annotated[Where, Field(validate_default=True)] = Path("reports/out")
    keep_ms: Annotated[Duration, Field(alias="keep")] = 90 * DAY_MS

    def kept_since(self, today: date) -> date:
        """The first day whose report is kept."""
        return today - timedelta(days=max(1, self.keep_ms // DAY_MS))


class Cluster(Section):
    """One Kubernetes cluster."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    prometheus: Prometheus
    energy: Electricity = Electricity()


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

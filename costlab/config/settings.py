"""The configuration's shape: pydantic models with the defaults that `costlab init` writes out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Price = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Engine(StrEnum):
    """How samples are read out of Prometheus."""

    AUTO = "auto"
    JSON = "json"


class Basis(StrEnum):
    """What a container is billed for in a cell: the larger of request and usage, or one of them."""

    MAX = "max"
    REQUEST = "request"
    USAGE = "usage"


class BasicAuth(Section):
    """A user name, and the file that holds the password."""

    username: str
    password_file: Path


class Prometheus(Section):
    """Where a cluster's metrics are, and how to ask for them."""

    url: str
    matchers: dict[str, str] = {}
    replica_labels: list[str] = ["prometheus_replica"]
    engine: Engine = Engine.AUTO
    max_in_flight: Annotated[int, Field(ge=1, le=16)] = 2
    timeout: Annotated[float, Field(gt=0, le=3600)] = 120.0
    headers: dict[str, SecretStr] = {}
    bearer_token_file: Path | None = None
    basic_auth: BasicAuth | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None


class Cluster(Section):
    """One Kubernetes cluster."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    prometheus: Prometheus


class Prices(Section):
    """Default rates and the price book; null means that no price is known."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    gpu_hour: Price | None = 2.5
    cpu_core_hour: Price = 0.1
    memory_gib_hour: Price = 0.05
    book: Path | None = None


class Billing(Section):
    """The grid, how long a sample holds, and what is billed."""

    basis: Basis = Basis.MAX
    resolution: str = "60s"
    max_gap: str = "5m"


class Owner(Section):
    """How a pod's team is found."""

    labels: list[str] = ["team", "owner"]
    namespaces: dict[str, str] = {}


class Quality(Section):
    """Below this coverage a day is committed, but the run ends with exit code 4."""

    min_coverage: Annotated[float, Field(ge=0, le=1)] = 0.9


class Report(Section):
    """Where reports are written."""

    out: Path = Path("reports/out")

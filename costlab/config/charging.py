"""What is charged, and how: prices, fees, what a bill goes by, what is shared, energy."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from costlab.config.book import Validity
from costlab.config.section import Duration, Number, Price, Section, Where

HALF_HOUR_MS = 1_800_000
Pue = Annotated[Number, Field(ge=1, le=10)]
Intensity = Annotated[Number, Field(ge=0, le=10_000)]


class Basis(StrEnum):
    """What a container is billed for in a cell: the larger of request and usage, or one of them."""

    MAX = "max"
    REQUEST = "request"
    USAGE = "usage"


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


class Electricity(Section):
    """What a cluster's electricity is, where it is not as `energy` says."""

    grams_co2_per_kwh: Intensity | None = None
    pue: Pue | None = None


class Energy(Section):
    """CO2 of a kilowatt-hour, and how many of them the data centre draws for one that its machines use.

    The defaults are averages of the world: docs/methods.md names their sources.
    """

    grams_co2_per_kwh: Intensity = 480.0
    pue: Pue = 1.56

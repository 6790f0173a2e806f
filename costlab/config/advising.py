"""What advice, quotas, forecasts and budgets go by."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from costlab.config.section import (
    DAY_MS,
    CalendarDate,
    Cores,
    Count,
    Duration,
    Number,
    Price,
    Ratio,
    Reason,
    Section,
    Size,
)

Alerts = Annotated[tuple[Annotated[Number, Field(gt=0, le=10)], ...], Field(min_length=1)]


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
    until: CalendarDate | None = None
    reason: Reason

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

    holidays: tuple[CalendarDate, ...] = ()
    coverage: Annotated[Number, Field(ge=0.5, le=0.99)] = 0.8


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

"""The metrics that a night leaves for Prometheus: all of them gauges, declared once."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Metric:
    """A gauge: its name, the labels of its series, and what its value means."""

    name: str
    labels: tuple[str, ...]
    doc: str

    def sample(self, value: Decimal | float, *labels: str) -> "Sample":
        """One of its samples; `labels` in the order of the metric's."""
        return Sample(self, dict(zip(self.labels, labels, strict=True)), value)


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric; NaN means that it was not observed."""

    metric: Metric
    labels: dict[str, str]
    value: Decimal | float


_CLUSTER = ("cluster",)

LAST_SUCCESS = Metric(
    "costlab_last_success_timestamp_seconds",
    _CLUSTER,
    "When a night last ended with every day that was due in the lake: exit code 0 or 4.",
)
LAST_RUN = Metric("costlab_last_run_timestamp_seconds", _CLUSTER, "When the last night ended, well or not.")
EXIT_CODE = Metric(
    "costlab_last_run_exit_code",
    _CLUSTER,
    "What the last night ended with for the cluster; docs/operate.md lists the codes.",
)
DURATION = Metric("costlab_last_run_duration_seconds", _CLUSTER, "How long the last night took for it.")
MEASURED = Metric(
    "costlab_last_run_measured", _CLUSTER, "How many days the last night brought into the lake."
)
DAY = Metric(
    "costlab_day_timestamp_seconds",
    _CLUSTER,
    "When the newest day of the lake begins: the one that costlab_day_* tell of.",
)
SAMPLES = Metric("costlab_day_samples", _CLUSTER, "How many samples were read for the day.")
COVERAGE = Metric(
    "costlab_day_coverage_ratio", _CLUSTER, "Observed time over time of occupancy, all containers of the day."
)
COST = Metric(
    "costlab_day_cost",
    (*_CLUSTER, "part", "currency"),
    "What the day cost: the parts add up to its total. Beside are volumes, network and fees.",
)
TEAM_COST = Metric(
    "costlab_day_team_cost",
    (*_CLUSTER, "team", "part", "currency"),
    "What the day cost each team, without idle and system capacity.",
)
SAVING = Metric(
    "costlab_advised_saving_monthly",
    (*_CLUSTER, "team", "currency"),
    "What the cuts that the day advises would save in a month, gross; raises are not set against them.",
)
_OF_BUDGETS = (*_CLUSTER, "dimension", "subject", "currency")
BUDGET = Metric(
    "costlab_budget_monthly",
    _OF_BUDGETS,
    "What a team, namespace, pipeline or cluster may cost in the day's month, in all clusters together.",
)
BUDGET_SPENT = Metric("costlab_budget_spent", _OF_BUDGETS, "What of it was spent by the end of the day.")
BUDGET_EXPECTED = Metric(
    "costlab_budget_expected",
    _OF_BUDGETS,
    "What will have been spent by the end of the month; NaN: not known.",
)
BUDGET_EXHAUSTED = Metric(
    "costlab_budget_exhausted_timestamp_seconds",
    _OF_BUDGETS,
    "The end of the day on which it is expected to be exceeded; no sample where it is not, or is already.",
)

METRICS = (
    LAST_SUCCESS, LAST_RUN, EXIT_CODE, DURATION, MEASURED, DAY, SAMPLES, COVERAGE, COST, TEAM_COST, SAVING,
    BUDGET, BUDGET_SPENT, BUDGET_EXPECTED, BUDGET_EXHAUSTED,
)  # fmt: skip

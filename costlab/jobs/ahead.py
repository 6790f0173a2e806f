"""What a day's report says of the days after it: the rest of the month, budgets, and what runs out."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from costlab.config.advising import Budget, Forecasting
from costlab.domain.dates import Dates
from costlab.domain.findings import Finding, Severity
from costlab.domain.time import Day
from costlab.jobs.alerts import budget_findings, quota_findings, volume_findings
from costlab.jobs.asked import Filters
from costlab.jobs.budgets import Standing, standings
from costlab.jobs.outlook import PAST_DAYS, Outlook, outlooks
from costlab.render.context import AheadDay, BudgetLine, MonthAhead
from costlab.store.warehouse import Warehouse

_ORDER = list(reversed(Severity))

Row = dict[str, Any]


def ahead(
    warehouse: Warehouse, cluster_id: str, day: Day, forecasting: Forecasting, budgets: Sequence[Budget]
) -> tuple[MonthAhead, list[Row]]:
    """The month to its end with the budgets that concern the cluster, and findings as rows of day_findings.

    Nothing after the day is looked at. Budgets of other clusters are left out; one of a team is of all clusters.
    """
    window = Dates(day.date - timedelta(days=PAST_DAYS - 1), day.date + timedelta(days=1))
    found = outlooks(warehouse, "cluster", window, Filters(cluster=cluster_id), forecasting, 1)
    standing = standings(
        warehouse,
        [budget for budget in budgets if budget.cluster in (None, cluster_id)],
        window,
        forecasting,
    )
    volumes = warehouse.query("volume_history", cluster=cluster_id, day=str(day), days=PAST_DAYS)
    quotas = warehouse.query("quota_headroom", cluster=cluster_id, day=str(day)).to_pylist()
    findings = [
        *budget_findings(standing),
        *volume_findings(volumes, forecasting),
        *quota_findings(quotas),
    ]
    own = next((each.budget.monthly for each in standing if each.budget.cluster), None)
    month = MonthAhead(tuple(_days(found[0])) if found else (), own, tuple(_line(each) for each in standing))
    currency = found[0].currency if found else None
    return month, [_row(finding, currency) for finding in findings]


def with_findings(rows: list[Row], more: list[Row]) -> list[Row]:
    """The findings of the day with more of them, in the order of queries/marts/day_findings.sql: the gravest first."""
    return sorted([*more, *rows], key=_gravest_first)


def _gravest_first(row: Row) -> tuple[int, Decimal]:
    return _ORDER.index(Severity(row["severity"])), -(row["amount"] or Decimal(0))


def _days(outlook: Outlook) -> list[AheadDay]:
    days = []
    for count in range(1, outlook.month_days + 1):
        expected, lower, upper = outlook.in_month(count)
        if expected == expected:  # noqa: PLR0124 - NaN, which alone differs from itself: no forecast
            days.append(AheadDay(outlook.last_day.day + count, expected, lower, upper))
    return days


def _line(standing: Standing) -> BudgetLine:
    budget, outlook = standing.budget, standing.outlook
    expected, lower, upper = outlook.by_month_end() if outlook else (float("nan"),) * 3
    spent = outlook.month_cost if outlook else None
    return BudgetLine(
        budget.dimension, budget.subject, budget.monthly, spent, expected, lower, upper, standing.state.value
    )


def _row(finding: Finding, currency: str | None) -> Row:
    return {
        "severity": finding.severity.value,
        "rule": finding.rule,
        "subject": finding.subject,
        "message": finding.message,
        "amount": finding.amount,
        "currency": currency,
    }

"""What the lake tells of each team's day, from which its post is made."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.findings import Finding
from costlab.domain.time import Day
from costlab.jobs.alerts import budget_findings
from costlab.jobs.anomalies import alarms_of
from costlab.jobs.budgets import standings
from costlab.jobs.outlook import PAST_DAYS
from costlab.render.messages.message import Told, key_of
from costlab.store.lake import DayState
from costlab.store.warehouse import Warehouse

OPEN_DAYS = 90  # how far back advice is followed that stands


def of_teams(
    warehouse: Warehouse, settings: Settings, cluster: str, day: Day, others: Iterable[str] = ()
) -> dict[str, Told]:
    """What the lake tells of the day, team by team; nothing of a team is in what another is told.

    others: teams of which something is told although the day has no cost or advice of them.
    Raises ConfigError when the day is not in the lake.
    """

    def rows(query: str, **extra: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = warehouse.query(
            query, cluster=cluster, day=str(day), **extra
        ).to_pylist()
        return found

    headline = rows("headline")
    if not headline:
        raise ConfigError(
            f"{day} of cluster {cluster} is not in the lake",
            f"measure it first: costlab nightly --date {day}",
        )
    costs = {row["team"]: row for row in rows("teams")}
    changes = [row for row in rows("cost_changes", against="") if row["team"]]
    advice, ages = rows("savings"), {key_of(row): row for row in rows("open_advice", days=OPEN_DAYS)}
    alarms = alarms_of(warehouse, cluster, day.date)
    budgets = _budgets(warehouse, settings, day)
    coverage = None if headline[0]["status"] == DayState.COMPLETE else headline[0]["coverage"]
    currency = headline[0]["currency"] or settings.prices.currency
    return {
        team: Told(
            cluster,
            team,
            day.date,
            currency,
            costs.get(team),
            [row for row in changes if row["team"] == team],
            [alarm for alarm in alarms if alarm.subject == team],
            budgets.get(team, ()),
            [row for row in advice if row["team"] == team],
            [ages[key] for row in advice if row["team"] == team and (key := key_of(row)) in ages],
            coverage,
        )
        for team in sorted({*costs, *(row["team"] for row in advice), *others})
    }


def _budgets(warehouse: Warehouse, settings: Settings, day: Day) -> dict[str, list[Finding]]:
    window = Dates(day.date - timedelta(days=PAST_DAYS - 1), day.date + timedelta(days=1))
    owned = [budget for budget in settings.budgets if budget.team]
    if not owned:
        return {}
    return {
        standing.budget.subject: list(budget_findings([standing]))
        for standing in standings(warehouse, owned, window, settings.forecast)
    }

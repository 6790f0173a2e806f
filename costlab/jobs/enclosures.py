"""What a team's mail carries beside its words: its last thirty days as a picture, and its page of the day."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from costlab.config.settings import Settings
from costlab.domain.time import Day
from costlab.jobs.site import Answers, asked
from costlab.render import addresses, figures, ownership
from costlab.render.html import page_html
from costlab.render.messages.mail import Enclosures
from costlab.render.names import named
from costlab.render.ownership import by_owner
from costlab.render.site import CHART_DAYS, OF_TEAMS, team_page
from costlab.render.team_chart import TeamDay, team_png
from costlab.render.trends import since_the_first
from costlab.store.warehouse import Warehouse


class Enclosing:
    """What is enclosed in the mails of a cluster's day; the lake is asked once, when the first is made."""

    def __init__(self, warehouse: Warehouse, settings: Settings, cluster: str, day: Day) -> None:
        self._warehouse, self._settings = warehouse, settings
        self._cluster, self._day = cluster, day

    def of(self, team: str) -> Enclosures:
        """The team's enclosures; none for one without a cost in these days. Nothing of another team is in them."""
        rows = [row for row in self._answers["team_days"] if row["team"] == team]
        if not rows:
            return Enclosures()
        days = _days(rows, since_the_first(self._answers["daily_costs"][-CHART_DAYS:]))
        last = figures.money(Decimal(str(days[-1].cost or 0)), self._currency)
        known = [day.cost for day in days if day.cost is not None]
        total = figures.money(
            sum((row["total_cost"] or Decimal(0) for row in rows), Decimal(0)), self._currency
        )
        shows = f"What {named(team)} cost on each of {figures.counted(len(known), 'day')}: {total}, {last} on the last."
        return Enclosures(
            team_png(days, self._currency, last),
            shows,
            self._page(team),
            f"{addresses.team(team)}-{self._day}.html",
        )

    def _page(self, team: str) -> str:
        """The page of the site, without what leads elsewhere and without its script: it stands alone."""
        page = team_page(team, self._own[team], self._answers, self._currency, ())
        return page_html(replace(page, path=(), links=(), downloads=()), scripted=False).decode()

    @property
    def _currency(self) -> str:
        return self._answers["headline"][0]["currency"] or self._settings.prices.currency

    @cached_property
    def _answers(self) -> Answers:
        found = asked(self._warehouse, self._cluster, self._day, ())
        return {**found, "workload_days": []}  # pages of workloads, which names would lead to

    @cached_property
    def _own(self) -> Mapping[str, Mapping[str, list[dict[str, Any]]]]:
        return by_owner(self._answers, OF_TEAMS, ownership.team)


def _days(rows: list[dict[str, Any]], days: list[dict[str, Any]]) -> list[TeamDay]:
    """Each day; on one that is held and has no row it cost nothing."""
    costs = {row["date"]: row for row in rows}
    return [
        TeamDay(day["date"], None, None)
        if day["status"] == "missing"
        else TeamDay(
            day["date"],
            float(costs[day["date"]]["total_cost"] or 0) if day["date"] in costs else 0.0,
            float(costs[day["date"]]["unused_cost"] or 0) if day["date"] in costs else 0.0,
            day["status"] == "complete",
        )
        for day in days
    ]

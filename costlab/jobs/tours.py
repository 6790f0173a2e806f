"""What is posted of a cluster at a time: a day to those who want each, the week that is over to those who want that."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from costlab.config.destination import Weekday
from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.time import Day
from costlab.jobs.anomalies import alarms_in
from costlab.jobs.enclosures import Enclosing
from costlab.jobs.team_days import of_teams
from costlab.render.messages.digest import DAYS, Week, digest, settled_week
from costlab.render.messages.message import Message, Told, message, settled
from costlab.render.wording import Contribution
from costlab.store.warehouse import Warehouse

# In the order of the query's columns.
_OWED = ("kind", "resource", "team", "namespace", "workload_kind", "workload")
_OF_TEAMS = ("workload", "volume", "network")
_Costs = Mapping[tuple[str, ...], Decimal | None]


@dataclass(frozen=True, slots=True)
class Tour:
    """What there is to tell of each team. day: by which its posts are remembered; newest: whose report belongs to it."""

    cluster: str
    day: date
    newest: Day
    teams: Mapping[str, Told | Week]
    enclosing: Enclosing

    def message(self, team: str, least_monthly: Decimal) -> Message | None:
        """What the team is told, or None when nothing matters."""
        told = self.teams[team]
        return digest(told, least_monthly) if isinstance(told, Week) else message(told, least_monthly)

    def settled(self, team: str, least_monthly: Decimal) -> Message:
        """What stands in the place of a message once nothing matters any more."""
        told = self.teams[team]
        return settled_week(told, least_monthly) if isinstance(told, Week) else settled(told, least_monthly)


def daily(warehouse: Warehouse, settings: Settings, cluster: str, day: Day) -> Tour:
    """The tour of a day; raises ConfigError when it is not in the lake."""
    told = of_teams(warehouse, settings, cluster, day)
    return Tour(cluster, day.date, day, told, Enclosing(warehouse, settings, cluster, day))


def weekly(
    warehouse: Warehouse, settings: Settings, cluster: str, day: Day, weekday: Weekday, held: Collection[date]
) -> Tour:
    """The tour of the last week that is over once the day is: that which ended before its last such weekday.

    held: the days that the lake has of the cluster. Advice and budgets are those of the newest of the week; where the lake
    has none of it there is nothing to tell of any team.
    """
    end = week_end(day.date, weekday)
    there = [of for of in held if end - timedelta(DAYS) < of <= end]
    newest = Day(max(there, default=end), settings.timezone)
    teams = _weeks(warehouse, settings, cluster, newest, end, held) if there else {}
    return Tour(cluster, end, newest, teams, Enclosing(warehouse, settings, cluster, newest))


def week_end(day: date, weekday: Weekday) -> date:
    """The last day up to `day` that is followed by the weekday.

    >>> week_end(date(2026, 11, 24), Weekday.MONDAY)
    datetime.date(2026, 11, 22)
    """
    before = (list(Weekday).index(weekday) - 1) % DAYS
    return day - timedelta((day.weekday() - before) % DAYS)


def _weeks(
    warehouse: Warehouse, settings: Settings, cluster: str, newest: Day, end: date, held: Collection[date]
) -> dict[str, Week]:
    this = Dates(end - timedelta(DAYS - 1), end + timedelta(1))
    costs, costs_before = (_costs(warehouse, cluster, window) for window in (this, this.before))
    # On the newest day, a Sunday mostly, a team may have had nothing: the week is its own all the same.
    told = of_teams(warehouse, settings, cluster, newest, _owners(costs))
    days, days_before = (sum(w.start <= of < w.end for of in held) for w in (this, this.before))
    became = warehouse.query("settled_advice", cluster=cluster, day=str(newest), days=DAYS).to_pylist()
    alarms = alarms_in(warehouse, cluster, this)
    return {
        team: Week(
            of,
            end,
            _total(costs, of) if days else None,
            _total(costs_before, of) if days_before else None,
            days,
            days_before,
            list(_contributions(costs, costs_before, of)),
            [(day, alarm) for day, alarm in alarms if alarm.subject == team],
            [row for row in became if row["team"] == team],
        )
        for team, of in told.items()
    }


def _costs(warehouse: Warehouse, cluster: str, window: Dates) -> _Costs:
    """What each owner owed in the window, by currency and the columns of _OWED; nothing of it is shared."""
    rows = warehouse.query(
        "costs", start=window.start, until=window.end, by=",".join(_OWED), labels="", cluster=cluster, namespace="",
        team="", share_idle="none", namespaces="", teams="", fees="false", method="cost", across="cluster",
    ).to_pylist()  # fmt: skip
    return {(row["currency"], *row["key"]): row["cost"] for row in rows if row["key"]}


def _of(costs: _Costs, told: Told) -> _Costs:
    """Those of the team, in the currency of its day: money of another cannot be added to it."""
    place = 1 + _OWED.index("team")
    return {
        key: cost
        for key, cost in costs.items()
        if (key[0], key[place]) == (told.currency, told.team) and key[1] in _OF_TEAMS
    }


def _owners(costs: _Costs) -> set[str]:
    """The teams that owed something."""
    place = 1 + _OWED.index("team")
    return {key[place] for key in costs if key[1] in _OF_TEAMS}


def _total(costs: _Costs, told: Told) -> Decimal | None:
    """None where nothing of it has a price."""
    own = list(_of(costs, told).values())
    known = [cost for cost in own if cost is not None]
    return None if own and not known else sum(known, Decimal(0))


def _contributions(costs: _Costs, costs_before: _Costs, told: Told) -> Iterator[Contribution]:
    own, own_before = _of(costs, told), _of(costs_before, told)
    for key in sorted({*own, *own_before}):
        _, kind, resource, team, namespace, workload_kind, workload = key
        now, before = (found.get(key) or Decimal(0) for found in (own, own_before))
        yield Contribution(kind, team, workload_kind, workload, namespace, resource, now, before)

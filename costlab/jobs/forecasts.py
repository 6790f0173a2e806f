"""The tables of `costlab forecast`: a row for each team with the month's end and its budget, or for each day ahead."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa

from costlab.config.advising import Budget
from costlab.config.settings import Settings
from costlab.core.forecasting import Band, Way
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import Filters, key_columns
from costlab.jobs.budgets import Standing, alert_reached, exceeded_on, standings, state_of
from costlab.jobs.outlook import TOTAL, Outlook, outlooks
from costlab.store.warehouse import Warehouse

_DIMENSIONS = {name: (name,) for name in ("team", "namespace", "pipeline", "cluster", "total", "date")}
_MONEY = pa.decimal128(18, 2)  # a forecast is not known to the micro-unit

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What was forecast: a row for each month's end or for each day ahead, and how every budget stands."""

    dimension: str
    daily: bool
    rows: pa.Table
    outlooks: list[Outlook]
    standings: list[Standing]

    @property
    def currency(self) -> str | None:
        """The currency of the charges; None when there are none."""
        return next((outlook.currency for outlook in self.outlooks if outlook.currency), None)

    @property
    def unpriced_charges(self) -> int:
        """How many charges have no price, and so are in no sum."""
        return max(
            (outlook.unpriced_charges for outlook in self.outlooks), default=0
        )  # the total has them all

    def looked_at(self, window: Dates) -> Dates:
        """The window from its first day with a charge on: what lies before a young lake is not missing from it."""
        return Dates(min((outlook.first_day for outlook in self.outlooks), default=window.start), window.end)


def forecasts(
    warehouse: Warehouse, by: Sequence[str], window: Dates, filters: Filters, settings: Settings, horizon: int
) -> Forecasts:
    """The forecasts by one dimension and of the total; budgets stand beside them unless something is filtered out.

    Raises ConfigError for an unknown dimension, or several, and when the window holds several currencies.
    """
    dimension, daily = dimension_of(by)
    found = [
        outlook
        for each in dict.fromkeys((dimension, "total"))
        for outlook in outlooks(warehouse, each, window, filters, settings.forecast, horizon)
    ]
    budgets = settings.budgets if filters == Filters() else ()
    rows = day_table(found, dimension, horizon) if daily else month_table(found, dimension, horizon, budgets)
    return Forecasts(dimension, daily, rows, found, standings(warehouse, budgets, window, settings.forecast))


def dimension_of(by: Sequence[str]) -> tuple[str, bool]:
    """What is forecast by, and whether day by day; raises ConfigError for anything but one dimension, and `date`."""
    names = key_columns(by, _DIMENSIONS)
    daily = "date" in names
    wanted = [name for name in names if name != "date"] or ["total"]
    if len(wanted) > 1:
        raise ConfigError(
            f"--by {','.join(by)}: a forecast is by one of {', '.join(_DIMENSIONS)}",
            "ask for one of them; date beside it gives each day ahead",
        )
    return wanted[0], daily


def month_table(
    found: Iterable[Outlook], dimension: str, horizon: int, budgets: Iterable[Budget]
) -> pa.Table:
    """A row for each outlook, the dearest month first, the total last: month, horizon, and budget where there is one.

    The total has a forecast of its own: it is not the sum of the others, whose errors make up for each other.
    """
    of = {budget.subject: budget for budget in budgets if budget.dimension == dimension}
    rows = [_month_row(outlook, dimension, horizon, of.get(outlook.subject)) for outlook in found]
    rows.sort(
        key=lambda row: (
            row[dimension] == TOTAL,
            -(row["month_end_cost"] or row["month_cost"]),
            row[dimension],
        )
    )
    return pa.Table.from_pylist(rows, _month_schema(dimension))


def day_table(found: Iterable[Outlook], dimension: str, horizon: int) -> pa.Table:
    """A row for each outlook and day ahead; sum_cost is of the days ahead up to it."""
    rows = [
        {
            dimension: outlook.subject,
            "date": outlook.last_day + timedelta(days=day + 1),
            **_amounts("", outlook.ahead.days, day),
            **_amounts("sum_", outlook.ahead.sums, day),
        }
        for outlook in found
        for day in range(horizon)
    ]
    return pa.Table.from_pylist(rows, _day_schema(dimension))


def _month_row(outlook: Outlook, dimension: str, horizon: int, budget: Budget | None) -> Row:
    ahead = outlook.ahead
    expected, lower, upper = map(_money, outlook.by_month_end())
    return {
        dimension: outlook.subject,
        "month": f"{outlook.last_day:%Y-%m}",
        "until": outlook.last_day,
        "month_cost": _money(float(outlook.month_cost)),
        "month_missing_days": outlook.missing_days,
        "month_end_cost": expected,
        "month_end_cost_lower": lower,
        "month_end_cost_upper": upper,
        **_amounts("next_", ahead.sums, horizon - 1),
        "next_days": horizon,
        "budget": _money(budget.monthly) if budget else None,
        "budget_state": state_of(budget, outlook).value if budget else None,
        "budget_exceeded_on": exceeded_on(budget, outlook) if budget else None,
        "budget_alert_reached": alert_reached(budget, outlook) if budget else None,
        "known_days": ahead.known_days,
        "measured_days": ahead.measured_days,
        "daily_error": _money(ahead.error),
        "way": _in_words(ahead.way),
        "no_forecast": ahead.reason.value if ahead.reason else None,
        "unpriced_charges": outlook.unpriced_charges,
    }


def _month_schema(dimension: str) -> pa.Schema:
    text, count, day = pa.string(), pa.int64(), pa.date32()
    return pa.schema(
        [
            (dimension, text), ("month", text), ("until", day), ("month_cost", _MONEY), ("month_missing_days", count),
            ("month_end_cost", _MONEY), ("month_end_cost_lower", _MONEY), ("month_end_cost_upper", _MONEY),
            ("next_cost", _MONEY), ("next_cost_lower", _MONEY), ("next_cost_upper", _MONEY), ("next_days", count),
            ("budget", _MONEY), ("budget_state", text), ("budget_exceeded_on", day), ("budget_alert_reached", pa.float64()),
            ("known_days", count), ("measured_days", count), ("daily_error", _MONEY), ("way", text), ("no_forecast", text),
            ("unpriced_charges", count),
        ]
    )  # fmt: skip


def _day_schema(dimension: str) -> pa.Schema:
    money = ("cost", "cost_lower", "cost_upper", "sum_cost", "sum_cost_lower", "sum_cost_upper")
    return pa.schema([(dimension, pa.string()), ("date", pa.date32()), *((name, _MONEY) for name in money)])


def _amounts(prefix: str, band: Band, day: int) -> Row:
    parts = {"cost": band.level, "cost_lower": band.lower, "cost_upper": band.upper}
    return {prefix + name: _money(float(part[day])) for name, part in parts.items()}


def _money(amount: float) -> Decimal | None:
    return round(Decimal(amount), 2) if isfinite(amount) else None


def _in_words(way: Way | None) -> str | None:
    """What was found to be least wrong: level of 28 days, weekdays, trend."""
    if way is None:
        return None
    parts = (f"level of {way.window} days", "weekdays" * way.weekdays, "trend" * way.trend)
    return ", ".join(part for part in parts if part)

"""What it will cost: the days ahead of each team, namespace, pipeline or cluster, and the month as it will end."""

from calendar import monthrange
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import numpy as np

from costlab.config.advising import Forecasting
from costlab.core.arrays import Floats
from costlab.core.forecasting import LONGEST, Forecast, forecast
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import Filters
from costlab.store.warehouse import Warehouse

TOTAL = "(total)"
PAST_DAYS = LONGEST

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one of a dimension's values cost, and will cost.

    past: float64, cost of each day from `first_day` on, NaN = not known; the last is of `last_day`. month_cost: of
    `last_day`'s month up to it, as it was charged; missing_days of that time have no charges in the lake and are in no
    sum. ahead: from the day after `last_day` on, at least to the end of the month, which is month_days ahead.
    """

    subject: str
    currency: str | None
    past: Floats
    last_day: date
    month_cost: Decimal
    missing_days: int
    month_days: int
    ahead: Forecast
    unpriced_charges: int = 0

    @property
    def first_day(self) -> date:
        """The day of past[0]."""
        return self.last_day - timedelta(days=len(self.past) - 1)

    def by_month_end(self) -> tuple[float, float, float]:
        """What the month will have cost: expected, lower and upper bound; NaN where that is not known."""
        return self.in_month(self.month_days)

    def in_month(self, days: int) -> tuple[float, float, float]:
        """What the month will have cost in so many days, none of them after its end."""
        spent, sums = float(self.month_cost), self.ahead.sums
        if days == 0:
            return spent, spent, spent
        return tuple(spent + float(part[days - 1]) for part in (sums.level, sums.lower, sums.upper))  # type: ignore[return-value]  # three of them


def outlooks(
    warehouse: Warehouse,
    by: str,
    window: Dates,
    filters: Filters,
    forecasting: Forecasting,
    horizon: int,
) -> list[Outlook]:
    """The outlook of each value of a dimension, by name; empty when the window holds no charge.

    by: team, namespace, pipeline, cluster or total. Days that are not complete in the lake are gaps. The days ahead begin
    after the lake's last day within the window. Raises ConfigError when the window holds several currencies.
    """
    rows = warehouse.query(
        "cost_history",
        start=min(window.start, (window.end - timedelta(days=1)).replace(day=1)),
        until=window.end,
        by=by,
        **{name: wanted or "" for name, wanted in asdict(filters).items()},
    ).to_pylist()
    currencies = sorted({row["currency"] for row in rows} - {None})
    if len(currencies) > 1:
        raise ConfigError(
            f"the window holds {' and '.join(currencies)}, which do not add up",
            "narrow it with --window or --cluster",
        )
    return [
        _outlook(subject, list(days), window, forecasting, horizon)
        for subject, days in groupby(rows, key=lambda row: row["subject"])
    ]


def _outlook(subject: str, rows: list[Row], window: Dates, forecasting: Forecasting, horizon: int) -> Outlook:
    last_day: date = rows[-1]["date"]
    month_days = monthrange(last_day.year, last_day.month)[1] - last_day.day
    of_month = [row for row in rows if row["date"] >= last_day.replace(day=1)]
    days = [row for row in rows if row["date"] >= window.start]
    past = np.array(
        [float(row["cost"]) if row["known"] and row["cost"] is not None else np.nan for row in days]
    )
    horizon = max(horizon, month_days)
    first_day = last_day - timedelta(days=len(past) - 1)
    dates = [first_day + timedelta(days=i) for i in range(len(past) + horizon)]
    free = set(forecasting.holidays)
    return Outlook(
        subject,
        rows[0]["currency"],
        past,
        last_day,
        sum((row["cost"] for row in of_month if row["cost"] is not None), Decimal(0)),
        sum(row["cost"] is None for row in of_month),
        month_days,
        forecast(
            past,
            first_day.weekday(),
            horizon,
            holidays=np.array([day in free for day in dates]),
            coverage=forecasting.coverage,
        ),
        sum(row["unpriced_charges"] for row in rows),
    )

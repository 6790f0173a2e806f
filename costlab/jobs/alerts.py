"""What runs out, and when: budgets, volumes and quotas, as findings that say by how much and on which day."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.config.advising import Forecasting
from costlab.core.arrays import Ints
from costlab.core.forecasting import LONGEST, forecast, highest
from costlab.domain.findings import Finding, Severity
from costlab.jobs.budgets import BudgetState, Standing, alert_reached, exceeded_on, spent_beyond
from costlab.jobs.outlook import Outlook
from costlab.render import figures, quota_words

DAYS_AHEAD = 30

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """When a limit is reached: expected on `day`, and as early as on `earliest`; None: not within the days ahead.

    Both are the last day itself where it has reached the limit already.
    """

    day: date | None
    earliest: date | None


def exhaustion(
    used: Sequence[float | None],
    last_day: date,
    limit: float,
    forecasting: Forecasting,
    days: int = DAYS_AHEAD,
) -> Exhaustion | None:
    """When what is used will reach the limit, within so many days; None where too little is known to forecast it.

    used: of each day up to `last_day`, oldest first, in the limit's unit; None or NaN = not known.
    """
    past = np.array([np.nan if value is None else value for value in used], np.float64)
    if len(past) and past[-1] >= limit:
        return Exhaustion(last_day, last_day)
    first_day = last_day - timedelta(days=len(past) - 1)
    free = set(forecasting.holidays)
    holidays = np.array([first_day + timedelta(days=i) in free for i in range(len(past) + days)], np.bool_)
    found = forecast(past, first_day.weekday(), days, holidays=holidays, coverage=forecasting.coverage)
    if found.reason:
        return None
    return Exhaustion(*(_first(part >= limit, last_day) for part in (found.days.level, found.days.upper)))


def budget_findings(standings: Iterable[Standing]) -> Iterator[Finding]:
    """Of each budget the one thing that matters most: exceeded, will be, may be, or a share that was reached."""
    for standing in standings:
        budget, outlook = standing.budget, standing.outlook
        subject = f"budget of {budget.dimension} {budget.subject}"
        if outlook is None:
            text = "no charge of the time looked at is of it"
            yield Finding("budget_without_charges", Severity.INFO, subject, text)
            continue
        found = _of_budget(standing, outlook)
        if found:
            rule, severity, text, over = found
            yield Finding(rule, severity, subject, text, None if over is None else round(over, 6))


def _of_budget(standing: Standing, outlook: Outlook) -> tuple[str, Severity, str, Decimal | None] | None:
    budget = standing.budget
    expected, lower, upper = outlook.by_month_end()
    limit = figures.money(Decimal(budget.monthly), outlook.currency or "")

    def money(amount: float | Decimal) -> str:
        return figures.money(Decimal(amount), outlook.currency or "")

    spent = f"{money(outlook.month_cost)} of {limit} spent by {outlook.last_day}"
    if outlook.missing_days:
        spent += f", {figures.counted(outlook.missing_days, 'day')} of the month not known and not counted"
    end = f"by the end of {figures.month(outlook.last_day)}"
    match standing.state:
        case BudgetState.EXCEEDED:
            over = spent_beyond(budget, outlook)
            return "budget_exceeded", Severity.WARNING, f"exceeded: {spent}", over
        case BudgetState.WILL_BE_EXCEEDED:
            band = f" ({money(lower)} to {money(upper)})" if isfinite(upper) else ""
            text = (
                f"will be exceeded on {exceeded_on(budget, outlook)}: {money(expected)}{band} {end}; {spent}"
            )
            over = Decimal(expected) - Decimal(budget.monthly)
            return "budget_will_be_exceeded", Severity.WARNING, text, over
        case BudgetState.MAY_BE_EXCEEDED:
            text = f"may be exceeded: {money(expected)}, up to {money(upper)}, {end}; {spent}"
            return "budget_may_be_exceeded", Severity.INFO, text, None
    reached = alert_reached(budget, outlook)
    if reached is None:
        return None
    return "budget_share_reached", Severity.INFO, f"{figures.share(reached)} reached: {spent}", None


def volume_findings(rows: pa.Table, forecasting: Forecasting) -> Iterator[Finding]:
    """Claims that are full, or will be within 30 days: the table of volume_history, one claim's days after another's."""
    for history in _filling(rows, forecasting):
        *_, last = history
        used = {row["date"]: row["used_bytes"] for row in history}
        count = (last["date"] - history[0]["date"]).days
        days = [last["date"] - timedelta(days=ago) for ago in range(count, -1, -1)]
        found = exhaustion(list(map(used.get, days)), last["date"], last["requested_bytes"], forecasting)
        if found and found.day:
            words = _when(found, last["date"])
            amounts = f"{figures.gib(last['used_bytes'])} GiB of {figures.gib(last['requested_bytes'])} GiB"
            subject = f"claim {last['namespace']}/{last['claim']} of {last['cluster']}"
            text = f"{words}: {amounts} used on {last['date']}"
            yield Finding("volume_filling", Severity.WARNING, subject, text)


def quota_findings(rows: Iterable[Row]) -> Iterator[Finding]:
    """ResourceQuota keys that are used up, or are expected to be: rows of quota_headroom.

    A quota of nothing is meant to be used up. What only may be used up is in the report's table, and no finding.
    """
    for row in rows:
        if row["hard_now"] and (row["reason"] == "exhausted" or row["exhausted_on"]):
            when = quota_words.runs_out(row)
            words = "is used up" if row["reason"] == "exhausted" else f"runs out on {when}"
            amounts = [
                quota_words.amount(row[name], row["resource"])
                for name in ("used_now", "hard_now", "suggested_hard")
            ]
            names = ", ".join(row["quotas"])
            subject = f"quota {names} of {row['namespace']} in {row['cluster']}: {row['resource']}"
            text = "{}: {} of {} asked for at a time, {} would do".format(words, *amounts)
            yield Finding("quota_filling", Severity.WARNING, subject, text)


def _filling(rows: pa.Table, forecasting: Forecasting) -> Iterator[list[Row]]:
    """The rows of those that are full, or that any way of forecasting sees full within 30 days: few of thousands."""
    if not rows.num_rows:
        return
    ends = _ends(rows)
    begins = np.concatenate([[0], ends[:-1]])
    day = rows["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    used = rows["used_bytes"].to_numpy()
    limits = rows["requested_bytes"].to_numpy()[ends - 1]
    last = day[ends - 1]
    claim = np.repeat(np.arange(len(ends)), ends - begins)
    ago = last[claim] - day
    past, known = np.full((len(ends), LONGEST), np.nan), ago < LONGEST
    past[claim[known], LONGEST - 1 - ago[known]] = used[known]
    free = set(forecasting.holidays)
    for last_day in np.unique(last):
        same = np.flatnonzero(last == last_day)
        first_day = date(1970, 1, 1) + timedelta(days=int(last_day) - (LONGEST - 1))
        holidays = [first_day + timedelta(days=i) in free for i in range(LONGEST + DAYS_AHEAD)]
        most = highest(past[same], first_day.weekday(), np.array(holidays, np.bool_), DAYS_AHEAD)
        reached = np.fmax(most, past[same, -1]) >= limits[same] * (1 - 1e-9)
        for i in same[reached]:
            yield rows.slice(begins[i], ends[i] - begins[i]).to_pylist()


def _ends(rows: pa.Table) -> Ints:
    """Where each claim's rows end: int64 (claims,), one past the last."""
    another = np.zeros(rows.num_rows - 1, np.bool_)
    for name in ("cluster", "namespace", "claim"):
        column = rows[name]
        another |= pc.not_equal(column.slice(1), column.slice(0, rows.num_rows - 1)).to_numpy()
    return np.append(np.flatnonzero(another) + 1, rows.num_rows)


def _when(found: Exhaustion, last_day: date) -> str:
    if found.day == last_day:
        return "is full"
    early = found.earliest and found.day and found.earliest < found.day
    return f"will be full on {found.day}" + (f", as early as on {found.earliest}" if early else "")


def _first(reached: Any, last_day: date) -> date | None:
    return last_day + timedelta(days=int(np.argmax(reached)) + 1) if reached.any() else None

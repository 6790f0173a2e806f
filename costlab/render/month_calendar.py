"""A cluster's days as a calendar, month by month, with the weeks and months that have an edition."""

from calendar import Calendar
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal

from costlab.domain.dates import Dates, month_of, week_of
from costlab.render import figures, trends, wording
from costlab.render.cells import ZERO, Row
from costlab.render.context import CalendarDay, CalendarMonth, CalendarWeek, Part, Split


def calendar(
    days: list[Row],
    currency: str,
    reports: Collection[date],
    editions: Mapping[Dates, str],
) -> tuple[CalendarMonth, ...]:
    """The days of daily_costs by month, the latest month first. editions: the addresses of weeks and months that have one."""
    rows = {row["date"]: row for row in trends.since_the_first(days)}
    largest = max((row["total_cost"] or ZERO for row in rows.values()), default=ZERO)
    months = sorted({(day.year, day.month) for day in rows}, reverse=True)

    def shown(day: date, month: int) -> CalendarDay | None:
        if day.month != month or day not in rows:
            return None
        return _calendar_day(rows[day], currency, largest, f"{day}/index.html" if day in reports else "")

    return tuple(
        CalendarMonth(
            f"{figures.month(date(year, month, 1))} {year}",
            _month_note([row for day, row in rows.items() if (day.year, day.month) == (year, month)], currency),
            tuple(
                _week(week[0], tuple(shown(day, month) for day in week), editions)
                for week in Calendar().monthdatescalendar(year, month)
                if any(shown(day, month) for day in week)
            ),
            editions.get(month_of(date(year, month, 1)), ""),
        )
        for year, month in months
    )  # fmt: skip


def _week(monday: date, days: tuple[CalendarDay | None, ...], editions: Mapping[Dates, str]) -> CalendarWeek:
    year, number, _ = monday.isocalendar()
    return CalendarWeek(days, number, f"Week {number} of {year}", editions.get(week_of(monday), ""))


def _calendar_day(row: Row, currency: str, largest: Decimal, address: str) -> CalendarDay:
    when, total, usual = row["date"], row["total_cost"], row["usual_cost"]
    name = figures.long_date(when)
    if total is None:
        return CalendarDay(str(when), when.day, name, row["status"], address=address)
    parts = tuple((part, float(row[f"{part}_cost"] / largest)) for part in Part) if largest else ()
    change = total - usual if usual else None
    small = change is None or abs(change) < usual * wording.FLAT
    return CalendarDay(
        str(when),
        when.day,
        name,
        row["status"],
        figures.short_money(total, currency),
        "" if change is None or small else wording.signed_share(change / usual),
        "" if change is None or small else "bad" if change > 0 else "good",
        Split(parts),
        address,
    )


def _month_note(rows: list[Row], currency: str) -> str:
    known = [row["total_cost"] for row in rows if row["total_cost"] is not None]
    odd = {state: sum(row["status"] == state for row in rows) for state in ("incomplete", "missing")}
    said = [
        figures.money(sum(known, ZERO), currency) + f" in {figures.counted(len(known), 'day')}"
        if known
        else "nothing known"
    ]
    return ", ".join([*said, *(f"{count} {state}" for state, count in odd.items() if count)])

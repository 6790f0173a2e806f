"""What one team is told of a week: what it cost against the week before, what is open, and what became of earlier advice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from costlab.domain.findings import Finding
from costlab.render import figures
from costlab.render.cells import RESOURCES
from costlab.render.messages.message import (
    MOST_ACTIONS,
    Message,
    Row,
    Told,
    action_of,
    alert_key,
    budget_text,
    key_of,
    more_of,
    notes_of,
    nothing_open,
    team_title,
    worth_telling,
)
from costlab.render.names import named
from costlab.render.wording import FLAT, UNALLOCATED, Contribution, find_cause, led_by

DAYS = 7
_ALARMS = 5


@dataclass(frozen=True, slots=True)
class Week:
    """What the lake tells of a team's week.

    told: its newest day that the lake has; end: the week's last day. cost, cost_before: of this week and of the one before,
    None where nothing is known; days, days_before: how many days of them the lake has. contributions: this week's costs
    beside those of the week before. alarms: what began in it, with its day; settled: rows of settled_advice.
    """

    told: Told
    end: date
    cost: Decimal | None
    cost_before: Decimal | None
    days: int
    days_before: int
    contributions: Sequence[Contribution] = ()
    alarms: Sequence[tuple[date, Finding]] = ()
    settled: Sequence[Row] = ()

    @property
    def start(self) -> date:
        """The week's first day."""
        return self.end - timedelta(DAYS - 1)


def digest(week: Week, least_monthly: Decimal) -> Message | None:
    """What the team is told, or None when nothing matters: no alarm, no budget, no action, and nothing that was done.

    least_monthly: a cut that saves less in a month is no action.
    """
    told = week.told
    actions = worth_telling(told.advice, least_monthly)
    done = [row for row in _told_of(week.settled, least_monthly) if row["became"] == "done"]
    alarms = sorted(week.alarms, key=lambda each: (-(each[1].amount or Decimal(0)), each[0]))[:_ALARMS]
    if not (actions or alarms or told.budgets or done):
        return None
    ages = {key_of(row): row for row in told.ages}
    shown = tuple(action_of(told, row, ages.get(key_of(row))) for row in actions[:MOST_ACTIONS])
    keys = [alert_key(replace(told, day=day, alarms=[alarm]), alarm) for day, alarm in alarms]
    keys += [alert_key(told, budget) for budget in told.budgets]
    keys += [action.key for action in shown]
    keys += ["/".join((told.cluster, *key_of(row), "done")) for row in done]
    return Message(
        told.cluster,
        told.team,
        week.end,
        _title(week),
        _sentence(week),
        (*(alarm.message for _, alarm in alarms), *map(budget_text, told.budgets)),
        shown,
        more_of(actions[MOST_ACTIONS:]),
        (*_gaps(week), *notes_of(told)),
        tuple(keys),
        _followed(week, actions, least_monthly),
        week.start,
    )


def settled_week(week: Week, least_monthly: Decimal) -> Message:
    """What stands in the place of a digest once nothing matters any more."""
    return Message(
        week.told.cluster, week.told.team, week.end, _title(week), _sentence(week), (), (),
        nothing_open(week.told, least_monthly), (*_gaps(week), *notes_of(week.told)), (), since=week.start,
    )  # fmt: skip


def _told_of(settled: Sequence[Row], least_monthly: Decimal) -> list[Row]:
    """The rows of settled_advice that saved enough to have been told."""
    return [
        row for row in settled if row["monthly_saving_gross"] and row["monthly_saving_gross"] >= least_monthly
    ]


def _title(week: Week) -> str:
    amount = "cost not known" if week.cost is None else figures.money(week.cost, week.told.currency)
    return f"{team_title(week.told.team)}: {amount} in the week to {figures.short_date(week.end)}"


def _sentence(week: Week) -> str:
    """What the team cost in the week, against the week before, and the one cause of the difference."""
    told = week.told
    whose = "What belongs to no team" if told.team == UNALLOCATED else f"Team {named(told.team)}"
    when = f"from {figures.medium_date(week.start)} to {figures.medium_date(week.end)} {week.end.year}"
    if week.cost is None:
        return f"{whose} has no cost that is known {when}."
    before = week.cost_before if (week.days, week.days_before) == (DAYS, DAYS) else None
    to = figures.step(max(abs(week.cost), abs(before or Decimal(0))), told.currency)
    opening = (
        f"{whose} cost {figures.money(week.cost, told.currency, to=to) if week.cost else 'nothing'} {when}"
    )
    if before is None:
        return f"{opening}; the two weeks are not both in the lake in whole, so they are not compared."
    change = week.cost.quantize(to) - before.quantize(to)
    if not change or abs(change) < abs(before) * FLAT:
        return f"{opening}, much as in the week before."
    way, amount = "more" if change > 0 else "less", figures.money(abs(change), told.currency, to=to)
    cause = led_by(find_cause(week.contributions, week.cost - before), told.currency)
    return f"{opening}, {amount} {way} than in the week before ({figures.money(before, told.currency, to=to)}){cause}."


def _followed(week: Week, actions: Sequence[Row], least_monthly: Decimal) -> tuple[str, ...]:
    """What became of earlier advice: what was done, what else is no more, and what is open and what that lost."""
    told, said = week.told, []
    settled = _told_of(week.settled, least_monthly)
    done = [row for row in settled if row["became"] == "done"]
    if done:
        saved = sum((row["monthly_saving_gross"] for row in done), Decimal(0))
        names = "; ".join(_change(row) for row in done[:MOST_ACTIONS])
        more = f"; and {len(done) - MOST_ACTIONS} more" if len(done) > MOST_ACTIONS else ""
        amount = figures.money(saved, told.currency)
        said.append(f"Done since the week before, {amount} a month: {names}{more}.")
    gone, other = (sum(row["became"] == why for row in settled) for why in ("gone", "withdrawn"))
    left = (
        [f"{figures.counted(gone, 'change')} whose {'workload is' if gone == 1 else 'workloads are'} gone"]
        if gone
        else []
    )
    left += [f"{figures.counted(other, 'change')} for other reasons"] if other else []
    if left:
        said.append(f"No longer advised: {' and '.join(left)}.")
    lost = {key_of(row): row["lost_cost"] for row in told.ages}
    whole = sum((lost.get(key_of(row)) or Decimal(0) for row in actions), Decimal(0))
    if actions and whole:
        are = "is" if len(actions) == 1 else "are"
        amount = figures.money(whole, told.currency)
        said.append(f"{figures.counted(len(actions), 'change')} {are} open, {amount} lost so far.")
    return tuple(said)


def _change(row: Row) -> str:
    resource = RESOURCES.get(row["resource"], str(row["resource"]))
    container = (
        f", container {named(row['container'])}" if row["container"] not in ("", row["workload"]) else ""
    )
    return f"{resource} of {named(row['workload_kind'])} {named(row['workload'])} in {named(row['namespace'])}{container}"


def _gaps(week: Week) -> tuple[str, ...]:
    if week.days == DAYS:
        return ()
    return (f"The lake has {week.days} of the week's {DAYS} days.",)

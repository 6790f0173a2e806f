"""What one team is told of one day: what it cost with the one cause, what is wrong, and what would give money back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from costlab.domain.advice import Action as Advised
from costlab.domain.advice import Reason
from costlab.domain.findings import Finding
from costlab.render import advice_words, figures
from costlab.render.alarms import alarm_sentence
from costlab.render.cells import RESOURCES
from costlab.render.manifests.forms import kubectl_line
from costlab.render.manifests.workload import Steps, workloads
from costlab.render.names import named
from costlab.render.wording import FLAT, UNALLOCATED, Contribution, find_cause

MOST_ACTIONS = 5
_RAISES = 2  # of those that were killed for want of memory, which come first

Row = Mapping[str, Any]
Key = tuple[str, ...]
KEY = ("namespace", "workload_kind", "workload", "container", "resource", "action")


@dataclass(frozen=True, slots=True)
class Action:
    """One change: whose, what, its money, its risk, its evidence, since when it is advised, and the line that makes it.

    patch: empty where no manifest can say it; by_hand: then what has to be done in its place, where that is known.
    facts: the figures behind the words, as JSON can say them.
    """

    key: str
    subject: str
    change: str
    saving: str
    risk: str
    evidence: str
    age: str
    patch: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    by_hand: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Its words below its subject, without the patch."""
        told = self.change, f"{self.saving}; {self.age}", f"Risk: {self.risk}", f"Evidence: {self.evidence}"
        return (*told, f"No patch: {self.by_hand}") if self.by_hand else told


@dataclass(frozen=True, slots=True)
class Message:
    """What a team is told. more: of actions that are not among the five; notes: reservations.

    keys: what it tells, so that it is told once in a while only; a sentence on an ordinary day has none.
    followed: what became of earlier advice, in sentences; since: the first day that it tells of, None where it is of one.
    """

    cluster: str
    team: str
    day: date
    title: str
    sentence: str
    alerts: tuple[str, ...]
    actions: tuple[Action, ...]
    more: str
    notes: tuple[str, ...]
    keys: tuple[str, ...]
    followed: tuple[str, ...] = ()
    since: date | None = None

    @property
    def first_day(self) -> date:
        """The first day that it tells of."""
        return self.since or self.day

    def shortened(self, actions: int, alerts: int | None = None, followed: int | None = None) -> "Message":
        """With so many of its actions, alerts and sentences, the first ones; it says how many others there are."""
        fit = replace(
            self,
            actions=self.actions[:actions],
            alerts=self.alerts[:alerts],
            followed=self.followed[:followed],
        )
        left = {
            "action": len(self.actions) - len(fit.actions),
            "alert": len(self.alerts) - len(fit.alerts),
            "sentence": len(self.followed) - len(fit.followed),
        }
        more = [f"{figures.counted(count, what)} did not fit in." for what, count in left.items() if count]
        return replace(fit, more=" ".join([*more, *([self.more] if self.more else [])]))

    def pared(self) -> Iterator["Message"]:
        """Itself, and then with fewer and fewer parts: without actions from the last one on, then alerts, then the rest."""
        for actions in range(len(self.actions), 0, -1):
            yield self.shortened(actions)
        for alerts in range(len(self.alerts), 0, -1):
            yield self.shortened(0, alerts)
        for followed in range(len(self.followed), -1, -1):
            yield self.shortened(0, 0, followed)


@dataclass(frozen=True, slots=True)
class Told:
    """What the lake tells of a team's day.

    cost: its row of teams, None without one; changes: its rows of cost_changes. alarms, budgets: findings that concern it.
    advice: its rows of savings; ages: rows of open_advice. coverage: of the day, None where it is complete.
    """

    cluster: str
    team: str
    day: date
    currency: str
    cost: Row | None = None
    changes: Sequence[Row] = ()
    alarms: Sequence[Finding] = ()
    budgets: Sequence[Finding] = ()
    advice: Sequence[Row] = ()
    ages: Sequence[Row] = ()
    coverage: float | None = None


def message(told: Told, least_monthly: Decimal) -> Message | None:
    """What the team is told, or None when nothing matters: no alarm, no budget, no action.

    least_monthly: a cut that saves less in a month is no action. Of raises only those of what was killed for want of
    memory are, and they come first.
    """
    actions = worth_telling(told.advice, least_monthly)
    alerts = [*told.alarms, *told.budgets]
    if not actions and not alerts:
        return None
    ages = {key_of(row): row for row in told.ages}
    shown = tuple(action_of(told, row, ages.get(key_of(row))) for row in actions[:MOST_ACTIONS])
    return Message(
        told.cluster,
        told.team,
        told.day,
        _title(told),
        told.alarms[0].message if told.alarms else _sentence(told),
        tuple(budget_text(finding) for finding in told.budgets),
        shown,
        more_of(actions[MOST_ACTIONS:]),
        notes_of(told),
        (*(alert_key(told, finding) for finding in alerts), *(action.key for action in shown)),
    )


def settled(told: Told, least_monthly: Decimal) -> Message:
    """What stands in the place of a message once nothing matters any more."""
    nothing = nothing_open(told, least_monthly)
    return Message(
        told.cluster, told.team, told.day, _title(told), _sentence(told), (), (), nothing, notes_of(told), ()
    )


def nothing_open(told: Told, least_monthly: Decimal) -> str:
    """That there is nothing to do."""
    saves = (
        f"that saves {figures.money(least_monthly, told.currency)} a month" if least_monthly else "advised"
    )
    return f"Nothing is open: no alarm, no budget to look after, no change {saves}."


def is_news(found: Message, told_before: set[str]) -> bool:
    """Whether it tells anything that was not told already."""
    return not told_before.issuperset(found.keys)


def key_of(row: Row) -> Key:
    """What tells a row of savings or open_advice apart within a day."""
    return tuple(row[name] for name in KEY)


def worth_telling(advice: Sequence[Row], least_monthly: Decimal) -> list[Row]:
    """The rows of savings that are told: those that were killed for want of memory, then what saves most."""
    priced = [row for row in advice if row["monthly_saving_gross"] is not None]
    killed = [row for row in priced if row["monthly_saving_gross"] < 0 and row["reason"] == Reason.OOM_KILLED]
    cuts = [row for row in priced if row["monthly_saving_gross"] >= max(least_monthly, Decimal("0.000001"))]
    cuts.sort(key=lambda row: (-row["monthly_saving_gross"], key_of(row)))
    killed.sort(key=key_of)
    return [*killed[:_RAISES], *cuts]


def alert_key(told: Told, finding: Finding) -> str:
    """What an alarm or a budget is told by."""
    # An alarm is of its day; a budget is told again when its state or its month is another one, or its next share is reached.
    when = told.day.isoformat() if finding in told.alarms else f"{told.day:%Y-%m}"
    share = f"/{finding.message.partition(' ')[0]}" if finding.rule == "budget_share_reached" else ""
    return f"{finding.rule}/{finding.subject}/{when}{share}"


def action_of(told: Told, row: Row, age: Row | None) -> Action:
    """A row of savings as it is told; age: its row of open_advice, None where it is new."""
    kind, workload, namespace = (row[name] for name in ("workload_kind", "workload", "namespace"))
    container = f", container {named(row['container'])}" if row["container"] not in ("", workload) else ""
    days = age["open_days"] if age else 1
    lost = age["lost_cost"] if age else None
    patch, by_hand = _patch(told.cluster, row)
    return Action(
        key="/".join((told.cluster, *key_of(row))),
        subject=f"{named(kind)} {named(workload)} in {named(namespace)}{container}",
        change=_change(row),
        saving=capital(advice_words.saving(row)),
        risk=advice_words.risk(row),
        evidence=f"{advice_words.evidence(row)}; {_why(row)}",
        age=_age(days, lost, row["currency"]),
        patch=patch,
        by_hand=by_hand,
        facts={name: _plain(row[name]) for name in _FACTS} | {"open_days": days, "lost_cost": _plain(lost)},
    )


def _patch(cluster: str, row: Row) -> tuple[str, str]:
    """The line to copy, of this change alone; or none, and what hinders it."""
    found = workloads([{**row, "cluster": cluster}])
    return kubectl_line(found[0], Steps()) if found else ("", "")


_FACTS = (
    *KEY, "current_request", "proposed_request", "current_limit", "proposed_limit", "reason", "evidence",
    "evidence_days", "coverage", "violation_rate", "promised_rate", "currency", "monthly_saving_gross",
    "monthly_saving_net",
)  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN is not observed


def _change(row: Row) -> str:
    resource = RESOURCES.get(row["resource"], str(row["resource"]))
    if row["action"] == Advised.REQUEST:
        return f"{resource}: {advice_words.change(row)}"
    does = advice_words.ACTIONS.get(row["action"], named(row["action"]))
    slice_ = f": {named(row['mig_profile'])}" if row.get("mig_profile") else ""
    other = row["proposed_request"] is not None and row["proposed_request"] != row["current_request"]
    return f"{resource}: {does}{slice_}" + (f" ({advice_words.change(row)})" if other else "")


def _why(row: Row) -> str:
    """Why it is advised; that it is advised says nothing, so then what the claim rests on."""
    told = advice_words.EVIDENCE.get(row["evidence"])
    plain = row["reason"] == Reason.ADVISED and row["action"] != Advised.SCHEDULE
    return told if told and plain else advice_words.reason(row)


def _age(days: int, lost: Decimal | None, currency: str) -> str:
    if days <= 1:
        return "new"
    text = f"open for {figures.counted(days, 'day')}"
    return f"{text}, {figures.money(lost, currency)} lost so far" if lost else text


def _title(told: Told) -> str:
    cost = None if told.cost is None else told.cost["total_cost"]
    amount = "cost not known" if cost is None else figures.money(cost, told.currency)
    return f"{team_title(told.team)}: {amount} on {figures.short_date(told.day)}"


def team_title(team: str) -> str:
    """How a title begins that is a team's."""
    return "No team" if team == UNALLOCATED else named(team)


def _sentence(told: Told) -> str:
    """What the team cost, against what is usual for it, and the one cause of the difference, out of its own costs."""
    whose = "What belongs to no team" if told.team == UNALLOCATED else f"Team {named(told.team)}"
    when, weekday = figures.long_date(told.day), figures.weekday(told.day)
    cost = None if told.cost is None else told.cost["total_cost"]
    if told.cost is None or cost is None:
        return f"{whose} has no cost that is known on {when}."
    usual = told.cost["usual_cost"]
    to = figures.step(max(abs(cost), abs(usual or 0)), told.currency)
    amount = figures.money(cost, told.currency, to=to) if cost else "nothing"
    if usual is None:
        return f"{whose} cost {amount} on {when}; there is no {weekday} of the last four weeks to compare it with."
    change = cost.quantize(to) - usual.quantize(to)
    if not change or abs(change) < abs(usual) * FLAT:
        return f"{whose} cost {amount} on {when}, much like a usual {weekday}."
    cause = find_cause(map(Contribution.of, told.changes), cost - usual)
    return alarm_sentence({"team": told.team}, told.day, cost, usual, cause, told.currency)


def budget_text(finding: Finding) -> str:
    """A budget's finding as a sentence."""
    return f"{capital(named(finding.subject))}: {finding.message}"


def more_of(rows: Sequence[Row]) -> str:
    """What the changes that are not shown would save; empty without any."""
    if not rows:
        return ""
    saved = sum((row["monthly_saving_gross"] for row in rows), Decimal(0))
    words = figures.counted(len(rows), "more change")
    return f"{words} would save {figures.money(saved, rows[0]['currency'])} a month."


def notes_of(told: Told) -> tuple[str, ...]:
    """What a day's figures are told with."""
    notes = []
    if told.coverage is not None:
        seen = figures.share(told.coverage)
        notes.append(f"The day is incomplete: usage was observed for only {seen} of the time.")
    if told.cost is not None and told.cost["unpriced_charges"]:
        notes.append("Not all of it is counted: some of it has no known price.")
    return tuple(notes)


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]

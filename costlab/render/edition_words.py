"""The sentences of a weekly or monthly edition: what it cost, against the period before, and the one cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from costlab.domain.dates import Dates, month_of
from costlab.render import figures, wording
from costlab.render.names import named

RUNS_NAMED = 4
_ONE = Decimal(1)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class PeriodCost:
    """What a week or month cost. total: None when nothing of it had a price, or no day of it is in the lake.

    missing: days that are not in the lake; incomplete: days that are, and whose usage was observed too little; open: days
    that are, and whose nodes did not tell what they have, so that nothing is idle.
    """

    window: Dates
    total: Decimal | None
    missing: tuple[date, ...] = ()
    incomplete: tuple[date, ...] = ()
    open: tuple[date, ...] = ()

    @property
    def days(self) -> int:
        """How many days are in the lake."""
        return len(self.window) - len(self.missing)

    @property
    def monthly(self) -> bool:
        """Whether it is a month, else a week."""
        return self.window == month_of(self.window.start)


@dataclass(frozen=True, slots=True)
class Compared:
    """A period beside the one before it. Months are compared by the day: they have 28 to 31 of them.

    first: the lake's first day of this cluster. other_currency: that of the period before, where it is another.
    """

    cluster: str
    currency: str
    now: PeriodCost
    before: PeriodCost
    first: date
    other_currency: str = ""
    unpriced_charges: int = 0

    @property
    def comparable(self) -> bool:
        """Whether a change is told: every day of both periods is in the lake, with all that it cost, in one currency."""
        known = self.now.total is not None and self.before.total is not None
        gaps = any((each.missing or each.open) for each in (self.now, self.before))
        return known and not gaps and not self.other_currency

    @property
    def each(self) -> str:
        """What amounts that are compared are for: ` a day` in months."""
        return " a day" if self.now.monthly else ""

    @property
    def amount(self) -> Decimal | None:
        """The period's cost as it is compared."""
        return None if self.now.total is None else self.now.total / self.parts[0]

    @property
    def usual(self) -> Decimal | None:
        """What it is compared with; None where nothing is."""
        return (
            self.before.total / self.parts[1] if self.comparable and self.before.total is not None else None
        )

    @property
    def parts(self) -> tuple[Decimal, Decimal]:
        """By what costs of the two periods are divided before they are compared."""
        if not self.now.monthly:
            return _ONE, _ONE
        return Decimal(len(self.now.window)), Decimal(len(self.before.window))

    @property
    def step(self) -> Decimal:
        """What compared amounts are rounded to."""
        return figures.step(max(self.amount or _NOTHING, self.usual or _NOTHING, key=abs), self.currency)

    @property
    def change(self) -> Decimal | None:
        """Printed amount less printed amount before, so that a reader who subtracts gets the same; None without either."""
        if self.amount is None or self.usual is None:
            return None
        return self.amount.quantize(self.step) - self.usual.quantize(self.step)

    @property
    def flat(self) -> bool:
        """Whether it is as in the period before."""
        return self.change is not None and abs(self.change) < abs(self.usual or _NOTHING) * wording.FLAT


def headline(told: Compared, cause: wording.Cause | None = None) -> str:
    """What the cluster cost in the period, the change against the one before, and the one cause.

    Further sentences follow only where the figure needs a reservation.
    """
    who, when = named(told.cluster), within(told.now.window)
    if told.now.total is None:
        opening = f"What cluster {who} cost in {when} is not known: none of its nodes has a price."
    elif told.now.missing:
        opening = f"Cluster {who} cost {_money(told, told.now.total)} in {when}, as far as is known: {_missing(told)}."
    else:
        opening = f"Cluster {who} {_cost(told, when)}{_change(told, cause)}."
    return " ".join([opening, *_reservations(told)])


def change_note(told: Compared) -> str:
    """The tile's second line: +$2,100 (+5%) on the week before; $4,010 a day, +$120 (+3%) on September."""
    rate = ""
    if told.now.monthly and told.amount is not None and not told.now.missing:
        rate = f"{figures.money(told.amount, told.currency, to=told.step)} a day, "
    if told.change is None or told.usual is None:
        return rate + why_not(told)
    if told.flat:
        return f"{rate}as in {_before(told)} ({figures.money(told.usual, told.currency, to=told.step)})"
    ratio = f" ({wording.signed_share(told.change / told.usual)})" if told.usual else ""
    amount = figures.money(told.change, told.currency, signed=True, to=told.step)
    return f"{rate}{amount}{ratio} on {_before(told)}"


def why_not(told: Compared) -> str:  # noqa: PLR0911 - one line a case
    """Why no change is told, in few words; empty where one is."""
    if told.comparable:
        return ""
    if told.now.total is None:
        return "no price is known"
    if told.now.missing:
        return f"{figures.counted(len(told.now.missing), 'day is', 'days are')} missing"
    if told.first >= told.now.window.start:
        return f"the first {_unit(told)} in the lake"
    if not told.before.days:
        return f"nothing is known of {_before(told)}"
    if told.other_currency:
        return f"{_before(told)} is in {told.other_currency}"
    if told.before.missing:
        return f"of {_before(told)} {figures.counted(len(told.before.missing), 'day is', 'days are')} missing"
    if told.now.open or told.before.open:
        return "idle capacity is not known of all days"
    return f"no price is known of {_before(told)}"


def within(window: Dates) -> str:
    """A period as a sentence has it: week 47 of 2026, November 2026."""
    if window == month_of(window.start):
        return f"{figures.month(window.start)} {window.start.year}"
    year, week, _ = window.start.isocalendar()
    return f"week {week} of {year}"


def days_named(days: Sequence[date]) -> str:
    """Rising days in words: 4 November, 6 to 8 November and 30 November to 2 December; few of many.

    >>> days_named([date(2026, 11, 4), date(2026, 11, 6), date(2026, 11, 7)])
    '4 November and 6 to 7 November'
    """
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    shown, hidden = (
        (runs, []) if len(runs) <= RUNS_NAMED else (runs[: RUNS_NAMED - 1], runs[RUNS_NAMED - 1 :])
    )
    names = [_run(run) for run in shown]
    if hidden:
        names.append(figures.counted(sum(map(len, hidden)), "other day"))
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _run(days: list[date]) -> str:
    first, last = days[0], days[-1]
    if first == last:
        return figures.medium_date(first)
    begin = (
        str(first.day) if (first.year, first.month) == (last.year, last.month) else figures.medium_date(first)
    )
    return f"{begin} to {figures.medium_date(last)}"


def _cost(told: Compared, when: str) -> str:
    total = told.now.total or _NOTHING
    cost = f"cost {_money(told, total) if total else 'nothing'} in {when}"
    if not told.now.monthly or told.amount is None or not total:
        return cost
    return f"{cost} ({figures.money(told.amount, told.currency, to=told.step)} a day)"


def _change(told: Compared, cause: wording.Cause | None) -> str:
    if told.change is None or told.usual is None:
        return _alone(told)
    usual, before = figures.money(told.usual, told.currency, to=told.step), _before(told)
    if not told.now.total:
        return f", against {usual}{told.each} in {before}" if told.usual else f", as {before} did"
    if told.flat:
        return f", much like {before} ({usual}{told.each})"
    led = wording.led_by(cause, told.currency, told.each)
    if not told.usual:
        return f"; {before} cost nothing{led}"
    amount = figures.money(abs(told.change), told.currency, to=told.step)
    ratio = figures.share(float(abs(told.change) / told.usual))
    direction = "more" if told.change > 0 else "less"
    return f", {amount}{told.each} ({ratio}) {direction} than in {before}{led}"


def _alone(told: Compared) -> str:  # noqa: PLR0911 - one line a case
    """The end of the sentence where nothing is compared, of a period that is whole."""
    if told.first >= told.now.window.start:
        return f", the first {_unit(told)} in the lake: there is nothing to compare it with yet"
    if not told.before.days:
        return f"; the lake has no day of {_before(told)} to compare it with"
    if told.other_currency:
        return f"; {_before(told)} is in {told.other_currency}, and not compared"
    if told.before.missing:
        days, verb = days_named(told.before.missing), "is" if len(told.before.missing) == 1 else "are"
        return f"; it is not compared with {_before(told)}, of which {days} {verb} missing"
    if told.before.open and not told.now.open:
        days = days_named(told.before.open)
        return f"; it is not compared with {_before(told)}, of which the idle capacity of {days} is not known"
    if told.now.open:
        return f"; it is not compared with {_before(told)}"
    return f"; it is not compared with {_before(told)}, of which no price is known"


def _missing(told: Compared) -> str:
    days = told.now.missing
    verb = "is" if len(days) == 1 else "are"
    return f"{days_named(days)} {verb} missing, not counted, and so nothing is compared"


def _reservations(told: Compared) -> list[str]:
    said = []
    if told.now.open:
        said.append(
            f"Idle capacity of {days_named(told.now.open)} is not in it: what the nodes had is not known."
        )
    if told.now.incomplete:
        said.append(f"Usage was observed for too little of {days_named(told.now.incomplete)}.")
    if told.unpriced_charges and told.now.total is not None:
        verb = "charge has" if told.unpriced_charges == 1 else "charges have"
        said.append(f"Not all of it is counted: {told.unpriced_charges:,} {verb} no known price.")
    return said


def _before(told: Compared) -> str:
    return figures.month(told.before.window.start) if told.now.monthly else "the week before"


def _unit(told: Compared) -> str:
    return "month" if told.now.monthly else "week"


def _money(told: Compared, amount: Decimal) -> str:
    return figures.money(amount, told.currency)

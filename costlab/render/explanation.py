"""One recommendation in words: every number behind it, step by step, as text or Markdown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from costlab.domain.advice import Action, Reason
from costlab.domain.units import Resource
from costlab.render import advice_words, figures
from costlab.render.names import markdown, named, resource_name

MONTH_HOURS = 730
_OF_STARTUP = ("starts", "startup", "otherwise", "held_by_startup")  # told in a sentence of their own
_EXAMPLES = 3  # days of violation that are named; the table has all


@dataclass(frozen=True, slots=True)
class UsageDay:
    """What all replicas together used on a day: percentiles of cores or bytes, NaN where nothing was observed.

    throttled_ratio: throttled periods of the CPU limit / all periods; None without a limit, NaN where none was observed.
    """

    date: date
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    occupied_hours: float
    observed_hours: float
    throttled_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A row of advice with what it was made of. unit_price: of a core-hour or GiB-hour, None where none is known.

    whole: all days as one, None without a day. peaks: the largest raw usage in each hour, by the lake's clock, that the
    lake still holds.
    """

    row: Mapping[str, Any]
    days: Sequence[UsageDay]
    whole: UsageDay | None = None
    unit_price: Decimal | None = None
    peaks: Sequence[tuple[datetime, float]] = ()

    @property
    def title(self) -> str:
        """web, CPU."""
        container = named(self.row["container"]) if self.row["container"] else "all containers"
        return f"{container}, {resource_name(self.row['resource'])}"

    @property
    def subject(self) -> str:
        """shop/Deployment/api in cluster prod."""
        row = self.row
        return (
            named(f"{row['namespace']}/{row['workload_kind']}/{row['workload']}")
            + f" in cluster {named(row['cluster'])}"
        )

    @property
    def violations(self) -> list[UsageDay]:
        """The days on which usage went above what is proposed; none of them unless something is proposed."""
        bound = self.row["proposed_request"]
        return [] if bound is None else [day for day in self.days if self.decisive(day) > bound]

    def decisive(self, day: UsageDay) -> float:
        """What a day is held to, as in docs/methods.md: memory its peak, CPU what it was above for a tenth of the time."""
        return day.max if self.row["resource"] == Resource.MEMORY else day.p90


def steps(explained: Explanation) -> list[tuple[str, str]]:
    """What is said, in order: a heading and a sentence each."""
    row = explained.row
    of_request = row["action"] == Action.REQUEST
    told = [("Advice", _advice(row)), ("Why", _sentence(advice_words.reason(row)))]
    if of_request:  # what else is advised rests on what is known beside
        told.append(("Usage", _usage(explained)))
        if explained.whole and explained.whole.throttled_ratio is not None:
            told.append(("Throttling", _throttling(explained.whole.throttled_ratio, explained.days)))
        if "startup" in row["facts"]:
            told.append(("Start-up", _startup(row)))
    told += [("Rule", _rule(row)), ("Evidence", _evidence(row))]
    if of_request and row["proposed_request"] is not None:
        told += [("Risk", _sentence(advice_words.risk(row))), ("Past days", _past(explained))]
    if row["monthly_saving_gross"] is not None:
        told.append(("Saving", _saving(explained)))
    elif row["monthly_cost"] is not None:
        told.append(("Cost", f"It costs {figures.money(row['monthly_cost'], row['currency'])} a month."))
    if "monthly_saving" in row["facts"]:
        told.append(("Saving", _beside(row)))
    further = {name: value for name, value in row["facts"].items() if name not in _OF_STARTUP}
    if further:
        facts = ", ".join(
            f"{named(name).replace('_', ' ')}: {_fact(name, value, row)}" for name, value in further.items()
        )
        told.append(("Also known", f"{facts}."))
    return told


def text(explanations: Sequence[Explanation]) -> str:
    """The explanations as plain text, with a table of days each."""
    lines: list[str] = []
    for explained in explanations:
        told = steps(explained)
        width = max(len(head) for head, _ in told)
        lines += [
            f"{explained.subject}: {explained.title}",
            f"Advice of {figures.long_date(explained.row['date'])}",
            "",
        ]
        lines += [f"  {head:<{width}}  {said}" for head, said in told]
        table = days_table(explained)
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        for line in table if explained.days else ():
            cells = [
                cell.ljust(w) if i in (0, len(line) - 1) else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            ]
            lines.append(("  " + "  ".join(cells)).rstrip())
        lines.append("")
    return "\n".join(lines)


def as_markdown(explanations: Sequence[Explanation]) -> str:
    """The explanations in Markdown."""
    lines: list[str] = []
    for explained in explanations:
        lines += [f"## {markdown(explained.subject)}: {markdown(explained.title)}", ""]
        lines += [f"Advice of {figures.long_date(explained.row['date'])}", ""]
        lines += [f"- **{head}**: {markdown(said)}" for head, said in steps(explained)]
        head, *rows = days_table(explained)
        if rows:
            lines += ["", _line(head), _line(["---", *["---:"] * (len(head) - 2), "---"])]
            lines += [_line([markdown(cell) for cell in row]) for row in rows]
        lines.append("")
    return "\n".join(lines)


def days_table(explained: Explanation) -> list[list[str]]:
    """Usage day by day, its head first; the last column says on which days the proposal was exceeded."""
    memory = explained.row["resource"] == Resource.MEMORY
    shown = figures.gib if memory else _cores
    above = set(explained.violations)
    head = [
        "day",
        *(f"{name}, {'GiB' if memory else 'cores'}" for name in ("median", "p95", "p99", "maximum")),
        "observed",
        "",
    ]
    return [head] + [
        [
            day.date.isoformat(), *(shown(value) for value in (day.p50, day.p95, day.p99, day.max)),
            figures.share(_coverage(day)), "above the proposal" if day in above else "",
        ]
        for day in explained.days
    ]  # fmt: skip


def _advice(row: Mapping[str, Any]) -> str:
    if row["proposed_request"] is None and row["action"] == "request":
        now = advice_words.amount(row["current_request"], row["resource"])
        return (
            f"None: the request of {now} stays."
            if row["current_request"] is not None
            else "None; no request is set."
        )
    if row["action"] == Action.SCHEDULE:
        facts = row["facts"]
        hours = named(f"{facts.get('down', '')}, by the clock of {facts.get('timezone', 'the lake')}")
        if row["reason"] == Reason.ADVISED:
            return _sentence(f"scale down at these hours: {hours}")
        return _sentence(f"none; it looks idle at these hours: {hours}")
    words = {action.value: said for action, said in advice_words.ACTIONS.items()}
    said = words.get(row["action"], named(row["action"]))
    if row["reason"] != Reason.ADVISED and row["action"] != Action.REQUEST:
        return _sentence(f"none; it was looked at whether to {said}")
    return _sentence(f"{said}: {advice_words.change(row)}" if row["proposed_request"] is not None else said)


def _fact(name: str, value: str, row: Mapping[str, Any]) -> str:
    of_request = name == "peak" and row["action"] == Action.REQUEST
    return advice_words.amount(float(value), row["resource"]) if of_request else named(value)


def _beside(row: Mapping[str, Any]) -> str:
    """Money that may not be added to the savings of requests, which save some of the same."""
    money = figures.money(Decimal(row["facts"]["monthly_saving"]), row["currency"])
    return f"{money} a month at its own prices, not to be added to what other requests save."


def _usage(explained: Explanation) -> str:
    whole, resource = explained.whole, explained.row["resource"]
    if whole is None or whole.max != whole.max:
        return "None was observed."
    parts = [
        f"{name} {advice_words.amount(value, resource)}"
        for name, value in (
            ("median", whole.p50),
            ("p95", whole.p95),
            ("p99", whole.p99),
            ("maximum", whole.max),
        )
    ]
    days = figures.counted(len(explained.days), "day")
    return _sentence(f"{', '.join(parts)}, of all replicas over {days}")


def _throttling(ratio: float, days: Sequence[UsageDay]) -> str:
    """What is above the limit waits: with less of it, usage is what the container was given, not what it needs."""
    if math.isnan(ratio):
        return "Not observed, though it has a CPU limit."
    if not ratio:
        return "Its CPU limit never throttled it."
    worst = max((day for day in days if day.throttled_ratio), key=lambda day: day.throttled_ratio or 0.0)
    return (
        f"Its CPU limit throttled it in {advice_words.rate(ratio)} of its periods, at most in "
        f"{advice_words.rate(worst.throttled_ratio or 0.0)} on {figures.short_date(worst.date)}."
    )


def _startup(row: Mapping[str, Any]) -> str:
    """What a start takes, and where a cut ends for its sake."""
    facts, resource = row["facts"], row["resource"]
    most, otherwise = (advice_words.amount(float(facts[name]), resource) for name in ("startup", "otherwise"))
    starts = "one start" if facts["starts"] == "1" else f"the median of {facts['starts']} starts"
    told = f"It uses {most} while it starts ({starts}), and later at most {otherwise}."
    if "held_by_startup" not in facts:
        return told
    if resource == Resource.MEMORY:
        return f"{told} With less it would be killed at its next start, so no cut goes below that."
    return f"{told} A cut leaves half of that, so that on a full node a start takes at most twice as long."


def _rule(row: Mapping[str, Any]) -> str:
    rule, _, chose = row["policy"].partition(": ")
    return f"{named(rule)}" + (f" chose {named(chose)}." if chose else ".")


def _evidence(row: Mapping[str, Any]) -> str:
    words = {kind.value: said for kind, said in advice_words.EVIDENCE.items()}
    days = figures.counted(row["evidence_days"], "day")
    return _sentence(
        f"{words.get(row['evidence'], named(row['evidence']))}; {days}, {figures.share(row['coverage'])} of their time observed"
    )


def _past(explained: Explanation) -> str:
    """How the proposal would have fared; CPU waits where memory is killed, so a moment above is not held against it."""
    row = explained.row
    above, seen = explained.violations, [day for day in explained.days if not math.isnan(day.max)]
    bound = advice_words.amount(row["proposed_request"], row["resource"])
    days = figures.counted(len(seen), "day")
    how = "" if row["resource"] == Resource.MEMORY else " for a tenth of the time"
    if not above:
        told = f"On none of {days} was usage above {bound}{how}"
    else:
        worst = sorted(above, key=lambda day: -day.max)[:_EXAMPLES]
        named_days = ", ".join(
            f"{figures.short_date(day.date)} ({advice_words.amount(explained.decisive(day), row['resource'])})"
            for day in worst
        )
        more = ", …" if len(above) > len(worst) else ""
        told = f"On {len(above)} of {days} usage was above {bound}{how}: {named_days}{more}"
    moments = sum(day.max > row["proposed_request"] for day in seen)
    return f"{told}; for moments on {moments}." if how else f"{told}."


def _saving(explained: Explanation) -> str:
    """Quantity times price times hours is the most it can be; what is saved is less where usage is above the request."""
    row = explained.row
    told = []
    now, then, price = row["current_request"], row["proposed_request"], explained.unit_price
    if (
        now is not None
        and then is not None
        and price is not None
        and row["resource"] in (Resource.CPU, Resource.MEMORY)
    ):
        size = Decimal(repr(now - then)) / (2**30 if row["resource"] == Resource.MEMORY else 1)
        amount = size * Decimal(repr(row["replicas"])) * MONTH_HOURS * price
        unit = "GiB" if row["resource"] == Resource.MEMORY else "cores"
        replicas = f"{row['replicas']:.3g}"
        told.append(
            f"({advice_words.size(_sized(now, unit))} − {advice_words.size(_sized(then, unit))} {unit}) × "
            f"{replicas} {'replica' if replicas == '1' else 'replicas'} × {MONTH_HOURS} hours × {price.normalize():f} {row['currency']} = "
            f"{figures.money(amount, row['currency'])} a month between the requests"
        )
    if row["monthly_saving_gross"] is not None:
        gross = row["monthly_saving_gross"]
        told.append(
            f"gross, as usage above a request is paid for in any case, {figures.money(gross, row['currency'], signed=True)}"
        )
    if row["monthly_saving_net"] is not None:
        net = figures.money(row["monthly_saving_net"], row["currency"], signed=True)
        told.append(f"net of capacity that stays while its nodes do, {net}")
    if row["monthly_cost"] is not None:
        told.append(f"of {figures.money(row['monthly_cost'], row['currency'])} a month now")
    return _sentence("; ".join(told)) if told else "Not known: there is no price."


def _sized(quantity: float, unit: str) -> float:
    return quantity / 2**30 if unit == "GiB" else quantity


def _cores(value: float) -> str:
    return f"{value:.3g}" if 0 < value < 1 else figures.quantity(value)


def _coverage(day: UsageDay) -> float | None:
    return day.observed_hours / day.occupied_hours if day.occupied_hours else None


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

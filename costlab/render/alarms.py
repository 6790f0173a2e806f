"""The sentence that tells of a cost that is far from its level."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from costlab.render import figures
from costlab.render.names import named
from costlab.render.wording import UNALLOCATED, Cause, led_by

_NOBODY = {"(idle)": "Idle capacity", "(system)": "Capacity kept for the system", "(fee)": "Fixed fees"}


def alarm_sentence(
    subject: Mapping[str, str], day: date, cost: Decimal, usual: Decimal, cause: Cause | None, currency: str
) -> str:
    """What the subject cost on the day, against what, and the one cause.

    subject: the columns that tell it apart, such as {"team": "nlp"}.
    """
    to = figures.step(max(abs(cost), abs(usual)), currency)
    change = cost.quantize(to) - usual.quantize(to)
    way = "more" if change > 0 else "less"
    amount, change_text, usual_text = (
        figures.money(each, currency, to=to) if each else "nothing" for each in (cost, abs(change), usual)
    )
    return (
        f"{_name(subject)} cost {amount} on {figures.long_date(day)}, {change_text} {way} than on a usual "
        f"{figures.weekday(day)} ({usual_text}){led_by(cause, currency)}."
    )


def _name(subject: Mapping[str, str]) -> str:
    """Team nlp; Job train-llm in namespace nlp."""
    [first, *_] = subject.values()
    if first in _NOBODY:
        return _NOBODY[first]
    if "workload" in subject:
        if subject["workload"] == "(none)":
            return f"What no workload of namespace {named(subject['namespace'])} uses"
        return f"{named(subject['workload_kind'])} {named(subject['workload'])} in namespace {named(subject['namespace'])}"
    if subject.get("team") == UNALLOCATED:
        return "What belongs to no team"
    [(what, name)] = subject.items()
    return f"{what.capitalize()} {named(name)}"

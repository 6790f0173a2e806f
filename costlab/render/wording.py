"""The report's sentences: what the day cost, against what, and the one cause."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter
from typing import Any

from costlab.render import figures
from costlab.render.names import named, resource_name

_NOTHING = Decimal(0)
FLAT = Decimal("0.02")  # a change below 2 % is what one quiet day differs from another by
UNALLOCATED = "unallocated"  # the team of what no label and no configuration gives to one


@dataclass(frozen=True, slots=True)
class DayCost:
    """What the headline is made of.

    total: None when nothing on the day had a price. usual: the mean of the same weekdays before, None without any.
    previous: the day before, None when it is not in the lake. first: the lake's first day of this cluster.
    capacity_known: whether the nodes told what they have; without it nothing is idle or the system's.
    """

    cluster: str
    when: date
    currency: str
    total: Decimal | None
    usual: Decimal | None
    previous: Decimal | None
    first: date
    complete: bool
    coverage: float
    unpriced_nodes: int
    capacity_known: bool = True

    @property
    def change(self) -> Decimal | None:
        """Printed total less printed usual, so that a reader who subtracts gets the same; None without either."""
        if self.total is None or self.usual is None:
            return None
        return self.total.quantize(self.step) - self.usual.quantize(self.step)

    @property
    def step(self) -> Decimal:
        """What the day's amounts are rounded to, so that they can be compared."""
        return figures.step(max(abs(self.total or _NOTHING), abs(self.usual or _NOTHING)), self.currency)

    @property
    def flat(self) -> bool:
        """Whether the day is as usual."""
        return self.change is not None and abs(self.change) < abs(self.usual or _NOTHING) * FLAT


# Read in one go: a day has thousands of rows.
_TOLD = itemgetter(
    "kind",
    "team",
    "workload_kind",
    "workload",
    "namespace",
    "resource",
    "total_cost",
    "usual_cost",
    "price_cost",
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one workload (or idle or system capacity, or fees) and resource cost, now and usually.

    price: the part of the change that another unit price made.
    """

    kind: str
    team: str
    workload_kind: str
    workload: str
    namespace: str
    resource: str
    cost: Decimal
    usual: Decimal
    price: Decimal = _NOTHING

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Contribution":
        """What a row of queries/marts/cost_changes.sql says."""
        return cls(*_TOLD(row))

    @property
    def change(self) -> Decimal:
        """Above usual is positive."""
        return self.cost - self.usual


class Effect(StrEnum):
    """How a cost came to change."""

    NEW = "new"
    GONE = "gone"
    PRICE = "price"
    QUANTITY = "quantity"


@dataclass(frozen=True, slots=True)
class Cause:
    """The one cause of a change: as narrow as most of the change allows; empty texts where it is wider."""

    kind: str
    team: str
    workload_kind: str
    workload: str
    resource: str
    change: Decimal
    cost: Decimal
    usual: Decimal
    price: Decimal = _NOTHING

    @property
    def effect(self) -> Effect:
        """What most of the change is: the cost is new or gone, of another price, or else of another quantity."""
        if not self.usual:
            return Effect.NEW
        if not self.cost:
            return Effect.GONE
        return Effect.PRICE if 2 * self.price / self.change >= 1 else Effect.QUANTITY


def headline(day: DayCost, cause: Cause | None = None) -> str:
    """What the cluster cost, the change against the usual same weekday, and the one cause.

    A second sentence follows only where the figure needs a reservation.
    """
    if day.total is None:
        told = f"What cluster {named(day.cluster)} cost on {figures.long_date(day.when)} is not known: none of its nodes has a price."
    else:
        told = _sentence(day, cause, f"Cluster {named(day.cluster)}")
    return " ".join([told, *_reservations(day)])


def owed(who: str, day: DayCost) -> str:
    """What a team or workload of the cluster cost on the day, and the change against the usual same weekday."""
    if day.total is None:
        return f"What {named(who)} cost on {figures.long_date(day.when)} is not known: nothing of it has a price."
    return _sentence(day, None, named(who))


def find_cause(contributions: Iterable[Contribution], change: Decimal) -> Cause | None:
    """The largest contributor in the direction of `change`; None when nothing moved that way.

    The team (or idle or system capacity) with the largest change is named; its workload and resource too, where one
    of them carries at least half of it.
    """
    way = 1 if change > 0 else -1
    everyone = list(contributions)
    owners = _grouped(everyone, lambda c: (c.kind, c.team))
    if not change or not owners:
        return None
    (kind, team), rows = max(owners.items(), key=lambda item: way * _change(item[1]))
    if way * _change(rows) <= 0:
        return None
    workload_kind, workload = "", ""
    workloads = _grouped(rows, lambda c: (c.namespace, c.workload_kind, c.workload))
    (_, first_kind, first), narrower = max(workloads.items(), key=lambda item: way * _change(item[1]))
    if first and _carries(narrower, rows, way):
        workload_kind, workload, rows = first_kind, first, narrower
    resource = ""
    resources = _grouped(rows, lambda c: (c.resource,))
    (name,), narrower = max(resources.items(), key=lambda item: way * _change(item[1]))
    if _carries(narrower, rows, way):
        resource, rows = name, narrower
    cost, usual, price = (
        sum((getattr(c, name) for c in rows), Decimal(0)) for name in ("cost", "usual", "price")
    )
    return Cause(kind, team, workload_kind, workload, resource, cost - usual, cost, usual, price)


def led_by(cause: Cause | None, currency: str, each: str = "") -> str:
    """The end of a sentence on a change: `, led by GPU cost of nlp's Job train-llm (+$412)`; empty without a cause.

    each: what the amount is for, ` a day` where it is for one.
    """
    if cause is None:
        return ""
    amount = figures.money(cause.change, currency, signed=True) + each
    return f", led by {_name(cause)} ({amount}{_news(cause)})"


def change_note(day: DayCost) -> str:
    """The tile's second line: +$497 (+8%) on a usual Sunday."""
    weekday = figures.weekday(day.when)
    if day.total is None:
        return "no price is known"
    if day.change is None or day.usual is None:
        return "first day in the lake" if day.when == day.first else f"no usual {weekday} yet"
    if day.flat:
        return f"as on a usual {weekday} ({figures.money(day.usual, day.currency)})"
    ratio = f" ({signed_share(day.change / day.usual)})" if day.usual else ""
    return f"{figures.money(day.change, day.currency, signed=True, to=day.step)}{ratio} on a usual {weekday}"


def _sentence(day: DayCost, cause: Cause | None, who: str) -> str:
    when, weekday = figures.long_date(day.when), figures.weekday(day.when)
    cost = figures.money(day.total, day.currency, to=day.step) if day.total else "nothing"
    opening = f"{who} cost {cost} on {when}"
    if day.change is None or day.usual is None:
        return f"{opening}{_without_usual(day, weekday)}."
    usual = figures.money(day.usual, day.currency, to=day.step)
    if not day.total:
        return (
            f"{opening}, against {usual} on a usual {weekday}." if day.usual else f"{opening}, as is usual."
        )
    if day.flat:
        return f"{opening}, much like a usual {weekday} ({usual})."
    if not day.usual:
        return f"{opening}; a usual {weekday} costs nothing{led_by(cause, day.currency)}."
    amount, ratio = (
        figures.money(abs(day.change), day.currency, to=day.step),
        figures.share(float(abs(day.change) / day.usual)),
    )
    direction = "more" if day.change > 0 else "less"
    return f"{opening}, {amount} ({ratio}) {direction} than a usual {weekday}{led_by(cause, day.currency)}."


def _without_usual(day: DayCost, weekday: str) -> str:
    if day.when == day.first:
        return ", the first day in the lake: there is nothing to compare it with yet"
    if day.previous is None:
        return f"; the lake has no {weekday} of the last four weeks to compare it with"
    previous = figures.money(day.previous, day.currency)
    return (
        f", after {previous} the day before; no {weekday} of the last four weeks is there to compare it with"
    )


def _name(cause: Cause) -> str:
    resource = resource_name(cause.resource)
    if cause.kind == "idle":
        return f"idle {resource} capacity" if resource else "idle capacity"
    if cause.kind == "system":
        return f"{resource} kept for the system" if resource else "capacity kept for the system"
    if cause.kind == "fee":
        return "fixed fees"
    return (f"{resource} cost of " if resource else "") + _owner(cause)


def _owner(cause: Cause) -> str:
    owned = cause.team != UNALLOCATED
    if not cause.workload:
        return f"team {named(cause.team)}" if owned else "workloads without a team"
    workload = f"{named(cause.workload_kind)} {named(cause.workload)}"
    return f"{named(cause.team)}'s {workload}" if owned else workload


def _news(cause: Cause) -> str:
    if cause.effect is Effect.PRICE:
        return f", at a {'higher' if cause.change > 0 else 'lower'} price"
    return f", {cause.effect}" if cause.kind == "workload" and cause.effect is not Effect.QUANTITY else ""


def _reservations(day: DayCost) -> list[str]:
    said = []
    if not day.complete:
        said.append(
            f"The day is incomplete: usage was observed for only {figures.share(day.coverage)} of the time."
        )
    if not day.capacity_known:
        said.append("Idle capacity is not in it: what the nodes have is not known.")
    if day.unpriced_nodes and day.total is not None:
        nodes = figures.counted(day.unpriced_nodes, "node")
        verb = "has" if day.unpriced_nodes == 1 else "have"
        said.append(f"Not all of it is counted: {nodes} {verb} a resource without a known price.")
    return said


def _grouped(
    rows: Iterable[Contribution], key: Callable[[Contribution], tuple[str, ...]]
) -> dict[tuple[str, ...], list[Contribution]]:
    """Rows by key; keys are sorted, so that ties do not depend on the order of the rows."""
    groups: dict[tuple[str, ...], list[Contribution]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {told: groups[told] for told in sorted(groups)}


def _change(rows: Iterable[Contribution]) -> Decimal:
    return sum((row.change for row in rows), Decimal(0))


def _carries(part: list[Contribution], whole: list[Contribution], way: int) -> bool:
    return 2 * way * _change(part) >= way * _change(whole)


def signed_share(ratio: Decimal) -> str:
    """+8%, −3%."""
    text = figures.share(float(ratio))
    return text if ratio < 0 else f"+{text}"

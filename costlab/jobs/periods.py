"""Two periods' charges side by side: by team, by workload, and how much of a change another price made."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import itemgetter
from typing import Any

from costlab.render.wording import Contribution

Row = dict[str, Any]
Key = tuple[str, ...]

# What the charges of a period are asked by.
BY = ("kind", "team", "workload", "resource")

_ZERO = Decimal(0)
_OF_WORKLOADS = ("workload", "volume", "network")
_KEY = ("kind", "team", "namespace", "workload_kind", "workload", "resource")
_WORKLOAD = ("namespace", "workload_kind", "workload")
_NOBODY = ("(none)", "(idle)", "(system)", "(fee)")  # no name that Kubernetes allows
_MONEY = {
    "total_cost": "cost",
    "used_cost": "cost_used",
    "unused_cost": "cost_unused",
    "unobserved_cost": "cost_unobserved",
}
_QUANTITIES = {
    "gpu": "gpu_hours",
    "cpu": "cpu_core_hours",
    "memory": "memory_gib_hours",
    "storage": "storage_gib_hours",
}


def by_team(now: Iterable[Row], before: Iterable[Row]) -> list[Row]:
    """What each team cost in both periods, dearest first; one that is gone costs nothing now.

    Rows of `cost_table` by `BY`, without their total. Idle and system capacity and fees are no team's.
    """
    return _side_by_side(_owned(now), _owned(before), ("team",))


def by_kind(now: Iterable[Row], before: Iterable[Row]) -> list[Row]:
    """What is no team's in both periods, by kind: idle, system, fee."""
    return _side_by_side(_unowned(now), _unowned(before), ("kind",))


def by_workload(now: Iterable[Row], before: Iterable[Row]) -> list[Row]:
    """What each workload cost in both periods, dearest first, with its team: the one that owes most of it now, else before."""
    now, before = _owned(now), _owned(before)
    team: dict[Key, str] = {}
    key = _key_by(_WORKLOAD)
    for rows in (now, before):
        for row in sorted(rows, key=lambda row: (-(row["cost"] or _ZERO), row["team"])):
            team.setdefault(key(row), row["team"])
    return [{**row, "team": team[key(row)]} for row in _side_by_side(now, before, _WORKLOAD)]


def contributions(
    now: Iterable[Row], before: Iterable[Row], parts: tuple[Decimal, Decimal]
) -> list[Contribution]:
    """What each workload and resource cost in both periods, each divided by its part, and what another price made of it.

    Price: what the change is beyond that of the quantity, at the price before; as queries/marts/cost_changes.sql has it.
    """
    key_of = _key_by(_KEY)
    old, new = ({key_of(row): row for row in rows} for rows in (before, now))
    found = []
    for key in sorted({*old, *new}):
        cost, quantity = _scaled(new.get(key), parts[0])
        usual, quantity_before = _scaled(old.get(key), parts[1])
        price = _ZERO
        if quantity and quantity_before and cost and usual:
            price = cost - usual * Decimal(quantity / quantity_before)
        kind, team, namespace, workload_kind, workload, resource = (
            "" if name in _NOBODY else name for name in key
        )
        found.append(
            Contribution(kind, team, workload_kind, workload, namespace, resource, cost, usual, price)
        )
    return found


def _owned(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["kind"] in _OF_WORKLOADS]


def _unowned(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["kind"] not in _OF_WORKLOADS]


def _side_by_side(now: list[Row], before: list[Row], names: tuple[str, ...]) -> list[Row]:
    key_of = _key_by(names)
    new, old = _grouped(now, key_of), _grouped(before, key_of)
    rows = [
        {**dict(zip(names, key, strict=True)), **_sums(new.get(key, [])), "before_cost": _sum(old.get(key, []), "cost")}
        for key in {**new, **old}
    ]  # fmt: skip
    return sorted(
        rows,
        key=lambda row: (-(row["total_cost"] or _ZERO), -(row["before_cost"] or _ZERO), key_of(row)),
    )


def _sums(rows: list[Row]) -> Row:
    money = {name: _sum(rows, of) for name, of in _MONEY.items()}
    used, unused = money["used_cost"] or _ZERO, money["unused_cost"] or _ZERO
    return {
        **{name: amount if name == "total_cost" else amount or _ZERO for name, amount in money.items()},
        "used_ratio": float(used / (used + unused)) if used + unused else None,
        "gpu_hours": sum((row["gpu_hours"] for row in rows), 0.0),
        "unpriced_charges": sum(row["unpriced_charges"] for row in rows),
    }


def _sum(rows: list[Row], name: str) -> Decimal | None:
    """A sum in which an unknown amount counts as nothing; None where all are unknown, and 0 where there is no row."""
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known, _ZERO) if known or not rows else None


def _scaled(row: Row | None, part: Decimal) -> tuple[Decimal, float]:
    """A row's cost and quantity for one part of its period; the quantity 0 where it is not all priced."""
    if row is None or row["cost"] is None:
        return _ZERO, 0.0
    name = _QUANTITIES.get(row["resource"])
    return row["cost"] / part, row[name] / float(part) if name and not row["unpriced_charges"] else 0.0


def _grouped(rows: list[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _key_by(names: tuple[str, ...]) -> Callable[[Row], Key]:
    """What takes a row's key of these columns; one such alone is a key as well."""
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    take: Callable[[Row], Key] = itemgetter(*names)
    return take

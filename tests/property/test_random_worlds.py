"""Random clusters, charged by the numba core, by plain fractions and by SQL; and laws that no cluster may break."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from costlab.config.settings import Settings
from costlab.core.money import apportion, to_micros
from costlab.domain.time import MINUTE_MS, Day
from costlab.domain.units import GIB
from costlab.jobs.charges import charge_day
from costlab.jobs.observed import usage_in
from costlab.store.content import content_hash
from costlab.store.schema import conform, empty

DAY, MINUTES, HOUR, CELL = Day(date(2026, 11, 20)), 1440, 60, 30
SETTINGS = Settings.model_validate({"billing": {"resolution": "30m"}})
ROUNDING = 2e-6  # of each amount, by largest remainder

Money = dict[tuple[str, str], float]  # by whose it is, and which part


@dataclass(frozen=True)
class Machine:
    """A node while its (capacity, allocatable, price) are constant; instants are minutes of the day."""

    node: str
    since: int
    until: int
    capacity: Fraction
    allocatable: Fraction
    price: Fraction


@dataclass(frozen=True)
class Pod:
    """Its stretches of (since, until, request or None) on its node, and those of (since, until, usage)."""

    name: str
    node: str
    asked: tuple[tuple[int, int, Fraction | None], ...]
    used: tuple[tuple[int, int, Fraction], ...]


@dataclass(frozen=True)
class World:
    """What there was on a day."""

    machines: tuple[Machine, ...]
    pods: tuple[Pod, ...]


quarters = st.integers(0, 24).map(lambda n: Fraction(n, 4))


@st.composite
def worlds(draw: st.DrawFn, prefix: str = "a") -> World:
    machines, pods = [], []
    for number in range(draw(st.integers(1, 2))):
        node = f"{prefix}{number}"
        edges = [0, *sorted(draw(st.sets(st.integers(1, MINUTES - 1), max_size=2))), MINUTES]
        for since, until in zip(edges, edges[1:], strict=False):
            capacity = Fraction(draw(st.integers(1, 32)), 4)
            share = draw(st.sampled_from([Fraction(1), Fraction(7, 8), Fraction(1, 2)]))
            machines.append(Machine(node, since, until, capacity, capacity * share, draw(quarters)))
        for pod in range(draw(st.integers(0, 3))):
            life = sorted(draw(st.sets(st.integers(0, MINUTES), min_size=2, max_size=3)))
            asked = [(a, b, draw(st.none() | quarters)) for a, b in zip(life, life[1:], strict=False)]
            seen = sorted(draw(st.sets(st.integers(life[0], life[-1]), max_size=6)))
            used = [(a, b, draw(quarters)) for a, b in zip(seen[::2], seen[1::2], strict=False)]
            pods.append(Pod(f"{node}-{pod}", node, tuple(asked), tuple(used)))
    return World(tuple(machines), tuple(pods))


def charged(world: World, day: Day = DAY, keys: dict[str, int] | None = None) -> pa.Table:
    """The rows of `charges`; memory is asked for, used and priced as CPU is, by the GiB."""
    tables = {
        "nodes": _nodes(world, day),
        "containers": _containers(world, day, keys or {}),
        "container_usage": _usage(world, day, keys or {}),
        **{name: empty(name) for name in ("gpu_usage", "gpus", "pods", "volumes")},
    }
    return charge_day(tables, tables["gpu_usage"], usage_in(tables, day), SETTINGS, "c", day)[0]


def money(charges: pa.Table, resource: str = "cpu") -> Money:
    found: Money = {}
    for row in charges.to_pylist():
        if row["resource"] == resource and row["kind"] == "workload":
            found |= {
                (row["pod"], part): float(row[f"cost_{part}"]) for part in ("used", "unused", "unobserved")
            }
        elif row["resource"] == resource:
            found[row["node"], row["kind"]] = float(row["cost"])
    return found


def by_fractions(world: World) -> Money:
    """The definition of docs/methods.md, minute by minute and cell by cell."""
    owed: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for node in {machine.node for machine in world.machines}:
        machines = [machine for machine in world.machines if machine.node == node]
        pods = [pod for pod in world.pods if pod.node == node]
        owed |= {(pod.name, part): Fraction(0) for pod in pods for part in ("used", "unused", "unobserved")}
        for cell in range(MINUTES // CELL):
            _cell(owed, node, machines, pods, cell)
    return {what: float(amount) for what, amount in owed.items()}


def _cell(
    owed: dict[tuple[str, str], Fraction], node: str, machines: list[Machine], pods: list[Pod], cell: int
) -> None:
    inside = [(_overlap(m.since, m.until, cell), m) for m in machines]
    room = sum((o * m.capacity for o, m in inside), Fraction(0)) / HOUR
    free = sum((o * m.allocatable for o, m in inside), Fraction(0)) / HOUR
    price = sum((o * m.capacity * m.price for o, m in inside), Fraction(0)) / HOUR / room
    demands: list[tuple[str, Fraction, Fraction | None]] = []
    for pod in pods:
        there = sum(_overlap(a, b, cell) for a, b, _ in pod.asked)
        asked = sum((_overlap(a, b, cell) * (q or Fraction(0)) for a, b, q in pod.asked), Fraction(0)) / HOUR
        seen = sum(_overlap(a, b, cell) for a, b, _ in pod.used)
        work = sum((_overlap(a, b, cell) * u for a, b, u in pod.used), Fraction(0))
        use = Fraction(work * there) / (seen * HOUR) if seen else None
        demands.append((pod.name, max(asked, Fraction(0) if use is None else use), use))
    total = sum((demand for _, demand, _ in demands), Fraction(0))
    for name, demand, use in demands:
        billed = demand * (room / total if total > room else 1)
        spent = Fraction(0) if use is None else min(billed, use)
        owed[name, "used"] += spent * price
        owed[name, "unused" if use is not None else "unobserved"] += (billed - spent) * price
    idle = max(Fraction(0), free - total)
    owed[node, "idle"] += idle * price
    owed[node, "system"] += (room - min(total, room) - idle) * price


def _overlap(since: int, until: int, cell: int) -> int:
    return max(0, min(until, (cell + 1) * CELL) - max(since, cell * CELL))


SQL = """
with cells as (select unnest(range(48)) as cell),
room as (
    select
        node, cell, sum(minutes * capacity) / 60 as room, sum(minutes * allocatable) / 60 as free,
        sum(minutes * capacity * price) / sum(minutes * capacity) as price
    from (select *, greatest(0, least(until, cell * 30 + 30) - greatest(since, cell * 30)) as minutes from nodes, cells)
    group by node, cell
),
asked as (
    select pod, node, cell, sum(minutes) / 60 as there, sum(minutes * coalesce(request, 0)) / 60 as asked
    from (select *, least(until, cell * 30 + 30) - greatest(since, cell * 30) as minutes from asked, cells)
    where minutes > 0 group by pod, node, cell
),
seen as (
    select pod, cell, sum(minutes * level) / sum(minutes) as level
    from (select *, least(until, cell * 30 + 30) - greatest(since, cell * 30) as minutes from used, cells)
    where minutes > 0 group by pod, cell
),
demand as (
    select asked.*, level * there as used, greatest(asked, coalesce(level * there, 0)) as demand
    from asked left join seen using (pod, cell)
),
total as (
    select room.*, coalesce(sum(demand), 0) as total
    from room left join demand using (node, cell) group by all
),
billed as (
    select pod, used, price, demand * if(total > room, room / total, 1) as billed
    from demand join total using (node, cell)
),
rest as (
    select node, price, greatest(0, free - total) as idle, room - least(total, room) as spare from total
)
select pod, 'used', sum(price * if(used is null, 0, least(billed, used))) from billed group by pod
union all
select pod, 'unused', sum(price * if(used is null, 0, billed - least(billed, used))) from billed group by pod
union all
select pod, 'unobserved', sum(price * if(used is null, billed, 0)) from billed group by pod
union all
select node, 'idle', sum(price * idle) from rest group by node
union all
select node, 'system', sum(price * (spare - idle)) from rest group by node
"""


def by_sql(world: World) -> Money:
    connection = duckdb.connect()
    connection.register("nodes", _floats(
        ("node", "since", "until", "capacity", "allocatable", "price"),
        ((m.node, m.since, m.until, m.capacity, m.allocatable, m.price) for m in world.machines),
    ))  # fmt: skip
    connection.register("asked", _floats(
        ("pod", "node", "since", "until", "request"), ((p.name, p.node, *piece) for p in world.pods for piece in p.asked)
    ))  # fmt: skip
    connection.register("used", _floats(
        ("pod", "since", "until", "level"), ((p.name, *piece) for p in world.pods for piece in p.used)
    ))  # fmt: skip
    return {(whose, part): amount for whose, part, amount in connection.sql(SQL).fetchall()}


def alike(ours: Money, theirs: Money, within: float = ROUNDING) -> None:
    assert ours.keys() == theirs.keys()
    for what, amount in theirs.items():
        assert abs(ours[what] - amount) <= within, what


@given(worlds())
@examples(max_examples=40)
def test_three_implementations_agree(world: World) -> None:
    charges = charged(world)
    alike(money(charges), by_fractions(world))
    alike(money(charges), by_sql(world))
    assert money(charges, "memory") == money(charges)


@given(worlds())
@examples(max_examples=30)
def test_twice_the_price_is_twice_the_money(world: World) -> None:
    dearer = World(tuple(replace(m, price=2 * m.price) for m in world.machines), world.pods)
    twice = {what: 2 * amount for what, amount in money(charged(world)).items()}
    alike(money(charged(dearer)), twice, 2 * ROUNDING)


@given(worlds())
@examples(max_examples=30)
def test_a_pod_in_two_halves_costs_what_it_cost(world: World) -> None:
    halves = tuple(_half(pod, name) for pod in world.pods for name in ("left", "right"))
    apart: dict[tuple[str, str], float] = defaultdict(float)
    for (whose, part), amount in money(charged(World(world.machines, halves))).items():
        apart[whose.removesuffix("/left").removesuffix("/right"), part] += amount
    alike(apart, money(charged(world)), 2 * ROUNDING)


@given(worlds(), st.randoms(use_true_random=False))
@examples(max_examples=30)
def test_neither_order_nor_keys_matter(world: World, random: Any) -> None:
    names = [pod.name for pod in world.pods]
    keys = dict(zip(names, random.sample(range(1, 99), len(names)), strict=True))
    machines, pods = random.sample(world.machines, len(world.machines)), random.sample(world.pods, len(names))
    alike(money(charged(World(tuple(machines), tuple(pods)), keys=keys)), money(charged(world)))


@given(worlds("a"), worlds("b"))
@examples(max_examples=30)
def test_two_clusters_in_one_cost_what_they_cost(one: World, other: World) -> None:
    both = World(one.machines + other.machines, one.pods + other.pods)
    assert money(charged(both)) == money(charged(one)) | money(charged(other))


@given(worlds(), quarters)
@examples(max_examples=30)
def test_an_idle_node_changes_nothing_but_what_is_idle(world: World, price: Fraction) -> None:
    more = Machine("spare", 0, MINUTES, Fraction(4), Fraction(3), price)
    before, after = money(charged(world)), money(charged(World((*world.machines, more), world.pods)))
    alike({what: after.pop(what) for what in (("spare", "idle"), ("spare", "system"))},
          {("spare", "idle"): float(72 * price), ("spare", "system"): float(24 * price)})  # fmt: skip
    assert after == before


@given(worlds(), st.integers(-400, 400))
@examples(max_examples=30)
def test_another_day_is_another_date(world: World, days: int) -> None:
    later = charged(world, Day(DAY.date + timedelta(days=days)))
    assert content_hash(later.drop_columns(["date"])) == content_hash(charged(world).drop_columns(["date"]))


def _half(pod: Pod, name: str) -> Pod:
    asked = tuple((a, b, None if q is None else q / 2) for a, b, q in pod.asked)
    return Pod(f"{pod.name}/{name}", pod.node, asked, tuple((a, b, u / 2) for a, b, u in pod.used))


def _floats(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    kinds = [pa.string() if name in ("pod", "node") else pa.float64() for name in names]
    return pa.table({
        name: pa.array([float(v) if isinstance(v, Fraction) else v for v in column], kind)
        for name, kind, column in zip(names, kinds, columns, strict=True)
    })  # fmt: skip


def _at(day: Day, minutes: Iterable[int]) -> np.ndarray:
    return day.window.start_ms + MINUTE_MS * np.array(list(minutes), np.int64)


def _nodes(world: World, day: Day) -> pa.Table:
    machines = world.machines
    amounts = np.array([float(m.capacity * m.price * (m.until - m.since) / HOUR) for m in machines])
    costs = np.zeros(len(machines), np.int64)
    for node in {m.node for m in machines}:
        mine = np.array([m.node == node for m in machines])
        costs[mine] = apportion(amounts[mine], to_micros(float(amounts[mine].sum())))
    columns: dict[str, Any] = dict.fromkeys(("gpu_model", "capacity_type", "provider_id"))
    for name, unit in (("cpu", 1), ("memory", GIB)):
        columns[f"{name}_capacity"] = [float(m.capacity) * unit for m in machines]
        columns[f"{name}_allocatable"] = [float(m.allocatable) * unit for m in machines]
        columns[f"{name}_price"] = [float(m.price) for m in machines]
        columns[f"{name}_cost"] = costs
    gpus = dict.fromkeys(("gpu_capacity", "gpu_allocatable", "gpu_price", "gpu_cost"))
    return conform("nodes", {
        "cluster": "c", "date": day.date, "node": [m.node for m in machines], "labels": [[]] * len(machines),
        "start": _at(day, (m.since for m in machines)), "end": _at(day, (m.until for m in machines)),
        "price_source": "default", **columns, **gpus,
    })  # fmt: skip


def _containers(world: World, day: Day, keys: dict[str, int]) -> pa.Table:
    rows = [(_key(pod, keys), pod, *piece) for pod in world.pods for piece in pod.asked]
    if not rows:
        return empty("containers")
    asked = [None if q is None else float(q) for *_, q in rows]
    return conform("containers", {
        "cluster": "c", "date": day.date, "container_key": [row[0] for row in rows], "pod_uid": "", "namespace": "ns",
        "workload_kind": "Pod", "workload": "w", "pod": [row[1].name for row in rows], "container": "app",
        "node": [row[1].node for row in rows], "team": "t", "class": "service", **dict.fromkeys(("pipeline", "pipeline_task", "pipeline_run")),
        "labels": [[]] * len(rows), "start": _at(day, (row[2] for row in rows)), "end": _at(day, (row[3] for row in rows)),
        "cpu_request": pa.array(asked, pa.float64()),
        "memory_request": pa.array([None if q is None else q * GIB for q in asked], pa.float64()),
        **dict.fromkeys(("gpu_request", "cpu_limit", "memory_limit", "gpu_resource", "gpu_share", "restarts", "oom_kills", "cpu_periods", "cpu_throttled_periods")),
    })  # fmt: skip


def _usage(world: World, day: Day, keys: dict[str, int]) -> pa.Table:
    rows = [(_key(pod, keys), *piece) for pod in world.pods for piece in pod.used]
    if not rows:
        return empty("container_usage")
    levels = np.array([float(level) for *_, level in rows])
    return conform("container_usage", {
        "cluster": "c", "date": day.date, "container_key": [row[0] for row in rows],
        "ts": _at(day, (row[1] for row in rows)), "dt_s": [60.0 * (row[2] - row[1]) for row in rows],
        "cpu_cores": levels, "memory_bytes": levels * GIB,
    })  # fmt: skip


def _key(pod: Pod, keys: dict[str, int]) -> int:
    return keys.get(pod.name) or 1 + int.from_bytes(pod.name.encode()[:7], "big")

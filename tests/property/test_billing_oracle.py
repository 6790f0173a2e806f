"""An oracle in plain fractions, written from docs/methods.md and sharing no code, agrees cell by cell."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.arrays import Floats, Ints
from costlab.core.charge import Bill, Claims, Levels, Rule, bill_node
from costlab.core.grid import Grid
from costlab.core.money import apportion, to_micros

CELL_S, CELLS = 60, 5
DAY_S = CELL_S * CELLS

Piece = tuple[int, int, Fraction]  # from and until (whole seconds), value


@dataclass(frozen=True)
class World:
    """One resource of one node: its life in pieces of (capacity, allocatable, price), and its containers."""

    node: list[tuple[int, int, Fraction, Fraction, Fraction]]
    requests: list[list[Piece]]
    usage: list[list[Piece]]
    rule: Rule


def pieces(
    draw: st.DrawFn, values: st.SearchStrategy[Fraction], first: int, last: int, most: int
) -> list[Piece]:
    count = draw(st.integers(0, most))
    edges = sorted(draw(st.sets(st.integers(first, last), max_size=2 * count)))
    return [(a, b, draw(values)) for a, b in zip(edges[::2], edges[1::2], strict=False)]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    quarter = st.integers(0, 24).map(lambda n: Fraction(n, 4))
    rule = draw(st.sampled_from(list(Rule)))
    node = []
    edges = sorted(draw(st.sets(st.integers(0, DAY_S), min_size=2, max_size=4)))
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        capacity = draw(quarter)
        free = capacity * draw(st.sampled_from([Fraction(1), Fraction(7, 8), Fraction(1, 2), Fraction(5, 4)]))
        node.append((a, b, capacity, free, draw(quarter)))
    requests, usage = [], []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, DAY_S - 1))
        middle = draw(st.integers(start, DAY_S - 1))
        end = draw(st.integers(middle + 1, DAY_S))
        lives = [(a, b, draw(quarter)) for a, b in ((start, middle), (middle, end)) if a < b]
        requests.append(lives)
        level = st.integers(0, 4).map(lambda n: Fraction(n, 4)) if rule is Rule.SHARE else quarter
        usage.append(pieces(draw, level, start, end, 3))
    return World(node, requests, usage, rule)


def overlap(a: int, b: int, cell: int) -> int:
    return max(0, min(b, (cell + 1) * CELL_S) - max(a, cell * CELL_S))


def judge(world: World) -> tuple[list[list[Fraction]], Fraction, Fraction]:
    """Money of each container's used, unused and unobserved part, of idle, and of system."""
    owed = [[Fraction(0)] * 3 for _ in world.requests]
    idle = system = Fraction(0)
    for cell in range(CELLS):
        capacity = sum((overlap(a, b, cell) * k for a, b, k, _, _ in world.node), Fraction(0)) / CELL_S
        free = sum((overlap(a, b, cell) * f for a, b, _, f, _ in world.node), Fraction(0)) / CELL_S
        worth = sum((overlap(a, b, cell) * k * p for a, b, k, _, p in world.node), Fraction(0)) / CELL_S
        price = worth / capacity if capacity else Fraction(0)
        demands: list[tuple[Fraction, Fraction | None]] = []
        for life, seen in zip(world.requests, world.usage, strict=True):
            there = sum(overlap(a, b, cell) for a, b, _ in life)
            asked = sum((overlap(a, b, cell) * q for a, b, q in life), Fraction(0)) / CELL_S
            watched = sum(overlap(a, b, cell) for a, b, _ in seen)
            if not watched:
                demands.append((asked, None))
                continue
            mean = sum((overlap(a, b, cell) * u for a, b, u in seen), Fraction(0)) / watched
            if world.rule is Rule.SHARE:
                demands.append((asked, asked * mean))
                continue
            use = mean * there / CELL_S
            by_rule = {Rule.MAX: max(asked, use), Rule.REQUEST: asked, Rule.USAGE: use}
            demands.append((by_rule[world.rule], use))
        total = sum((d for d, _ in demands), Fraction(0))
        scale = min(Fraction(1), capacity / total) if total else Fraction(1)
        money = price * CELL_S / 3600
        for row, (wanted, seen_use) in zip(owed, demands, strict=True):
            billed = wanted * scale
            if seen_use is None:
                row[2] += billed * money
                continue
            spent = seen_use * scale if world.rule is Rule.SHARE else min(billed, seen_use)
            row[0] += spent * money
            row[1] += (billed - spent) * money
        idle += max(Fraction(0), free - total) * money
        system += (capacity - min(total, capacity) - max(Fraction(0), free - total)) * money
    return owed, idle, system


def billed_by_core(world: World) -> tuple[Bill, Levels]:
    node = np.array([[float(x) for x in piece] for piece in world.node])
    levels = Levels(
        (node[:, 0] * 1000).astype(np.int64),
        (node[:, 1] * 1000).astype(np.int64),
        node[:, 2],
        node[:, 3],
        node[:, 4],
    )

    def columns(by_row: list[list[Piece]]) -> tuple[Ints, Ints, Ints, Floats]:
        flat = [(a * 1000, b * 1000, float(v)) for row in by_row for a, b, v in row]
        table = np.array(flat, np.float64).reshape(-1, 3)
        offsets = np.append(0, np.cumsum([len(row) for row in by_row])).astype(np.int64)
        return offsets, table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].copy()

    offsets, start_ms, end_ms, used = columns(world.usage)
    seen = np.column_stack([offsets[:-1], offsets[1:]])
    since_ms, until_ms = start_ms.astype(np.int32), end_ms.astype(np.int32)
    claims = Claims(*columns(world.requests), seen, 0, since_ms, until_ms, used.astype(np.float32))
    return bill_node(Grid(0, CELL_S * 1000, CELLS), levels, claims, world.rule), levels


@given(worlds())
def test_core_agrees_with_the_oracle(world: World) -> None:
    owed, idle, system = judge(world)
    bill, _ = billed_by_core(world)
    for ours, theirs in zip(bill.parts_amount, owed, strict=True):
        np.testing.assert_allclose(ours, [float(x) for x in theirs], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        [bill.idle_amount, bill.system_amount], [float(idle), float(system)], atol=1e-12
    )


@given(worlds())
def test_parts_add_up_to_the_node_to_the_micro_unit(world: World) -> None:
    bill, levels = billed_by_core(world)
    amounts = np.append(bill.parts_amount.ravel(), [bill.idle_amount, bill.system_amount])
    total = to_micros(levels.amount)
    micros = apportion(amounts, total)
    assert micros.sum() == total
    assert np.all(np.abs(micros - amounts * 1_000_000) <= 1.001)
    negative = any(free > capacity for _, _, capacity, free, _ in world.node)
    assert negative or micros.min() >= 0


@given(worlds(), st.integers(2, 9))
def test_prices_times_n_is_money_times_n(world: World, n: int) -> None:
    dearer = World(
        [(a, b, k, f, p * n) for a, b, k, f, p in world.node], world.requests, world.usage, world.rule
    )
    once, many = billed_by_core(world)[0], billed_by_core(dearer)[0]
    np.testing.assert_allclose(many.parts_amount, once.parts_amount * n, rtol=1e-12, atol=1e-12)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_containers_does_not_matter(world: World, random: object) -> None:
    order = list(range(len(world.requests)))
    random.shuffle(order)  # type: ignore[attr-defined] # hypothesis hands over a random.Random
    turned = World(
        world.node, [world.requests[i] for i in order], [world.usage[i] for i in order], world.rule
    )
    np.testing.assert_allclose(
        billed_by_core(turned)[0].parts_amount,
        billed_by_core(world)[0].parts_amount[order],
        rtol=1e-12,
        atol=1e-12,
    )

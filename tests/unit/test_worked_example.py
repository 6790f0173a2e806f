"""The worked example of docs/methods.md, exact to 10^-6."""

import numpy as np
import pytest

from costlab.core.charge import Bill, Claims, Levels, Rule, bill_node
from costlab.core.grid import Grid
from costlab.core.money import apportion, to_micros

HOUR_MS = 3_600_000
GRID = Grid(0, 60_000, 1440)


def bill(
    capacity: float, allocatable: float, price: float, a: tuple[float, float], b: tuple[float, float]
) -> Bill:
    """Pod A lives from 0 to 12 h, pod B from 6 to 24 h; a and b are (request, use)."""
    rule = Rule.SHARE if price == 2.5 else Rule.MAX
    levels = Levels(
        np.array([0]),
        np.array([24 * HOUR_MS]),
        np.array([capacity]),
        np.array([allocatable]),
        np.array([price]),
    )
    start, end = np.array([0, 6]) * HOUR_MS, np.array([12, 24]) * HOUR_MS
    asked, used = np.array([a[0], b[0]], np.float64), np.array([a[1], b[1]], np.float32)
    seen = np.array([[0, 1], [1, 2]])
    return bill_node(
        GRID,
        levels,
        Claims(np.arange(3), start, end, asked, seen, 0, start.astype(np.int32), end.astype(np.int32), used),
        rule,
    )


@pytest.mark.parametrize(
    ("node", "a", "b", "billed", "used", "idle", "system", "total"),
    [
        pytest.param((4, 3.5, 0.1), (1, 0.5), (2, 3), (1.20, 5.40), (0.60, 5.40), 2.10, 0.90, 9.60, id="cpu"),
        pytest.param(
            (16, 14, 0.05), (4, 3), (2, 1), (2.40, 1.80), (1.80, 0.90), 12.60, 2.40, 19.20, id="memory"
        ),
        pytest.param((2, 2, 2.5), (1, 0.25), (0, 0), (30, 0), (7.50, 0), 90, 0, 120, id="gpu"),
    ],
)
def test_worked_example(
    node: tuple[float, float, float],
    a: tuple[float, float],
    b: tuple[float, float],
    billed: tuple[float, float],
    used: tuple[float, float],
    idle: float,
    system: float,
    total: float,
) -> None:
    result = bill(*node, a, b)
    amounts = np.append(result.parts_amount.ravel(), [result.idle_amount, result.system_amount])
    micros = apportion(amounts, to_micros(total))
    parts = micros[:-2].reshape(2, 3)
    assert list(parts.sum(axis=1)) == [to_micros(x) for x in billed]
    assert list(parts[:, 0]) == [to_micros(x) for x in used]
    assert list(parts[:, 2]) == [0, 0]
    assert list(micros[-2:]) == [to_micros(idle), to_micros(system)]
    assert micros.sum() == to_micros(total)
    assert result.contended_cells == 0


def test_a_node_is_never_billed_beyond_its_price() -> None:
    result = bill(4, 3.5, 0.1, (3, 3), (3, 3))
    assert result.contended_cells == 6 * 60
    assert result.parts_amount.sum() + result.idle_amount + result.system_amount == pytest.approx(
        9.60, abs=1e-9
    )


def test_unobserved_is_neither_used_nor_unused() -> None:
    day = np.array([0]), np.array([24 * HOUR_MS])
    no_time, no_use = np.array([], np.int32), np.array([], np.float32)
    unseen = np.zeros((1, 2), np.int64)
    claims = Claims(np.array([0, 1]), *day, np.array([2.0]), unseen, 0, no_time, no_time, no_use)
    levels = Levels(*day, np.array([4.0]), np.array([4.0]), np.array([0.1]))
    result = bill_node(GRID, levels, claims, Rule.MAX)
    np.testing.assert_allclose(result.parts_amount, [[0, 0, 4.80]], atol=1e-9)
    assert np.isnan(result.used[0])


def test_without_a_price_money_is_unknown_and_quantities_are_not() -> None:
    result = bill(4, 3.5, float("nan"), (1, 0.5), (2, 3))
    assert np.isnan(result.parts_amount[0]).any()
    assert result.parts_quantity.sum() == pytest.approx(66)


def test_without_a_capacity_there_is_no_scaling_no_idle_and_no_system() -> None:
    result = bill(float("nan"), float("nan"), 0.1, (100, 1), (200, 1))
    assert result.parts_quantity.sum() == pytest.approx(12 * 100 + 18 * 200)
    assert (result.idle_quantity, result.system_quantity, result.contended_cells) == (0, 0, 0)

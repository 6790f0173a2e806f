"""Charges that others publish, out of our own core: docs/methods.md, "Others' published cases"."""

from collections.abc import Sequence

import numpy as np
import pytest

from costlab.core.charge import Bill, Claims, Levels, Rule, bill_node
from costlab.core.grid import Grid

HOUR_MS = 3_600_000
GRID = Grid(0, HOUR_MS, 24)
NAN = float("nan")

Row = tuple[float, float, float]  # hours, asked, used (NaN: not observed)


def billed(capacity: float, price: float, rows: Sequence[Row], rule: Rule = Rule.MAX) -> Bill:
    """The bill of a node that is there for a day, all of it allocatable; each row begins an hour after the last."""
    day = np.array([0]), np.array([24 * HOUR_MS])
    start = np.arange(len(rows)) * HOUR_MS
    end = start + np.array([hours * HOUR_MS for hours, _, _ in rows], np.int64)
    asked = np.array([asked for _, asked, _ in rows], np.float64)
    used = np.array([used for _, _, used in rows], np.float32)
    seen = np.column_stack([np.arange(len(rows)), np.arange(len(rows)) + 1])
    claims = Claims(
        np.arange(len(rows) + 1),
        start,
        end,
        asked,
        seen,
        0,
        start.astype(np.int32),
        end.astype(np.int32),
        used,
    )
    return bill_node(GRID, Levels(*day, *(np.array([x]) for x in (capacity, capacity, price))), claims, rule)


@pytest.mark.parametrize(
    ("asked", "used", "hours"),
    [
        (1.0, 0.01, 1.0),
        (1.0, 2.25, 2.25),
        (10e6, 75e6, 75e6),
        (0.0, 0.5, 0.5),
        (0.5, NAN, 0.5),
        (0.0, 0.0, 0.0),
    ],
)
def test_the_larger_of_request_and_usage(asked: float, used: float, hours: float) -> None:
    assert billed(1e9, 1.0, [(1, asked, used)]).parts_quantity.sum() == hours


@pytest.mark.parametrize(
    ("asset", "allocated", "idle"),
    [(50, 6, 44), (40, 16, 24), (10, 6, 4), (55, 6, 49), (44, 16, 28), (11, 6, 5)],
)
def test_idle_is_what_nobody_was_charged(asset: float, allocated: float, idle: float) -> None:
    assert billed(asset, 1 / 24, [(24, allocated, 0)]).idle_amount == pytest.approx(idle, abs=1e-9)


@pytest.mark.parametrize(
    ("hourly", "owed", "unallocated"),
    [
        (2016 / (28 * 24), (3.4286, 2.5714, 1.7143), 64.2857),
        (1000 / (30 * 24), (1.5873, 1.1905, 0.7937), 29.7619),
    ],
)
def test_mig_slices_of_a_gpu(hourly: float, owed: tuple[float, ...], unallocated: float) -> None:
    """Four slices of seven for 2 h, one for 6 h, two for 2 h."""
    rows = [(2, 4 / 7, 1.0), (6, 1 / 7, 1.0), (2, 2 / 7, 1.0)]
    bill = billed(1, hourly, rows, Rule.SHARE)
    np.testing.assert_allclose(bill.parts_amount[:, 0], owed, atol=5e-5)
    assert bill.idle_amount == pytest.approx(unallocated, abs=5e-5)

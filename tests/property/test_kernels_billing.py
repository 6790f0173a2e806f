"""Bills: every kernel equals its NumPy twin, whatever is asked for and used."""

from typing import Any

import numpy as np
from arrays_of import same, stretches
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.kernels import billing as kernels
from costlab.core.reference import billing as reference


@st.composite
def claims(draw: st.DrawFn, *, share: bool) -> tuple[Any, ...]:
    """What three rows ask for, and what they were seen to use: CSR arrays, and one of seen, of stretches or nothing."""
    numbers = st.integers(0, 48).map(lambda n: n / 4)
    asked = draw(stretches(3, disjoint=True).filter(lambda some: np.diff(some[3]).min() > 0))
    asked[2][list(draw(st.sets(st.integers(0, len(asked[2]) - 1), max_size=1)))] = np.nan
    used = draw(stretches(3, disjoint=True))
    known = np.array([draw(st.one_of(st.just(np.nan), numbers)) for _ in used[0]], np.float32)
    seen = np.column_stack([used[3][:-1], used[3][1:]])
    zero_ms = draw(st.integers(-100, 100))
    since = [(edge - zero_ms).astype(np.int32) for edge in used[:2]]
    seen[draw(st.lists(st.booleans(), min_size=3, max_size=3))] = -1
    return (asked[3], *asked[:3], seen, zero_ms, *since, known / 16 if share else known, 0.5)


@given(st.data(), st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_bill(data: st.DataObject, mode: tuple[bool, bool, bool, bool]) -> None:
    cells = 4
    claimed = data.draw(claims(share=mode[2]))
    edges = sorted(data.draw(st.sets(st.integers(-50, 450), min_size=4, max_size=4)))
    there = data.draw(
        st.sampled_from(
            [np.array([[-(2**62), 2**62]]), np.array(edges).reshape(2, 2) * 1000, np.empty((0, 2), int)]
        )
    )
    capacity = (
        np.array(data.draw(st.lists(st.integers(0, 12), min_size=cells, max_size=cells)), np.float64) * 60_000
    )
    allocatable = capacity * 0.75
    price = np.array(data.draw(st.sampled_from([[1.0, 2.0, np.nan, 0.5], [2.0] * cells, [np.nan] * cells])))
    grid = data.draw(st.integers(-100, 200)) * 1000, 60_000
    arguments = (*claimed, there, *grid, capacity, allocatable, price, mode)
    same(kernels.bill(*arguments), reference.bill(*arguments))


@given(st.integers(0, 2**32 - 1))
def test_nothing_is_used_of_what_was_not_asked_for_then(seed: int) -> None:
    """What was observed only between two stretches leaves no rounding behind: a part is never below nothing."""
    random, minutes = np.random.default_rng(seed), 60_000 * np.arange(61)
    values = np.exp(4 * random.standard_normal(60)).astype(np.float32)
    values[:15], values[45:] = 0.0, 0.0
    since_ms = minutes.astype(np.int32) + np.int32(7000)
    arguments: tuple[Any, ...] = (
        np.array([0, 2]), minutes[[0, 50]], minutes[[10, 60]], np.ones(2),
        np.array([[0, 60]]), 0, since_ms[:-1], since_ms[1:], values, 1.0,
        np.array([[-(2**62), 2**62]]), 0, 60_000, *2 * [np.full(60, 240_000.0)], np.full(60, 2.5),
        (True, True, False, True),
    )  # fmt: skip
    quantity, amount, _ = kernels.bill(*arguments)
    assert quantity[0, 0] == 0.0
    assert amount[0, 0] == 0.0

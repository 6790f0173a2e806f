"""Stretches over cells: every kernel equals its NumPy twin, wherever they begin and end."""

import numpy as np
from arrays_of import same, stretches
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.arrays import Floats, Ints
from costlab.core.kernels import spreading as kernels
from costlab.core.reference import spreading as reference


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), st.floats(0, 90_000, width=32))))
def test_lay(stretches: list[tuple[int, float]]) -> None:
    at_us = np.array([at for at, _ in stretches], np.int64)
    lasted_s = np.array([lasted for _, lasted in stretches], np.float32)
    ours, theirs = np.empty((2, len(at_us)), np.int32), np.empty((2, len(at_us)), np.int32)
    kernels.lay(at_us, lasted_s, -7, *ours)
    reference.lay(at_us, lasted_s, -7, *theirs)
    same(ours, theirs)


@given(stretches(1, disjoint=False), st.integers(-100, 200), st.integers(-50, 250), st.integers(0, 200))
def test_spread(
    intervals: tuple[Ints, Ints, Floats, Ints], start_s: int, begin_s: int, length_s: int
) -> None:
    start_ms, end_ms, values, (first, last) = intervals
    grid_ms = start_s * 1000, 60_000
    within_ms = max(begin_s, start_s) * 1000, min(begin_s + length_s, start_s + 240) * 1000
    arguments = (-7, start_ms, end_ms, values, 0.5, first, last, *within_ms, *grid_ms)
    ours, theirs = (np.zeros(4), np.zeros(4)), (np.zeros(4), np.zeros(4))
    assert kernels.spread(*arguments, *ours) == reference.spread(*arguments, *theirs)
    same(ours, theirs)


@given(
    st.integers(0, 59), st.integers(40, 60), *3 * [st.sets(st.integers(0, 60), max_size=2)],
    st.integers(0, 600), st.integers(0, 600),
)  # fmt: skip
def test_spread_of_samples_taken_once_a_cell(
    phase_s: int, scrapes: int, missed: set[int], unknown: set[int], late: set[int], first_s: int, last_s: int
) -> None:
    numbers = np.array([number for number in range(scrapes + 1) if number not in missed])
    at_ms = 1000 * (60 * numbers + phase_s + 20 * np.isin(numbers, list(late)))
    values = np.where(np.isin(numbers, list(unknown)), np.nan, numbers % 7 / 4)[:-1]
    within_ms = 1000 * first_s, 1000 * (60 * (scrapes + 2) - last_s)
    arguments = (0, at_ms[:-1], at_ms[1:], values, 0.5, 0, len(values), *within_ms, 0, 60_000)
    ours, theirs = np.zeros((2, scrapes + 2)), np.zeros((2, scrapes + 2))
    assert kernels.spread(*arguments, *ours) == reference.spread(*arguments, *theirs)
    same(ours, theirs)


@given(st.lists(st.integers(-(2**40), 2**40).map(float), max_size=40))
def test_total_of(values: list[float]) -> None:
    array = np.array(values, np.float64)
    assert kernels.total_of(array) == reference.total_of(array)

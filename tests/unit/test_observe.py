"""Samples become values by the rules of docs/methods.md: holds, resets, gaps, restarts, overlaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.arrays import Ints
from costlab.core.observe import ScrapeSteps, Stretches, clipped, combine, held, rates, side_by_side

NAN = float("nan")
GAP = 300_000


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def rows(stretches: Stretches) -> list[tuple[int, int, float]]:
    return list(
        zip(stretches.start_ms.tolist(), stretches.end_ms.tolist(), stretches.values.tolist(), strict=True)
    )


def counter(times: list[int], values: list[float], began_ms: int = -1) -> Stretches:
    return rates(np.array(times), np.array(values), ints(0, len(times)), ints(began_ms), GAP, 60_000)


def test_a_sample_holds_until_the_next_one_and_five_minutes_at_most() -> None:
    got = held(ints(0, 60_000, 900_000), np.array([1.0, 2.0, 3.0]), ints(0, 3), GAP)
    assert rows(got) == [(0, 60_000, 1.0), (60_000, 360_000, 2.0), (900_000, 1_200_000, 3.0)]


def test_a_stale_marker_ends_a_gauge() -> None:
    assert rows(held(ints(0, 60_000), np.array([1.0, NAN]), ints(0, 2), GAP)) == [(0, 60_000, 1.0)]


def test_a_counter_rises_evenly_and_restarts_from_nothing() -> None:
    assert rows(counter([0, 60_000, 120_000], [10.0, 70.0, 30.0])) == [
        (0, 60_000, 1.0),
        (60_000, 120_000, 0.5),
    ]


def test_a_long_gap_may_hide_a_reset() -> None:
    assert rows(counter([0, 300_001, 360_001], [0.0, 60.0, 120.0])) == [(300_001, 360_001, 1.0)]


@pytest.mark.parametrize(("began_ms", "seen"), [(30_000, [(30_000, 60_000, 2.0)]), (-1, []), (60_000, [])])
def test_the_first_sample_counts_from_a_start_within_one_scrape(began_ms: int, seen: list[object]) -> None:
    assert rows(counter([60_000], [60.0], began_ms)) == seen


def test_overlapping_ids_add_for_cpu_and_peak_for_memory() -> None:
    both = Stretches(ints(0, 60), ints(100, 200), np.array([1.0, 5.0]), ints(0, 1, 2))
    group = ints(0, 0)
    assert rows(combine(both, group, 1, add=True)) == [(0, 60, 1.0), (60, 100, 6.0), (100, 200, 5.0)]
    assert rows(combine(both, group, 1, add=False)) == [(0, 60, 1.0), (60, 100, 5.0), (100, 200, 5.0)]


def test_a_series_without_a_group_is_left_out() -> None:
    both = Stretches(ints(0, 60), ints(100, 200), np.array([1.0, 5.0]), ints(0, 1, 2))
    assert rows(combine(both, ints(-1, 0), 1, add=True)) == [(60, 200, 5.0)]


@given(
    st.lists(
        st.tuples(st.integers(-1, 2), st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5)), max_size=4)),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_series_in_any_order_are_one_truth_at_any_instant(
    series: list[tuple[int, list[tuple[int, int]]]], add: bool
) -> None:
    told = []
    for place, (_, steps) in enumerate(series):
        now = 0
        for pause, length in steps:
            told.append((place, now + pause, now + pause + length, float(place + 1)))
            now += pause + length
    sizes = [len(steps) for _, steps in series]
    columns = np.array(told).reshape(-1, 4)
    every = Stretches(
        columns[:, 1].astype(np.int64), columns[:, 2].astype(np.int64), columns[:, 3],
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
    )  # fmt: skip
    got = combine(every, ints(*(group for group, _ in series)), 3, add=add)
    for group in range(3):
        low, high = got.offsets[group], got.offsets[group + 1]
        mine = [(start, end, value) for place, start, end, value in told if series[place][0] == group]
        for at in range(50):
            values = [value for start, end, value in mine if start <= at < end]
            held_by = [value for start, end, value in rows(got)[low:high] if start <= at < end]
            assert held_by == ([sum(values) if add else max(values)] if values else [])


def test_clipping_cuts_to_the_life_of_each_group() -> None:
    both = Stretches(ints(0, 0, 60), ints(100, 50, 100), np.array([1.0, 2.0, 3.0]), ints(0, 1, 3))
    got = clipped(both, ints(0, 1, 0, 1), ints(10, 40, 100, 50), ints(50, 70, 200, 60))
    assert rows(got) == [(10, 50, 1.0), (40, 50, 2.0), (60, 70, 3.0)]
    assert got.offsets.tolist() == [0, 1, 3, 3, 3]
    assert rows(both) == [(0, 100, 1.0), (0, 50, 2.0), (60, 100, 3.0)]


def test_quantities_meet_on_common_stretches() -> None:
    cpu = Stretches(ints(0), ints(100), np.array([1.0]), ints(0, 1))
    memory = Stretches(ints(50), ints(150), np.array([7.0]), ints(0, 1))
    start, end, (cores, size), offsets = side_by_side((cpu, memory))
    assert list(zip(start, end, strict=True)) == [(0, 50), (50, 100), (100, 150)]
    np.testing.assert_array_equal(cores, [1.0, 1.0, NAN])
    np.testing.assert_array_equal(size, [NAN, 7.0, 7.0])
    assert offsets.tolist() == [0, 3]


def test_the_scrape_interval_is_the_usual_step_within_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    def interval_ms(*several: tuple[Ints, Ints]) -> int | None:
        steps = ScrapeSteps(sum(len(at_ms) for at_ms, _ in several))
        for at_ms, offsets in several:
            steps.show(at_ms, offsets)
        return steps.interval_ms()

    assert interval_ms((ints(0, 30, 60, 5_000, 5_030), ints(0, 3, 5))) == 30
    assert interval_ms((ints(0, 30, 60), ints(0, 3)), (ints(5_000, 5_030), ints(0, 2))) == 30
    assert interval_ms((ints(5), ints(0, 1))) is interval_ms((ints(), ints(0, 0))) is interval_ms() is None
    monkeypatch.setattr("costlab.core.observe._MANY", 3)
    # Every other one of 0 10 20 | 5 and of 15 | 7 107 207: the steps from 0, from 15 (the series' last), and from 107.
    assert interval_ms((ints(0, 10, 20, 5), ints(0, 3, 4)), (ints(15, 7, 107, 207), ints(0, 1, 4))) == 55


@given(st.lists(st.tuples(st.integers(1, 120_000), st.floats(0, 100, width=32)), min_size=1, max_size=20))
def test_what_a_counter_gained_is_what_its_rates_integrate_to(steps: list[tuple[int, float]]) -> None:
    times = np.cumsum([step for step, _ in steps])
    values = np.cumsum([gain for _, gain in steps])
    got = rates(times, values, ints(0, len(times)), ints(-1), GAP, 60_000)
    gained = float(np.sum(got.values * (got.end_ms - got.start_ms)) / 1000)
    assert gained == pytest.approx(values[-1] - values[0], rel=1e-9, abs=1e-9)

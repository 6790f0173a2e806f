"""Usage by the hour of the local clock: the loop is its twin, the hours make up the day, and clocks may change."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.kernels import profiling as kernels
from costlab.core.reference import profiling as reference
from costlab.domain.time import HOUR_MS, Day, instant
from costlab.jobs.profiles import clock_of

Used = tuple[np.ndarray, np.ndarray, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")
CHANGES = (date(2026, 3, 29), date(2026, 10, 25), date(2026, 4, 5), date(2026, 10, 4), date(2026, 11, 1))
days = st.builds(Day, st.sampled_from((*CHANGES, date(2026, 11, 20))), st.sampled_from(ZONES))


@st.composite
def used(draw: st.DrawFn) -> Used:
    day, count = draw(days), draw(st.integers(0, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    edges = np.sort(
        random.choice(np.arange(-HOUR_MS, 27 * HOUR_MS, 1 + HOUR_MS // 7), 2 * count, replace=False)
    )
    start_ms, end_ms = edges.astype(np.int32).reshape(-1, 2).T.copy()
    end_ms[:-1][random.random(max(count - 1, 0)) < 0.5] = 0  # most go on where the one before ends
    end_ms[:-1] = np.where(end_ms[:-1] == 0, start_ms[1:], end_ms[:-1])
    values = random.choice([0.0, -0.0, 0.25, 1e-30, 3e38, 7.0, -1.0, np.nan, np.inf], count).astype(
        np.float32
    )
    cuts = np.sort(random.integers(0, count + 1, 3))
    zero_ms = day.window.start_ms
    life = zero_ms + np.sort(random.integers(-HOUR_MS, 27 * HOUR_MS, (2, 2)), axis=1)
    return np.column_stack([cuts[:-1], cuts[1:]]), life, zero_ms, *clock_of(day), start_ms, end_ms, values


@given(used())
def test_the_loop_is_its_twin(arguments: Used) -> None:
    np.testing.assert_array_equal(kernels.hourly_max(*arguments), reference.hourly_max(*arguments))


@given(used())
def test_the_largest_of_the_hours_is_that_of_the_day(arguments: Used) -> None:
    seen, life, zero_ms, edges_ms, _, start_ms, end_ms, values = arguments
    within = np.clip(life, zero_ms, zero_ms + edges_ms[-1])
    _, _, ranks, *_ = kernels.profile(seen, within, zero_ms, start_ms, end_ms, values, np.array([100]))
    most = kernels.hourly_max(*arguments)
    np.testing.assert_array_equal(np.fmax.reduce(most, axis=1), ranks[:, 0].astype(np.float32))


@given(days, st.floats(0, 1, exclude_max=True))
def test_a_moment_is_in_the_hour_that_the_clock_shows(day: Day, part: float) -> None:
    at_ms = int(part * day.window.duration_ms)
    edges_ms, hour = clock_of(day)
    seen, life = np.array([[0, 1]]), np.array([[day.window.start_ms, day.window.end_ms]])
    start, end = np.array([at_ms], np.int32), np.array([at_ms + 1], np.int32)
    most = kernels.hourly_max(
        seen, life, day.window.start_ms, edges_ms, hour, start, end, np.ones(1, np.float32)
    )
    shown = instant(day.window.start_ms + at_ms).astimezone(ZoneInfo(day.timezone)).hour
    assert np.flatnonzero(~np.isnan(most[0])).tolist() == [shown]


@pytest.mark.parametrize(
    ("zone", "on", "count", "missing"),
    [
        ("UTC", date(2026, 11, 20), 24, set()),
        ("Europe/Berlin", date(2026, 3, 29), 23, {2}),
        ("Europe/Berlin", date(2026, 10, 25), 24, set()),  # the two hours from 2 to 3 are one
        ("Australia/Lord_Howe", date(2026, 10, 4), 24, set()),  # half an hour is missing
    ],
)
def test_days_on_which_clocks_change(zone: str, on: date, count: int, missing: set[int]) -> None:
    told = Day(on, zone).hours
    assert (len(told), set(range(24)) - {hour for _, hour in told}) == (count, missing)

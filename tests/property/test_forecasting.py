"""Forecasts: laws that hold for any series, and how often intervals hold what comes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from costlab.core.forecasting import MIN_DAYS, Band, Forecast, NoForecast, forecast, highest, past_forecasts

Floats = NDArray[np.float64]

amounts = st.one_of(st.just(np.nan), st.integers(0, 1000).map(float))
histories = st.lists(amounts, min_size=1, max_size=70).map(np.array)
weekdays = st.integers(0, 6)
horizons = st.integers(1, 40)


def _bands(found: Forecast) -> list[Floats]:
    return [part for band in (found.days, found.sums) for part in (band.level, band.lower, band.upper)]


@given(st.floats(0, 1e9), st.integers(MIN_DAYS, 70), weekdays, horizons)
def test_what_was_always_the_same_stays_so(amount: float, days: int, weekday: int, horizon: int) -> None:
    found = forecast(np.full(days, amount), weekday, horizon)
    for part in (found.days.level, found.days.lower, found.days.upper):
        assert part == pytest.approx(np.full(horizon, amount))
    for part in (found.sums.level, found.sums.lower, found.sums.upper):
        assert part == pytest.approx(amount * np.arange(1, horizon + 1))


@given(histories, weekdays, horizons)
def test_bounds_enclose_the_level_and_nothing_is_below_zero(
    history: Floats, weekday: int, horizon: int
) -> None:
    found = forecast(history, weekday, horizon)
    known = int(np.isfinite(history).sum())
    assert found.known_days == known
    assert (found.reason is None) == (found.way is not None) == bool(np.isfinite(found.days.level).all())
    assert (found.reason is NoForecast.TOO_FEW_DAYS) == (known < MIN_DAYS)
    for band in (found.days, found.sums):
        assert np.isfinite(band.upper).all() == np.isfinite(band.lower).all() == (found.measured_days > 0)
        if found.measured_days:
            assert (band.lower >= 0).all()
            assert (band.lower <= band.level).all()
            assert (band.level <= band.upper).all()
    if found.way:
        assert found.sums.level == pytest.approx(np.cumsum(found.days.level))
        # What has been paid is never paid back.
        assert not (np.diff(found.sums.lower) < 0).any()
        assert not (np.diff(found.sums.upper) < 0).any()


@given(histories, weekdays, horizons, st.integers(-10, 10))
def test_in_another_unit_it_is_the_same_forecast(
    history: Floats, weekday: int, horizon: int, power: int
) -> None:
    here, there = forecast(history, weekday, horizon), forecast(history * 2.0**power, weekday, horizon)
    assert there.way == here.way
    for one, other in zip(_bands(here), _bands(there), strict=True):
        np.testing.assert_array_equal(one * 2.0**power, other)


@given(histories, weekdays, horizons, st.integers(1, 4))
def test_a_lake_that_begins_some_unknown_weeks_earlier_tells_the_same(
    history: Floats, weekday: int, horizon: int, weeks: int
) -> None:
    earlier = np.concatenate([np.full(7 * weeks, np.nan), history])
    for one, other in zip(
        _bands(forecast(history, weekday, horizon)), _bands(forecast(earlier, weekday, horizon)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@given(histories, weekdays, horizons, st.data())
def test_no_evening_knew_what_came_after_it(
    history: Floats, weekday: int, horizon: int, data: st.DataObject
) -> None:
    until = data.draw(st.integers(1, len(history)))
    holidays = np.array(data.draw(st.lists(st.booleans(), min_size=len(history), max_size=len(history))))
    free = np.concatenate([holidays, np.zeros(horizon, np.bool_)])
    known_then = past_forecasts(history[:until], weekday, free[: until + horizon], horizon)
    for way, levels in past_forecasts(history, weekday, free, horizon).items():
        np.testing.assert_array_equal(levels[:until], known_then[way])


@given(st.lists(histories, min_size=1, max_size=3), weekdays, horizons, st.data())
def test_no_forecast_is_above_the_most_that_any_way_makes_of_it(
    several: list[Floats], weekday: int, horizon: int, data: st.DataObject
) -> None:
    days = max(map(len, several))
    free = np.array(data.draw(st.lists(st.booleans(), min_size=days + horizon, max_size=days + horizon)))
    together = np.array([np.pad(each, (days - len(each), 0), constant_values=np.nan) for each in several])
    most = highest(together, weekday, free, horizon)
    for history, found in zip(together, most, strict=True):
        ways = past_forecasts(history, weekday, free, horizon).values()
        np.testing.assert_allclose(found, np.fmax.reduce([levels[-1].max() for levels in ways]), rtol=1e-12)
        level = forecast(history, weekday, horizon, holidays=free).days.level
        assert np.isnan(level).all() or level.max() <= found * (1 + 1e-12)


@given(st.integers(0, 2**32), st.integers(28, 69), st.floats(2, 100))
@settings(max_examples=30)
def test_a_day_out_of_all_proportion_moves_little(seed: int, day: int, times: float) -> None:
    usual = np.random.default_rng(seed).uniform(90, 110, 70)
    odd = usual.copy()
    odd[day] *= times
    one, other = forecast(usual, 0, 14), forecast(odd, 0, 14)
    assert (
        np.abs(one.days.level - other.days.level).max() <= 20
    )  # as wide as everyday's noise, whatever the day was
    assert other.sums.level[-1] == pytest.approx(1400, rel=0.1)


@given(st.integers(0, 2**32), weekdays)
@settings(max_examples=20)
def test_a_week_that_repeats_itself_is_learnt(seed: int, weekday: int) -> None:
    week = np.random.default_rng(seed).uniform(10, 1000, 7)
    found = forecast(np.tile(week, 8), weekday, 21)
    assert found.way is not None
    assert found.way.weekdays
    assert found.days.level == pytest.approx(np.tile(week, 3))
    assert found.days.upper - found.days.lower == pytest.approx(np.zeros(21), abs=1e-6)


def test_a_holiday_is_like_a_sunday() -> None:
    week = np.array([100.0, 100, 100, 100, 100, 20, 10])
    days = np.tile(week, 9)[: 8 * 7 + 3]  # up to a Wednesday
    holidays = np.zeros(len(days) + 7, np.bool_)
    days[23], holidays[23] = 10.0, True  # a Wednesday that was off
    holidays[len(days)] = True  # and so will be tomorrow
    found = forecast(days, 0, 7, holidays=holidays)
    assert found.days.level == pytest.approx([10, 100, 20, 10, 100, 100, 100])


@pytest.mark.parametrize("kind", ["plain", "weekly", "skewed"])
def test_intervals_hold_what_comes_as_often_as_they_say(kind: str) -> None:
    random, horizon, days, series = np.random.default_rng(7), 14, 90, 60
    held: dict[str, list[float]] = {"days": [], "sums": []}
    for _ in range(series):
        noise = random.standard_normal(days + horizon)
        weekend = np.arange(days + horizon) % 7 >= 5
        values = {
            "plain": 100 + 10 * noise,
            "weekly": 100 + 10 * noise - 50 * weekend,
            "skewed": np.exp(4 + noise / 2),
        }[kind]
        found, came = forecast(values[:days], 0, horizon, coverage=0.8), values[days:]
        held["days"].append(_share_within(found.days, came))
        held["sums"].append(_share_within(found.sums, np.cumsum(came)))
    assert np.mean(held["days"]) == pytest.approx(0.8, abs=0.08)
    assert np.mean(held["sums"]) == pytest.approx(
        0.8, abs=0.12
    )  # sums of one series are right or wrong together


def _share_within(band: Band, came: Floats) -> float:
    return float(((band.lower <= came) & (came <= band.upper)).mean())


def test_what_has_no_shape_is_refused() -> None:
    for horizon, coverage, holidays in ((0, 0.8, None), (7, 1.0, None), (7, 0.8, np.zeros(3, np.bool_))):
        with pytest.raises(ValueError, match="a forecast needs"):
            forecast(np.ones(30), 0, horizon, coverage=coverage, holidays=holidays)

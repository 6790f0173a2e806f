"""What the next days will be, from the days before: a level, its interval, and the running sum. docs/methods.md, "Forecasts".

A forecast is the robust level of the last days, what its weekday adds, and a trend that fades. How many days the level
rests on, and whether weekday and trend are of use, is chosen by what would have been least wrong on the past days of
this very series; how wide the interval is comes from how wrong that was, at each number of days ahead.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from costlab.core.arrays import Floats

Flags = NDArray[np.bool_]

WEEK = 7
SUNDAY = 6
MIN_DAYS = 14
"""Known days without which there is no forecast."""
LONGEST = 182
"""Days that are looked at: half a year tells levels and weekdays; older ones tell of another platform."""

_WINDOWS = {84: 7, 28: 7, 7: 4, 3: 2}  # days that a level rests on, and how many of them must be known
_WEEKS = 8  # that what a weekday adds rests on, and how many of them must be known
_FEWEST_WEEKS = 2
_FADE = 0.98  # of the trend each day: in all it adds at most 19 days of its slope
_ORIGINS = 7  # past forecasts without which neither ways are compared nor an interval is made
_GAIN = 0.97  # what is less plain must be less wrong by so much
_NEAR = 3  # days ahead, on either side, whose errors stand for a day's own
_MOSTLY = 0.75  # of a sum's days must be known


class NoForecast(StrEnum):
    """Why there is none."""

    TOO_FEW_DAYS = "too_few_days"
    NOTHING_LATELY = "nothing_lately"


@dataclass(frozen=True, slots=True)
class Way:
    """How it is forecast: by the level of the last `window` days, with weekdays or without, with a trend or without."""

    window: int
    weekdays: bool = False
    trend: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """What is expected, and the bounds within which it will be.

    float64 (horizon,) each, in the unit of the history, none below 0. NaN: there is no forecast, or no interval.
    """

    level: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Forecast:
    """The days ahead one by one, and their running sum, which has intervals of its own: not the sum of the days' bounds.

    known_days: of the history. way: None where there is no forecast, and `reason` says why. measured_days: up to so many
    days ahead the intervals come from past errors at that distance; those beyond are widened ones; 0 = no intervals.
    error: how wrong forecasts of one day ahead were, mean absolute; NaN = there were none.
    """

    days: Band
    sums: Band
    known_days: int
    way: Way | None = None
    measured_days: int = 0
    error: float = np.nan
    reason: NoForecast | None = None


def forecast(
    history: Floats,
    first_weekday: int,
    horizon: int,
    *,
    holidays: Flags | None = None,
    coverage: float = 0.8,
) -> Forecast:
    """What the `horizon` days after the history will be, each and in sum, and how sure that is.

    history: float64 (days,), >= 0, oldest first, the last is the day before the first that is forecast; NaN = not known.
    first_weekday: of history[0], Monday = 0. holidays: bool (days + horizon,), those that are like Sundays.
    coverage: the share of intervals that shall hold what comes. Raises ValueError for what is out of range.
    """
    if (
        horizon < 1
        or not 0 < coverage < 1
        or (holidays is not None and len(holidays) != len(history) + horizon)
    ):
        raise ValueError("a forecast needs a day ahead, a coverage within (0, 1), and each day's kind")
    skipped = max(0, len(history) - LONGEST)
    values = history[skipped:]
    free = np.zeros(len(values) + horizon, np.bool_) if holidays is None else holidays[skipped:]
    known_days = int(np.isfinite(values).sum())
    if known_days < MIN_DAYS:
        return _none(horizon, known_days, NoForecast.TOO_FEW_DAYS)
    past = past_forecasts(values, (first_weekday + skipped) % WEEK, free, horizon)
    past = {way: levels for way, levels in past.items() if np.isfinite(levels[-1]).all()}
    if not past:
        return _none(horizon, known_days, NoForecast.NOTHING_LATELY)
    came = _ahead(values, horizon)
    errors = {way: came - levels for way, levels in past.items()}
    way = _least_wrong(errors)
    level, wrong = past[way][-1], errors[way]
    of_days, of_sums, measured_days = _radii(wrong, coverage)
    return Forecast(
        _band(level, of_days),
        _rising(_band(np.cumsum(level), of_sums)),
        known_days,
        way,
        measured_days,
        _mean(np.abs(wrong[:, 0])),
    )


def past_forecasts(values: Floats, first_weekday: int, holidays: Flags, horizon: int) -> dict[Way, Floats]:
    """What each way would have forecast on each evening, the plainest way first; the last row is the forecast.

    values: float64 (days,), NaN = not known. holidays: bool (days + horizon,).
    Of each way float64 (days, horizon), >= 0: row s is made of values[:s + 1] alone; NaN = too little was known.
    """
    days = len(values)
    ordinary = np.where(holidays[:days], np.nan, values)
    kinds = np.where(holidays, SUNDAY, (first_weekday + np.arange(days + horizon)) % WEEK)
    evenings, ahead = np.arange(days)[:, None], np.arange(1, horizon + 1)
    faded = _FADE * (1 - _FADE**ahead) / (1 - _FADE)
    found = {}
    for weekdays, trend in product((False, True), repeat=2):
        adds = _weekdays(ordinary, first_weekday) if weekdays else np.zeros((days, WEEK))
        slope = (_slopes(ordinary) if trend else np.zeros(days))[:, None]
        beyond = slope * faded + adds[evenings, kinds[evenings + ahead]]
        for window, fewest in _WINDOWS.items():
            ago = np.arange(window - 1, -1, -1)
            same = adds[evenings, kinds[np.maximum(evenings - ago, 0)]]
            level = _winsorised_means(_last(values, window) - same + slope * ago, fewest)
            found[Way(window, weekdays, trend)] = np.maximum(level[:, None] + beyond, 0.0)
    return found


def highest(histories: Floats, first_weekday: int, holidays: Flags, horizon: int) -> Floats:
    """The most that any way makes of each of many series within the days ahead: no forecast of `forecast` is above it.

    histories: float64 (series, days), >= 0, NaN = not known, of the same days. holidays: bool (days + horizon,). float64
    (series,), NaN = no way has a forecast. What is true of the last evening alone is reckoned, for all series at once: 20
    microseconds a series, where its forecast takes 4 ms.
    """
    count, days = histories.shape
    ordinary = np.where(holidays[:days], np.nan, histories)
    kinds = np.where(holidays, SUNDAY, (first_weekday + np.arange(days + horizon)) % WEEK)
    ahead = np.arange(1, horizon + 1)
    faded = _FADE * (1 - _FADE**ahead) / (1 - _FADE)
    most = np.full(count, np.nan)
    for weekdays, trend in product((False, True), repeat=2):
        adds = _weekdays_now(ordinary, first_weekday) if weekdays else np.zeros((count, WEEK))
        slope = (_slopes_now(ordinary) if trend else np.zeros(count))[:, None]
        beyond = slope * faded + adds[:, kinds[days:]]
        for window, fewest in _WINDOWS.items():
            ago = np.arange(window - 1, -1, -1)
            same = adds[:, kinds[np.maximum(days - 1 - ago, 0)]]
            level = _winsorised_means(_latest(histories, window) - same + slope * ago, fewest)
            most = np.fmax(most, np.maximum(level[:, None] + beyond, 0.0).max(axis=1))
    return most


def _latest(histories: Floats, days: int) -> Floats:
    """The last days of each series: float64 (series, days); NaN before the first."""
    missing = max(0, days - histories.shape[1])
    return np.pad(histories, ((0, 0), (missing, 0)), constant_values=np.nan)[:, -days:]


def _slopes_now(ordinary: Floats) -> Floats:
    """As `_slopes`, of each series on its last evening."""
    days = _latest(ordinary, 5 * WEEK)
    return _medians((days[:, WEEK:] - days[:, :-WEEK]) / WEEK, WEEK)


def _weekdays_now(ordinary: Floats, first_weekday: int) -> Floats:
    """As `_weekdays`, of each series on its last evening: float64 (series, 7)."""
    count, days = ordinary.shape
    weeks = sliding_window_view(_latest(ordinary, (_WEEKS + 1) * WEEK - 1), WEEK, axis=1)
    added = weeks[:, :, WEEK // 2] - weeks.mean(axis=2)
    by_place = added.reshape(count, _WEEKS, WEEK).swapaxes(1, 2)
    weekday_of_place = (first_weekday + days - 1 - (WEEK - 1) + np.arange(WEEK) - WEEK // 2) % WEEK
    return _medians(by_place, _FEWEST_WEEKS)[:, np.argsort(weekday_of_place)]


def _slopes(ordinary: Floats) -> Floats:
    """What each evening knew of the growth a day: the median over four weeks of what a day is above a week before."""
    weeks = _last(ordinary, WEEK + 1)
    return _medians(_last((weeks[:, -1] - weeks[:, 0]) / WEEK, 4 * WEEK), WEEK)


def _weekdays(ordinary: Floats, first_weekday: int) -> Floats:
    """What each evening knew of what a weekday adds to its week: float64 (days, 7), the median over the last weeks.

    A day is held against the seven around it, so what it adds is known three days later. Weeks with a gap, or with a
    holiday, tell nothing.
    """
    days, weeks = len(ordinary), _last(ordinary, WEEK)
    added = weeks[:, WEEK // 2] - weeks.mean(axis=1)  # by the evening that learns it
    by_place = _last(added, _WEEKS * WEEK).reshape(days, _WEEKS, WEEK).swapaxes(1, 2)
    weekday_of_place = first_weekday + np.arange(days)[:, None] - (WEEK - 1) + np.arange(WEEK) - WEEK // 2
    order = np.argsort(weekday_of_place % WEEK, axis=1)
    return np.take_along_axis(_medians(by_place, _FEWEST_WEEKS), order, axis=1)


def _least_wrong(errors: dict[Way, Floats]) -> Way:
    """The plainest way that none is clearly better than, where both have forecast."""
    ways = list(errors)
    best = ways[0]
    for way in ways[1:]:
        both = np.isfinite(errors[way]) & np.isfinite(errors[best])
        rows = both.any(axis=1)
        if rows.sum() >= _ORIGINS:
            mine, its = (np.where(both, errors[each], np.nan)[rows] for each in (way, best))
            if _wrongness(mine) < _GAIN * _wrongness(its):
                best = way
    return best


def _wrongness(errors: Floats) -> float:
    """The mean absolute error of the sums of the first days ahead, each by its days: one that is too low each day adds up."""
    return _mean(np.abs(_running_means(errors)))


def _radii(errors: Floats, coverage: float) -> tuple[Floats, Floats, int]:
    """How far from what was forecast the share `coverage` of days, and of sums, came: float64 (horizon,) each.

    Split conformal: of n errors the ceil((n + 1) coverage)-th smallest. Sums of many days overlap, so twice as many of
    them are asked for as they have days. Beyond the days ahead that have enough, a day's grows as a random walk's does, by
    the root of the distance, and a sum's as if all of its days were off by as much. Also says how many days have enough.
    """
    horizon = errors.shape[1]
    sums = _running_means(errors) * np.arange(1, horizon + 1)
    known = np.minimum(np.isfinite(errors).sum(axis=0), np.isfinite(sums).sum(axis=0))
    ranks = np.ceil((known + 1) * coverage)
    enough = (known >= np.maximum(_ORIGINS, 2 * np.arange(1, horizon + 1))) & (ranks <= known)
    measured = horizon if enough.all() else int(np.argmin(enough))
    of_days, of_sums = np.full(horizon, np.nan), np.full(horizon, np.nan)
    for h in range(measured):
        share = ranks[h] / known[h]
        of_days[h] = _smallest(errors[:, max(0, h - _NEAR) : min(measured, h + _NEAR + 1)], share)
        of_sums[h] = _smallest(sums[:, h], share)
    if measured:
        further = np.arange(measured + 1, horizon + 1) / measured
        of_days[measured:] = of_days[measured - 1] * np.sqrt(further)
        of_sums[measured:] = of_sums[measured - 1] * further**1.5
    # What is further off is not surer, though of a few errors it may look so.
    return np.maximum.accumulate(of_days), np.maximum.accumulate(of_sums), measured


def _smallest(errors: Floats, share: float) -> float:
    """The smallest size of error that a share of them does not exceed."""
    sizes = np.sort(np.abs(errors[np.isfinite(errors)]))
    return float(sizes[min(len(sizes), ceil(share * len(sizes) - 1e-9)) - 1])


def _running_means(errors: Floats) -> Floats:
    """The mean error a day of the first days, by how many they are; NaN where too few of them are known."""
    known = np.isfinite(errors)
    counts = np.cumsum(known, axis=1)
    sums = np.cumsum(np.where(known, errors, 0.0), axis=1)
    return np.where(
        counts >= _MOSTLY * np.arange(1, errors.shape[1] + 1), sums / np.maximum(counts, 1), np.nan
    )


def _ahead(values: Floats, horizon: int) -> Floats:
    """What came after each evening: float64 (days, horizon); NaN = not known, or not yet."""
    return sliding_window_view(np.concatenate([values, np.full(horizon, np.nan)])[1:], horizon)


def _last(values: Floats, days: int) -> Floats:
    """The last days up to each evening: float64 (len(values), days); NaN before the first."""
    return sliding_window_view(np.concatenate([np.full(days - 1, np.nan), values]), days)


def _winsorised_means(rows: Floats, fewest: int) -> Floats:
    """The mean of each row's known values, the largest and the smallest taken for their neighbours; NaN for too few.

    One day that is out of all proportion counts no more than the next to it. A median would do as well, but it is far
    off in sum where work comes in bursts.
    """
    ordered, counts = np.sort(rows, axis=1), np.isfinite(rows).sum(axis=1)
    at = np.arange(len(rows))
    low, high = ordered[at, np.minimum(1, ordered.shape[1] - 1)], ordered[at, np.maximum(counts - 2, 0)]
    clipped = np.clip(ordered, np.fmin(low, high)[:, None], np.fmax(low, high)[:, None])
    return np.where(counts >= fewest, np.nansum(clipped, axis=1) / np.maximum(counts, 1), np.nan)


def _medians(rows: Floats, fewest: int) -> Floats:
    """The median of the known values along the last axis; NaN for fewer than `fewest`."""
    ordered, counts = np.sort(rows, axis=-1), np.isfinite(rows).sum(axis=-1)
    pair = np.stack([np.maximum(counts - 1, 0) // 2, counts // 2], axis=-1)
    middle = np.take_along_axis(ordered, np.minimum(pair, rows.shape[-1] - 1), axis=-1).mean(axis=-1)
    return np.where(counts >= fewest, middle, np.nan)


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _band(level: Floats, radius: Floats) -> Band:
    return Band(level, np.maximum(level - radius, 0.0), level + radius)


def _rising(sums: Band) -> Band:
    """The same with bounds that never fall: no day costs less than nothing."""
    return Band(sums.level, np.maximum.accumulate(sums.lower), np.maximum.accumulate(sums.upper))


def _none(horizon: int, known_days: int, reason: NoForecast) -> Forecast:
    unknown = np.full(horizon, np.nan)
    return Forecast(
        Band(unknown, unknown, unknown), Band(unknown, unknown, unknown), known_days, reason=reason
    )

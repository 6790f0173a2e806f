"""What is known of each subject's memory at each midnight: the peaks of past days, set in ratio to that of 14 days."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.daily import RANKS, Daily

RECENT = 14  # days that the ratios refer to, as in most rules
_LONG = 28
_AT_A_TIME = 4096  # subjects, so that their sorted windows stay small


@dataclass(frozen=True, slots=True)
class Known:
    """Everything by subject and midnight: column t is before day t, so the last one is after all days.

    peak: float64 (subjects, days + 1), bytes, the highest of the last 14 days; NaN = not observed in them.
    highest: the same, of all days before. seen: int64, the days before on which memory was observed.
    ratios: float64 (subjects, days + 1, features), logarithms of ratios to `peak` and what goes with them; finite.
    rise: float64 (subjects, days), the logarithm of the day's peak to that of the 14 days before; NaN = not known.
    """

    peak: Floats
    highest: Floats
    seen: Ints
    ratios: Floats
    rise: Floats


def known_of(daily: Daily) -> Known:
    """What the days tell, each midnight of those before it alone."""
    peaks = daily.memory_peak
    before = _before(np.where(peaks > 0, peaks, np.nan))
    p99 = np.full(before.shape, np.nan)
    p99[:, 1:] = daily.memory_ranks[:, :, RANKS.index(99)]
    seen = np.cumsum(np.isfinite(before), axis=1)
    peak = _highest(before, RECENT)
    highest = np.fmax.accumulate(before, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        second, third, median, spread = _order(before)
        columns = [
            *(np.log(_highest(before, days) / peak) for days in (1, 3, 7, _LONG)),
            *(np.log(other / peak) for other in (highest, second, third, median, _highest(p99, RECENT))),
            spread,
            np.log(_same_weekday(before, median) / peak),
            np.log(peak),
        ]
        rise = np.log(peaks / peak[:, :-1])
    ratios = np.nan_to_num(np.stack(columns, axis=-1), nan=0.0, posinf=0.0, neginf=0.0)
    return Known(peak, highest, seen, ratios, np.where(np.isfinite(rise), rise, np.nan))


def highest_before(daily: Floats, days: int) -> Floats:
    """The highest of so many days before each midnight, (subjects, days + 1); NaN where none of them has any."""
    return _highest(_before(daily), days)


def _before(daily: Floats) -> Floats:
    """Each day's value at the midnight after it."""
    return np.concatenate([np.full((len(daily), 1), np.nan), daily], axis=1)


def _highest(before: Floats, days: int) -> Floats:
    """The highest of so many last days; NaN where none of them has any."""
    found = before.copy()
    for lag in range(1, min(days, before.shape[1])):
        np.fmax(found[:, lag:], before[:, :-lag], out=found[:, lag:])
    return found


def _same_weekday(before: Floats, otherwise: Floats) -> Floats:
    """The peak of the day a week before the day ahead."""
    found = otherwise.copy()
    found[:, 6:] = np.where(np.isfinite(before[:, :-6]), before[:, :-6], otherwise[:, 6:])
    return found


def _order(before: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of the last 14 daily peaks: the second and the third highest, the median, the deviation of their logarithms."""
    found = np.full((4, *before.shape), np.nan)
    empty = np.full((1, RECENT - 1), np.nan)
    for first in range(0, len(before), _AT_A_TIME):
        some = before[first : first + _AT_A_TIME]
        padded = np.concatenate([np.repeat(empty, len(some), axis=0), some], axis=1)
        window = np.sort(sliding_window_view(padded, RECENT, axis=1), axis=-1)
        count = np.isfinite(window).sum(axis=-1)
        for row, place in enumerate((count - 2, count - 3, count // 2)):
            taken = np.take_along_axis(window, np.maximum(place, 0)[..., None], axis=-1)[..., 0]
            found[row, first : first + _AT_A_TIME] = np.where(place >= 0, taken, np.nan)
        level = np.log(window / window[..., :1])
        level[~np.isfinite(level)] = 0.0
        mean = level.sum(axis=-1) / count
        variance = (level**2).sum(axis=-1) / count - mean**2
        found[3, first : first + _AT_A_TIME] = np.sqrt(np.maximum(variance, 0))
    return found[0], found[1], found[2], found[3]

"""What advice for memory is never below, whatever the fleet's past days say."""

import numpy as np

from costlab.core.arrays import Floats
from costlab.core.rightsizing.costlab.features import RECENT, highest_before
from costlab.core.rightsizing.daily import RANKS, Daily

_SHIFT = 1.25  # times the highest daily median of the days before
_SINCE_DAYS = 7  # at most; what is higher for longer than that is the usual level
_RISES, _RISE = 3, 1.05  # days in a row on which the peak rose so many times at least
_ALIKE = 1.1  # times the gentlest of them the steepest is at most: peaks that come and go are steeper, and no trend
_STEEPER = 1.05  # times the steepest of them, for the next one may be a little more


def since_shift(daily: Daily) -> Floats:
    """The highest peak since memory's level rose, bytes, (subjects, days + 1); NaN where it did not within a week.

    It rose where every daily median of the last days is above each of those before, of 14 days in all. A new release
    that holds more holds it tomorrow as well; that few of a fleet's days come after such a rise is no reason to doubt it.
    """
    median = daily.memory_ranks[:, :, RANKS.index(50)]
    found = np.full((daily.subjects, len(daily.start_ms) + 1), np.nan)
    for days in range(1, min(_SINCE_DAYS, len(daily.start_ms)) + 1):
        least = -highest_before(-median, days)
        before = np.full(found.shape, np.nan)
        before[:, days:] = highest_before(median, RECENT - days)[:, :-days]
        risen = least > _SHIFT * before
        found = np.where(risen, highest_before(daily.memory_peak, days), found)
    return found


def if_it_goes_on(daily: Daily) -> Floats:
    """The next day's peak where memory goes on to rise as it did, bytes, (subjects, days + 1); NaN where it did not.

    It rises where the peak of each of the last days is well above that of the day before, by about as much. A leak does not ask what the
    fleet does; a gentler one stays below what is advised in any case.
    """
    peaks = daily.memory_peak
    found = np.full((daily.subjects, len(daily.start_ms) + 1), np.nan)
    if peaks.shape[1] <= _RISES:
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        rises = peaks[:, 1:] / peaks[:, :-1]
    lately = np.stack([rises[:, lag : rises.shape[1] - _RISES + 1 + lag] for lag in range(_RISES)])
    on = (lately.min(axis=0) >= _RISE) & (lately.max(axis=0) <= _ALIKE * lately.min(axis=0))
    found[:, _RISES + 1 :] = np.where(on, _STEEPER * lately.max(axis=0) * peaks[:, _RISES:], np.nan)
    return found

"""What advice for memory is never below, whatever the fleet's past days say."""

import numpy as np

from costlab.core.kernels import Floats
from costlab.core.rightsizing.costlab.features import RECENT, highest_before
from costlab.core.rightsizing.daily import RANKS, Daily

_SHIFT = 1.25  # times the highest daily median of the days before
_SINCE_DAYS = 7  # at most; what is higher for longer than that is the usual level


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

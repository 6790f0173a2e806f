"""The CPU to request: what a fleet's budget, a little above that of a plain percentile, buys."""

from collections.abc import Iterator

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.costlab.features import RECENT, highest_before
from costlab.core.rightsizing.costlab.percentiles import cores_at, window_ranks
from costlab.core.rightsizing.daily import Daily

_SHARES = np.array(
    [0.8, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995]
)  # of the time, at or below what is requested
_PLAIN = 3  # of the shares: the percentile that other rules request, and that the budget is set against
BUDGET = 1.04  # of what that costs
# Where advice is to be steady: what is kept costs more than what it replaces would, and the whole as much as the above.
STEADY_BUDGET = 1.01
_KEPT = (0.6, 1.0)  # a new value within these of yesterday's leaves it as it was; more is always taken
_MARGIN = 1.05  # costs nothing where usage is at a ceiling, and elsewhere leaves half as many samples above
_CEILING_DAYS = (
    7  # nothing above the highest of a whole week is requested: it would pay for nothing ever used there
)
_AT_A_TIME = 4096  # subjects, whose levels at every share are many times what is kept of them


def cores_of(daily: Daily, midnights: Ints, told: Floats, budget: float = BUDGET) -> Floats:
    """Cores to request from these midnights on: (midnights, subjects), NaN where nothing was observed lately.

    Everybody gets the level that the same share of its time lay at or below, of 14 days or of yesterday: where unserved
    time per core is the same for all, no core would serve more elsewhere. The share is the one at which all of them
    cost the budget. told: float64 (midnights, subjects), 1 who gets advice, 0 who does not and is not paid for.
    budget: of what a plain percentile costs.
    """
    requests, plain = _requests(daily, midnights)
    weight = _observed_s(daily)[:, midnights] * told.T
    bills = np.column_stack([_bill(requests[..., share], weight) for share in range(len(_SHARES))])
    place = _affordable(bills, _bill(plain, weight), budget)
    below = np.minimum(place.astype(np.int64), len(_SHARES) - 2)
    column = np.arange(len(midnights))
    low, high = requests[:, column, below], requests[:, column, below + 1]
    return np.asarray((low + (place - below) * (high - low)).T)


def held(cores: Floats) -> Floats:
    """The same where it is to change seldom: a cut is put off until it is a large one. cores: from the first midnight on."""
    steady = cores.copy()
    for midnight in range(1, len(cores)):
        before, new = steady[midnight - 1], cores[midnight]
        kept = (new >= _KEPT[0] * before) & (new <= _KEPT[1] * before)
        steady[midnight] = np.where(kept, before, new)
    return steady


def _requests(daily: Daily, midnights: Ints) -> tuple[Floats, Floats]:
    """What each share asks for, (subjects, midnights, shares), and what the plain one does by others' rules, (subjects, midnights)."""
    first, days = int(midnights[0]), len(daily.start_ms)
    requests = np.empty((daily.subjects, len(midnights), len(_SHARES)))
    plain = np.empty(requests.shape[:2])
    peak, ceiling = (highest_before(daily.cpu_peak, span)[:, midnights] for span in (RECENT, _CEILING_DAYS))
    for some, offsets in _parts(daily):
        sketches = offsets, daily.cpu_buckets, daily.cpu_seconds, days, first
        lately, yesterday = (
            cores_at(window_ranks(*sketches, window, _SHARES)[:, midnights - first]) for window in (RECENT, 1)
        )
        plain[some] = np.fmin(lately[..., _PLAIN], peak[some])
        requests[some] = np.fmin(_MARGIN * np.fmax(lately, yesterday), ceiling[some, :, None])
    return requests, plain


def _parts(daily: Daily) -> Iterator[tuple[slice, Ints]]:
    """Some subjects after the others, and where their days' sketches begin."""
    days = len(daily.start_ms)
    for begin in range(0, daily.subjects, _AT_A_TIME):
        end = min(begin + _AT_A_TIME, daily.subjects)
        yield slice(begin, end), daily.cpu_offsets[begin * days : end * days + 1]


def _affordable(bills: Floats, plain: Floats, budget: float) -> Floats:
    """Where among the shares the bill of each midnight is the budget; the plain one where nothing was used."""
    place = np.full(len(plain), float(_PLAIN))
    for midnight in np.flatnonzero(plain > 0):
        ratio = bills[midnight] / plain[midnight]
        place[midnight] = np.interp(budget, ratio, np.arange(len(_SHARES)))
    return place


def _bill(requests: Floats, weight: Floats) -> Floats:
    """Core-seconds a midnight, (midnights,), of requests (subjects, midnights)."""
    # In the order of size, so that the sum is the same in whatever order the subjects come.
    return np.asarray(np.sort(np.nan_to_num(requests) * weight, axis=0).sum(axis=0))


def _observed_s(daily: Daily) -> Floats:
    """For how long all replicas of each subject were observed in the week before each midnight: (subjects, days + 1)."""
    days = len(daily.start_ms)
    upto = np.zeros((daily.subjects, days + 1))
    for some, offsets in _parts(daily):
        reached = np.cumsum(daily.cpu_seconds[offsets[0] : offsets[-1]], dtype=np.float64)
        reached = np.append(0.0, reached)[offsets - offsets[0]]
        upto[some] = reached[np.arange(0, len(offsets) - 1, days)[:, None] + np.arange(days + 1)]
        upto[some] -= upto[some, :1]
    before = np.maximum(np.arange(days + 1) - _CEILING_DAYS, 0)
    return np.asarray(upto - upto[:, before])

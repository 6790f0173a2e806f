"""What containers need while they start, where that is more than they ever need later."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints

_ABOVE = 1.1  # times the most used otherwise: below, what holds for all of its time holds for its start


@dataclass(frozen=True, slots=True)
class Startups:
    """Start-up phases of subjects; arrays (subjects,).

    most: float64, cores or bytes, the most used in the phase, the (lower) median of the starts seen. otherwise: the same,
    the most used at any other time. Both NaN = there is no such phase, or it was not seen often enough. starts: int64,
    how many were seen.
    """

    most: Floats
    otherwise: Floats
    starts: Ints


def startups_of(
    subject: Ints,
    hourly_max: Floats,
    phase: NDArray[np.bool_],
    otherwise: Floats,
    subjects: int,
    least_starts: int,
) -> Startups:
    """The start-up phases that some starts tell of; one counts where something was observed in the phase and after it.

    By start: subject: int64 (starts,). hourly_max: float64 (starts, hours), cores or bytes, NaN = not observed. phase:
    bool, of the same shape, which hours are of the phase. otherwise: float64 (starts,), the most that the subject used
    in the lives of others; NaN = not known. least_starts: with fewer nothing is said.
    """
    during = np.fmax.reduce(np.where(phase, hourly_max, np.nan), axis=1, initial=np.nan)
    after = np.fmax.reduce(np.where(phase, np.nan, hourly_max), axis=1, initial=np.nan)
    told = ~np.isnan(during) & ~np.isnan(after)
    subject, during = subject[told], during[told]
    rest = np.full(subjects, np.nan)
    np.fmax.at(rest, subject, np.fmax(after, otherwise)[told])
    starts = np.bincount(subject, minlength=subjects)
    first = np.append(0, np.cumsum(starts))[:-1]
    middle = first + (starts - 1) // 2
    most = np.full(subjects, np.nan)
    most[starts > 0] = during[np.lexsort((during, subject))][middle[starts > 0]]
    found = (starts >= least_starts) & (most > _ABOVE * rest)
    return Startups(np.where(found, most, np.nan), np.where(found, rest, np.nan), starts)

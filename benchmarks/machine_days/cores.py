"""What each judged day used of CPU, what was known the midnight before, and rungs of what could be requested for it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from machine_days.usage import Usage

Floats = NDArray[np.float64]
SHARES = (0.8, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999)  # of the time, at or below
_RECENT, _CEILING, _MARGIN = 14, 7, 1.05  # as the rule `costlab` has them
_CUT, _RAISED = (0.4, 0.7), 1.3
_WINDOWS, _WINDOW_SHARES = (1, 2, 7, 14, 28), (0.5, 0.9, 0.97, 0.99, 1.0)
_LAST_HOURS = 6
_LEAST = 1e-3  # of a machine's highest, below which figures are not told apart


@dataclass(frozen=True, slots=True)
class Days:
    """Rows are judged days. cpu: cores, (rows, slots), NaN = not observed. krr: what its rule requests.

    rungs: (rows, rungs) of cores, rising; `first` is that of the first of `SHARES`. figures: what was known.
    """

    machine: NDArray[np.int64]
    cpu: NDArray[np.float32]
    krr: Floats
    rungs: Floats
    figures: Floats
    scale: Floats  # the highest of the last 14 days, in cores

    def chosen(self, rows: NDArray[np.bool_]) -> Self:
        """These rows alone."""
        return type(self)(*(getattr(self, name)[rows] for name in self.__slots__))

    def requested(self, place: Floats | float) -> Floats:
        """Cores at these places among the rungs, which may lie between two."""
        last = self.rungs.shape[1] - 1
        place = np.clip(np.broadcast_to(np.asarray(place, np.float64), len(self.krr)), 0, last)
        below = np.minimum(place.astype(np.int64), last - 1)
        row = np.arange(len(place))
        low, high = self.rungs[row, below], self.rungs[row, below + 1]
        return np.asarray(low + (place - below) * (high - low))

    def dearer(self, place: Floats) -> Floats:
        """What the next rung would cost more, in cores."""
        above = np.clip(np.floor(place) + 1, 1, self.rungs.shape[1] - 1)
        return self.requested(above) - self.requested(above - 1)

    def above(self, request: Floats) -> Floats:
        """The share of each day's time above its request."""
        observed = np.isfinite(self.cpu).sum(axis=1)
        return np.asarray((self.cpu > request[:, None]).sum(axis=1) / observed)

    def unserved(self, request: Floats) -> Floats:
        """Core-slots above the request, by day."""
        return np.asarray(np.nansum(np.maximum(self.cpu - request[:, None], 0), axis=1))

    def own(self, share: float) -> Floats:
        """The level that this share of the day itself lay at or below."""
        return np.asarray(np.nanquantile(self.cpu, share, axis=1), np.float64)


def days_of(usage: Usage, judged: NDArray[np.bool_], krr: Floats) -> Days:
    """The judged days of all machines. krr: (workloads, days), NaN where it has no advice and the size stays."""
    machine, day = np.nonzero(judged)
    rows = [_Before(usage, *at) for at in zip(machine.tolist(), day.tolist(), strict=True)]
    return Days(
        machine=machine,
        cpu=usage.cpu[machine, day],
        krr=np.where(np.isfinite(krr), krr, usage.cpu_now)[machine, day],
        rungs=np.maximum.accumulate(np.array([row.rungs() for row in rows]), axis=1),
        figures=np.array([row.figures() for row in rows]),
        scale=np.array([row.scale for row in rows]),
    )


class _Before:
    """A machine's CPU before one midnight."""

    def __init__(self, usage: Usage, machine: int, day: int) -> None:
        self._cpu, self._size = usage.cpu[machine, :day], float(usage.cpu_now[machine, day])
        self._weekday = (usage.first_day + day) % 7
        self.scale = self._highest(_RECENT)

    def rungs(self) -> list[float]:
        """From far below to far above what the rule would request."""
        lately, yesterday = (self._levels(days, SHARES) for days in (_RECENT, 1))
        known = np.where(np.isfinite(lately), np.fmax(lately, yesterday), self._size)
        levels = np.minimum(_MARGIN * known, self._highest(_CEILING))
        highest = self._highest(len(self._cpu))
        return [*(levels[0] * cut for cut in _CUT), *levels, self.scale, highest, highest * _RAISED]

    def figures(self) -> list[float]:
        """What could tell of the next day: levels, against the highest of 14 days, and how they moved."""
        levels = [self._levels(days, _WINDOW_SHARES) for days in _WINDOWS]
        lately = self._cpu[-_RECENT:]
        peaks, busy, mean = np.nanmax(lately, 1), np.nanquantile(lately, 0.97, axis=1), np.nanmean(lately, 1)
        week = self._cpu[[-7, -14] if len(self._cpu) >= 14 else [-7, -7]]
        last = self._cpu[-1, -_LAST_HOURS * 12 :]
        ordered = np.sort(np.nan_to_num(peaks))[::-1]
        against = np.concatenate([
            *levels, ordered[1:3], [np.nanmedian(peaks), np.nanmedian(busy)], np.nanmax(week, axis=1),
            np.nanquantile(week, 0.97, axis=1), [np.nanmean(last), np.nanmax(last), self._highest(len(self._cpu))],
        ])  # fmt: skip
        steps = np.diff(np.log(np.maximum(mean, _LEAST * self.scale)))
        filled = np.nan_to_num(mean, nan=float(np.nan_to_num(np.nanmean(mean))))
        return [
            *self.logarithms(against).tolist(),
            float(np.nanstd(np.log(np.maximum(busy, _LEAST * self.scale)))), float(np.nanstd(steps)),
            _alike(filled, 1), _alike(filled, 7), float(np.polyfit(np.arange(len(filled)), filled / self.scale, 1)[0]),
            float(self._weekday), float(np.isfinite(self._cpu).any(axis=1).sum()), float(np.log(self._size)),
            float(np.log(self.scale / self._size)),
        ]  # fmt: skip

    def logarithms(self, levels: Floats) -> Floats:
        """Of levels against the highest of 14 days."""
        return np.asarray(np.log(np.maximum(levels / self.scale, _LEAST)))

    def _levels(self, days: int, shares: tuple[float, ...]) -> Floats:
        return np.asarray(np.nanquantile(self._cpu[-days:], shares), np.float64)

    def _highest(self, days: int) -> float:
        highest = float(np.nan_to_num(np.fmax.reduce(self._cpu[-days:], axis=None)))
        return highest if highest > 0 else self._size


def _alike(daily: Floats, days: int) -> float:
    """How days are correlated with those so many days before."""
    early, late = daily[:-days], daily[days:]
    if len(late) < 3 or not (early.std() > 0 and late.std() > 0):
        return 0.0
    return float(np.corrcoef(early, late)[0, 1])

"""When workloads could be scaled down: at night and over the weekend, by every hour of their past days."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.kernels import Floats, Ints

HOURS, WEEK = 24, 7
SATURDAY = 5
_NIGHTS = 5  # observed working days before nights are told of
_WEEKENDS = 2  # whole weekends before weekends are
_LEAST_HOURS = 6  # of a night: below, starting again costs more than it gives
_QUIET = 0.05  # of the most that was ever used
_NEXT_TO_NOTHING = 0.1  # of the request

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to scale down, by the local clock: on working days from hour `down` to hour `up`, and on `weekends`.

    off: bool (7, 24), every hour of the week, from Monday on, in which it is down. days: how many it rests on.
    """

    off: Flags
    down: int | None
    up: int | None
    weekends: bool
    days: int

    @property
    def words(self) -> str:
        """When, as a person would write it down."""
        nights = "" if self.down is None else f"{self.down:02}:00 to {self.up:02}:00"
        if not self.weekends:
            return nights
        return f"{nights}, and all of Saturday and Sunday" if nights else "all of Saturday and Sunday"

    def hours_off(self, weekday: Ints) -> Ints:
        """How many hours each of these days (int64 (days,), 0 = Monday) would have been down."""
        hours: Ints = self.off.sum(axis=1)[weekday]
        return hours


def schedule_of(idle: Flags, weekday: Ints) -> Schedule | None:
    """The hours of the week in which a workload never did anything; None where these are too few, or seen too seldom.

    idle: bool (days, 24), by the local clock: the hour was observed, and nothing went on. weekday: int64 (days,), 0 =
    Monday. Nights are those hours of every working day, of at least five, and at least six in a row; weekends need two
    whole ones. An hour that was not observed is not idle.
    """
    if idle.all():
        return None  # then it is idle, and has no schedule
    working = weekday < SATURDAY
    nights = _night(np.all(idle[working], axis=0)) if working.sum() >= _NIGHTS else np.zeros(HOURS, bool)
    weekends = bool(
        idle[~working].all() and all((weekday == day).sum() >= _WEEKENDS for day in (SATURDAY, SATURDAY + 1))
    )
    if not nights.any() and not weekends:
        return None
    off = np.zeros((WEEK, HOURS), bool)
    off[:SATURDAY] = nights
    # A night of the weekend is one like the others, unless somebody was there.
    off[SATURDAY:] = True if weekends else nights & np.all(idle[~working], axis=0) & bool((~working).any())
    down, up = _edges(nights)
    return Schedule(off, down, up, weekends, len(weekday))


def idle_hours(hourly_max: Floats, request: float | None = None) -> Flags:
    """In which hours a workload used next to nothing of CPU: at most 5 % of its most, and 10 % of its request if it has one.

    hourly_max: (days, 24), cores, by the local clock; NaN = not observed, which is not idle.
    """
    if np.isnan(hourly_max).all():
        return np.zeros(hourly_max.shape, bool)
    below = _QUIET * float(np.nanmax(hourly_max))
    if request:
        below = min(below, _NEXT_TO_NOTHING * request)
    idle: Flags = hourly_max <= below  # NaN is not
    return idle


def saved(schedule: Schedule, weekday: Ints, cost: Floats, unused: Floats) -> float:
    """What the schedule would have saved on past days: their cost by the hour, never more than what was not used.

    weekday: int64 (days,). cost, unused: float64 (days,), of the whole day; NaN = no price known.
    """
    return float(np.minimum(cost * schedule.hours_off(weekday) / HOURS, unused).sum())


def _night(idle: Flags) -> Flags:
    """The longest row of idle hours, around midnight or not; none where it is short."""
    night = np.zeros(HOURS, bool)
    if idle.all() or not idle.any():
        return idle.copy()
    first = int(np.flatnonzero(~idle)[0])
    best, run = (0, 0), 0
    for step in range(1, HOURS + 1):
        run = run + 1 if idle[(first + step) % HOURS] else 0
        best = max(best, (run, first + step), key=lambda one: one[0])
    length, last = best
    if length >= _LEAST_HOURS:
        night[[(last - back) % HOURS for back in range(length)]] = True
    return night


def _edges(night: Flags) -> tuple[int | None, int | None]:
    """At which hour it begins, and at which it is over."""
    if night.all():
        return 0, HOURS
    if not night.any():
        return None, None
    begins = np.flatnonzero(night & ~np.roll(night, 1))
    ends = np.flatnonzero(night & ~np.roll(night, -1))
    return int(begins[0]), (int(ends[0]) + 1) % HOURS

"""How much a container uses over its life: curves over the hour, the weekday and its age."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY_S = 86_400
HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Life:
    """The instants at which a curve is asked, and chance of its own.

    epoch_s: int64 (n,), ascending, evenly spaced.
    start_s, end_s: when the run starts and ends.
    """

    epoch_s: NDArray[np.int64]
    start_s: int
    end_s: int
    chance: np.random.Generator

    @property
    def age_s(self) -> Floats:
        """Seconds since the start of the run, float64 (n,)."""
        return (self.epoch_s - self.start_s).astype(np.float64)

    @property
    def hour(self) -> Floats:
        """Hour of the day in UTC, 0 to 24, float64 (n,)."""
        return (self.epoch_s % DAY_S) / HOUR_S

    @property
    def weekend(self) -> NDArray[np.bool_]:
        """Whether it is Saturday or Sunday in UTC, bool (n,); the epoch began on a Thursday."""
        return (self.epoch_s // DAY_S + 3) % 7 >= 5


Curve = Callable[[Life], Floats]


def steady(level: float) -> Curve:
    """The same all the time."""
    return lambda life: np.full(len(life.epoch_s), level)


def daily(low: float, high: float, peak_hour: float = 14.0, weekend: float = 0.45) -> Curve:
    """Lowest at night, highest at the peak hour; on weekends the swing shrinks to `weekend` of itself."""

    def curve(life: Life) -> Floats:
        swing = (0.5 + 0.5 * np.cos((life.hour - peak_hour) * (2 * np.pi / 24))) ** 1.5
        return low + (high - low) * swing * np.where(life.weekend, weekend, 1.0)

    return curve


def office(low: float, high: float, active: float = 0.6) -> Curve:
    """Sessions of an hour on weekdays from 08 to 19, each happening with probability `active`; else low."""

    def curve(life: Life) -> Floats:
        hours = (life.epoch_s - life.epoch_s[0]) // HOUR_S
        drawn = life.chance.random(int(hours[-1]) + 1)[hours] < active
        at_work = (life.hour >= 8) & (life.hour < 19) & ~life.weekend
        return np.where(at_work & drawn, high, low)

    return curve


def epochs(level: float, dip: float, minutes: float = 47.0) -> Curve:
    """A training loop: high, with a dip for validation and checkpoint in the last eighth of every epoch.

    The first eight minutes load the data.
    """

    def curve(life: Life) -> Floats:
        position = (life.age_s / (minutes * 60)) % 1.0
        return np.where((position > 0.875) | (life.age_s < 480), dip, level)

    return curve


def phases(*levels: float) -> Curve:
    """The levels one after another, each for the same share of the run: load, crunch, write."""

    def curve(life: Life) -> Floats:
        share = life.age_s / max(life.end_s - life.start_s, 1)
        return np.asarray(levels, np.float64)[
            np.clip((share * len(levels)).astype(np.int64), 0, len(levels) - 1)
        ]

    return curve


def leak(start: float, per_hour: float) -> Curve:
    """Grows with the age of the run and never shrinks."""
    return lambda life: start + per_hour / HOUR_S * life.age_s


def bursts(base: float, peak: float, share: float) -> Curve:
    """Mostly the base; in `share` of the quarter hours the peak, by day only."""

    def curve(life: Life) -> Floats:
        quarters = (life.epoch_s - life.epoch_s[0]) // 900
        drawn = life.chance.random(int(quarters[-1]) + 1)[quarters] < share
        return np.where(drawn & (life.hour > 7) & (life.hour < 20), peak, base)

    return curve

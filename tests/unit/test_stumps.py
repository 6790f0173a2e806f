"""The learner that CPU requests are measured against: it must find what there is to learn."""

import numpy as np
from machine_days.stumps import boosted, values_of
from numpy.typing import NDArray

AIMED_ABOVE = 0.1
Floats = NDArray[np.float64]


def test_each_group_gets_its_own_quantile_by_the_one_figure_that_tells_of_it() -> None:
    drawn = np.random.default_rng(5)
    figures = drawn.normal(size=(1200, 6))
    figures[::7, 5] = np.nan
    high = figures[:, 3] > 0.4
    used = drawn.exponential(np.where(high, 4.0, 1.0)[:, None], (1200, 40))

    def slopes(value: Floats) -> tuple[Floats, Floats]:
        above = (used > value[:, None]).mean(axis=1)
        return 1 - above / AIMED_ABOVE, np.ones(len(value))

    found = values_of(boosted(figures, slopes, rounds=600, rate=0.1), figures)
    for group, scale in ((high, 4.0), (~high, 1.0)):
        # of an exponential distribution, the level with a tenth above it
        assert abs(np.median(found[group]) / (-np.log(AIMED_ABOVE) * scale) - 1) < 0.05
        assert abs((used[group] > found[group][:, None]).mean() - AIMED_ABOVE) < 0.01

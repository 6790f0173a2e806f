"""Forecasts in a rolling backtest: against the plain mean and last week again, on real series and on the synthetic cluster.

The real series are NAB's server metrics, which are not part of the project: their test runs where a folder `shared` lies
beside the checkout, or at `COSTLAB_SHARED_DATA`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import forecasting
import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
NAB = SHARED / "data" / "open" / "nab_aws_cloudwatch.parquet"
EVERY = 5

Floats = NDArray[np.float64]


@pytest.mark.shared_data
@pytest.mark.skipif(not NAB.exists(), reason="NAB's series are not on this machine")
def test_on_real_servers_it_is_less_wrong_and_its_intervals_hold() -> None:
    series = forecasting.nab(NAB, forecasting.DAY_S // 7)
    assert len(series) == 19  # a seventh of a day stands for a day, and a day for a week
    errors = {
        way.__name__: {key: forecasting.backtest(values, way, EVERY) for key, values in series.items()}
        for way in (forecasting.costlab, forecasting.plain_mean, forecasting.last_week)
    }
    for part, of_mean, of_week in ((0, 0.70, 0.90), (1, 0.80, 0.97)):  # of a day, of a week's sum
        assert forecasting.relative(errors["costlab"], errors["plain_mean"], part) < of_mean
        assert forecasting.relative(errors["costlab"], errors["last_week"], part) < of_week
    better = sum(errors["costlab"][key][0].mean() < errors["plain_mean"][key][0].mean() for key in series)
    assert better >= 15
    held = np.mean([forecasting.coverage(values, EVERY) for values in series.values()], axis=0)
    assert 0.75 <= held[0] <= 0.87
    assert 0.66 <= held[1] <= 0.87  # these series change their level, and sums take all of it


@pytest.mark.parametrize(("other", "most"), [(forecasting.plain_mean, 0.78), (forecasting.last_week, 0.99)])
def test_on_the_synthetic_cluster_it_is_less_wrong(other: Callable[[Floats], Floats], most: float) -> None:
    series = forecasting.synthetic()
    found, base = (
        {key: forecasting.backtest(values, way, EVERY) for key, values in series.items()}
        for way in (forecasting.costlab, other)
    )
    assert {"nlp", "vision", "recsys", "data"} <= series.keys()
    assert forecasting.relative(found, base, 0) < most

"""Forecasts a week ahead, in a rolling backtest: costlab's, the plain mean, last week again, and statsmodels' where it is.

usage: scripts/bench forecasting [--nab FILE [--held-out]] [--every N]

NAB's server metrics (numenta/NAB as Parquet: folder, series, timestamp, value) last two weeks: a day of them, cut into
seven, is taken for a week. The synthetic cluster's series are what each namespace requests a day, at the default rates.
An origin is forecast from what was before it alone. `--held-out` chooses costlab's settings on one half of NAB's series,
every other by name, and judges them on the other half, both ways together. `pip install statsmodels` adds its damped Holt-Winters.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from costlab.core.forecasting import WEEK, forecast
from costlab.sources.synthetic import SyntheticCluster

Floats = NDArray[np.float64]
Forecaster = Callable[[Floats], Floats]

FIRST, AHEAD = 3 * WEEK, WEEK
DAY_S = 86_400
SYNTHETIC_DAYS = 90
LEVELS = {84: 7, 28: 7, 7: 4, 3: 2}  # days that a level may rest on, and how many of them must be known
WINDOWS, FADES, GAINS = (
    ((84, 28, 7, 3), (28, 7, 3), (84, 28, 7), (28, 7)),
    (0.9, 0.98),
    (0.93, 0.97, 1.0),
)
RATES = {"cpu": 0.1, "memory": 0.05, "gpu": 2.5}


def main() -> None:
    """Print each forecaster's error against the plain mean's, how often costlab's intervals held, and the time taken."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--nab", type=Path)
    asked.add_argument("--every", type=int, default=3, help="days from one origin to the next")
    asked.add_argument("--held-out", action="store_true")
    options = asked.parse_args()
    if options.held_out and options.nab:
        tell_held_out(nab(options.nab, DAY_S // WEEK), options.every)
        return
    sets = {"synthetic cluster": synthetic()}
    if options.nab:
        sets |= {
            "NAB, sevenths of a day": nab(options.nab, DAY_S // WEEK),
            "NAB, days": nab(options.nab, DAY_S),
        }
    else:
        print("without --nab FILE, real series are left out")
    ways: dict[str, Forecaster] = {"costlab": costlab, "plain mean": plain_mean, "last week": last_week}
    if (peer := holt_winters()) is None:
        print("statsmodels is not installed: pip install statsmodels adds it")
    else:
        ways["statsmodels, damped Holt-Winters"] = peer
    print(f"{'':28}{'forecaster':34}{'error':>8}{'of sums':>9}{'ms':>8}")
    for name, series in sets.items():
        base = {key: backtest(values, plain_mean, options.every) for key, values in series.items()}
        for way, forecaster in ways.items():
            start = time.perf_counter()
            found = {key: backtest(values, forecaster, options.every) for key, values in series.items()}
            origins = sum(len(day) for day, _ in found.values())
            taken = (time.perf_counter() - start) / max(1, origins) * 1000
            days, sums = (relative(found, base, part) for part in (0, 1))
            print(f"{name:28}{way:34}{days:8.3f}{sums:9.3f}{taken:8.1f}")
        held = np.mean([coverage(values, options.every) for values in series.values()], axis=0)
        print(
            f"{name:28}intervals for 0.8 held {held[0]:.3f} of days, {held[1]:.3f} of weeks' sums; {len(series)} series"
        )


def tell_held_out(series: dict[str, Floats], every: int) -> None:
    """Print the error with settings that were chosen on the other half, as shipped, and of last week again."""
    base = {key: backtest(values, plain_mean, every) for key, values in series.items()}
    found = {}
    for windows, fade, gain in product(WINDOWS, FADES, GAINS):
        known = {days: least for days, least in LEVELS.items() if days in windows}
        with patch.multiple("costlab.core.forecasting", _WINDOWS=known, _FADE=fade, _GAIN=gain):
            found[windows, fade, gain] = {
                key: backtest(values, costlab, every) for key, values in series.items()
            }
    names = sorted(series)
    judged: dict[str, tuple[Floats, Floats]] = {}
    for chosen_on, judged_on in ((names[::2], names[1::2]), (names[1::2], names[::2])):
        errors = {
            choice: relative({key: of[key] for key in chosen_on}, base, 1) for choice, of in found.items()
        }
        best = min(errors, key=lambda choice: errors[choice])
        judged |= {key: found[best][key] for key in judged_on}
        print(f"chosen on {len(chosen_on)} series: windows {best[0]}, fade {best[1]}, gain {best[2]}")
    ways = {
        "held out": judged,
        "as shipped": {key: backtest(values, costlab, every) for key, values in series.items()},
        "last week": {key: backtest(values, last_week, every) for key, values in series.items()},
    }
    for name, of in ways.items():
        print(f"{name:12}{relative(of, base, 0):8.3f}{relative(of, base, 1):9.3f}")


def backtest(values: Floats, forecaster: Forecaster, every: int = 1) -> tuple[Floats, Floats]:
    """Mean absolute error a day, and of the week's sum a day, at each origin: float64 (origins,) each."""
    days, sums = [], []
    for origin in origins(values, every):
        wrong = values[origin : origin + AHEAD] - forecaster(values[:origin])
        days.append(np.abs(wrong).mean())
        sums.append(abs(wrong.mean()))
    return np.array(days), np.array(sums)


def coverage(values: Floats, every: int = 1) -> tuple[float, float]:
    """How often costlab's intervals held the days, and the sum of the week."""
    days, sums = [], []
    for origin in origins(values, every):
        found, came = forecast(values[:origin], 0, AHEAD), values[origin : origin + AHEAD]
        days.append(((found.days.lower <= came) & (came <= found.days.upper)).mean())
        sums.append(found.sums.lower[-1] <= came.sum() <= found.sums.upper[-1])
    return float(np.mean(days)), float(np.mean(sums))


def origins(values: Floats, every: int) -> list[int]:
    """From where is forecast: the days after are all known."""
    return [
        origin
        for origin in range(FIRST, len(values) - AHEAD + 1, every)
        if np.isfinite(values[:origin]).all() and np.isfinite(values[origin : origin + AHEAD]).all()
    ]


def relative(
    found: Mapping[str, tuple[Floats, Floats]], base: Mapping[str, tuple[Floats, Floats]], part: int
) -> float:
    """The geometric mean over the series of the error, as a share of the base's."""
    ratios = [found[key][part].mean() / base[key][part].mean() for key in found]
    return float(np.exp(np.mean(np.log(np.maximum(ratios, 1e-3)))))


def costlab(past: Floats) -> Floats:
    """Costlab's level."""
    return forecast(past, 0, AHEAD).days.level


def plain_mean(past: Floats) -> Floats:
    """The mean of all that was."""
    return np.full(AHEAD, past.mean())


def last_week(past: Floats) -> Floats:
    """The last seven days once more."""
    return past[-WEEK:]


def holt_winters() -> Forecaster | None:
    """Exponential smoothing of statsmodels, with a damped trend and a week's season; None where it is not installed."""
    try:
        smoothing = import_module("statsmodels.tsa.holtwinters").ExponentialSmoothing
    except ImportError:
        return None

    def forecaster(past: Floats) -> Floats:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits that do not converge: they count as they are
            fitted = smoothing(
                past, trend="add", damped_trend=True, seasonal="add", seasonal_periods=WEEK
            ).fit()
            return np.asarray(fitted.forecast(AHEAD))

    return forecaster


def nab(file: Path, step_s: int) -> dict[str, Floats]:
    """NAB's series by name, as means over steps of so many seconds; those that are long enough for an origin."""
    rows = pq.read_table(file, columns=["folder", "series", "timestamp", "value"])
    keys = np.array(
        [f"{a}/{b}" for a, b in zip(*(rows[name].to_pylist() for name in ("folder", "series")), strict=True)]
    )
    at_s = rows["timestamp"].cast("timestamp[s]").cast("int64").to_numpy()
    values = rows["value"].to_numpy()
    found = {}
    for key in np.unique(keys):
        mine = keys == key
        step = (at_s[mine] - at_s[mine].min()) // step_s
        count = np.bincount(step)
        means = np.full(len(count), np.nan)
        np.divide(np.bincount(step, values[mine]), count, out=means, where=count > 0)
        if origins(means[:-1], 1):
            found[str(key)] = means[:-1]  # the last step is not over
    return found


def synthetic() -> dict[str, Floats]:
    """What each namespace of the synthetic cluster requests a day, in money; those that change at all."""
    story = SyntheticCluster(days=SYNTHETIC_DAYS).story
    begin_s = story.calendar.at(1 - SYNTHETIC_DAYS, "00:00")
    edges_s = begin_s + DAY_S * np.arange(SYNTHETIC_DAYS + 1)
    found: dict[str, Floats] = {}
    for pod in story.pods:
        if pod.scheduled_s is None:
            continue
        hourly = sum(
            RATES["cpu"] * (each.cpu_request or 0)
            + RATES["memory"] * (each.memory_request_gib or 0)
            + RATES["gpu"] * each.gpus
            for each in pod.containers
        )
        seconds = np.diff(np.clip(edges_s, pod.scheduled_s, max(pod.scheduled_s, pod.end_s)))
        cost: Floats = hourly * seconds.astype(np.float64) / 3600
        found[pod.namespace] = found.get(pod.namespace, np.zeros(SYNTHETIC_DAYS)) + cost
    return {key: values for key, values in found.items() if np.ptp(values) > 0}


if __name__ == "__main__":
    main()

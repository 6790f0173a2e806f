"""Labelled anomalies of servers: the figures that docs/methods.md gives, beside the rule of a mean of some days.

The series of the Numenta Anomaly Benchmark are not part of the project: the tests run where a folder `shared` lies
beside the checkout, or at $COSTLAB_SHARED_DATA.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from costlab.core.anomalies import Rule, episodes, scores

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
SERIES, WINDOWS = (
    SHARED / "data" / "open" / name for name in ("nab_aws_cloudwatch.parquet", "nab_anomaly_windows.json")
)
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not SERIES.exists(), reason="the benchmark's series are not on this machine"),
]

# A day of hours takes the part of a week of days: the series are two weeks long.
HOURLY = Rule(period=24)
MONTH_HOURS = 730
METHODS = Path(__file__).parents[2] / "docs" / "methods.md"

Labelled = tuple[np.ndarray, list[np.ndarray]]


@dataclass(frozen=True)
class Verdict:
    """alarms and how many of them are in a labelled window, windows and how many of them have one, hours outside."""

    alarms: int
    right: int
    windows: int
    hit: int
    quiet_hours: int

    @property
    def row(self) -> str:
        return (
            f"{self.right / self.alarms:.2f} | {self.hit / self.windows:.2f} | "
            f"{(self.alarms - self.right) / self.quiet_hours * MONTH_HOURS:.1f}"
        )


@pytest.fixture(scope="module")
def labelled() -> list[Labelled]:
    """Each series as means of hours, with a mask for each of its windows."""
    windows = {Path(name).stem: spans for name, spans in json.loads(WINDOWS.read_text()).items()}
    found = []
    for name, rows in pd.read_parquet(SERIES).groupby("series"):
        hours = rows.set_index("timestamp")["value"].resample("1h").mean()
        spans = [(pd.Timestamp(a).floor("h"), pd.Timestamp(b)) for a, b in windows[str(name)]]
        found.append(
            (hours.to_numpy(), [np.asarray((hours.index >= a) & (hours.index <= b)) for a, b in spans])
        )
    return found


def costlab(values: np.ndarray) -> np.ndarray:
    scored: np.ndarray = scores(values[None], np.zeros(len(values)), HOURLY)[0]
    return scored


def mean_of_days(bound: float) -> Callable[[np.ndarray], np.ndarray]:
    """The change against the mean of the seven days before, in parts of it, scaled so that `bound` is the threshold."""

    def score(values: np.ndarray) -> np.ndarray:
        scored = np.full(len(values), np.nan)
        for t in range(48, len(values)):
            before = values[max(0, t - 7 * 24) : t]
            mean = np.nanmean(before)
            scored[t] = (values[t] - mean) / abs(mean) / bound * HOURLY.threshold
        return scored

    return score


def judged(score: Callable[[np.ndarray], np.ndarray], labelled: list[Labelled]) -> Verdict:
    """An alarm is right when it begins in a window; only windows with a score can be hit, and only those count."""
    alarms = right = windows = hit = quiet = 0
    for values, masks in labelled:
        scored = score(values)
        began = [each.first for each in episodes(scored[None], HOURLY)]
        known = ~np.isnan(scored)
        anywhere = np.any([np.zeros(len(values), bool), *masks], axis=0)
        alarms += len(began)
        right += sum(bool(anywhere[t]) for t in began)
        windows += sum(bool((mask & known).any()) for mask in masks)
        hit += sum(any(mask[t] for t in began) for mask in masks)
        quiet += int((known & ~anywhere).sum())
    return Verdict(alarms, right, windows, hit, quiet)


def test_the_figures_are_those_of_the_docs_and_more_is_right_and_found_than_by_a_mean_at_any_bound(
    labelled: list[Labelled],
) -> None:
    ours = judged(costlab, labelled)
    theirs = {bound: judged(mean_of_days(bound), labelled) for bound in (0.1, 0.2, 0.5, 1.0, 2.0)}
    assert {other.windows for other in theirs.values()} == {ours.windows}
    text = METHODS.read_text()
    told = [
        f"| costlab | {ours.row} |",
        *(f"| mean of 7 days ± {bound:.0%} | {each.row} |" for bound, each in theirs.items()),
    ]
    assert [line for line in told if line not in text] == []
    for each in theirs.values():
        assert ours.right / ours.alarms > each.right / each.alarms
        assert ours.hit >= each.hit
    assert 2 * (ours.alarms - ours.right) < theirs[0.2].alarms - theirs[0.2].right

"""Labelled anomalies of servers: the figures that docs/methods.md gives, beside the rule of a mean of some days.

The series of the Numenta Anomaly Benchmark are not part of the project: the tests run where a folder `shared` lies
beside the checkout, or at $COSTLAB_SHARED_DATA.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
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

BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0)

Labelled = tuple[np.ndarray, list[np.ndarray]]
Way = tuple[Rule, Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True, slots=True)
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


def costlab_by(rule: Rule) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: scored(values.tobytes(), rule.cycles, rule.least_share)


@cache
def scored(values: bytes, cycles: int, least_share: float) -> np.ndarray:
    """Without a least difference scores do not depend on the threshold, so each is computed once."""
    hours, rule = np.frombuffer(values), Rule(period=24, cycles=cycles, least_share=least_share)
    found: np.ndarray = scores(hours[None], np.zeros(len(hours)), rule)[0]
    return found


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


def judged(way: Way, labelled: list[Labelled]) -> Verdict:
    """An alarm is right when it begins in a window; only windows with a score can be hit, and only those count."""
    rule, score = way
    alarms = right = windows = hit = quiet = 0
    for values, masks in labelled:
        scored = score(values)
        began = [each.first for each in episodes(scored[None], rule)]
        known = ~np.isnan(scored)
        anywhere = np.any([np.zeros(len(values), bool), *masks], axis=0)
        alarms += len(began)
        right += sum(bool(anywhere[t]) for t in began)
        windows += sum(bool((mask & known).any()) for mask in masks)
        hit += sum(any(mask[t] for t in began) for mask in masks)
        quiet += int((known & ~anywhere).sum())
    return Verdict(alarms, right, windows, hit, quiet)


def by_f1(found: Verdict) -> float:
    """The harmonic mean of precision and recall, by which settings are chosen."""
    return 2 * found.right * found.hit / max(1, found.right * found.windows + found.hit * found.alarms)


def held_out(ways: list[Way], labelled: list[Labelled]) -> Verdict:
    """Each half of the series, every other by name, judged by the way that was best on the other half."""
    found = []
    for chosen_on, judged_on in ((labelled[::2], labelled[1::2]), (labelled[1::2], labelled[::2])):
        best = max(ways, key=lambda way: by_f1(judged(way, chosen_on)))
        found.append(judged(best, judged_on))
    return Verdict(*(sum(getattr(each, name) for each in found) for name in Verdict.__slots__))


def test_settings_that_were_chosen_on_one_half_are_worse_on_the_other_and_the_docs_say_so(
    labelled: list[Labelled],
) -> None:
    rules = [
        Rule(period=24, cycles=cycles, least_share=least_share, threshold=threshold)
        for cycles in (3, 4, 6)
        for least_share in (0.05, 0.08, 0.1, 0.2)
        for threshold in (3.0, 4.0, 5.0, 6.0, 8.0)
    ]
    ours = held_out([(rule, costlab_by(rule)) for rule in rules], labelled)
    theirs = held_out([(HOURLY, mean_of_days(bound)) for bound in BOUNDS], labelled)
    text = METHODS.read_text()
    for line in (f"| costlab | {ours.row} |", f"| mean of 7 days | {theirs.row} |"):
        assert line in text, line
    assert by_f1(ours) > by_f1(theirs)


def test_the_figures_are_those_of_the_docs_and_no_bound_of_a_mean_finds_more_or_has_as_few_false_alarms(
    labelled: list[Labelled],
) -> None:
    ours = judged((HOURLY, costlab_by(HOURLY)), labelled)
    theirs = {bound: judged((HOURLY, mean_of_days(bound)), labelled) for bound in BOUNDS}
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
        assert ours.alarms - ours.right < each.alarms - each.right

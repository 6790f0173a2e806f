"""The rule `costlab` on real machines that it was tried on: what it must reach against KRR's rule.

The trace (Shen, van Beek, Iosup, CCGrid 2015) is not part of the project: the test runs where a folder `shared` lies
beside the checkout, or at `COSTLAB_SHARED_DATA`.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import rightsizing
from machine_days.judged import judge
from machine_days.usage import read

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
TRACE = SHARED / "data" / "study" / "bitbrains_rnd.parquet"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not TRACE.exists(), reason="the trace is not on this machine"),
]


def test_it_leaves_fewer_violations_than_krr_at_no_higher_bill_and_keeps_its_promises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rightsizing, "PRICES", (24, 40, 46, 400))
    monkeypatch.setattr(rightsizing, "FEW", (28,))
    usage = read(TRACE)
    first = 16  # 2013-07-16
    judged = usage.judged.copy()
    judged[:, :first] = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of days on which a machine was off
        advice = {**rightsizing.of_others(usage), **rightsizing.of_costlab(usage, first)}
    everyone = np.arange(len(usage.workloads))
    totals = {
        name: judge(usage, given.cpu, given.memory, judged).of(everyone) for name, given in advice.items()
    }
    reached = {goal: enough for goal, _, enough in rightsizing.goals(totals)}
    assert [goal for goal, enough in reached.items() if not enough] == ["KRR's unserved CPU, at most 0.5"]
    assert max(rightsizing.worst_band(usage, given, judged) for given in advice.values()) <= 1.25

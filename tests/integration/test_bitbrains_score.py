"""The score of rules on a real trace is that of a scorer which shares no code with this one.

Neither is part of the project: the test runs where a folder `shared` lies beside the checkout, or at
$COSTLAB_SHARED_DATA.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costlab.core.rightsizing.policies import policy_of
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.score import ContainerDays, used
from costlab.core.rightsizing.summary import requests_of, summarise

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
SCORER, TRACE = SHARED / "tools" / "score.py", SHARED / "data" / "study" / "bitbrains_rnd.parquet"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not TRACE.exists(), reason="the traces are not on this machine"),
]
DAY_MS, GIB, MACHINES, FIRST = 86_400_000, 2.0**30, 12, 15


def test_the_score_is_that_of_another_scorer() -> None:
    spec = importlib.util.spec_from_file_location("their_score", SCORER)
    assert spec
    assert spec.loader
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    usage = theirs.load_usage(str(TRACE))
    usage = {
        name: value[:MACHINES] if name not in ("day0", "days", "step") else value
        for name, value in usage.items()
    }
    samples, days = ours(usage)
    use = used(samples, days)
    midnights_ms = usage["days"].astype(np.int64)[FIRST:] * DAY_MS
    advised = policy_of("krr-simple").advise(samples, Circumstances.nothing_known(MACHINES), midnights_ms)
    asked = requests_of(advised, days, use)
    found, _ = summarise(samples, days, use, asked)
    shape = usage["cur_cpu"].shape
    cores, memory = np.full(shape, np.nan), np.full(shape, np.nan)
    cores[:, FIRST:], memory[:, FIRST:] = advised.cpu_request.T, advised.memory_request.T / GIB
    expected, _, _ = theirs.score(usage, cores, memory, FIRST, shape[1] - 1)
    assert found.container_days == expected["container_days"]
    same = {
        "memory_violation_share_cd": "mem_viol_share_cd", "memory_violation_share_cw": "mem_viol_share_cw",
        "memory_violation_minutes_cd": "mem_viol_min_per_cd", "memory_episodes": "mem_episodes",
        "memory_shortfall_median": "mem_shortfall_median", "memory_shortfall_max": "mem_shortfall_max",
        "cpu_over_share_cd": "cpu_over_minutes_share_cd", "cpu_over_share_cw": "cpu_over_minutes_share_cw",
        "cpu_unserved_share": "cpu_unserved_share", "cost_of_now": "cost_vs_current",
        "memory_slack": "mem_slack_agg", "cpu_slack": "cpu_slack_agg",
    }  # fmt: skip
    for name, theirs_name in same.items():
        assert getattr(found, name) == pytest.approx(expected[theirs_name], rel=2e-3), name
    assert found.memory_violation_share_cd > 0


def ours(usage: dict[str, Any]) -> tuple[Samples, ContainerDays]:
    """The trace as costlab holds usage, and the machine-days that the other scorer scores."""
    cpu, memory, step = usage["cpu"], usage["mem"], usage["step"]
    machines, _, steps = cpu.shape
    at_s = usage["days"].astype(np.int64)[:, None] * 86_400 + step * np.arange(steps)
    some = np.isfinite(cpu) | np.isfinite(memory)
    samples = Samples(
        np.arange(machines),
        np.append(0, np.cumsum(some.sum(axis=(1, 2)))),
        np.concatenate([at_s[one] for one in some]) * 1000,
        np.full(some.sum(), step * 1000),
        cpu[some],
        (memory[some] * GIB).astype(np.float32),
    )
    scored = np.array(usage["eligible"])
    scored[:, :FIRST] = False
    machine, day = np.nonzero(scored)
    begin_ms = usage["days"].astype(np.int64)[day] * DAY_MS
    none = np.full(len(machine), np.nan)
    return samples, ContainerDays(
        machine, machine, day - FIRST, begin_ms, begin_ms + DAY_MS, np.full(len(machine), 24.0),
        usage["cur_cpu"][machine, day], usage["cur_mem"][machine, day] * GIB, none, none,
        np.full(len(machine), 0.1), np.full(len(machine), 0.05),
    )  # fmt: skip

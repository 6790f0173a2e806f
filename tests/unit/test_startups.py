"""What is needed to start, and not later, is no slack: it is found, said, and left to the container."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import DAY, When, World

from costlab.config.settings import Settings
from costlab.core.rightsizing.policies import POLICIES
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.startups import startups_of
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day
from costlab.domain.units import GIB
from costlab.jobs.measure import measure_day
from costlab.jobs.rightsizing.recommend import advice_of
from costlab.render.explanation import Explanation, text
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

DAYS = (DAY.previous.previous, DAY.previous, DAY)
START_MS = 10 * MINUTE_MS
NAN = float("nan")
Row = dict[str, Any]


@dataclass(frozen=True)
class Low:
    """A rule that sees nothing of starts: a quarter of a core, and 0.6 GiB."""

    name = "low"

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: np.ndarray) -> Advised:  # noqa: ARG002 - a policy's
        shape = len(days_ms), samples.subjects
        none, codes = np.full(shape, np.nan), np.zeros(shape, np.int8)
        return Advised(np.full(shape, 0.25), none, np.full(shape, 0.6 * GIB), none, none, none, codes, codes)


def a_life(
    world: World, pod: str, day: Day, cpu: tuple[float, float], gib: tuple[float, float], begins: float = 2.5
) -> None:
    """A pod from an hour of the day to 22:00: so much while it starts, and so much later."""
    start_ms = day.window.start_ms + round(begins * HOUR_MS)
    life: When = {"start_ms": start_ms, "end_ms": day.window.start_ms + 22 * HOUR_MS}
    world.pod(pod, requests={"cpu": 3.0, "memory": 4 * GIB}, uid=f"{pod}-{day}", **life)
    labels = {"namespace": "ns", "pod": pod, "container": "app", "id": f"/{pod}/{day}"}
    started_ms = start_ms + START_MS

    def worked(t: int) -> float:
        return (cpu[0] * (min(t, started_ms) - start_ms) + cpu[1] * max(t - started_ms, 0)) / 1000

    world.add(Signal.CPU_SECONDS, labels, worked, **life)
    world.add(Signal.MEMORY_BYTES, labels, lambda t: GIB * gib[t >= started_ms], **life)


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Row]:
    """Advice by a rule that sees nothing of it, for containers that need 2 cores and 2 GiB to start, or do not."""
    window: When = {"start_ms": DAYS[0].window.start_ms - HOUR_MS, "end_ms": DAYS[-1].window.end_ms + HOUR_MS}
    world = World().node(cpu=32.0, memory=64 * GIB, **window)
    world.pod("rest", requests={"cpu": 1.0}, **window).use("rest", 0.2, **window)
    for day in DAYS:
        a_life(world, "slow", day, (2.0, 0.2), (2.0, 0.5))
        a_life(world, "all", day, (8.0, 0.2), (8.0, 0.5))
        a_life(world, "even", day, (0.5, 0.5), (0.5, 0.5))
        a_life(
            world, "mixed", day, (2.0, 0.2 if day is not DAY else 2.0), (2.0, 0.5 if day is not DAY else 2.0)
        )
    a_life(world, "once", DAY, (2.0, 0.2), (2.0, 0.5), begins=2.95)
    path = tmp_path_factory.mktemp("lake")
    rules = {"policy": "low", "min_days": 1, "near_enough_monthly": 0.0}
    told, lake = Settings.model_validate({"lake": path, "rightsizing": rules}), Lake.create(path)
    for day in DAYS:
        measure_day(world, lake, told, "test", day)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(POLICIES, "low", Low)
        rows = advice_of(Warehouse.over(lake), told, "test", DAY, 14).to_pylist()
    return {(row["workload"], row["resource"]): row for row in rows if row["action"] == "request"}


def test_a_cut_ends_where_a_start_would_suffer(advised: dict[tuple[str, str], Row]) -> None:
    """CPU at half of what a start uses, which then takes twice as long; memory at all of it."""
    cpu, memory = advised["slow", "cpu"], advised["slow", "memory"]
    assert cpu["proposed_request"] == pytest.approx(1.0, abs=0.0015)
    assert (memory["proposed_request"], memory["reason"]) == (2 * GIB, "usage_below_request")
    assert dict(cpu["facts"])["starts"] == dict(memory["facts"])["starts"] == "3"
    assert "held_by_startup" in dict(cpu["facts"])
    assert "held_by_startup" in dict(memory["facts"])


def test_what_a_start_needs_all_of_is_not_cut_and_the_reason_says_so(
    advised: dict[tuple[str, str], Row],
) -> None:
    for resource in ("cpu", "memory"):
        row = advised["all", resource]
        assert (row["reason"], row["evidence"], row["proposed_request"]) == ("startup", "measured", None)
        assert row["monthly_saving_gross"] is None


def test_without_a_phase_or_enough_starts_the_rule_has_its_way(advised: dict[tuple[str, str], Row]) -> None:
    """Even usage; a level that is as high later; and CPU of a single start, which could be anything."""
    for workload in ("even", "mixed", "rest"):
        for resource in ("cpu", "memory"):
            assert "startup" not in dict(advised[workload, resource]["facts"]), (workload, resource)
    assert advised["even", "cpu"]["proposed_request"] == advised["once", "cpu"]["proposed_request"] == 0.25
    assert advised["once", "memory"]["proposed_request"] == 2 * GIB, "one kill is enough"


def test_it_is_said_in_a_sentence(advised: dict[tuple[str, str], Row]) -> None:
    def said(workload: str, resource: str) -> str:
        row = advised[workload, resource]
        return text([Explanation(row | {"facts": dict(row["facts"])}, [])])

    assert (
        "It uses 2 cores while it starts (the median of 3 starts), and later at most 0.2 cores. A cut leaves half of "
        "that, so that on a full node a start takes at most twice as long."
    ) in said("slow", "cpu")
    assert (
        "It uses 2 GiB while it starts (one start), and later at most 0.5 GiB. With less it would be killed at its next "
        "start, so no cut goes below that."
    ) in said("once", "memory")
    assert "It uses less than it asks for, but needs this much to start." in said("slow", "memory")
    assert "It needs its request to start, though not later." in said("all", "cpu")
    assert "Start-up" not in said("even", "cpu")


level = st.one_of(st.just(NAN), st.floats(0, 10))
start = st.tuples(st.integers(0, 3), level, level, level)


@given(st.lists(start, max_size=12), st.integers(1, 3))
def test_phases_are_those_of_plain_lists(starts: list[tuple[int, float, float, float]], least: int) -> None:
    """The start is the first of two hours. Whatever the order of the starts."""
    subject = np.array([one[0] for one in starts], np.int64)
    hours, otherwise = (
        np.array([one[1:3] for one in starts]).reshape(-1, 2),
        np.array([one[3] for one in starts]),
    )
    phase = np.tile([True, False], (len(starts), 1))
    found = startups_of(subject, hours, phase, otherwise.astype(float), 4, least)
    for who in range(4):
        seen = [one for one in starts if one[0] == who and not math.isnan(one[1] + one[2])]
        during = sorted(one[1] for one in seen)
        rest = max((value for one in seen for value in one[2:] if not math.isnan(value)), default=NAN)
        most = during[(len(during) - 1) // 2] if during else NAN
        there = len(seen) >= least and most > 1.1 * rest
        assert found.starts[who] == len(seen)
        np.testing.assert_equal(
            (found.most[who], found.otherwise[who]), (most, rest) if there else (NAN, NAN)
        )

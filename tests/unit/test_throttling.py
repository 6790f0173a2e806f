"""Throttled periods / all periods of a CPU limit, as the increases of two counters over the time of a claim."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from small_world import AFTER, BEFORE, Measured, World, at, shift

from costlab.domain.signals import Signal
from costlab.domain.units import GIB

A_SECOND = 10.0  # periods of 100 ms


def limited(world: World, pod: str, cores: Callable[[int], float] | float = 1.0) -> World:
    labels = {"namespace": "ns", "pod": pod, "uid": f"{pod}-uid", "container": "app"}
    return world.pod(pod).use(pod).add(Signal.CONTAINER_LIMIT, {**labels, "resource": "cpu"}, cores)


def throttle(
    world: World,
    pod: str,
    share: float,
    cgroup: str = "",
    start_ms: int = BEFORE,
    end_ms: int = AFTER,
    **more: str,
) -> World:
    labels = {"namespace": "ns", "pod": pod, "container": "app", "id": cgroup or f"/{pod}/app"} | more
    world.add(Signal.CPU_PERIODS, labels, lambda t: A_SECOND * (t - start_ms) / 1000, start_ms, end_ms)
    throttled = Signal.CPU_THROTTLED_PERIODS
    world.add(throttled, labels, lambda t: share * A_SECOND * (t - start_ms) / 1000, start_ms, end_ms)
    return world


def ratios(world: World, **where: Any) -> dict[str, float | None]:
    return {
        row["pod"]: row["throttled_ratio"]
        for row in Measured(world).rows("profiles", resource="cpu", **where)
    }


def test_what_is_not_observed_is_nan_and_what_has_no_limit_is_null() -> None:
    world = World().node().pod("free").use("free")
    throttle(limited(world, "throttled"), "throttled", 0.25)
    throttle(limited(world, "calm"), "calm", 0.0)
    limited(world, "unseen")
    labels = {"namespace": "ns", "pod": "idle", "container": "app", "id": "/idle/app"}
    for signal in (Signal.CPU_PERIODS, Signal.CPU_THROTTLED_PERIODS):
        limited(world, "idle").add(signal, labels, 7.0)
    day = Measured(world)
    found = {row["pod"]: row["throttled_ratio"] for row in day.rows("profiles", resource="cpu")}
    assert found.pop("free") is None
    assert math.isnan(found.pop("unseen"))
    assert math.isnan(found.pop("idle"))  # no period of 0 was throttled: there is no share
    assert found == {"throttled": pytest.approx(0.25), "calm": 0.0}
    assert {row["throttled_ratio"] for row in day.rows("profiles", resource="memory")} == {None}
    (row,) = day.rows("containers", pod="throttled")
    assert (row["cpu_periods"], row["cpu_throttled_periods"]) == (
        pytest.approx(864_000),
        pytest.approx(216_000),
    )


def test_a_restart_begins_a_count_anew_and_a_second_scrape_counts_nothing_twice() -> None:
    world = limited(World().node(), "a")
    throttle(world, "a", 0.5, "/a/one", end_ms=at(12))
    throttle(world, "a", 0.1, "/a/two", start_ms=at(12))
    throttle(world, "a", 0.1, "/a/two", start_ms=at(12), instance="another scrape")
    assert ratios(world) == {"a": pytest.approx(0.3, abs=1e-3)}
    reset = limited(World().node(), "a")
    throttle(reset, "a", 0.5, end_ms=at(12))
    throttle(reset, "a", 0.1, start_ms=at(12))  # goes on under the same labels, from 0
    assert ratios(reset) == {"a": pytest.approx(0.3, abs=1e-3)}


def test_a_gap_counts_as_nothing_and_a_lone_counter_tells_nothing() -> None:
    world = limited(World().node(), "a")
    throttle(world, "a", 0.4, end_ms=at(6))
    throttle(world, "a", 0.2, start_ms=at(18))
    day = Measured(world)
    (row,) = day.rows("containers")
    assert row["cpu_periods"] == pytest.approx(12 * 3600 * A_SECOND, rel=5e-3)
    lone = limited(World().node(), "a")
    labels = {"namespace": "ns", "pod": "a", "container": "app", "id": "/a/app"}
    lone.add(Signal.CPU_PERIODS, labels, lambda t: (t - BEFORE) / 100)
    (ratio,) = ratios(lone).values()
    assert ratio is not None
    assert math.isnan(ratio)


def test_periods_are_of_the_claim_in_which_they_passed() -> None:
    world = World().node().pod("a", requests={"cpu": shift(1, 2, 6), "memory": float(GIB)}).use("a")
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid", "container": "app", "resource": "cpu"}
    world.add(Signal.CONTAINER_LIMIT, labels, 2.0)
    throttle(world, "a", 0.2)
    found = [(row["cpu_periods"], row["cpu_throttled_periods"]) for row in Measured(world).rows("containers")]
    assert found == [(pytest.approx(h * 36_000), pytest.approx(h * 7_200)) for h in (6, 18)]

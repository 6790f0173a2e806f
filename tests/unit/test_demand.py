"""The demand of small days: what is asked for at a time, by namespace, resource and hour."""

import math
from datetime import date
from typing import Any

import pytest
from small_world import DAY, Measured, World, at, shift

from costlab.config.device_resource import charged
from costlab.domain.signals import Signal
from costlab.domain.time import Day
from costlab.domain.units import GIB


def demand(made: World, resource: str, **where: Any) -> dict[int, dict[str, Any]]:
    """By the hour of the day."""
    rows = Measured(made).rows("demand", resource=resource, **where)
    return {round((row["hour"].timestamp() * 1000 - at(0)) / 3_600_000): row for row in rows}


def test_requests_of_pods_that_are_there_together_are_added_up() -> None:
    made = World().node().pod("a", requests={"cpu": 1, "memory": GIB}).use("a", cpu=0.5)
    made.pod("b", requests={"cpu": 2}, start_ms=at(6.5), end_ms=at(8.5)).use(
        "b", cpu=1.5, start_ms=at(6.5), end_ms=at(8.5)
    )
    cpu = demand(made, "cpu")
    assert [cpu[hour]["requests_max"] for hour in (5, 6, 7, 8, 9)] == [1, 3, 3, 3, 1]
    assert cpu[6]["requests_mean"] == pytest.approx(2, abs=0.05)
    assert cpu[7]["usage_max"] == pytest.approx(2.0)
    assert cpu[7]["usage_coverage"] == pytest.approx(1)
    assert {row["requests_max"] for row in demand(made, "memory").values()} == {GIB}
    assert [demand(made, "pods")[hour]["requests_max"] for hour in (5, 7)] == [1, 2]
    assert demand(made, "pods")[5]["usage_max"] is None
    assert demand(made, "pods")[5]["limits_max"] is None


def test_init_containers_and_overhead_count_as_kubernetes_counts_them() -> None:
    made = World().node().pod("a", requests={"cpu": 1}).use("a", cpu=0.5)
    pod = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    made.add(Signal.INIT_CONTAINER_REQUEST, {**pod, "container": "init", "resource": "cpu"}, 3)
    made.add(Signal.POD_OVERHEAD_CPU, pod, 0.25)
    row = demand(made, "cpu")[12]
    assert (row["requests_max"], row["usage_max"]) == (3.25, pytest.approx(0.5))


def test_usage_that_was_not_observed_is_no_number() -> None:
    row = demand(World().node().pod("a"), "cpu")[3]
    assert row["requests_max"] == 1
    assert math.isnan(row["usage_max"])
    assert row["usage_coverage"] == 0


def test_gpus_are_named_as_kubernetes_names_them_and_used_as_far_as_they_are_busy() -> None:
    made = World().node(nvidia_com_gpu=4.0)
    made.pod("a", requests={"cpu": 1, "nvidia_com_gpu": 2}, start_ms=at(2), end_ms=at(4))
    made.gpu("g0", 0.5, "a", start_ms=at(2), end_ms=at(4)).gpu("g1", 0.25, "a", start_ms=at(2), end_ms=at(4))
    found = demand(made, "nvidia.com/gpu")
    assert sorted(found) == [2, 3]
    assert (found[2]["requests_max"], found[2]["usage_max"]) == (2, pytest.approx(0.75))
    assert found[2]["limits_max"] is None


def test_names_of_accelerators_are_found_again() -> None:
    written = charged({"example.com/my-npu": 1}).written
    names = ("nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1c.2g.20gb", "nvidia.com/mig-1g.10gb.me",
             "amd.com/cpx_nps4", "google.com/tpu", "example.com/my-npu")  # fmt: skip
    for name in names:
        assert written("".join(sign if sign.isalnum() else "_" for sign in name)) == name
    assert written("example_com_other") is None


def test_claims_count_by_number_size_and_class() -> None:
    made = World().node().pod("a").use("a")
    made.claim("data", shift(10, 20, hour=12), "fast").claim("logs", 5, "slow")
    assert demand(made, "persistentvolumeclaims")[3]["requests_max"] == 2
    storage = demand(made, "storage")
    assert (storage[3]["requests_max"], storage[13]["requests_max"]) == (15 * GIB, 25 * GIB)
    fast = demand(made, "fast.storageclass.storage.k8s.io/storage")
    assert (fast[3]["requests_max"], fast[13]["requests_max"]) == (10 * GIB, 20 * GIB)
    # The claim that was enlarged is one row before and one after: never two claims at a time, but for a cell.
    assert demand(made, "persistentvolumeclaims")[13]["requests_mean"] == pytest.approx(2)


def test_a_day_of_25_hours_has_25_of_them() -> None:
    day = Day(date(2026, 10, 25), "Europe/Berlin")
    start, end = day.window.start_ms - 3_600_000, day.window.end_ms + 3_600_000
    made = World().node(start_ms=start, end_ms=end).pod("a", start_ms=start, end_ms=end)
    rows = Measured(made, day, timezone="Europe/Berlin").rows("demand", resource="cpu")
    assert len(rows) == 25
    assert day != DAY

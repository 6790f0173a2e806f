"""Days of small clusters whose nodes come, go, fall silent, or come back as others."""

from decimal import Decimal
from typing import Any

import pytest
from small_world import BEFORE, DAY, DEFAULT, Measured, When, World, at

from costlab.domain.errors import ReconcileError
from costlab.domain.signals import Signal
from costlab.domain.time import MINUTE_MS, Day
from costlab.domain.units import GIB


def test_a_node_that_comes_back_without_its_gpus() -> None:
    world = World().node(cpu=8.0, nvidia_com_gpu=4.0, end_ms=at(6)).node(cpu=8.0, start_ms=at(12)).node("n2")
    day = Measured(world.pod("a", node="n2").use("a"))
    assert [
        (row["gpu_capacity"], row["start"].hour, row["end"].hour) for row in day.rows("nodes", node="n1")
    ] == [
        (4.0, 0, 6),
        (0.0, 12, 0),
    ]
    assert day.total("cost", resource="gpu") == pytest.approx(4 * 6 * 2.5)


def made_anew(**sizes: Any) -> World:
    """A node until 06:00 and, from 12:00, another one of its name; `n2` goes on all day."""
    world = World().node(end_ms=at(6), **sizes).node(start_ms=at(12), **sizes).node("n2")
    return world.pod("a", node="n2").use("a")


def test_a_node_made_anew_is_priced_by_what_it_is_then() -> None:
    rules = [
        {"match": {"type": "old"}, "hourly": 10.0, "capacity_type": "spot"},
        {"match": {"type": "new"}, "hourly": 90.0, "capacity_type": "on-demand"},
        {"match": {"type": "new"}, "hourly": 20.0},
    ]
    world = made_anew()
    labels = {"node": "n1", "label_karpenter_sh_capacity_type": "spot"}
    world.add(Signal.NODE_LABELS, {**labels, "label_type": "old"}, 1, end_ms=at(6))
    world.add(Signal.NODE_LABELS, {"node": "n1", "label_type": "new"}, 1, start_ms=at(12))
    day = Measured(world, book={"nodes": rules})
    assert day.total("cost", node="n1") == pytest.approx(6 * 10 + 12 * 20)
    assert [row["capacity_type"] for row in day.rows("nodes", node="n1")] == ["spot", None]


def test_a_node_made_anew_has_another_name_at_its_provider() -> None:
    world = made_anew()
    for name, when in (("i-old", {"end_ms": at(6)}), ("i-new", {"start_ms": at(12)})):
        world.add(Signal.NODE_INFO, {"node": "n1", "provider_id": f"aws:///eu-central-1a/{name}"}, 1, **when)
    rows = Measured(world).rows("nodes")
    assert [row["provider_id"] for row in rows] == [
        "aws:///eu-central-1a/i-old", "aws:///eu-central-1a/i-new", None,
    ]  # fmt: skip


def test_a_node_made_anew_has_the_gpus_that_it_has_then() -> None:
    world = made_anew(nvidia_com_gpu=1.0)
    for model, when in (("T4", {"end_ms": at(6)}), ("H100", {"start_ms": at(12)})):
        labels = {"gpu_uuid": f"GPU-{model}", "gpu_model": model, "node": "n1"}
        world.add(Signal.GPU_UTILIZATION, labels, 0.5, **when)
    day = Measured(world, book={"gpu_models": {"T4": 1.0, "H100": 10.0}})
    assert [row["gpu_model"] for row in day.rows("nodes", node="n1")] == ["T4", "H100"]
    assert day.total("cost", resource="gpu") == pytest.approx(6 * 1 + 12 * 10)


def test_a_node_made_anew_does_not_share_its_gpus_as_before() -> None:
    world = World().node(nvidia_com_gpu=8.0, end_ms=at(6)).node(nvidia_com_gpu=4.0, start_ms=at(12))
    world.node("n2").pod("a", node="n2").use("a").gpu("GPU-new", 0.1, start_ms=at(12))
    labels = {"node": "n1", "label_nvidia_com_gpu_replicas": "2"}
    day = Measured(world.add(Signal.NODE_LABELS, labels, 1, end_ms=at(6)))
    assert [row["gpu_capacity"] for row in day.rows("nodes", node="n1")] == [4.0, 1.0]
    assert day.total("cost", resource="gpu") == pytest.approx((6 * 4 + 12 * 1) * 2.5)
    (guess,) = day.rows("findings", rule="gpu_sharing_guessed")
    assert "advertises 4 times" in guess["message"]


def test_a_pod_bound_before_its_node_is_told_of_has_that_nodes_gpus() -> None:
    world = World().node(nvidia_com_gpu=2.0, end_ms=at(6)).node(nvidia_com_gpu=4.0, start_ms=at(12))
    world.node("n2").pod("a", node="n2").use("a")
    for replicas, when in (("2", {"end_ms": at(6)}), ("4", {"start_ms": at(12)})):
        world.add(Signal.NODE_LABELS, {"node": "n1", "label_nvidia_com_gpu_replicas": replicas}, 1, **when)
    world.pod("b", requests={"nvidia_com_gpu": 1.0}, start_ms=at(12) - MINUTE_MS)
    assert Measured(world).rows("containers", pod="b")[0]["gpu_share"] == 0.25


def test_allocatable_above_capacity_is_a_finding_and_still_adds_up() -> None:
    day = Measured(World().node(allocatable={"cpu": 10.0}).pod("a", requests={"cpu": 6.0}).use("a"))
    assert day.total("cost", resource="cpu") == pytest.approx(9.60)
    assert "allocatable_exceeds_capacity" in day.found()


def test_a_capacity_that_flaps_all_day_still_adds_up() -> None:
    world = World().node(cpu=7.0, memory=31.0 * GIB).node("n2").pod("a", node="n2").use("a")
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        world.add(
            signal, {"node": "n1", "resource": "nvidia_com_gpu"}, lambda t: 8.0 - t // (7 * MINUTE_MS) % 2
        )
    day = Measured(world, prices={"cpu_core_hour": 0.0312})
    assert len(day.rows("nodes", node="n1")) > 200
    stored = sum(row["memory_cost"] for row in day.rows("nodes", node="n1"))
    assert stored == sum(row["cost"] for row in day.rows("charges", node="n1", resource="memory"))


def test_a_price_holds_from_midnight_where_the_lake_is() -> None:
    berlin = Day(DAY.date, "Europe/Berlin")
    world = World().node().pod("a").use("a").add(Signal.NODE_LABELS, {"node": "n1", "label_pool": "cpu"}, 1)
    rule = {"match": {"pool": "cpu"}}
    rules = [{**rule, "hourly": 1.0, "valid_to": DAY.date}, {**rule, "hourly": 2.0, "valid_from": DAY.date}]
    day = Measured(world, berlin, timezone=berlin.timezone, book={"nodes": rules})
    assert day.total("cost") == pytest.approx(48)
    assert len(day.rows("nodes")) == 1


def test_a_silence_of_kube_state_metrics_within_the_day_ends_nothing() -> None:
    world = World()
    heard: list[When] = [{"end_ms": at(11.5)}, {"start_ms": at(12.5)}]
    for when in heard:
        world.node(**when).pod("a", **when)
    world.use("a")
    # A pod's series that begins anew tells the same scheduled time.
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world._series[Signal.POD_SCHEDULED_TIME].clear()  # noqa: SLF001 - said again in one piece
    world.add(Signal.POD_SCHEDULED_TIME, labels, BEFORE / 1000)
    day = Measured(world)
    assert day.total("cost") == pytest.approx(DEFAULT)
    assert day.total("billed_quantity", resource="cpu", kind="workload") == pytest.approx(24)
    assert day.found() == ["inventory_gap"]


def test_a_cluster_that_is_first_heard_in_the_evening_is_billed_from_then_on() -> None:
    day = Measured(World().node(start_ms=at(18)).pod("a", start_ms=at(18)).use("a", start_ms=at(18)))
    assert day.total("cost") == pytest.approx(DEFAULT / 4)
    assert [(row["start"].hour, row["end"].hour) for row in day.rows("nodes")] == [(18, 0)]
    (finding,) = day.rows("findings")
    assert finding["rule"] == "inventory_begins_late"
    assert "no pod before 18:00 UTC" in finding["message"]


def test_what_was_bound_before_the_cluster_was_heard_is_a_finding_with_its_money() -> None:
    world = World().node(start_ms=at(18)).use("a").pod("a", start_ms=at(18))
    world._series[Signal.POD_SCHEDULED_TIME].clear()  # noqa: SLF001 - it was bound the day before
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world.add(Signal.POD_SCHEDULED_TIME, labels, BEFORE / 1000, start_ms=at(18))
    day = Measured(world)
    assert day.total("cost") == pytest.approx(DEFAULT / 4)
    lost = {row["subject"]: row["amount"] for row in day.rows("findings", rule="outside_node_life")}
    assert lost == {"n1 cpu": Decimal("1.800000"), "n1 memory": Decimal("0.900000")}


def test_a_silence_that_lasts_beyond_the_day_is_not_bridged() -> None:
    day = Measured(World().node(end_ms=at(18)).pod("a", end_ms=at(18)).use("a"))
    assert day.total("cost") == pytest.approx(DEFAULT * 18 / 24)
    found = {row["rule"]: row["message"] for row in day.rows("findings")}
    assert set(found) == {"inventory_ends_early", "usage_without_pod"}
    assert "no pod after 18:00 UTC" in found["inventory_ends_early"]
    assert found["usage_without_pod"].startswith("3.000 core-hours")


def test_a_node_without_a_known_capacity_is_billed_for_what_runs_on_it() -> None:
    world = World().pod("a").use("a")
    for resource, size in (("cpu", 4.0), ("memory", 16.0 * GIB)):
        world.add(Signal.NODE_ALLOCATABLE, {"node": "n1", "resource": resource}, size, start_ms=at(12))
    day = Measured(world)
    assert day.total("cost", resource="cpu") == pytest.approx(2.40)
    assert day.rows("charges", kind="idle") == []
    assert "capacity_unknown" in day.found()


def test_what_a_pod_occupies_outside_its_nodes_life_is_a_finding_with_its_money() -> None:
    world = World().node(end_ms=at(10)).node("n2").pod("a").use("a").pod("b", node="n2").use("b")
    day = Measured(world)
    assert day.total("cost", node="n1") == pytest.approx(DEFAULT * 10 / 24)
    assert day.total("billed_quantity", resource="cpu", pod="a") == pytest.approx(10)
    (row,) = day.rows("charges", resource="cpu", pod="a")
    assert (row["requested_quantity"], row["coverage"]) == (pytest.approx(10), 1.0)
    found = {row["subject"]: row for row in day.rows("findings")}
    assert [(row["rule"], row["amount"]) for row in found.values()] == [
        ("outside_node_life", Decimal("1.400000")),
        ("outside_node_life", Decimal("0.700000")),
    ]
    assert found["n1 cpu"]["message"].startswith(
        "pods occupied 14.000 core-hours while the node was not there"
    )


def test_money_outside_a_nodes_life_is_at_the_nearest_price() -> None:
    book = {"gpu_models": {"H100": 10.0}}
    world = World().node(nvidia_com_gpu=1.0, start_ms=at(6), end_ms=at(12)).pod("x", node="n2").node("n2")
    world.pod("a", requests={"nvidia_com_gpu": 1.0}).use("a")
    world.add(Signal.GPU_UTILIZATION, {"gpu_uuid": "GPU-1", "node": "n1", "gpu_model": "H100"}, 0.5)
    day = Measured(world, book=book)
    (lost,) = day.rows("findings", rule="outside_node_life", subject="n1 gpu")
    assert lost["amount"] == Decimal("180.000000")
    unpriced = Measured(world, prices={"gpu_hour": None})
    (lost,) = unpriced.rows("findings", rule="outside_node_life", subject="n1 gpu")
    assert lost["amount"] is None
    assert lost["message"].startswith("pods occupied 18.000 GPU-hours")


def test_gpus_that_a_node_loses_are_not_contended_but_gone() -> None:
    world = World().node(nvidia_com_gpu=1.0, end_ms=at(6)).node(start_ms=at(6))
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        world.add(signal, {"node": "n1", "resource": "nvidia_com_gpu"}, 0.0, start_ms=at(6))
    day = Measured(world.pod("a", requests={"nvidia_com_gpu": 1.0}).use("a").gpu("GPU-1", 0.5, "a"))
    assert day.total("cost", resource="gpu") == pytest.approx(6 * 2.5)
    assert [(row["rule"], row["subject"], row["amount"]) for row in day.rows("findings")] == [
        ("outside_node_life", "n1 gpu", Decimal("45.000000"))
    ]


def test_the_first_and_last_cell_of_a_node_are_not_contended() -> None:
    half = MINUTE_MS // 2
    world = World().node("n2").pod("x", node="n2").use("x")
    world.node(start_ms=at(6) + half, end_ms=at(9) + half)
    stays: When = {"start_ms": at(6) - MINUTE_MS, "end_ms": at(9) + 3 * MINUTE_MS}
    world.pod("a", requests={"cpu": 4.0}, **stays).use("a", **stays)
    day = Measured(world)
    assert day.total("cost", node="n1", resource="cpu") == pytest.approx(3 * 4 * 0.1)
    assert day.total("cost", node="n1", pod="a", resource="cpu") == pytest.approx(3 * 4 * 0.1)
    assert day.found() == []


def test_more_than_a_node_has_is_contended_still() -> None:
    day = Measured(World().node().pod("a", requests={"cpu": 6.0}).use("a"))
    (finding,) = day.rows("findings")
    assert finding["rule"] == "contention"
    assert float(finding["amount"]) == pytest.approx(2 * 24 * 0.1)
    assert day.total("cost", resource="cpu") == pytest.approx(9.60)


def test_a_node_that_left_before_the_day_is_one_that_only_its_pods_tell_of() -> None:
    world = World().node(end_ms=at(-0.05)).node("n2").pod("a").use("a").pod("b", node="n2").use("b")
    day = Measured(world)
    assert day.total("cost", node="n1", resource="cpu") == pytest.approx(2.40)
    assert set(day.found()) == {"capacity_unknown"}


def test_a_request_beyond_all_money_is_scaled_to_its_node_and_its_finding_tells_no_amount() -> None:
    day = Measured(World().node(cpu=4.0).pod("a", requests={"cpu": 1e18}).use("a"))
    assert day.total("cost", resource="cpu") == pytest.approx(24 * 4 * 0.1)
    (finding,) = day.rows("findings", rule="contention")
    assert finding["amount"] is None


def test_a_node_beyond_all_money_is_an_error_that_names_it() -> None:
    with pytest.raises(ReconcileError, match="node n1 would cost") as fault:
        Measured(World().node(cpu=1e18).pod("a", requests={"cpu": 1.0}).use("a"))
    assert "kube_node_status_capacity" in fault.value.hint

"""Days of small clusters, each with one thing in it that is easily counted twice, too long, or not at all."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from small_world import AFTER, BEFORE, DAY, Measured, World, at

from costlab.domain.errors import SourceRefused
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day
from costlab.domain.units import GIB

DEFAULT = 4 * 24 * 0.1 + 16 * 24 * 0.05  # the small node's price of a day


When = dict[str, Any]


def shift(low: float, high: float, hour: float = 12) -> Callable[[int], float]:
    """A level that changes at an hour."""
    return lambda t: low if t < at(hour) else high


def test_a_day_of_one_pod() -> None:
    day = Measured(World().node().pod("a").use("a"))
    assert day.total("cost") == pytest.approx(DEFAULT)
    assert day.total("cost_used", resource="cpu", kind="workload") == pytest.approx(0.5 * 24 * 0.1)
    assert day.facts.coverage == 1.0
    assert day.found() == []


def test_mig_that_begins_at_noon_is_not_there_in_the_morning() -> None:
    world = World().node(cpu=8.0).pod("a").use("a")
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        world.add(signal, {"node": "n1", "resource": "nvidia_com_gpu"}, shift(8, 0))
        world.add(signal, {"node": "n1", "resource": "nvidia_com_mig_1g_10gb"}, 56, start_ms=at(12))
    day = Measured(world)
    assert {row["gpu_capacity"] for row in day.rows("nodes")} == {8.0}
    assert day.total("cost", resource="gpu") == pytest.approx(8 * 24 * 2.5)


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
        {"match": {"type": "old"}, "hourly": 10.0},
        {"match": {"type": "new"}, "hourly": 20.0, "capacity_type": "on-demand"},
    ]
    world = made_anew()
    labels = {"node": "n1", "label_karpenter_sh_capacity_type": "spot"}
    world.add(Signal.NODE_LABELS, {**labels, "label_type": "old"}, 1, end_ms=at(6))
    world.add(Signal.NODE_LABELS, {"node": "n1", "label_type": "new"}, 1, start_ms=at(12))
    day = Measured(world, book={"nodes": rules})
    assert day.total("cost", node="n1") == pytest.approx(6 * 10 + 12 * 20)
    assert [row["capacity_type"] for row in day.rows("nodes", node="n1")] == ["spot", "on-demand"]


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


def test_time_slicing_that_is_turned_on_at_noon() -> None:
    world = World().node(nvidia_com_gpu=1.0, end_ms=at(12)).node(nvidia_com_gpu=4.0, start_ms=at(12))
    labelled: dict[str, When] = {"1": {"end_ms": at(12)}, "4": {"start_ms": at(12)}}
    for replicas, when in labelled.items():
        world.add(Signal.NODE_LABELS, {"node": "n1", "label_nvidia_com_gpu_replicas": replicas}, 1, **when)
    day = Measured(world.pod("a").use("a").gpu("GPU-1", 0.5))
    assert {row["gpu_capacity"] for row in day.rows("nodes")} == {1.0}
    assert day.total("cost", resource="gpu") == pytest.approx(24 * 2.5)


def test_a_device_that_is_replaced_is_one_device_at_a_time() -> None:
    world = World().node(nvidia_com_gpu=4.0).pod("a").use("a")
    world.gpu("GPU-old", 0.1, end_ms=at(6)).gpu("GPU-new", 0.1, start_ms=at(6) + MINUTE_MS)
    day = Measured(world)
    assert day.rows("nodes")[0]["gpu_capacity"] == 1.0
    assert "gpu_sharing_guessed" in day.found()


def test_a_pod_made_anew_under_its_name_keeps_its_own_gpu_time() -> None:
    world = World().node(nvidia_com_gpu=1.0)
    lives: dict[str, When] = {"u1": {"end_ms": at(10)}, "u2": {"start_ms": at(10)}}
    for uid, when in lives.items():
        world.pod("t-0", requests={"cpu": 1.0, "nvidia_com_gpu": 1.0}, uid=uid, **when).use(
            "t-0", id=f"/{uid}", **when
        )
    day = Measured(world.gpu("GPU-1", 0.5, "t-0"))
    assert day.total("cost_used", resource="gpu", pod_uid="u1") == pytest.approx(12.5, abs=0.05)
    assert day.total("cost_unobserved", resource="gpu") == 0
    assert day.total("cost_used", resource="gpu", pod_uid="u2") == pytest.approx(17.5, abs=0.05)


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


def test_every_gpu_resource_of_a_container_counts_and_so_do_init_containers() -> None:
    world = World().node(nvidia_com_mig_1g_10gb=7.0, nvidia_com_mig_3g_40gb=2.0, nvidia_com_gpu=1.0)
    world.pod("a", requests={"nvidia_com_mig_1g_10gb": 1.0, "nvidia_com_mig_3g_40gb": 1.0}).use("a").pod(
        "b"
    ).use("b")
    init = {"namespace": "ns", "pod": "b", "uid": "b-uid", "container": "setup", "resource": "nvidia_com_gpu"}
    day = Measured(world.add(Signal.INIT_CONTAINER_REQUEST, init, 1.0))
    assert day.rows("containers", pod="a")[0]["gpu_share"] == pytest.approx(4 / 7)
    assert day.total("billed_quantity", resource="gpu", pod="b") == pytest.approx(24)
    assert day.total("cost_unused", resource="gpu", pod="b") == pytest.approx(60)


def test_init_containers_do_not_lift_coverage() -> None:
    world = World().node().pod("a").use("a", end_ms=at(12)).use("a", container="setup")
    init = {"namespace": "ns", "pod": "a", "uid": "a-uid", "container": "setup", "resource": "cpu"}
    day = Measured(world.add(Signal.INIT_CONTAINER_REQUEST, init, 0.5))
    assert day.facts.signal_coverage["cpu"] == pytest.approx(0.5, abs=0.01)
    assert day.found().count("init_container_usage") == 1


def test_a_gpu_of_one_pod_does_not_cover_anothers() -> None:
    world = (
        World().node(nvidia_com_gpu=2.0).pod("a", requests={"nvidia_com_gpu": 1.0}).use("a").pod("b").use("b")
    )
    day = Measured(world.gpu("GPU-1", 0.9, "b").gpu("GPU-2", 0.0))
    assert day.facts.signal_coverage["gpu"] == 0
    assert day.total("cost_unobserved", resource="gpu") == pytest.approx(60)
    assert "unattributed_gpu" in day.found()


def test_two_slices_of_one_device_are_covered_by_it() -> None:
    world = World().node(nvidia_com_gpu=4.0).pod("a", requests={"nvidia_com_gpu": 2.0}).use("a")
    day = Measured(world.gpu("GPU-1", 0.4, "a"))
    (row,) = day.rows("charges", resource="gpu", kind="workload")
    assert (row["coverage"], row["billed_quantity"]) == (1.0, pytest.approx(12))
    assert day.facts.signal_coverage["gpu"] == 1.0


def test_busy_is_the_engines_own_word_and_utilisation_only_where_it_has_none() -> None:
    world = World().node(nvidia_com_gpu=1.0).pod("a", requests={"nvidia_com_gpu": 1.0}).use("a")
    world.gpu("GPU-1", 0.9, "a")
    user = {"namespace": "ns", "pod": "a", "container": "app"}
    labels = {"gpu_uuid": "GPU-1", "node": "n1", **user}
    world.add(Signal.GPU_ENGINE_ACTIVE, labels, 0.25, end_ms=at(12) - 4 * MINUTE_MS)
    used = Measured(world).total("cost_used", resource="gpu")
    assert used == pytest.approx((12 * 0.25 + 12 * 0.9) * 2.5, rel=0.001)


@pytest.mark.parametrize(("model", "whole"), [("NVIDIA A30", 4 / 4), ("NVIDIA A100-SXM4-40GB", 4 / 7)])
def test_a_slice_is_a_part_of_what_its_model_is_cut_into(model: str, whole: float) -> None:
    world = World().node(nvidia_com_mig_1g_6gb=4.0).pod("a", requests={"nvidia_com_mig_1g_6gb": 2.0}).use("a")
    labels = {"gpu_uuid": "GPU-1", "gpu_model": model, "mig_profile": "1g.6gb", "node": "n1"}
    day = Measured(world.add(Signal.GPU_MEMORY_USED, labels, 1.0))
    assert [row["gpu_capacity"] for row in day.rows("nodes")] == [pytest.approx(whole)]
    assert [row["gpu_share"] for row in day.rows("containers")] == [pytest.approx(whole / 2)]


def test_the_overhead_of_a_runtime_class_is_reserved_beyond_the_containers() -> None:
    world = World().node().pod("a").use("a", cpu=1.0, memory=GIB)
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world.add(Signal.POD_OVERHEAD_CPU, labels, 0.25).add(Signal.POD_OVERHEAD_MEMORY, labels, 2.0 * GIB)
    day = Measured(world)
    for resource, hours in (("cpu", 0.25 * 24), ("memory", 2 * 24)):
        (beyond,) = day.rows("charges", resource=resource, container="")
        assert beyond["billed_quantity"] == pytest.approx(hours)
        assert beyond["cost_unused"] == beyond["cost"]


def test_what_began_before_midnight_is_seen_from_midnight_on() -> None:
    half = MINUTE_MS // 2
    day = Measured(World().node().pod("a").use("a", start_ms=BEFORE + half))
    assert day.facts.coverage == 1.0
    assert day.total("used_quantity", resource="cpu", kind="workload") == pytest.approx(12)


def test_a_container_is_seen_from_its_start_and_not_from_its_first_sample() -> None:
    half = MINUTE_MS // 2
    world = World().node().pod("x").use("x").pod("a", start_ms=at(6))
    cgroup = {"namespace": "ns", "pod": "a", "container": "app", "id": "/a/app"}
    # Busy while it starts: 60 core-seconds in the first half minute, half a core from then on.
    world.add(Signal.CPU_SECONDS, cgroup, lambda t: 45 + (t - at(6)) / 2000, start_ms=at(6) + half)
    world.add(Signal.CONTAINER_START_TIME, cgroup, at(6) / 1000, start_ms=at(6) + half)
    day = Measured(world)
    assert day.total("used_quantity", resource="cpu", pod="a") == pytest.approx((18 * 1800 + 45) / 3600)
    assert day.rows("charges", resource="cpu", pod="a")[0]["coverage"] == 1.0


def test_a_pod_is_there_no_later_than_it_is_told_of() -> None:
    world = World().node().pod("x").use("x").pod("a", start_ms=at(6)).use("a", start_ms=at(6))
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world._series[Signal.POD_SCHEDULED_TIME].clear()  # noqa: SLF001 - by a clock that is half an hour fast
    world.add(Signal.POD_SCHEDULED_TIME, labels, at(6.5) / 1000, start_ms=at(6))
    (row,) = Measured(world).rows("containers", pod="a")
    assert (row["start"].hour, row["start"].minute) == (6, 0)


def test_a_price_holds_from_midnight_where_the_lake_is() -> None:
    berlin = Day(DAY.date, "Europe/Berlin")
    world = World().node().pod("a").use("a").add(Signal.NODE_LABELS, {"node": "n1", "label_pool": "cpu"}, 1)
    rule = {"match": {"pool": "cpu"}}
    rules = [{**rule, "hourly": 1.0, "valid_to": DAY.date}, {**rule, "hourly": 2.0, "valid_from": DAY.date}]
    day = Measured(world, berlin, timezone=berlin.timezone, book={"nodes": rules})
    assert day.total("cost") == pytest.approx(48)
    assert len(day.rows("nodes")) == 1


def test_a_container_is_as_busy_as_those_of_its_gpus_that_were_seen() -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("a", requests={"nvidia_com_gpu": 2.0}).use("a")
    world.gpu("GPU-1", 0.1, "a").gpu("GPU-2", 0.5, "a", end_ms=at(12) - 4 * MINUTE_MS)
    (row,) = Measured(world).rows("charges", resource="gpu", kind="workload")
    assert (row["coverage"], row["cost_unobserved"]) == (pytest.approx(0.75, abs=0.001), 0)
    assert float(row["cost_used"]) == pytest.approx(2 * 12 * (0.3 + 0.1) * 2.5, rel=0.001)


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


def test_a_pod_that_vanishes_while_others_stay_has_ended() -> None:
    world = World().node().pod("a").use("a").pod("b", start_ms=at(6), end_ms=at(8) + 1).use("b", end_ms=at(8))
    (row,) = Measured(world).rows("containers", pod="b")
    assert (row["start"].isoformat(), row["end"].isoformat()) == (
        "2026-11-20T06:00:00+00:00",
        "2026-11-20T08:01:00+00:00",
    )


def test_labels_are_those_that_were_told_last() -> None:
    world = World().node().pod("a").use("a")
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world.add(Signal.POD_LABELS, {**labels, "label_team": "zeta"}, 1, end_ms=at(-0.05))
    world.add(Signal.POD_LABELS, {**labels, "label_team": "alpha"}, 1, start_ms=at(-0.05))
    assert {row["team"] for row in Measured(world).rows("containers")} == {"alpha"}


def test_neighbouring_days_are_no_finding_of_this_one() -> None:
    world = World().node().pod("x").use("x")
    lives: dict[str, When] = {"old": {"end_ms": at(-0.04)}, "next": {"start_ms": at(24.02)}}
    for name, when in lives.items():
        world.pod(name, **when).use(name, **when)
    assert Measured(world).found() == []


def test_a_cgroup_that_two_jobs_scrape_is_one_cgroup() -> None:
    world = World().node().pod("a").use("a", instance="10.0.0.1:10250").use("a", instance="node-1")
    assert Measured(world).total("used_quantity", resource="cpu", kind="workload") == pytest.approx(12)


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(["/kubepods/pod1/c1.scope/kubepods/pod1/c1.scope"], id="within"),
        pytest.param(["/docker/f00/kubepods/pod1/c1.scope"], id="as the host calls it"),
        pytest.param(
            ["/docker/f00/kubepods/pod1/c1.scope", "/docker/f00/kubepods/pod1/c1.scope/init.scope"], id="both"
        ),
    ],
)
def test_a_cgroup_within_another_of_its_container_counts_once(paths: list[str]) -> None:
    world = World().node().pod("a").use("a", id="/kubepods/pod1/c1.scope")
    for path in paths:
        world.use("a", id=path)
    # The container before, whose path only begins with the same letters, is another cgroup: it is added.
    day = Measured(world.use("a", cpu=0.25, id="/kubepods/pod1/c1"))
    assert day.total("used_quantity", resource="cpu", kind="workload") == pytest.approx(18)
    assert day.total("used_quantity", resource="memory", kind="workload") == pytest.approx(12)


def test_cgroups_within_one_that_nobody_knows_count_once_too() -> None:
    world = World().node().pod("a").use("a")
    for path in ("/kubepods/pod1/c1.scope", "/kubepods/pod1/c1.scope/init.scope"):
        world.use("gone", id=path)
    (message,) = (row["message"] for row in Measured(world).rows("findings", rule="usage_without_pod"))
    assert message.startswith("12.000 core-hours")


def test_a_cgroup_of_yesterdays_pod_is_not_that_of_todays() -> None:
    uids = [f"{i}0000000-0000-4000-8000-000000000000" for i in (1, 2)]
    world = World().node().pod("web-0", uid=uids[1], requests={"cpu": 0.1})
    for uid, cores in zip(uids, (1.0, 0.25), strict=True):
        world.use("web-0", cpu=cores, memory=cores * GIB, id=f"/kubepods/pod{uid}/c")
    day = Measured(world)
    assert day.total("used_quantity", resource="cpu", pod="web-0") == pytest.approx(6)
    assert day.total("used_quantity", resource="memory", pod="web-0") == pytest.approx(6)
    assert "usage_without_pod" in day.found()


def test_a_cgroup_with_a_uid_is_that_of_a_pod_whose_uid_nobody_tells() -> None:
    world = World().node().pod("a", uid="")
    day = Measured(world.use("a", id="/kubepods/pod10000000-0000-4000-8000-000000000000/c"))
    assert day.total("used_quantity", resource="cpu", pod="a") == pytest.approx(12)


def test_a_resize_within_the_day_is_billed_by_its_parts() -> None:
    world = World().node().pod("a", requests={"cpu": shift(1.0, 2.0)}).use("a", cpu=0.1)
    day = Measured(world)
    assert len(day.rows("containers")) == 2
    assert day.total("billed_quantity", resource="cpu", kind="workload") == pytest.approx(36, abs=0.02)


def test_a_finished_pod_costs_nothing_more() -> None:
    world = (
        World()
        .node()
        .pod("a")
        .use("a")
        .pod("job", phase="Succeeded", start_ms=at(2))
        .use("job", start_ms=at(2))
    )
    labels = {"namespace": "ns", "pod": "job", "uid": "job-uid"}
    world.add(Signal.POD_COMPLETION_TIME, labels, at(3) / 1000)
    world.add(Signal.POD_PHASE, {**labels, "phase": "Succeeded"}, shift(0, 1, 3))
    assert Measured(world).total("billed_quantity", resource="cpu", pod="job") == pytest.approx(0, abs=1.01)


def test_classes_by_label_find_labels_as_kubernetes_writes_them() -> None:
    world = World().node().pod("a").use("a")
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid", "label_app_kubernetes_io_component": "train"}
    rule = {"training": {"labels": {"app.kubernetes.io/component": "train"}}}
    day = Measured(world.add(Signal.POD_LABELS, labels, 1), classes=rule)
    assert day.rows("containers")[0]["class"] == "training"


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
    assert day.found() == ["contention"]
    assert day.total("cost", resource="cpu") == pytest.approx(9.60)


def test_a_node_that_left_before_the_day_is_one_that_only_its_pods_tell_of() -> None:
    world = World().node(end_ms=at(-0.05)).node("n2").pod("a").use("a").pod("b", node="n2").use("b")
    day = Measured(world)
    assert day.total("cost", node="n1", resource="cpu") == pytest.approx(2.40)
    assert set(day.found()) == {"capacity_unknown"}


def test_the_mark_of_a_series_end_is_no_sample() -> None:
    world = World().node().pod("x").use("x").pod("a", start_ms=at(6), end_ms=at(8) + 1)
    for signal in (Signal.POD_INFO, Signal.POD_PHASE):
        more = {"node": "n1"} if signal is Signal.POD_INFO else {"phase": "Running"}
        labels = {"namespace": "ns", "pod": "a", "uid": "a-uid", **more}
        world.add(signal, labels, float("nan"), start_ms=at(8) + MINUTE_MS, end_ms=at(8) + 2 * MINUTE_MS)
    (row,) = Measured(world).rows("containers", pod="a")
    assert row["end"].isoformat() == "2026-11-20T08:01:00+00:00"


def test_the_scrape_interval_is_told_of_each_signal() -> None:
    world = World().node().pod("a").use("a", step_ms=30_000).gpu("GPU-1", 0.2, "a", step_ms=15_500)
    world.add(
        Signal.POD_LABELS,
        {"namespace": "ns", "pod": "a", "uid": "a-uid"},
        1,
        start_ms=at(1),
        end_ms=at(1) + 1,
    )
    day = Measured(world)
    assert day.facts.scrape_interval_s == {
        "cpu_seconds": 30.0, "memory_bytes": 30.0, "gpu_utilization": 15.5,
        **dict.fromkeys(("pod_info", "pod_phase", "pod_scheduled_time", "container_request", "node_capacity",
                         "node_allocatable"), 60.0),
    }  # fmt: skip
    assert day.found() == ["unattributed_gpu"]


def test_scrapes_further_apart_than_a_sample_holds_are_a_finding() -> None:
    day = Measured(World().node().pod("a").use("a", step_ms=10 * MINUTE_MS))
    assert day.facts.signal_coverage == {"cpu": 0.0, "memory": pytest.approx(0.5, abs=0.01)}
    (row,) = day.rows("findings", rule="scrape_interval")
    assert (row["subject"], row["severity"]) == ("cAdvisor", "warning")
    assert "cpu_seconds, memory_bytes come every 600 s and hold for 300 s" in row["message"]
    held = Measured(World().node().pod("a").use("a", step_ms=10 * MINUTE_MS), billing={"max_gap": "25m"})
    assert (held.facts.coverage, held.found()) == (1.0, [])


@pytest.mark.parametrize(("minutes", "rules"), [(5, []), (6, ["short_pods_missed"])])
def test_pods_that_are_told_of_seldom_may_be_missed(minutes: int, rules: list[str]) -> None:
    world = World().node().pod("a", step_ms=minutes * MINUTE_MS).use("a")
    assert Measured(world, billing={"max_gap": "25m"}).found() == rules


def test_mig_instances_of_one_profile_that_are_nobodys_are_one_finding() -> None:
    world = World().node(nvidia_com_mig_1g_10gb=7.0).pod("a").use("a")
    for instance in ("7", "8"):
        labels = {"gpu_uuid": "GPU-1", "mig_profile": "1g.10gb", "mig_instance": instance, "node": "n1"}
        world.add(Signal.GPU_ENGINE_ACTIVE, labels, 0.5)
    (row,) = Measured(world).rows("findings", rule="unattributed_gpu")
    assert (row["subject"], row["message"][:28]) == ("n1 GPU-1 1g.10gb", "it was busy for 48.000 hours")


@pytest.mark.parametrize(("asking", "used"), [(("app",), 30.0), (("app", "side"), 0.0)])
def test_an_exporter_that_names_a_pod_only_means_its_only_container_with_a_gpu(
    asking: tuple[str, ...], used: float
) -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("a").use("a").use("a", container="side").gpu("GPU-2", 0.0)
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid", "resource": "nvidia_com_gpu"}
    for container in asking:
        world.add(Signal.CONTAINER_REQUEST, {**labels, "container": container}, 1.0)
    world.add(Signal.GPU_UTILIZATION, {"gpu_uuid": "GPU-1", "node": "n1", "namespace": "ns", "pod": "a"}, 0.5)
    day = Measured(world)
    assert day.total("cost_used", resource="gpu", kind="workload") == pytest.approx(used)
    assert ("unattributed_gpu" in day.found()) == (used == 0)


def test_a_percentage_that_is_taken_for_a_ratio_is_refused() -> None:
    world = World().node(nvidia_com_gpu=1.0).pod("a").use("a").gpu("GPU-1", 87.0, "a")
    with pytest.raises(
        SourceRefused, match=r"gpu_utilization is a ratio, and goes up to 87 on 2026"
    ) as refused:
        Measured(world)
    assert "unit: percent" in refused.value.hint


def test_gpus_that_show_neither_uuid_nor_node_are_told_apart_by_their_scrape_targets() -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("a").use("a")
    for target, busy in (("10.0.0.1:9400", 0.2), ("10.0.0.2:9400", 0.6)):
        world.add(Signal.GPU_UTILIZATION, {"gpu_index": "0", "instance": target}, busy)
    rows = Measured(world).rows("gpus")
    assert sorted(row["busy_mean"] for row in rows) == pytest.approx([0.2, 0.6])
    assert {(row["node"], row["gpu_index"]) for row in rows} == {("", "0")}


def test_an_empty_cluster_is_refused() -> None:
    world = World().node().pod("a", end_ms=at(-0.5)).use("a").pod("later", start_ms=at(24.05))
    with pytest.raises(SourceRefused, match="no pod occupied a node on 2026-11-20"):
        Measured(world)
    assert AFTER - BEFORE == 26 * HOUR_MS
    assert str(DAY) == "2026-11-20"

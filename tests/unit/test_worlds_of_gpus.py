"""Days of small clusters whose GPUs are cut up, shared, replaced, or named in ways of their own."""

from math import isnan

import pytest
from small_world import Measured, When, World, at, shift

from costlab.domain.errors import SourceRefused
from costlab.domain.signals import Signal
from costlab.domain.time import MINUTE_MS


def test_mig_that_begins_at_noon_is_not_there_in_the_morning() -> None:
    world = World().node(cpu=8.0).pod("a").use("a")
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        world.add(signal, {"node": "n1", "resource": "nvidia_com_gpu"}, shift(8, 0))
        world.add(signal, {"node": "n1", "resource": "nvidia_com_mig_1g_10gb"}, 56, start_ms=at(12))
    day = Measured(world)
    assert {row["gpu_capacity"] for row in day.rows("nodes")} == {8.0}
    assert day.total("cost", resource="gpu") == pytest.approx(8 * 24 * 2.5)


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


def test_a_gpu_of_one_pod_does_not_cover_anothers() -> None:
    world = (
        World().node(nvidia_com_gpu=2.0).pod("a", requests={"nvidia_com_gpu": 1.0}).use("a").pod("b").use("b")
    )
    day = Measured(world.gpu("GPU-1", 0.9, "b").gpu("GPU-2", 0.0))
    assert day.facts.signal_coverage["gpu"] == 0
    assert day.total("cost_unobserved", resource="gpu") == pytest.approx(60)
    assert "unattributed_gpu" in day.found()


def test_without_an_exporter_of_gpus_they_are_billed_by_request_and_nothing_is_known_of_their_use() -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("a", requests={"nvidia_com_gpu": 1.0}).use("a")
    day = Measured(world)
    (row,) = day.rows("charges", resource="gpu", kind="workload")
    assert isnan(row["used_quantity"])
    assert row["coverage"] == 0
    assert float(row["cost_unobserved"]) == float(row["cost"]) == pytest.approx(60)
    assert day.total("cost", resource="gpu", kind="idle") == pytest.approx(60)
    assert day.rows("gpus") == day.rows("gpu_usage") == []
    assert day.facts.signal_coverage["gpu"] == 0


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
    assert [row["gpu_allocatable"] for row in day.rows("nodes")] == [pytest.approx(whole)]
    assert [row["gpu_share"] for row in day.rows("containers")] == [pytest.approx(whole / 2)]


def test_a_container_is_as_busy_as_those_of_its_gpus_that_were_seen() -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("a", requests={"nvidia_com_gpu": 2.0}).use("a")
    world.gpu("GPU-1", 0.1, "a").gpu("GPU-2", 0.5, "a", end_ms=at(12) - 4 * MINUTE_MS)
    (row,) = Measured(world).rows("charges", resource="gpu", kind="workload")
    assert (row["coverage"], row["cost_unobserved"]) == (pytest.approx(0.75, abs=0.001), 0)
    assert float(row["cost_used"]) == pytest.approx(2 * 12 * (0.3 + 0.1) * 2.5, rel=0.001)


def test_mig_instances_of_one_profile_that_are_nobodys_are_one_finding() -> None:
    world = World().node(nvidia_com_mig_1g_10gb=7.0).pod("a").use("a")
    for instance in ("7", "8"):
        labels = {"gpu_uuid": "GPU-1", "mig_profile": "1g.10gb", "mig_instance": instance, "node": "n1"}
        world.add(Signal.GPU_ENGINE_ACTIVE, labels, 0.5)
    (row,) = Measured(world).rows("findings", rule="unattributed_gpu")
    assert row["subject"] == "n1"
    assert row["message"][:47] == "GPU-1 1g.10gb were busy for 48.000 hours withou"
    assert float(row["amount"]) == pytest.approx(48 / 7 * 2.5, abs=1e-5)


@pytest.mark.parametrize(
    ("requests", "users", "amount"),
    [
        (0.0, ("", ""), 48 * 2.5),  # by no pod's name
        (0.0, ("b", ""), 48 * 2.5),  # for a pod that asks for none
        (1.0, ("a", ""), 24 * 2.5),  # the other one of a node whose pod has a GPU
        (2.0, ("", ""), 0.0),  # no pod is named: all of the money was charged, and its use not observed
    ],
)
def test_what_gpus_do_for_nobody_is_worth_what_is_inside_idle(
    requests: float, users: tuple[str, str], amount: float
) -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("b").use("b")
    world.pod("a", requests={"cpu": 1.0, **({"nvidia_com_gpu": requests} if requests else {})}).use("a")
    for uuid, user in zip(("GPU-1", "GPU-2"), users, strict=True):
        world.gpu(uuid, 0.9, user)
    day = Measured(world)
    (row,) = day.rows("findings", rule="unattributed_gpu")
    assert float(row["amount"]) == pytest.approx(amount, abs=1e-5)
    assert row["amount"] <= day.total("cost", resource="gpu", kind="idle") + 1e-6


def test_a_device_that_two_nobodys_share_is_busy_once() -> None:
    world = World().node(nvidia_com_gpu=2.0).pod("b").use("b").pod("c").use("c")
    day = Measured(world.gpu("GPU-1", 0.9, "b").gpu("GPU-1", 0.9, "c", start_ms=at(12)))
    (row,) = day.rows("findings", rule="unattributed_gpu")
    assert float(row["amount"]) == pytest.approx(60, abs=1e-5)


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

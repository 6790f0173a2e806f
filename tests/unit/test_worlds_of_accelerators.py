"""Days of small clusters by the resources under which their accelerators are asked for."""

from typing import Any

import pytest
from small_world import Measured, World, at, shift

from costlab.domain.signals import Signal

PRODUCT = "label_nvidia_com_gpu_product"


def asked(resource: str, offered: dict[str, float], labels: dict[str, str], pieces: float = 1.0) -> World:
    """A pod that asks for some pieces of a resource on a node that offers these and has these labels."""
    sizes: dict[str, Any] = offered
    world = World().node(**sizes).pod("a", requests={"cpu": 1.0, resource: pieces}).use("a")
    return world.add(Signal.NODE_LABELS, {"node": "n1", **labels}, 1)


def remarks(day: Measured) -> list[str]:
    """What was found, but that no exporter shows what the devices do."""
    return [rule for rule in day.found() if rule != "unobserved_usage"]


@pytest.mark.parametrize(
    ("resource", "offered", "labels", "physical", "share"),
    [
        # MIG by its single strategy: plain GPUs are instances, as the product's name tells, here shared by two as well.
        ("nvidia_com_gpu", {"nvidia_com_gpu": 14.0}, {PRODUCT: "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"}, 2.0, 1 / 7),
        ("nvidia_com_gpu", {"nvidia_com_gpu": 8.0}, {PRODUCT: "NVIDIA-A30-MIG-1g.6gb-SHARED",
         "label_nvidia_com_gpu_replicas": "2", "label_nvidia_com_gpu_count": "4"}, 1.0, 1 / 8),
        # Google's labels for the same two.
        ("nvidia_com_gpu", {"nvidia_com_gpu": 7.0}, {"label_cloud_google_com_gke_accelerator": "nvidia-tesla-a100",
         "label_cloud_google_com_gke_gpu_partition_size": "1g.5gb"}, 1.0, 1 / 7),
        ("nvidia_com_gpu", {"nvidia_com_gpu": 6.0}, {"label_cloud_google_com_gke_max_shared_clients_per_gpu": "3"},
         2.0, 1 / 3),
        # Shared ones under a name of their own, beside whole ones.
        ("nvidia_com_gpu_shared", {"nvidia_com_gpu": 2.0, "nvidia_com_gpu_shared": 8.0},
         {"label_nvidia_com_gpu_replicas": "4"}, 4.0, 1 / 4),
        ("nvidia_com_gpu", {"nvidia_com_gpu": 2.0, "nvidia_com_gpu_shared": 8.0},
         {"label_nvidia_com_gpu_replicas": "4"}, 4.0, 1.0),
        # Instances that are shared, with media engines, and compute instances of one.
        ("nvidia_com_mig_1g_10gb_shared", {"nvidia_com_mig_1g_10gb_shared": 14.0},
         {PRODUCT: "NVIDIA-H100-80GB-HBM3", "label_nvidia_com_mig_1g_10gb_replicas": "2"}, 1.0, 1 / 14),
        ("nvidia_com_mig_1g_10gb_me", {"nvidia_com_mig_1g_10gb_me": 1.0, "nvidia_com_mig_2g_20gb": 3.0},
         {PRODUCT: "NVIDIA-H100-80GB-HBM3"}, 1.0, 1 / 7),
        ("nvidia_com_mig_1c_3g_40gb", {"nvidia_com_mig_1c_3g_40gb": 7.0}, {PRODUCT: "NVIDIA-H200"}, 1.0, 1 / 7),
        # AMD's partitions by its mixed strategy, and by its single one.
        ("amd_com_cpx_nps4", {"amd_com_cpx_nps4": 64.0}, {}, 8.0, 1 / 8),
        ("amd_com_cpx_nps1", {"amd_com_cpx_nps1": 24.0}, {"label_amd_com_gpu_product_name": "AMD_Instinct_MI300A"},
         4.0, 1 / 6),
        ("amd_com_gpu", {"amd_com_gpu": 64.0}, {"label_amd_com_compute_memory_partition": "cpx_nps4"}, 8.0, 1 / 8),
        ("amd_com_gpu", {"amd_com_gpu": 8.0}, {"label_amd_com_compute_memory_partition": "spx_nps1"}, 8.0, 1.0),
        # One device by two names: trn1 has two cores a device, inf1 four.
        ("aws_amazon_com_neuron", {"aws_amazon_com_neuron": 16.0, "aws_amazon_com_neuroncore": 32.0}, {}, 16.0, 1.0),
        ("aws_amazon_com_neuroncore", {"aws_amazon_com_neuron": 16.0, "aws_amazon_com_neuroncore": 64.0}, {}, 16.0,
         1 / 4),
        ("aws_amazon_com_neuroncore", {"aws_amazon_com_neuroncore": 32.0}, {}, 16.0, 1 / 2),
        ("habana_ai_gaudi", {"habana_ai_gaudi": 8.0}, {}, 8.0, 1.0),
        ("google_com_tpu", {"google_com_tpu": 4.0}, {}, 4.0, 1.0),
        ("gpu_intel_com_i915", {"gpu_intel_com_i915": 2.0, "gpu_intel_com_i915_monitoring": 1.0}, {}, 2.0, 1.0),
        ("gpu_intel_com_xe", {"gpu_intel_com_xe": 2.0}, {}, 2.0, 1.0),
    ],
)  # fmt: skip
def test_a_piece_is_a_part_of_a_physical_device(
    resource: str, offered: dict[str, float], labels: dict[str, str], physical: float, share: float
) -> None:
    day = Measured(asked(resource, offered, labels))
    assert [row["gpu_capacity"] for row in day.rows("nodes")] == [pytest.approx(physical)]
    assert [row["gpu_allocatable"] for row in day.rows("nodes")] == [pytest.approx(physical)]
    assert [row["gpu_share"] for row in day.rows("containers")] == [pytest.approx(share)]
    assert day.total("cost", resource="gpu", kind="workload") == pytest.approx(share * 60, abs=1e-6)
    assert day.total("cost", resource="gpu") == pytest.approx(physical * 60)
    assert remarks(day) == []


def test_models_are_told_by_the_labels_of_other_vendors_and_have_their_prices() -> None:
    labels = {"label_cloud_google_com_gke_tpu_accelerator": "tpu-v5-lite-podslice"}
    day = Measured(
        asked("google_com_tpu", {"google_com_tpu": 4.0}, labels),
        book={"gpu_models": {"tpu v5 lite podslice": 1.2}},
    )
    assert day.total("cost", resource="gpu") == pytest.approx(4 * 24 * 1.2)


def test_a_price_by_model_is_that_of_the_model_also_where_it_is_cut_up() -> None:
    labels = {PRODUCT: "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED", "label_nvidia_com_gpu_replicas": "2"}
    book = {"gpu_models": {"NVIDIA A100-SXM4-40GB": 4.0}}
    day = Measured(asked("nvidia_com_gpu", {"nvidia_com_gpu": 14.0}, labels), book=book)
    assert day.total("cost", resource="gpu") == pytest.approx(24 * 4.0)


def test_gpus_that_are_cut_up_at_noon_stay_as_many() -> None:
    world = World().pod("a", requests={"nvidia_com_gpu": 1.0}).use("a")
    for signal in (Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE):
        for resource, size in {"cpu": 4.0, "memory": 2.0**34}.items():
            world.add(signal, {"node": "n1", "resource": resource}, size)
        world.add(signal, {"node": "n1", "resource": "nvidia_com_gpu"}, shift(2, 14))
    for product, when in {
        "NVIDIA-A100": {"end_ms": at(12)},
        "NVIDIA-A100-MIG-1g.5gb": {"start_ms": at(12)},
    }.items():
        world.add(Signal.NODE_LABELS, {"node": "n1", PRODUCT: product}, 1, **when)
    day = Measured(world)
    assert [row["gpu_capacity"] for row in day.rows("nodes")] == pytest.approx([2.0])
    assert {row["gpu_model"] for row in day.rows("nodes")} == {"NVIDIA-A100"}


def test_what_a_layout_of_instances_leaves_over_is_the_systems() -> None:
    world = asked(
        "nvidia_com_mig_3g_20gb", {"nvidia_com_mig_3g_20gb": 2.0}, {PRODUCT: "NVIDIA-A100-SXM4-40GB"}
    )
    labels = {
        "gpu_uuid": "GPU-1",
        "gpu_model": "NVIDIA A100-SXM4-40GB",
        "mig_profile": "3g.20gb",
        "node": "n1",
    }
    for instance in ("1", "2"):
        world.add(Signal.GPU_ENGINE_ACTIVE, {**labels, "mig_instance": instance}, 0.0)
    day = Measured(world)
    parts = {kind: day.total("cost", resource="gpu", kind=kind) for kind in ("workload", "idle", "system")}
    assert parts == pytest.approx({"workload": 60 * 3 / 7, "idle": 60 * 3 / 7, "system": 60 / 7}, abs=1e-5)
    assert [row["gpu_share"] for row in day.rows("gpus")] == pytest.approx([3 / 7, 3 / 7])


def test_instances_of_two_models_on_one_node_are_parts_of_their_own() -> None:
    world = World().node(nvidia_com_mig_1g_6gb=4.0, nvidia_com_mig_1g_5gb=7.0)
    for profile, model in (("1g.6gb", "NVIDIA A30"), ("1g.5gb", "NVIDIA A100-SXM4-40GB")):
        name = profile.replace(".", "-")
        world.pod(name, requests={f"nvidia_com_mig_{profile.replace('.', '_')}": 1.0}).use(name)
        device = {"gpu_uuid": f"GPU-{profile}", "gpu_model": model, "mig_profile": profile, "node": "n1"}
        world.add(Signal.GPU_MEMORY_USED, device, 1.0)
    day = Measured(world)
    assert [row["gpu_capacity"] for row in day.rows("nodes")] == [pytest.approx(2.0)]
    shares = {row["pod"]: row["gpu_share"] for row in day.rows("containers")}
    assert shares == pytest.approx({"1g-6gb": 1 / 4, "1g-5gb": 1 / 7})
    assert remarks(day) == ["gpu_models_mixed"]


def test_slices_of_a_model_that_is_not_known_are_sevenths_and_said_to_be() -> None:
    resource = "nvidia_com_mig_1g_10gb"
    day = Measured(asked(resource, {resource: 7.0}, {}))
    assert day.rows("containers")[0]["gpu_share"] == pytest.approx(1 / 7)
    assert remarks(day) == ["mig_slices_assumed"]


def test_resources_of_ones_own_are_charged_and_known_ones_may_be_left_out() -> None:
    own = {"huawei.com/Ascend910": 1, "example.com/slice": 4, "google.com/tpu": 0}
    offered = {"huawei_com_Ascend910": 2.0, "example_com_slice": 4.0, "google_com_tpu": 8.0}
    day = Measured(asked("example_com_slice", offered, {}), device_resources=own)
    assert [row["gpu_capacity"] for row in day.rows("nodes")] == [3.0]
    assert day.rows("containers")[0]["gpu_share"] == 0.25


def test_parts_of_gpus_that_charges_do_not_know_are_a_finding() -> None:
    world = asked("nvidia_com_gpu", {"nvidia_com_gpu": 1.0}, {})
    labels = {
        "namespace": "ns",
        "pod": "a",
        "uid": "a-uid",
        "container": "app",
        "resource": "nvidia_com_gpucores",
    }
    day = Measured(world.add(Signal.CONTAINER_REQUEST, labels, 25.0))
    (finding,) = day.rows("findings", rule="gpu_fraction_not_charged")
    assert (finding["rule"], finding["subject"]) == ("gpu_fraction_not_charged", "nvidia_com_gpucores")


def test_what_nodes_offer_and_nothing_says_is_a_device_is_a_finding_with_how_much() -> None:
    offered = {"nvidia_com_gpu": 1.0, "huawei_com_Ascend910": 8.0, "hugepages_2Mi": 1.0, "nvidia_com_gpumem": 9.0,
               "devices_kubevirt_io_kvm": 1e3, "example_com_fpga": 2.0, "example_com_gone": 0.0}  # fmt: skip
    day = Measured(asked("nvidia_com_gpu", offered, {}), device_resources={"example.com/fpga": 0})
    (finding,) = day.rows("findings", rule="resource_unheard_of")
    assert (finding["subject"], finding["severity"]) == ("huawei_com_Ascend910", "info")
    assert "(1) offer 8 of it" in finding["message"]

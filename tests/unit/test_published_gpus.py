"""GPUs that are shared or cut up: published cases of OpenCost and Koku, through costlab's own charges."""

from typing import Any

import pytest
from small_world import Measured, World, at

from costlab.config.device_resource import charged
from costlab.domain.signals import Signal

GPU, SHARED = "nvidia_com_gpu", "nvidia_com_gpu_shared"
FOUR = {"label_nvidia_com_gpu_replicas": "4", "label_nvidia_com_gpu_count": "1"}


@pytest.mark.parametrize(
    ("offered", "labels", "physical", "piece"),
    [
        ({GPU: 2.0}, {}, 2.0, (GPU, 1.0)),
        ({SHARED: 4.0, GPU: 0.0}, FOUR, 1.0, (SHARED, 0.25)),
        ({GPU: 4.0}, FOUR, 1.0, (GPU, 0.25)),
        ({GPU: 4.0}, {"label_nvidia_com_gpu_count": "1"}, 1.0, (GPU, 0.25)),
        ({}, {}, 0.0, None),
    ],
)
def test_opencosts_counts_of_gpus(
    offered: dict[str, Any], labels: dict[str, str], physical: float, piece: tuple[str, float] | None
) -> None:
    """OpenCost: real and virtual GPUs by capacity and labels; it has -1 where costlab has no charge."""
    world = World().node(**offered).pod("a", requests={piece[0]: 1.0} if piece else None).use("a")
    if labels:
        world.add(Signal.NODE_LABELS, {"node": "n1", **labels}, 1)
    day = Measured(world)
    assert [row["gpu_capacity"] for row in day.rows("nodes")] == [physical]
    assert [row["gpu_share"] for row in day.rows("containers")] == [piece[1] if piece else None]
    assert day.total("cost", resource="gpu") == pytest.approx(physical * 24 * 2.5)


# By profile and by the hours that it is held: 8, 6 and 4 slice-hours.
KOKU = (("4g_20gb", 2), ("1g_5gb", 6), ("2g_10gb", 2))


def koku(gpu_hour: float, held: tuple[tuple[str, int], ...] = KOKU) -> Measured:
    """A node of one A100, cut into instances of 4, 2 and 1 slices, each held by a pod for some hours."""
    sizes: dict[str, Any] = {f"nvidia_com_mig_{profile}": 1.0 for profile, _ in KOKU}
    world = World().node(**sizes)
    world.add(Signal.NODE_LABELS, {"node": "n1", "label_nvidia_com_gpu_product": "NVIDIA-A100-SXM4-40GB"}, 1)
    for profile, hours in held:
        world.pod(profile, requests={f"nvidia_com_mig_{profile}": 1.0}, end_ms=at(hours), start_ms=at(0))
        world.use(profile, end_ms=at(hours), start_ms=at(0))
    return Measured(world, book={"gpu_models": {"NVIDIA A100-SXM4-40GB": gpu_hour}})


@pytest.mark.parametrize(
    ("gpu_hour", "costs", "unallocated"),
    [
        (3.0, (3.4286, 2.5714, 1.7143), 64.2857),  # 2016 in February
        (1000 / 720, (1.5873, 1.1905, 0.7937), 29.7619),  # 1000 in 30 days
    ],
)
def test_kokus_slices_cost_their_hours_and_the_rest_is_nobodys(
    gpu_hour: float, costs: tuple[float, ...], unallocated: float
) -> None:
    day = koku(gpu_hour)
    for (profile, hours), cost in zip(KOKU, costs, strict=True):
        assert day.total("cost", resource="gpu", pod=profile) == pytest.approx(cost, abs=5e-5)
        assert day.total("billed_quantity", resource="gpu", pod=profile) == pytest.approx(
            int(profile[0]) * hours / 7
        )
    assert day.total("cost", resource="gpu", kind="idle") == pytest.approx(unallocated, abs=5e-5)
    assert day.total("billed_quantity", resource="gpu", kind="idle") == pytest.approx(150 / 7)


def test_kokus_four_of_seven_slices_are_40_of_70() -> None:
    day = koku(70 / 24, (("4g_20gb", 24),))
    assert day.total("cost", resource="gpu", kind="workload") == pytest.approx(40, abs=1e-6)
    assert day.total("cost", resource="gpu", kind="idle") == pytest.approx(30, abs=1e-6)


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("NVIDIA A30", 4), ("NVIDIA A100-SXM4-80GB", 7), ("A100_80GB_PCIe", 7), ("nvidia-tesla-a100", 7),
        ("NVIDIA H100 80GB HBM3", 7), ("NVIDIA-H200", 7), ("NVIDIA B200", 7), ("NVIDIA GH200 480GB", 7),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 4), ("nvidia-rtx-pro-6000", 4), ("RTXPRO6000", 4),
        ("NVIDIA-RTX-PRO-5000-Blackwell", 2),
    ],
)  # fmt: skip
def test_kokus_slices_of_a_model(model: str, most: int) -> None:
    resources = charged({})
    assert resources.share("nvidia_com_mig_1g_10gb", model) == pytest.approx(1 / most)
    assert not resources.assumes("nvidia_com_mig_1g_10gb", model)


@pytest.mark.parametrize("model", [None, "NVIDIA A1000", "NVIDIA RTX A3000"])
def test_a_model_that_is_not_known_is_said_to_be(model: str | None) -> None:
    assert charged({}).assumes("nvidia_com_mig_1g_10gb", model)

"""Published cases of OpenCost for what a pod occupied and used: their inputs through a whole day of this code."""

from typing import Any

import pytest
from small_world import Measured, World, at

from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS
from costlab.domain.units import GIB

GPU = "nvidia_com_gpu"


def added() -> Measured:
    """Two pods of different hours: their allocations are added up there, as charges are here."""
    world = World().node(cpu=8.0, memory=64 * GIB, nvidia_com_gpu=1.0)
    first: dict[str, Any] = {"start_ms": at(0), "end_ms": at(12)}
    world.pod("a1", requests={"cpu": 2.0, "memory": 8 * GIB, GPU: 1.0}, **first)
    world.use("a1", cpu=1.0, memory=4 * GIB, **first)
    world.pod("a2", requests={"cpu": 1.0}, start_ms=at(6))
    world.use("a2", cpu=1.0, memory=8 * GIB, start_ms=at(6))
    return Measured(world, prices={"cpu_core_hour": 0.02, "memory_gib_hour": 0.01, "gpu_hour": 2.0})


@pytest.mark.parametrize(
    ("resource", "requested", "used"),
    [("cpu", 1.75, 1.25), ("memory", 4.0, 8.0)],
    ids=["22 cpu", "22 memory"],
)
def test_averages_of_a_day_are_its_hours_over_24(resource: str, requested: float, used: float) -> None:
    day = added()
    # The first and the last minute of a counter are half seen.
    assert day.total("requested_quantity", resource=resource, kind="workload") / 24 == pytest.approx(
        requested
    )
    assert day.total("used_quantity", resource=resource, kind="workload") / 24 == pytest.approx(
        used, rel=2e-3
    )


@pytest.mark.parametrize(
    ("pod", "resource", "theirs", "hours"),
    [
        ("a1", "cpu", 0.48, 12), ("a1", "gpu", 24.0, 12), ("a1", "memory", 0.96, 12),
        ("a2", "cpu", 0.24, 18), ("a2", "memory", 0.96, 18),
    ],
)  # fmt: skip
def test_a_pods_hours_are_its_own(pod: str, resource: str, theirs: float, hours: float) -> None:
    """There a2's prices are multiplied by the 12 h of a1; here by its own 18."""
    assert added().total("cost", resource=resource, pod=pod) == pytest.approx(theirs * hours / 12, rel=1e-6)


@pytest.mark.parametrize(
    ("first_min", "last_min", "step_min", "ours_min"),
    [
        pytest.param(0, 60, 60, 120, id="25 an hour by the hour"),
        pytest.param(15, 20, 1, 6, id="25 five minutes by the minute"),
        pytest.param(0, 1439, 1, 1440, id="26 a day"),
        pytest.param(600, 610, 5, 15, id="26 three samples"),
    ],
)
def test_n_samples_are_n_intervals(first_min: int, last_min: int, step_min: int, ours_min: int) -> None:
    """There n samples are n - 1 intervals; here the pod is there until one interval after its last."""
    when = {"start_ms": at(first_min / 60), "end_ms": at(last_min / 60) + 1, "step_ms": step_min * MINUTE_MS}
    world, who = World().node(), {"namespace": "ns", "pod": "p", "uid": "u"}
    world.add(Signal.POD_INFO, {**who, "node": "n1", "host_network": "false"}, 1, **when)
    world.add(Signal.POD_PHASE, {**who, "phase": "Running"}, 1, **when)
    world.add(Signal.CONTAINER_REQUEST, {**who, "container": "app", "resource": "cpu"}, 1.0, **when)
    [row] = Measured(world).rows("containers")
    assert (row["end"] - row["start"]).total_seconds() * 1000 == ours_min * MINUTE_MS
    assert row["start"].timestamp() * 1000 == at(0) + first_min * HOUR_MS / 60

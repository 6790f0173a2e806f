"""A device that pods share is busy once: what all of them used is no more than what it did."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import Measured, When, World, at

from costlab.domain.signals import Signal

HOURS = st.integers(0, 24)


@settings(max_examples=25, deadline=None)
@given(
    busy=st.lists(st.floats(0, 1), min_size=1, max_size=2),
    slots=st.lists(st.tuples(st.integers(0, 1), HOURS, HOURS), min_size=1, max_size=6),
    replicas=st.sampled_from([2, 3, 4]),
)
def test_pods_use_no_more_of_a_shared_device_than_it_was_busy(
    busy: list[float], slots: list[tuple[int, int, int]], replicas: int
) -> None:
    """Every sharing pod shows the whole device's value, as with the exporter's virtual GPUs."""
    world = World().node(nvidia_com_gpu=float(len(busy) * replicas)).pod("x").use("x")
    world.add(Signal.NODE_LABELS, {"node": "n1", "label_nvidia_com_gpu_replicas": str(replicas)}, 1)
    taken = [0] * len(busy)
    by_pods = [0.0] * len(busy)
    for number, (device, low, high) in enumerate(slots):
        if device < len(busy) and low < high and taken[device] < replicas:
            taken[device] += 1
            by_pods[device] += (high - low) * busy[device] / replicas
            when: When = {"start_ms": at(low), "end_ms": at(high)}
            name = f"p{number}"
            world.pod(name, requests={"nvidia_com_gpu": 1.0}, **when).use(name, **when)
            world.gpu(f"GPU-{device}", busy[device], name, **when)
    day = Measured(world)
    used = day.total("used_quantity", resource="gpu", kind="workload")
    assert used == pytest.approx(sum(by_pods), abs=0.1 * len(slots))
    assert used <= sum(24 * ratio for ratio in busy) + 1e-9
    assert day.total("cost_used", resource="gpu") == pytest.approx(used * 2.5, abs=1e-4)
    assert day.total("cost", resource="gpu") == pytest.approx(len(busy) * 24 * 2.5)

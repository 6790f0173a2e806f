"""Days of small clusters that tell of their electricity: whose it was, and what is not known of it."""

from math import isnan
from typing import Any

import numpy as np
import pytest
from small_world import BEFORE, Measured, When, World, at

from costlab.domain.errors import ReconcileError
from costlab.domain.signals import Signal
from costlab.domain.time import MINUTE_MS
from costlab.jobs.commit import check
from costlab.store.rows import whole

GPU = {"gpu_uuid": "GPU-1", "node": "n1"}
OF_A = {"namespace": "ns", "pod": "a", "container": "app"}
OF_B = {**OF_A, "pod": "b"}


def world(*pods: str) -> World:
    made = World().node(nvidia_com_gpu=4.0)
    for pod in pods:
        made.pod(pod, requests={"nvidia_com_gpu": 1.0}).use(pod)
    return made


def rising(watts: float) -> Any:
    return lambda t: (t - BEFORE) / 1000 * watts


def energy(day: Measured, source: str = "gpu") -> dict[str | None, float]:
    return {row["pod"]: row["energy_kwh"] for row in day.rows("energy", source=source)}


def test_no_energy_is_lost_where_a_gpu_goes_from_one_pod_to_the_next() -> None:
    made = world()
    made.pod("a", requests={"nvidia_com_gpu": 1.0}, end_ms=at(12)).use("a", end_ms=at(12))
    made.pod("b", requests={"nvidia_com_gpu": 1.0}, start_ms=at(12)).use("b", start_ms=at(12))
    made.add(Signal.GPU_ENERGY, {**GPU, **OF_A}, rising(100), end_ms=at(12))
    made.add(Signal.GPU_ENERGY, {**GPU, **OF_B}, rising(100), start_ms=at(12))
    day = Measured(made)
    assert energy(day) == {"a": pytest.approx(1.2), "b": pytest.approx(1.2)}
    assert day.rows("gpus")[0]["energy_kwh"] == pytest.approx(2.4)
    assert [row["coverage"] for row in day.rows("energy")] == [pytest.approx(1.0)] * 2


def test_the_counter_counts_and_where_there_is_none_the_power() -> None:
    made = world("a", "b").add(Signal.GPU_ENERGY, {**GPU, **OF_A}, rising(100), end_ms=at(6) + 1)
    made.add(Signal.GPU_POWER, {**GPU, **OF_A}, 50)
    made.add(Signal.GPU_ENERGY, {**GPU, **OF_B, "gpu_uuid": "GPU-2"}, 0.0)  # a card without a meter
    made.add(Signal.GPU_POWER, {**GPU, **OF_B, "gpu_uuid": "GPU-2"}, 50)
    assert energy(Measured(made)) == {"a": pytest.approx(0.6 + 0.9), "b": pytest.approx(1.2)}


def test_a_reset_counts_from_nought_and_a_long_silence_is_not_known() -> None:
    labels = {**GPU, **OF_A}
    made = world("a").add(Signal.GPU_ENERGY, labels, rising(100), end_ms=at(6))
    made.add(Signal.GPU_ENERGY, labels, lambda t: (t - at(6)) / 1000 * 100, start_ms=at(6), end_ms=at(8))
    made.add(Signal.GPU_ENERGY, labels, rising(100), start_ms=at(20))
    (row,) = Measured(made).rows("energy")
    minute_kwh = 0.1 / 60  # the reset hides the minute before it; the silence begins after the last sample
    assert row["energy_kwh"] == pytest.approx(1.2 - 2 * minute_kwh)
    assert row["coverage"] == pytest.approx((12 - 1 / 60) / 24)


def test_a_shared_gpu_counts_once_and_what_nobody_uses_is_nobodys() -> None:
    made = world("a", "b")
    for user in (OF_A, OF_B):
        made.add(Signal.GPU_POWER, {**GPU, **user}, 300)
    made.add(Signal.GPU_POWER, {**GPU, "gpu_uuid": "GPU-2"}, 40)
    day = Measured(made)
    assert energy(day) == {"a": pytest.approx(3.6), "b": pytest.approx(3.6), None: pytest.approx(0.96)}
    assert sum(row["energy_kwh"] for row in day.rows("gpus")) == pytest.approx(8.16)


@pytest.mark.parametrize("larger", ["3g.40gb", "3c.4g.40gb"])
def test_mig_instances_have_their_slices_of_the_one_meter_that_each_shows(larger: str) -> None:
    sizes: When = {f"nvidia_com_mig_{profile.replace('.', '_')}": 1.0 for profile in ("1g.10gb", larger)}
    made = World().node(**sizes)
    for pod, profile in (("a", larger), ("b", "1g.10gb")):
        resource = f"nvidia_com_mig_{profile.replace('.', '_')}"
        made.pod(pod, requests={resource: 1.0}).use(pod)
        device = {**GPU, "mig_profile": profile, "mig_instance": profile}
        made.add(Signal.GPU_POWER, {**device, **OF_A, "pod": pod}, 400)
    made.add(Signal.GPU_POWER, GPU, 400)  # the whole GPU, told of beside its instances
    day = Measured(made)
    assert energy(day) == {"a": pytest.approx(7.2), "b": pytest.approx(2.4), None: 0.0}


def test_a_container_without_a_reading_is_unknown_and_a_cluster_without_a_meter_has_no_rows() -> None:
    (row, _) = Measured(world("a").add(Signal.GPU_POWER, GPU, 40)).rows("energy")
    assert (row["pod"], row["coverage"], row["occupied_hours"]) == ("a", 0.0, 24.0)
    assert isnan(row["energy_kwh"])
    day = Measured(world("a").gpu("GPU-1", 0.5, "a"))
    assert day.rows("energy") == []
    assert isnan(day.rows("gpus")[0]["energy_kwh"])


def test_kepler_adds_packages_and_memory_of_all_runs_and_modes_and_takes_each_instance_for_the_same() -> None:
    made = world("a", "b")
    run = {"uid": "a-uid", "container": "app", "node": "n1"}
    for signal, watts in ((Signal.PACKAGE_ENERGY, 10), (Signal.DRAM_ENERGY, 2)):
        for instance in ("k1", "k2"):
            made.add(signal, {**run, "container_id": "1", "instance": instance}, rising(watts), end_ms=at(12))
        made.add(signal, {**run, "container_id": "2"}, rising(watts), start_ms=at(12) - MINUTE_MS)
    old = {"namespace": "ns", "pod": "b", "container": "app", "container_id": "3", "node": "n1"}
    for mode, watts in (("dynamic", 4), ("idle", 1)):
        made.add(Signal.PACKAGE_ENERGY, {**old, "mode": mode}, rising(watts))
    system = {"namespace": "system", "pod": "system_processes", "container": "system_processes", "node": "n1"}
    made.add(Signal.PACKAGE_ENERGY, system, rising(20))
    found = energy(Measured(made), "kepler")
    assert found == {"a": pytest.approx(0.288), "b": pytest.approx(0.12), None: pytest.approx(0.48)}


def test_who_is_not_in_the_inventory_leaves_the_energy_to_nobody_and_side_containers_are_their_pods() -> None:
    made = world("a").pod("late", requests={})
    made.add(Signal.PACKAGE_ENERGY, {"uid": "a-uid", "container": "side", "node": "n1"}, rising(5))
    made.add(Signal.PACKAGE_ENERGY, {"uid": "late-uid", "container": "app", "node": "n1"}, rising(7))
    rows = Measured(made).rows("energy")
    told = {(row["pod"], row["container"]): row["energy_kwh"] for row in rows}
    assert told.pop(("a", "app")) != 0
    assert told == {("a", "side"): pytest.approx(0.12), (None, None): pytest.approx(0.168)}


def test_a_day_whose_parts_are_not_what_its_gpus_used_is_not_committed() -> None:
    day = Measured(world("a").add(Signal.GPU_POWER, {**GPU, **OF_A}, 40))
    rows = whole(day.tables["energy"])
    place = rows.column_names.index("energy_kwh")
    wrong = rows.set_column(place, rows.schema.field(place), [np.array([0.95])])
    with pytest.raises(ReconcileError, match="energy_totals"):
        check(dict(day.tables) | {"energy": wrong})

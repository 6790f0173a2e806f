"""Advice on GPUs: every statement with the evidence it needs, and every refusal where that is not there."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_gpus import held
from small_world import DAY, Measured, When, World, at

from costlab.config.mig import mig_profiles
from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.signals import Signal
from costlab.domain.units import GIB
from costlab.jobs.rightsizing.gpus import advice_of, gpu_advice
from costlab.jobs.rightsizing.held import Held, Holding
from costlab.jobs.rightsizing.judging import judged, smallest
from costlab.store.warehouse import Warehouse

NAN = np.nan
OFFICE = np.tile(np.where((np.arange(24) >= 8) & (np.arange(24) < 19), 0.6, 0.0), (14, 1))
OFFICE[[5, 6, 12, 13]] = 0.0  # weekends
BUSY_AT_NOON: dict[str, Any] = {"hourly": OFFICE, "busy_p99": 0.6, "busy_max": 0.6}
BY_UTILISATION: dict[str, Any] = {"engine_s": 0.0, "sm_active_p95": NAN, "sm_active_max": NAN}
M, HINT, R = Evidence.MEASURED, Evidence.INDICATED, Evidence.REFUSED


@pytest.mark.parametrize(
    ("made", "action", "reason", "evidence"),
    [
        # idle: by the engine and the power, by less than both, for long enough
        ({"busy": 0.0, "memory_max_bytes": GIB}, Action.IDLE, Reason.ADVISED, M),
        ({"busy": 0.005, "memory_max_bytes": GIB}, Action.IDLE, Reason.ADVISED, M),
        ({"busy": 0.0, "memory_max_bytes": GIB, "power_mean_watts": 200.0}, Action.IDLE, Reason.ADVISED, HINT),
        ({"busy": 0.0, "memory_max_bytes": GIB, "power_mean_watts": NAN}, Action.IDLE, Reason.ADVISED, HINT),
        ({"busy": 0.0, "memory_max_bytes": GIB, **BY_UTILISATION}, Action.IDLE, Reason.ADVISED, HINT),
        ({"busy": 0.0, "memory_max_bytes": GIB, "days": 1, "hours": 23.0}, Action.SMALLER, Reason.TOO_LITTLE_DATA, R),
        # a model that is parked
        ({"busy": 0.0, "memory_max_bytes": 70 * GIB, "power_mean_watts": 90.0}, Action.MEMORY_ONLY, Reason.ADVISED, M),
        # nights and weekends
        ({"busy": 0.2, "workload_class": "notebook", **BUSY_AT_NOON}, Action.PART_TIME, Reason.ADVISED, M),
        ({"busy": 0.2, "observed_s": 70_000.0, "engine_s": 70_000.0, **BUSY_AT_NOON}, Action.MIG, Reason.ADVISED, M),
        ({"busy": 0.2, "workload_class": "training", **BUSY_AT_NOON}, Action.MIG, Reason.ADVISED, M),
        ({"busy": 0.2, "workload_class": "notebook", **BUSY_AT_NOON, **BY_UTILISATION}, Action.PART_TIME, Reason.ADVISED, HINT),
        # several GPUs
        ({"busy": [0.8, 0.0]}, Action.FEWER, Reason.ADVISED, M),
        ({"busy": [0.8], "pieces": 2.0}, Action.FEWER, Reason.NOT_OBSERVED, HINT),
        ({"busy": [0.8, 0.0], **BY_UTILISATION}, Action.FEWER, Reason.ADVISED, HINT),
        ({"busy": [0.9, 0.3]}, Action.IMBALANCE, Reason.ADVISED, M),
        ({"busy": [0.3, 0.3]}, Action.MIG, Reason.SEVERAL_GPUS, R),
        ({"busy": [0.9, 0.9]}, Action.MIG, Reason.NEAR_ENOUGH, M),
        ({"busy": [0.3] * 8, "usual": 2.0}, Action.SMALLER, Reason.ADVISED, HINT),
        ({"busy": [0.9] * 8, "usual": 2.0}, Action.MIG, Reason.NEAR_ENOUGH, M),
        # the CPU is what it waits for
        ({"busy": 0.3, "cpu_pressed": 0.97}, Action.STARVED, Reason.ADVISED, M),
        ({"busy": 0.3, "throttled": 0.4}, Action.STARVED, Reason.ADVISED, M),
        ({"busy": 0.6, "cpu_pressed": 0.97, "throttled": 0.4}, Action.MIG, Reason.ADVISED, M),
        # slices
        ({"busy": 0.2}, Action.MIG, Reason.ADVISED, M),
        ({"busy": 0.9}, Action.MIG, Reason.NEAR_ENOUGH, M),
        ({"busy": 0.2, "sm_active_p95": NAN}, Action.MIG, Reason.MISSING_METRIC, R),
        ({"busy": 0.2, "memory_max_bytes": NAN}, Action.MIG, Reason.MISSING_METRIC, R),
        ({"busy": 0.9, **BY_UTILISATION}, Action.MIG, Reason.MISSING_METRIC, R),
        ({"busy": 0.05, **BY_UTILISATION}, Action.MIG, Reason.MISSING_METRIC, R),
        ({"busy": 0.2, "memory_max_bytes": 72 * GIB, "memory_first_hour_bytes": 72 * GIB}, Action.MIG, Reason.NEED_UNKNOWN, R),
        ({"busy": 0.2, "memory_max_bytes": 72 * GIB}, Action.MIG, Reason.NEAR_ENOUGH, M),  # it grew: that is need
        ({"busy": 0.2, "workload_class": "training", "full_runs": 0}, Action.MIG, Reason.NO_FULL_RUN, R),
        ({"busy": 0.1, "mig_profile": "3g.40gb"}, Action.MIG, Reason.NEAR_ENOUGH, M),
        ({"busy": 0.2, "model": "Tesla T4"}, Action.TIME_SLICING, Reason.ADVISED, HINT),
        ({"busy": 0.9, "model": "Tesla T4"}, Action.MIG, Reason.NEAR_ENOUGH, M),
        # nothing to go by
        ({"busy": 0.0, "shared": True}, Action.SMALLER, Reason.SHARED_GPU, R),
        ({"busy": 0.2, "samples": 5}, Action.SMALLER, Reason.TOO_LITTLE_DATA, R),
        ({"busy": 0.2, "observed_s": 0.0}, Action.SMALLER, Reason.NOT_OBSERVED, R),
        ({"busy": 0.2, "days": 0}, Action.SMALLER, Reason.NOT_OBSERVED, R),
    ],
)  # fmt: skip
def test_what_is_said_and_what_is_refused(
    made: dict[str, Any], action: Action, reason: Reason, evidence: Evidence
) -> None:
    verdict = judged(held(**made))
    assert (verdict.action, verdict.reason, verdict.evidence) == (action, reason, evidence)
    assert (verdict.saved is None) or evidence is M  # money by measurement alone


def test_idleness_is_since_the_last_work() -> None:
    lately = judged(held(busy=0.0, days=10, memory_max_bytes=GIB, busy_p99=[0.5] * 7 + [0.0] * 3))
    assert (lately.action, lately.saved) == (Action.IDLE, 3 * 60)
    assert (lately.facts["hours_idle"], lately.facts["cost_so_far"]) == ("72", "180")
    assert judged(held(busy=0.1, busy_p99=[0.0] * 13 + [0.5])).action is not Action.IDLE


@pytest.mark.parametrize(
    ("model", "gib", "sm_active", "used_gib", "profile", "per_gpu"),
    [
        ("NVIDIA A100-SXM4-40GB", 39.5, 0.10, 4.0, "1g.5gb", 7),
        ("NVIDIA A100-SXM4-40GB", 39.5, 0.10, 5.0, "1g.10gb", 4),
        ("NVIDIA A100-SXM4-80GB", 79.4, 0.10, 8.0, "1g.10gb", 7),
        ("NVIDIA A100-SXM4-80GB", 79.4, 0.10, 12.0, "1g.20gb", 4),
        ("NVIDIA A100-SXM4-80GB", 79.4, 0.20, 12.0, "2g.20gb", 3),
        ("NVIDIA H100 80GB HBM3", 79.6, 0.35, 30.0, "3g.40gb", 2),
        ("NVIDIA H100 NVL", 93.6, 0.10, 8.0, "1g.12gb", 7),
        ("NVIDIA GH200 96GB HBM3", 95.6, 0.10, 12.0, "1g.24gb", 4),
        ("NVIDIA H200", 140.4, 0.10, 14.0, "1g.18gb", 7),
        ("NVIDIA B200", 179.1, 0.10, 30.0, "1g.45gb", 4),
        ("NVIDIA A30", 23.7, 0.24, 4.0, "1g.6gb", 4),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 95.6, 0.20, 20.0, "1g.24gb", 4),
        ("NVIDIA A100-SXM4-80GB", 79.4, 0.50, 12.0, "4g.40gb", 1),
        ("NVIDIA A100-SXM4-80GB", 79.4, 0.99, 79.0, None, None),
        ("Tesla T4", 15.0, 0.10, 1.0, None, None),
    ],
)
def test_the_smallest_slice_that_holds_it(
    model: str, gib: float, sm_active: float, used_gib: float, profile: str | None, per_gpu: int | None
) -> None:
    found = smallest(mig_profiles(model, gib * GIB), sm_active, used_gib / gib)
    assert (found and found.name, found and found.per_gpu) == (profile, per_gpu)


def test_missing_fields_come_with_the_lines_that_mend_them() -> None:
    facts = judged(held(busy=0.2, sm_active_p95=NAN)).facts
    assert facts["missing_fields"] == "DCGM_FI_PROF_SM_ACTIVE"
    assert facts["exporter_lines"].startswith("DCGM_FI_PROF_SM_ACTIVE, gauge, ")
    facts = judged(held(busy=0.2, **BY_UTILISATION)).facts
    assert facts["missing_fields"] == "DCGM_FI_PROF_GR_ENGINE_ACTIVE, DCGM_FI_PROF_SM_ACTIVE"


def test_hours_are_those_of_a_device_however_many_there_are() -> None:
    """Eight hours of three GPUs are eight hours."""
    short = judged(held(busy=[0.0] * 3, days=1, hours=8.0, memory_max_bytes=GIB))
    assert (short.reason, short.facts["hours_observed"]) == (Reason.TOO_LITTLE_DATA, "8")
    assert judged(held(busy=[0.0] * 3, days=3, hours=8.0, memory_max_bytes=GIB)).facts["hours_idle"] == "24"


def test_money_of_each_statement() -> None:
    slices = judged(held(busy=0.2))  # 20 GiB need the margin of a 3g.40gb, two of which are a GPU
    assert (slices.facts["mig_profile"], slices.saved) == ("3g.40gb", 14 * 60 * 0.5)
    often = judged(held(busy=0.8, sm_active_p95=0.1, memory_max_bytes=4 * GIB))
    assert often.facts["mig_profile"] == "1g.10gb"
    assert often.saved == pytest.approx(14 * 60 * 0.2)  # the rest was used
    assert judged(held(busy=[0.8, 0.0])).saved == pytest.approx(14 * 60)
    night = judged(held(busy=0.0, workload_class="notebook", **BUSY_AT_NOON))
    assert night.saved == pytest.approx(
        2.5 * 2 * (5 * 13 + 48)
    )  # two weeks of nights of 13 hours, and weekends
    assert judged(held(busy=0.0, price=NAN, memory_max_bytes=GIB)).saved is None


def row_of(one: Held) -> dict[str, Any]:
    rows = advice_of(
        Holding((one,), one.seen.of(np.empty(0, np.int64)), 14 * 24.0, "USD"), "c", DAY
    ).to_pylist()
    return rows[0]  # type: ignore[no-any-return]


def test_a_month_is_one_like_the_window_and_net_is_what_empties_a_node() -> None:
    row = row_of(held(busy=0.0, memory_max_bytes=GIB))
    assert float(row["monthly_saving_gross"]) == pytest.approx(2.5 * 730, abs=1e-5)
    assert row["monthly_saving_net"] == row["monthly_saving_gross"] == row["monthly_cost"]
    assert (row["current_request"], row["proposed_request"], row["coverage"]) == (1, 0, 1)
    assert row_of(held(busy=0.2))["monthly_saving_net"] == 0  # the rest of the GPU stays where it is


def test_slices_that_nobody_took() -> None:
    free = held(busy=[0.0, 0.0], mig_profile="1g.10gb").seen
    (row,) = advice_of(Holding((), free, 336.0, "USD"), "c", DAY).to_pylist()
    assert (row["action"], row["workload_kind"], row["workload"]) == ("unused_slices", "Node", "n1")
    assert dict(row["facts"])["slices"] == "1g.10gb, 1g.10gb"
    assert row["monthly_saving_gross"] is None  # its money is idle capacity, which is told of elsewhere


def test_from_a_days_samples_to_its_rows() -> None:
    gpu = {"nvidia_com_gpu": 1.0}
    world = (
        World().node(nvidia_com_gpu=2.0).node("n2", nvidia_com_gpu=4.0).node("n3", nvidia_com_mig_1g_10gb=7.0)
    )
    world.add(Signal.NODE_LABELS, {"node": "n2", "label_nvidia_com_gpu_replicas": "4"}, 1)
    for pod, node in (("idle", "n1"), ("low", "n1"), ("slow", "n2"), ("sliced", "n3")):
        world.pod(pod, node, {"nvidia_com_mig_1g_10gb": 1.0} if pod == "sliced" else gpu).use(pod)
    told = {"gpu_model": "NVIDIA A100-SXM4-80GB"}
    for pod, node, busy in (("idle", "n1", 0.0), ("low", "n1", 0.1), ("slow", "n2", 0.1)):
        labels = {**told, "gpu_uuid": pod, "node": node, "namespace": "ns", "pod": pod, "container": "app"}
        world.add(Signal.GPU_ENGINE_ACTIVE, labels, busy).add(Signal.GPU_SM_ACTIVE, labels, busy)
        world.add(Signal.GPU_MEMORY_USED, labels, GIB).add(Signal.GPU_MEMORY_FREE, labels, 79 * GIB)
        world.add(Signal.GPU_POWER, labels, 60 + 100 * busy)
    for number in range(7):
        labels = {
            **told,
            "gpu_uuid": "cut",
            "node": "n3",
            "mig_profile": "1g.10gb",
            "mig_instance": str(number),
        }
        user = {"namespace": "ns", "pod": "sliced", "container": "app"} if number == 0 else {}
        world.add(Signal.GPU_ENGINE_ACTIVE, labels | user, 0.9)
    day = Measured(world)
    rows = {
        row["workload"]: row
        for row in gpu_advice(Warehouse.over_tables(day.tables), "test", DAY, 1).to_pylist()
    }
    assert {name: (row["action"], row["reason"]) for name, row in rows.items()} == {
        "idle": ("idle", "advised"),
        "low": ("mig", "advised"),
        "slow": ("smaller", "shared_gpu"),
        "sliced": ("mig", "missing_metric"),
        "n3": ("unused_slices", "advised"),
    }
    assert dict(rows["low"]["facts"])["mig_profile"] == "1g.10gb"
    assert dict(rows["n3"]["facts"])["slices"] == ", ".join(["1g.10gb"] * 6)
    saved = sum(float(row["monthly_saving_gross"] or 0) for row in rows.values())
    assert saved == pytest.approx(2.5 * (1 + 6 / 7) * 730, rel=1e-6)
    assert (
        saved
        <= (day.total("cost_unused", resource="gpu") + day.total("cost", resource="gpu", kind="idle"))
        * 730
        / 24
    )


def test_a_device_that_two_use_at_once_is_shared_and_one_after_the_other_is_not() -> None:
    def reasons(end_of_the_first: float) -> set[str]:
        lives: dict[str, When] = {"a": {"end_ms": at(end_of_the_first)}, "b": {"start_ms": at(12)}}
        world = World().node(nvidia_com_gpu=2.0).gpu("GPU-2", 0.0)
        for pod, when in lives.items():
            world.pod(pod, requests={"nvidia_com_gpu": 1.0}, **when).gpu("GPU-1", 0.5, pod, **when)
        rows = gpu_advice(Warehouse.over_tables(Measured(world).tables), "test", DAY, 1).to_pylist()
        return {row["reason"] for row in rows}

    assert reasons(12) == {"too_little_data"}
    assert reasons(18) == {"shared_gpu"}


activity = st.floats(0, 1)
worlds = st.builds(
    held,
    busy=st.lists(activity, min_size=1, max_size=4),
    days=st.integers(1, 15),
    workload_class=st.sampled_from(["training", "inference", "notebook"]),
    pieces=st.none() | st.sampled_from([1.0, 2.0, 4.0]),
    cpu_pressed=activity | st.just(NAN),
    memory_max_bytes=st.floats(0, 80 * GIB) | st.just(NAN),
    power_mean_watts=st.floats(50, 500) | st.just(NAN),
    engine_s=st.sampled_from([0.0, 86_400.0]),
    sm_active_p95=activity | st.just(NAN),
    price=st.sampled_from([0.0, 2.5, NAN]),
)


@given(worlds)
def test_no_saving_is_more_than_what_was_paid_for_and_not_used(one: Held) -> None:
    verdict = judged(one)
    assert verdict.saved is None or 0 <= verdict.saved <= one.unused.sum() * (1 + 1e-12)


@given(st.lists(activity, min_size=14, max_size=14), st.lists(activity, min_size=14, max_size=14))
def test_more_activity_never_makes_the_busy_idle(level: list[float], more: list[float]) -> None:
    def idle(p99: list[float]) -> bool:
        return judged(held(busy=0.0, busy_p99=p99, memory_max_bytes=GIB)).action is Action.IDLE

    assert idle(level) >= idle([max(pair) for pair in zip(level, more, strict=True)])

"""Profiles of GPUs: what each did for each user, by every signal of its own, hour by hour of the local clock."""

from datetime import date
from math import isnan

import numpy as np
import pytest
from small_world import DAY, Measured, When, World, at, shift

from costlab.core.sketch import nearest_rank
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day
from costlab.domain.units import GIB

GPU = {"gpu_uuid": "GPU-1", "node": "n1"}
OF_A = {**GPU, "namespace": "ns", "pod": "a", "container": "app"}
ASKED = {"cpu": 1.0, "nvidia_com_gpu": 1.0}


def world() -> World:
    return World().node(nvidia_com_gpu=1.0).pod("a", requests=ASKED).use("a")


def test_a_row_says_all_that_a_device_did_for_its_user() -> None:
    made = world().add(Signal.GPU_UTILIZATION, OF_A, 1.0, end_ms=at(12))  # engine activity counts where it is
    made.add(Signal.GPU_ENGINE_ACTIVE, OF_A, shift(0.2, 0.6, 6), end_ms=at(12))
    made.add(Signal.GPU_SM_ACTIVE, OF_A, shift(0.1, 0.3, 6), end_ms=at(12), step_ms=2 * MINUTE_MS)
    made.add(Signal.GPU_TENSOR_ACTIVE, OF_A, shift(0.0, 0.2, 6), end_ms=at(12))
    made.add(Signal.GPU_MEMORY_USED, OF_A, lambda t: 4 * GIB if t < at(0.5) else 30 * GIB, end_ms=at(12))
    made.add(Signal.GPU_MEMORY_FREE, OF_A, lambda t: 76 * GIB if t < at(0.5) else 50 * GIB, end_ms=at(12))
    made.add(Signal.GPU_POWER, OF_A, shift(60.0, 100.0, 6), end_ms=at(12))
    (row,) = Measured(made).rows("gpu_profiles")
    held_s = 12 * 3600 + 240  # the last sample holds for five minutes
    assert row["told_s"] == row["observed_s"] == row["engine_s"] == held_s
    assert row["busy_samples"] >= 720
    assert [row[f"busy_{name}"] for name in ("p50", "p95", "max")] == pytest.approx([0.6] * 3)
    assert row["busy_mean"] == pytest.approx(0.4, abs=0.002)
    assert (row["sm_active_p95"], row["sm_active_max"]) == (0.3, 0.3)
    assert row["tensor_active_mean"] == pytest.approx(0.1, abs=0.001)
    assert isnan(row["dram_active_mean"])
    gib = [row[f"memory_{name}_bytes"] / GIB for name in ("max", "min", "first_hour", "total")]
    assert gib == [30, 4, 30, 80]
    assert (row["power_min_watts"], row["power_max_watts"]) == (60, 100)
    hours = np.array(row["busy_hourly_max"], np.float32)
    assert hours[:6] == pytest.approx(0.2)
    assert hours[6:13] == pytest.approx(0.6)
    assert np.isnan(hours[13:]).all()
    buckets, weights_ms = (np.array(row[f"busy_sketch_{name}"], np.int32) for name in ("buckets", "ms"))
    assert nearest_rank(buckets, weights_ms, 50) == pytest.approx(0.6, rel=1 / 128)


def test_what_only_another_signal_shows_is_not_busy_and_not_idle() -> None:
    (row,) = Measured(world().add(Signal.GPU_POWER, OF_A, 60)).rows("gpu_profiles")
    assert (row["observed_s"], row["engine_s"], row["busy_samples"]) == (0, 0, 0)
    assert row["told_s"] == 86_400
    assert all(isnan(row[name]) for name in ("busy_mean", "busy_max", "sm_active_p95", "memory_max_bytes"))
    assert np.isnan(row["busy_hourly_max"]).all()


def test_further_signals_change_no_charge_and_no_row_of_gpu_usage() -> None:
    def told(made: World) -> tuple[object, object]:
        day = Measured(made)
        return day.rows("charges"), day.rows("gpu_usage")

    plain = world().add(Signal.GPU_ENGINE_ACTIVE, OF_A, shift(0.2, 0.6))
    more = world().add(Signal.GPU_ENGINE_ACTIVE, OF_A, shift(0.2, 0.6))
    more.add(Signal.GPU_SM_ACTIVE, OF_A, 0.1, start_ms=at(3) + 17_000).add(Signal.GPU_DRAM_ACTIVE, GPU, 0.1)
    assert repr(told(more)) == repr(told(plain))


@pytest.mark.parametrize(
    ("zone", "on", "busy_at", "missing"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 1, {2}),  # clocks go from 2 to 3
        ("Europe/Berlin", date(2026, 10, 25), 1, set()),  # 2 o'clock is there twice
        ("Asia/Kolkata", date(2026, 11, 20), 1, set()),  # half an hour
        ("UTC", DAY.date, 1, set()),
    ],
)
def test_hours_are_those_of_the_local_clock(zone: str, on: date, busy_at: int, missing: set[int]) -> None:
    day = Day(on, zone)
    start_ms, end_ms = day.window.start_ms - HOUR_MS, day.window.end_ms + HOUR_MS
    when: When = {"start_ms": start_ms, "end_ms": end_ms}
    begin_ms = day.window.start_ms + busy_at * HOUR_MS  # no clock has been changed until then
    made = World().node(nvidia_com_gpu=1.0, **when).pod("a", requests=ASKED, **when)
    made.add(
        Signal.GPU_ENGINE_ACTIVE, OF_A, lambda t: 0.5 if begin_ms <= t < begin_ms + HOUR_MS else 0.0, **when
    )
    (row,) = Measured(made, day, timezone=zone).rows("gpu_profiles")
    hours = np.array(row["busy_hourly_max"])
    assert np.flatnonzero(hours > 0).tolist() == [busy_at]
    assert set(np.flatnonzero(np.isnan(hours)).tolist()) == missing

"""crane, Autopilot's moving window and Kubecost by what is told of them; and the names of all rules."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from observed import DAY_MS, GIB, HOUR_MS, MIB, MINUTE_MS, advice, killed, one_subject, replica

from costlab.core.rightsizing.autopilot import CPU_BUCKETS, MEMORY_BUCKETS, AutopilotWindow, Tolerance
from costlab.core.rightsizing.crane import Crane, snapped
from costlab.core.rightsizing.kubecost import Kubecost
from costlab.core.rightsizing.policies import POLICIES, NoPolicy, policy_of
from costlab.core.rightsizing.policy import Policy
from costlab.core.rightsizing.samples import Samples


def pod(cores: Sequence[float], mib: Sequence[float], step_ms: int = 5 * MINUTE_MS) -> Samples:
    return one_subject(replica(cores, np.array(mib) * MIB, step_ms), lasted_ms=step_ms)


@pytest.mark.parametrize(
    ("millicores", "mib", "size_cores", "size_gib"),
    [(100, 125, 0.25, 0.25), (100, 325, 0.25, 0.5), (500, 1625, 1, 2), (65_000, 125, 65, 125 / 1024)],
)
def test_crane_snaps_up_to_its_catalogue(
    millicores: float, mib: float, size_cores: float, size_gib: float
) -> None:
    cores, memory = snapped(np.array([millicores / 1000]), np.array([mib * MIB * 1.0]))
    assert (cores[0], memory[0] / GIB) == (size_cores, pytest.approx(size_gib))


def test_crane_sizes_by_the_ends_of_even_buckets_and_a_margin() -> None:
    advised = advice(Crane(), pod([0.35] * 200, [250] * 200))
    assert advised.cpu_request[0, 0] == pytest.approx(0.4 * 1.15)
    assert advised.memory_request[0, 0] == pytest.approx(300 * MIB * 1.15)
    half = advice(Crane(target_utilisation=0.5), pod([0.35] * 200, [250] * 200))
    assert half.cpu_request[0, 0] == pytest.approx(0.8 * 1.15)


@pytest.mark.parametrize(
    ("case", "policy", "hours_ago", "limit_mib", "mib"),
    [
        ("a fifth more", Crane(), 1, 1000, 1200),
        ("100 MiB more", Crane(), 1, 400, 500),
        ("less than the percentile", Crane(), 1, 100, 345),
        ("a week ago", Crane(), 7 * 24 + 1, 1000, 345),
        ("switched off", Crane(oom_protection=False), 1, 1000, 345),
    ],
)
def test_crane_protects_what_was_killed(
    case: str, policy: Policy, hours_ago: float, limit_mib: float, mib: float
) -> None:
    circumstances = killed(limit_mib * MIB, hours_ago=hours_ago)
    advised = advice(policy, pod([0.35] * 200, [250] * 200), circumstances)
    assert advised.memory_request[0, 0] == pytest.approx(mib * MIB), case


def test_crane_looks_at_a_week_and_forgets_by_half_a_day() -> None:
    # A day at 8 cores, seven days before the advice and then eight.
    week = [8.0] * 12 + [1.0] * 156
    assert advice(Crane(), pod(week, [250] * 168, HOUR_MS)).cpu_request[0, 0] == pytest.approx(1.1 * 1.15)
    heavy = [8.0] * 84 + [1.0] * 84
    assert advice(Crane(), pod(heavy, [250] * 168, HOUR_MS)).cpu_request[0, 0] == pytest.approx(8.1 * 1.15)


def test_autopilot_counts_load_not_time() -> None:
    # 97 % of the time at 0.1 core, but 3 in 4 core-seconds at 10 cores.
    cores = np.tile([10.0] * 3 + [0.1] * 97, 3)
    advised = advice(AutopilotWindow(cpu_half_life_ms=10_000 * DAY_MS), pod(list(cores), [100] * 300))
    assert 10 <= advised.cpu_request[0, 0] / 1.1 <= 10 * CPU_BUCKETS.growth + CPU_BUCKETS.first
    quarter = AutopilotWindow(cpu_half_life_ms=10_000 * DAY_MS, cpu_percentile=0.2)
    assert advice(quarter, pod(list(cores), [100] * 300)).cpu_request[0, 0] / 1.1 == pytest.approx(
        0.1, rel=0.03
    )


def test_autopilot_counts_a_stretch_up_to_midnight() -> None:
    # Five core-minutes at 1 core, and a stretch of five minutes at 1.5 that begins a minute before midnight.
    at_ms, cores, memory = replica([1.0, 1.5], [MIB, MIB], 5 * MINUTE_MS)
    at_ms[1] += 4 * MINUTE_MS
    median = AutopilotWindow(cpu_percentile=0.5, cpu_half_life_ms=10_000 * DAY_MS)
    advised = advice(median, one_subject((at_ms, cores, memory), lasted_ms=5 * MINUTE_MS))
    assert advised.cpu_request[0, 0] / 1.1 == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(
    ("tolerance", "expected_mib"),
    [(Tolerance.MINIMAL, 1000), (Tolerance.LOW, 400), (Tolerance.INTERMEDIATE, 500)],
)
def test_autopilot_bears_kills_as_it_is_told(tolerance: Tolerance, expected_mib: float) -> None:
    # One peak in two weeks; by load it is less than 2 % of all.
    mib = [400.0] * 1000
    mib[100] = 1000.0
    advised = advice(AutopilotWindow(tolerance), pod([1] * 1000, mib))
    found = advised.memory_request[0, 0] / 1.1 / MIB
    assert expected_mib - 0.001 <= found <= expected_mib * MEMORY_BUCKETS.growth + 1
    assert advised.memory_limit[0, 0] == advised.memory_request[0, 0]


@pytest.mark.parametrize(("days_ago", "expected_mib"), [(14.03, 1000), (14.05, 400)])
def test_autopilot_holds_the_highest_of_the_last_hour(days_ago: float, expected_mib: float) -> None:
    at_ms, cores, memory = replica([1] * 100, [400 * MIB] * 100)
    at_ms[0], memory[0] = at_ms[-1] + MINUTE_MS - int(days_ago * DAY_MS), 1000 * MIB
    advised = advice(AutopilotWindow(), one_subject((at_ms, cores, memory)))
    assert advised.memory_request[0, 0] / MIB == pytest.approx(expected_mib * 1.1)


def test_autopilot_takes_the_peak_of_each_replica_and_five_minutes() -> None:
    # A minute of 5 at the peak makes all five minutes the peak: 1000 of 1000 + 0.
    mib = [1000.0 if i % 5 == 0 else 1.0 for i in range(500)]
    found = advice(AutopilotWindow(Tolerance.LOW), pod([1] * 500, mib, MINUTE_MS)).memory_request[0, 0]
    least = replace(AutopilotWindow(Tolerance.INTERMEDIATE), hold_ms=0)
    assert found == advice(least, pod([1] * 500, mib, MINUTE_MS)).memory_request[0, 0]


@pytest.mark.parametrize(
    ("case", "policy", "cores", "mib"),
    [
        ("max", Kubecost(), 1.4 / 0.7, 700 / 0.7),
        ("half used", Kubecost(target_cpu_utilisation=0.5), 1.4 / 0.5, 700 / 0.7),
        ("quantile", Kubecost(cpu_quantile=0.5, memory_quantile=0.5), 0.07 / 0.7, 70 / 0.7),
    ],
)
def test_kubecost_divides_by_the_utilisation_that_is_wanted(
    case: str, policy: Policy, cores: float, mib: float
) -> None:
    advised = advice(policy, pod([0.07] * 99 + [1.4], [70] * 99 + [700]))
    assert advised.cpu_request[0, 0] == pytest.approx(cores), case
    assert advised.memory_request[0, 0] / MIB == pytest.approx(mib), case
    assert np.isnan(advised.cpu_limit).all()


@pytest.mark.parametrize(
    ("cores", "advised_cores"), [((0.8, 1.2), 1.5), ((0.05, 0.1), 0.125)], ids=["1.2 cores", "100m"]
)
def test_kubecost_published_figures_of_a_target_of_80_percent(
    cores: tuple[float, ...], advised_cores: float
) -> None:
    advised = advice(Kubecost(target_cpu_utilisation=0.8), pod([*cores] * 50, [100] * 100))
    assert advised.cpu_request[0, 0] == pytest.approx(advised_cores)


def test_kubecost_has_least_sizes() -> None:
    advised = advice(Kubecost(), pod([0.001] * 9, [1] * 9))
    assert (advised.cpu_request[0, 0], advised.memory_request[0, 0]) == (0.010, 20 * MIB)


@pytest.mark.parametrize("name", POLICIES)
def test_a_rule_bears_its_name(name: str) -> None:
    assert policy_of(name).name == name


def test_a_name_that_no_rule_bears_is_refused_with_the_nearest() -> None:
    with pytest.raises(NoPolicy, match="no policy is called 'KRR-simpel'") as caught:
        policy_of("KRR-simpel")
    assert caught.value.close == "krr-simple"
    with pytest.raises(NoPolicy) as caught:
        policy_of("astrology")
    assert caught.value.close is None

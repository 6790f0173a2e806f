"""The VPA's recommender by its own tests and by figures seen in the wild; the numbers are the cases', V1 to V22."""

from dataclasses import replace

import numpy as np
import pytest
from observed import DAY_MS, HOUR_MS, MIB, MINUTE_MS, TODAY_MS, advice, killed, one_subject, replica

from costlab.core.arrays import Floats
from costlab.core.rightsizing.histograms import Buckets
from costlab.core.rightsizing.kernels.histograms import bucket_of, percentile_buckets, tally
from costlab.core.rightsizing.kernels.peaks import bumped, daily_peaks
from costlab.core.rightsizing.policy import REASONS
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.vpa import (
    CPU_BUCKETS,
    MEMORY_BUCKETS,
    MOST,
    Bounds,
    Vpa,
    confident,
    rounded_up,
    scaled,
    with_margin,
)
from costlab.domain.advice import Reason

# Without the minimums, which hide what the histograms say of small containers.
BARE = Vpa(pod_min_millicores=0, pod_min_memory_bytes=0)


def percentiles(
    buckets: Buckets, values: list[float], weights: list[float], hours: list[int], asked: list[float]
) -> list[float]:
    """What a histogram with a half-life of an hour says after these samples, each at its hour."""
    at_ms = np.array(hours, np.int64) * HOUR_MS
    edges_ms = np.array([0, at_ms[-1] + HOUR_MS])  # whole half-lives: the weights stay exact
    worth = np.zeros(buckets.count)
    for value, weight in zip(values, weights, strict=True):
        worth[bucket_of(value, *buckets.scheme)] = weight
    held = tally(
        at_ms, np.ones(len(at_ms), np.int64), np.array(values, np.float32), np.array([0, len(values)]),
        edges_ms, float(HOUR_MS), buckets.scheme, worth, False,
    )  # fmt: skip
    found = percentile_buckets(
        held, edges_ms, np.zeros(1, np.int64), np.ones(1, np.int64), float(HOUR_MS), np.array(asked)
    )
    return [float(end) for end in buckets.ends[found[0]]]


TEN, TENTHS = Buckets.linear(10, 1), Buckets.linear(1, 0.1)


@pytest.mark.parametrize(
    ("case", "buckets", "values", "weights", "hours", "expected"),
    [
        ("V1", TEN, [1, 2, 3, 4], [1, 2, 3, 4], [0] * 4,
         {0: 2, 0.1: 2, 0.2: 3, 0.3: 3, 0.4: 4, 0.5: 4, 0.6: 4, 0.7: 5, 1: 5}),
        ("V2", TEN, [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4],
         {0: 2, 0.02: 2, 0.03: 3, 0.10: 3, 0.11: 4, 0.34: 4, 0.35: 5, 1: 5}),
        ("V3", TEN, [2, 1], [1000, 1], [0, 20], {0.999: 2, 1: 3}),
        ("V4", TEN, [2, 1], [1, 1], [0, 101], {1: 2}),
        ("V5", TENTHS, [0.1, 0.2], [0.1, 0.2], [0, 0], {-0.1: 0.2, 1.1: 0.3}),
        ("V5 more", TENTHS, [0.1, 0.2, 0.0, 1.0], [0.1, 0.2, 0.1, 0.2], [0] * 4, {-0.1: 0.1, 1.1: 1.0}),
    ],
)  # fmt: skip
def test_percentiles(
    case: str,
    buckets: Buckets,
    values: list[float],
    weights: list[float],
    hours: list[int],
    expected: dict[float, float],
) -> None:
    found = percentiles(buckets, values, weights, hours, list(expected))
    assert found == pytest.approx(list(expected.values()), abs=1e-12), case


def test_v6_v7_v8_buckets() -> None:
    wide = Buckets.exponential(500, 40, 1.5)
    assert wide.starts == pytest.approx([0, 40, 100, 190, 325, 527.5])
    assert [bucket_of(v, *wide.scheme) for v in (-1, 39.99, 40, 100, 900)] == [0, 0, 1, 2, 5]
    even = Buckets.linear(5.0, 0.3)
    assert (even.count, even.starts[17]) == (18, pytest.approx(5.1))
    assert [bucket_of(v, *even.scheme) for v in (1.3, 100)] == [4, 17]
    known = {
        1: 0.01, 2: 0.0205, 3: 0.031525, 10: 0.125779, 50: 2.09348, 100: 26.100252, 150: 301.395499, 175: 1021.109409
    }  # fmt: skip
    assert CPU_BUCKETS.count == MEMORY_BUCKETS.count == 176
    for bucket, start in known.items():
        assert CPU_BUCKETS.starts[bucket] == pytest.approx(start, abs=5e-7)
        assert MEMORY_BUCKETS.starts[bucket] == pytest.approx(start * 1e9, rel=1e-5)


def bounds(
    policy: Vpa, samples: Samples, circumstances: Circumstances | None = None
) -> tuple[Bounds, Bounds]:
    return policy.bounds(
        samples, circumstances or Circumstances.nothing_known(1), np.array([TODAY_MS], np.int64)
    )


@pytest.mark.parametrize(
    ("cores", "base", "target"),
    [(0.001, 10, 11), (0.1, 110, 126), (0.25, 258, 296), (0.5, 511, 587), (1, 1016, 1168), (2, 2093, 2406),
     (4, 4124, 4742), (8, 8362, 9616), (64, 66259, 76197)],
)  # fmt: skip
def test_v9_constant_cpu(cores: float, base: int, target: int) -> None:
    samples = one_subject(replica([cores] * 9, [MIB] * 9))
    assert bounds(replace(BARE, margin=0), samples)[0].target == base
    assert bounds(BARE, samples)[0].target == target
    assert advice(BARE, samples).cpu_request == target / 1000


@pytest.mark.parametrize(
    ("peak", "base", "target"),
    [(50e6, 55256312, 63544758), (100 * MIB, 110265643, 126805489), (256 * MIB, 281323846, 323522422),
     (2**30, 1077095457, 1238659775), (2**32, 4340933439, 4992073454), (2**34, 17601045493, 20241202316),
     (2**36, 69582397133, 80019756702)],
)  # fmt: skip
def test_v10_constant_memory(peak: float, base: int, target: int) -> None:
    samples = one_subject(replica([1] * 9, [peak] * 9))
    assert bounds(replace(BARE, margin=0), samples)[1].target == base
    assert advice(BARE, samples).memory_request == target


def test_targets_seen_in_the_wild_are_ends_of_buckets_with_the_margin() -> None:
    possible = set(with_margin(np.floor(MEMORY_BUCKETS.ends), 0.15))
    assert {126805489, 380258472, 511772986, 1836551791, 4992073454} <= possible


@pytest.mark.parametrize(
    ("case", "apart_minutes", "interval_minutes", "confidence", "millicores", "memory_bytes"),
    [("V11", 2, 24 * 60, 9 / 1440, 907460, 9.0746e11), ("V12", 2, 18, 0.5, 4521, 4.5216e9)],
)
def test_confidence(
    case: str,
    apart_minutes: int,
    interval_minutes: int,
    confidence: float,
    millicores: float,
    memory_bytes: float,
) -> None:
    policy = Vpa(confidence_ms=interval_minutes * MINUTE_MS)
    seen = policy.confidence(np.array([8 * apart_minutes * MINUTE_MS]), np.array([9]))
    assert seen == pytest.approx([confidence]), case
    assert confident(np.array([3140.0]), seen, 0.1, 2.0) == millicores
    assert confident(np.array([3.14e9]), seen, 0.1, 2.0) == pytest.approx(memory_bytes, rel=1e-9)


def test_v13_without_history_the_bounds_say_nothing() -> None:
    assert confident(np.array([3140.0]), np.zeros(1), 0.1, 2.0) == MOST
    assert confident(np.array([3140.0]), np.zeros(1), 0.1, -2.0) == 0


def test_v14_margin() -> None:
    assert with_margin(np.array([3140.0]), 0.1) == 3454


@pytest.mark.parametrize(
    ("containers", "cores", "memory_bytes"), [(1, 0.025, 262144000), (2, 0.012, 131072000)]
)
def test_v15_minimums_are_a_pods(containers: int, cores: float, memory_bytes: int) -> None:
    circumstances = replace(Circumstances.nothing_known(1), containers_in_pod=np.array([containers]))
    cpu, memory = bounds(Vpa(), one_subject(replica([0.001] * 9, [1e6] * 9)), circumstances)
    np.testing.assert_array_equal([cpu.lower, cpu.target], 1000 * cores)
    np.testing.assert_array_equal([memory.lower, memory.target], memory_bytes)


def test_v16_eight_days_of_one_core() -> None:
    minutes = 8 * 24 * 60
    cpu, _ = bounds(Vpa(), one_subject(replica([1] * minutes, [MIB] * minutes)))
    assert np.ravel([cpu.lower, cpu.target, cpu.upper]).tolist() == [1167, 1168, 1314]


@pytest.mark.parametrize(
    ("case", "days", "p50", "p90", "p95"),
    [
        ("V17", [1] * 7 + [2], 2093, 2093, 2093),
        ("V18", [2] * 7 + [1], 1016, 2093, 2093),
        ("V18 half", [2] * 4 + [1] * 4, 1016, 1016, 2093),
    ],
)
def test_cpu_is_forgotten(case: str, days: list[float], p50: int, p90: int, p95: int) -> None:
    samples = one_subject(replica(np.repeat(days, 1440), np.full(8 * 1440, MIB)))
    for percentile, expected in ((0.5, p50), (0.9, p90), (0.95, p95)):
        policy = replace(BARE, target_percentile=percentile, margin=0)
        assert bounds(policy, samples)[0].target == expected, case


@pytest.mark.parametrize(
    ("high_on", "p50", "p90", "p95"),
    [(5, 1077095457, 1077095457, 2208153955), (8, *[2208153955] * 3), (1, *[1077095457] * 3)],
)
def test_v19_memory_is_a_peak_a_day(high_on: int, p50: int, p90: int, p95: int) -> None:
    peaks = [2**31 if day == high_on else 2**30 for day in range(1, 9)]
    # Ten low samples to each high one: only the peaks of the days may count.
    memory = np.repeat(peaks, 11) * np.tile([*[0.25] * 10, 1.0], 8)
    samples = one_subject(replica(np.ones(88), memory, step_ms=DAY_MS // 11 + 1))
    for percentile, expected in ((0.5, p50), (0.9, p90), (0.95, p95)):
        assert bounds(replace(BARE, target_percentile=percentile, margin=0), samples)[1].target == expected


@pytest.mark.parametrize(
    ("limit_mib", "peak_mib", "mib"),
    [(1, 0, 101), (500, 0, 600), (1000, 0, 1200), (2000, 0, 2400), (1000, 3000, 3600)],
)
def test_v20_what_was_killed_gets_more(limit_mib: int, peak_mib: int, mib: int) -> None:
    assert bumped(limit_mib * MIB, peak_mib * MIB, 1.2, 100 * MIB) == mib * MIB
    sizes = replace(BARE, margin=0)
    after = bounds(sizes, one_subject(replica([1] * 90, [peak_mib * MIB] * 90)), killed(limit_mib * MIB))
    as_if = bounds(sizes, one_subject(replica([1] * 90, [mib * MIB] * 90)))
    assert after[1].target == as_if[1].target


def test_v20_a_second_kill_does_not_run_away() -> None:
    samples = one_subject(replica([1] * 90, [500 * MIB] * 90))
    once, twice = (
        bounds(BARE, samples, killed(*limits)) for limits in ([1000 * MIB], [1000 * MIB, 999 * MIB])
    )
    assert once[1].target == twice[1].target


def test_v20_a_kill_without_samples_of_the_day_says_nothing() -> None:
    at_ms, cores, memory = replica([1] * 90, [500 * MIB] * 90)
    samples = one_subject((at_ms - 31 * HOUR_MS, cores, memory))
    plain, after = bounds(BARE, samples), bounds(BARE, samples, killed(1000 * MIB))
    assert plain[1].target == after[1].target


def test_v21_windows_begin_with_the_first_sample() -> None:
    hours = np.array([1, 13, 25])
    at_ms, values = hours * HOUR_MS, np.array([5e7, 10e7, 2e7], np.float32)
    edges_ms = np.array([0, 49 * HOUR_MS])
    held: Floats = daily_peaks(
        at_ms, values, np.array([0, 3]), edges_ms, np.full(2, np.nan), np.zeros(2, np.int64), float(DAY_MS),
        DAY_MS, MEMORY_BUCKETS.scheme, (1.2, 100.0 * MIB),
    )[0]  # fmt: skip
    expected = {bucket_of(10e7, *MEMORY_BUCKETS.scheme): 0.5, bucket_of(2e7, *MEMORY_BUCKETS.scheme): 1.0}
    assert {int(b): held[b] for b in np.nonzero(held)[0]} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("amount", "step", "rounded"),
    [(1000, 3, 1002), (1231241, 13, 1231243), (262144000, 256 * MIB, 268435456), (839500000, 128 * MIB, 896 * MIB),
     (100, 7, 105)],
)  # fmt: skip
def test_v22_rounding(amount: int, step: int, rounded: int) -> None:
    assert rounded_up(np.array([float(amount)]), step) == rounded


def test_v22_scaling_cuts() -> None:
    assert scaled(np.array([4.0]), 2.124) == 8
    assert scaled(np.array([1213.0]), 1.2414) == 1505


def test_v22_a_step_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 millicore"):
        Vpa(round_cpu_millicores=0)


@pytest.mark.parametrize(("silent_hours", "known"), [(7.9 * 24, True), (8 * 24, False)])
def test_what_was_not_seen_for_eight_days_is_forgotten(silent_hours: float, known: bool) -> None:
    at_ms, cores, memory = replica([1] * 90, [500 * MIB] * 90)
    advised = advice(Vpa(), one_subject((at_ms - int(silent_hours * HOUR_MS), cores, memory)))
    assert REASONS[advised.cpu_reason[0, 0]] is (Reason.ADVISED if known else Reason.NOT_OBSERVED)
    assert np.isnan(advised.memory_request[0, 0]) != known


def test_before_the_first_sample_of_cpu_nothing_is_said() -> None:
    advised = advice(Vpa(), one_subject(replica([np.nan] * 90, [500 * MIB] * 90)))
    assert REASONS[advised.memory_reason[0, 0]] is Reason.NOT_OBSERVED
    assert np.isnan(advised.memory_request).all()


def test_with_the_cpu_memory_is_forgotten() -> None:
    days_ago = np.array([13.5, 13, 12, 11, 10, 9, 8, 7, 6, 0.5])
    cores = np.array([1.0, *[np.nan] * 8, 1.0])
    memory = np.array([*[8 * 1024.0] * 9, 100.0]) * MIB
    at_ms = TODAY_MS - (days_ago * DAY_MS).astype(np.int64)
    never = replace(BARE, target_percentile=0.99, expiry_ms=100 * DAY_MS)
    assert advice(never, one_subject((at_ms, cores, memory))).memory_request > 8 * 1024 * MIB
    forgets = replace(never, expiry_ms=8 * DAY_MS)
    assert advice(forgets, one_subject((at_ms, cores, memory))).memory_request == 126805489

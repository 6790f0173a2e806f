"""The rules for requests against plain NumPy that shares no code with them, and the laws that hold for every rule."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.autopilot import AutopilotWindow, Tolerance
from costlab.core.rightsizing.crane import Crane
from costlab.core.rightsizing.krr import KrrSimple, KrrSimpleLimit
from costlab.core.rightsizing.kubecost import Kubecost
from costlab.core.rightsizing.policies import POLICIES
from costlab.core.rightsizing.policy import Advised, Policy
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.vpa import Vpa

MINUTE_MS, DAY_MS = 60_000, 86_400_000
MIB = 2**20
DAYS_MS = 20_000 * DAY_MS + DAY_MS * np.arange(4, dtype=np.int64)


@dataclass(frozen=True)
class Pod:
    """One replica: when, how long, what; and of which subject."""

    subject: int
    at_ms: Ints
    lasted_ms: int
    cores: Floats
    memory: Floats


def pods_of(seed: int) -> list[Pod]:
    """Replicas of up to three subjects with gaps, silences of days, blanks, zeros and outliers; some are empty."""
    rng = np.random.default_rng(seed)
    pods = []
    for subject in range(rng.integers(1, 4)):
        for _ in range(rng.integers(1, 4)):
            step_ms = MINUTE_MS * int(rng.choice([1, 5, 20, 60]))
            lasted_ms = min(step_ms, 5 * MINUTE_MS)
            count = int(rng.integers(0, 400)) if rng.random() < 0.9 else 0
            begin_ms = DAYS_MS[-1] - lasted_ms * int(rng.integers(-20, 24 * DAY_MS // lasted_ms))
            apart = 1 + (rng.random(count) < 0.01) * rng.integers(1, 5 * DAY_MS // step_ms, count)
            at_ms = begin_ms // lasted_ms * lasted_ms + step_ms * np.cumsum(apart)
            cores = rng.gamma(0.5, 0.4, count) * (rng.random(count) > 0.05)
            memory = rng.gamma(3, 2e8, count) * np.where(rng.random(count) < 0.01, 5, 1)
            cores[rng.random(count) < 0.1] = np.nan
            memory[rng.random(count) < 0.1] = np.nan
            pods.append(
                Pod(subject, at_ms.astype(np.int64), lasted_ms,
                    cores.astype(np.float32).astype(float), memory.astype(np.float32).astype(float))
            )  # fmt: skip
    return pods


def samples_of(pods: list[Pod]) -> Samples:
    return Samples(
        np.array([pod.subject for pod in pods], np.int64),
        np.concatenate([[0], np.cumsum([len(pod.at_ms) for pod in pods])]).astype(np.int64),
        np.concatenate([pod.at_ms for pod in pods]),
        np.concatenate([np.full(len(pod.at_ms), pod.lasted_ms, np.int64) for pod in pods]),
        np.concatenate([pod.cores for pod in pods]).astype(np.float32),
        np.concatenate([pod.memory for pod in pods]).astype(np.float32),
    )


def circumstances_of(seed: int, subjects: int) -> Circumstances:
    rng = np.random.default_rng(seed + 1)
    count = int(rng.integers(0, 4))
    limits = rng.gamma(3, 3e8, count)
    limits[rng.random(count) < 0.3] = np.nan
    return Circumstances(
        rng.integers(1, 4, subjects), rng.random(subjects) < 0.1, rng.random(subjects) < 0.1,
        rng.integers(0, subjects, count),
        np.where(rng.random(count) < 0.3, DAYS_MS[1], DAYS_MS[-1] - rng.integers(-DAY_MS, 12 * DAY_MS, count)),
        limits,
    )  # fmt: skip


def observed(pods: list[Pod], subject: int, what: str, begin_ms: int, until_ms: int) -> list[Floats]:
    """What was observed of each pod that has anything in this time."""
    found: list[Floats] = []
    for pod in pods:
        values: Floats = getattr(pod, what)[(pod.at_ms >= begin_ms) & (pod.at_ms < until_ms)]
        if pod.subject == subject and np.isfinite(values).any():
            found.append(values[np.isfinite(values)])
    return found


seeds = st.integers(0, 2**32 - 2)


def each_day(pods: list[Pod]) -> list[tuple[int, int, int]]:
    return [
        (d, int(day_ms), subject)
        for d, day_ms in enumerate(DAYS_MS)
        for subject in range(pods[-1].subject + 1)
    ]


def unhindered(subjects: int) -> Circumstances:
    return Circumstances.nothing_known(subjects)


@given(seeds)
def test_krr_is_numpy_to_a_millicore_and_a_mib(seed: int) -> None:
    pods = pods_of(seed)
    samples = samples_of(pods)
    known = unhindered(samples.subjects)
    simple, limit = (rule.advise(samples, known, DAYS_MS) for rule in (KrrSimple(), KrrSimpleLimit()))

    def millicores(cores: float) -> float:
        return max(float(np.ceil(cores * 1000)), 10.0)

    for d, day_ms, subject in each_day(pods):
        cores = observed(pods, subject, "cores", day_ms - 14 * DAY_MS, day_ms)
        memory = observed(pods, subject, "memory", day_ms - 14 * DAY_MS, day_ms)
        if sum(map(len, cores)) < 100:
            assert np.isnan([simple.cpu_request[d, subject], limit.cpu_request[d, subject]]).all()
        else:
            p95 = max(np.percentile(pod, 95) for pod in cores)
            p66, p96 = np.percentile(np.concatenate(cores), [66, 96])
            assert abs(simple.cpu_request[d, subject] * 1000 - millicores(p95)) < 1.001
            assert abs(limit.cpu_request[d, subject] * 1000 - millicores(p66)) < 1.001
            assert abs(limit.cpu_limit[d, subject] * 1000 - millicores(p96)) < 1.001
        if sum(map(len, memory)) < 100:
            assert np.isnan(simple.memory_request[d, subject])
        else:
            wanted = max(np.ceil(max(map(max, memory)) * 1.15 / MIB), 100)
            assert abs(simple.memory_request[d, subject] / MIB - wanted) <= 1
            assert simple.memory_limit[d, subject] == simple.memory_request[d, subject]


def reached(buckets: Ints, weights: Floats, fraction: float) -> int:
    """The first bucket up to which this fraction of all the weight lies."""
    order = np.argsort(buckets, kind="stable")
    total = np.cumsum(weights[order])
    return int(buckets[order][min(np.searchsorted(total, fraction * total[-1]), len(order) - 1)])


def starts(first: float, growth: float, count: int) -> Floats:
    return np.concatenate([[0], np.cumsum(first * growth ** np.arange(count - 1))])


class Recommender:
    """The VPA's state of one container, event by event: samples of CPU, and of memory a peak for each pod's window."""

    def __init__(self) -> None:
        self.cpu: list[tuple[float, int]] = []
        self.peaks: list[
            list[float]
        ] = []  # usage, the same with what was added for a kill, end of the window
        self.window: dict[int, list[float]] = {}

    def used(self, at: int, pod: int, memory: float) -> None:
        window = self.window.get(pod)
        if window and at < window[2]:
            if window[0] < 0:
                self.peaks.append(window)
            window[:2] = [max(window[0], memory), max(window[1], memory)]
            return
        end = window[2] if window else at
        while end <= at:
            end += DAY_MS
        self.window[pod] = [memory, memory, end]
        self.peaks.append(self.window[pod])

    def killed(self, at: int, limit: float) -> None:
        opened = [window for window in self.window.values() if window[2] > at]
        if opened:
            hit = max(opened, key=lambda window: window[1])
            used = np.fmax(limit, hit[0])
            hit[1] = max(hit[1], used + 100 * MIB, np.floor(used * 1.2))

    def look_for_what_expired(self, at: int) -> None:
        if self.cpu and at - max(when for _, when in self.cpu) >= 8 * DAY_MS:
            self.cpu, self.peaks = [], []
            self.window = {pod: [-1, -1, window[2]] for pod, window in self.window.items()}

    def confidence(self) -> float:
        times = [when for _, when in self.cpu]
        return min((max(times) - min(times)) / DAY_MS, len(times) / 1440)


def recommender(pods: list[Pod], subject: int, day_ms: int, kills: list[tuple[int, float]]) -> Recommender:
    """All that it heard before this day."""
    own = [pod for pod in pods if pod.subject == subject]
    samples = [
        (int(at), 1, p, cores, memory)
        for p, pod in enumerate(own)
        for at, cores, memory in zip(pod.at_ms, pod.cores, pod.memory, strict=True)
    ]
    looks = [(day_ms - k * DAY_MS, 0, 0, np.nan, np.nan) for k in range(60)]
    events = samples + looks + [(at + 1, -1, 0, limit, np.nan) for at, limit in kills if at < day_ms]
    state = Recommender()
    for at, kind, pod, value, memory in sorted(events):
        if kind == -1:
            state.killed(at, value)
        if kind < 1:
            state.look_for_what_expired(at)
        elif at < day_ms:
            if np.isfinite(value):
                state.cpu.append((value, at))
            if np.isfinite(memory):
                state.used(at, pod, memory)
    return state


def recommended(
    samples: Floats, day_ms: int, confidence: float, first: float, unit: int, least: float
) -> Floats:
    """Lower bound, target and upper bound of values and their times."""
    values, times = samples.T
    edges = starts(first, 1.05, 176)
    buckets = np.searchsorted(edges, values, side="right") - 1
    weights = 2.0 ** ((times - day_ms) / DAY_MS)
    ends = np.floor(np.append(edges[1:], edges[-1]) * unit)
    plain = np.array([ends[reached(buckets, weights, p)] for p in (0.5, 0.9, 0.95)])
    plain += np.floor(plain * 0.15)
    if confidence == 0:
        factors = np.array([0, 1, np.inf])
    else:
        factors = np.array([(1 + 0.001 / confidence) ** -2, 1, 1 + 1 / confidence])
    return np.asarray(np.maximum(np.minimum(np.floor(plain * factors), 1e14), least))


@given(seeds)
def test_the_vpa_is_its_recommender_event_by_event(seed: int) -> None:
    pods = pods_of(seed)
    samples = samples_of(pods)
    known = replace(
        circumstances_of(seed, samples.subjects), containers_in_pod=np.ones(samples.subjects, np.int64)
    )
    cpu, memory = Vpa().bounds(samples, known, DAYS_MS)
    for d, day_ms, subject in each_day(pods):
        kills = [
            (int(at), float(limit))
            for who, at, limit in zip(
                known.killed_subject, known.killed_at_ms, known.killed_limit_bytes, strict=True
            )
            if who == subject
        ]
        state = recommender(pods, subject, day_ms, kills)
        assert (cpu.points[d, subject] > 0) == bool(state.cpu)
        assert (memory.points[d, subject] > 0) == bool(state.cpu and state.peaks)
        for bound, told, first, unit, least in (
            (cpu, state.cpu, 0.01, 1000, 25),
            (memory, [peak[1:] for peak in state.peaks], 1e7, 1, 250 * MIB),
        ):
            if state.cpu and told:
                found = np.array([bound.lower, bound.target, bound.upper])[:, d, subject]
                expected = recommended(np.array(told), day_ms, state.confidence(), first, unit, least)
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1.0)


def weighed(
    pods: list[Pod], subject: int, what: str, begin_ms: int, until_ms: int, half_life_ms: float
) -> tuple[Floats, Floats, Floats]:
    """What was observed, how much it counts and how long it lasted in seconds."""
    rows = [
        (value, 2.0 ** ((at - until_ms) / half_life_ms), pod.lasted_ms / 1000)
        for pod in pods
        if pod.subject == subject
        for at, value in zip(pod.at_ms, getattr(pod, what), strict=True)
        if begin_ms <= at < until_ms and np.isfinite(value)
    ]
    values, weights, seconds = np.array(rows, float).reshape(-1, 3).T
    return values, weights, seconds


@given(seeds)
def test_crane_is_a_weighted_percentile_of_a_week(seed: int) -> None:
    pods = pods_of(seed)
    samples = samples_of(pods)
    advised = Crane().advise(samples, unhindered(samples.subjects), DAYS_MS)
    for d, day_ms, subject in each_day(pods):
        for what, found, width, half_life_ms in (
            ("cores", advised.cpu_request, 0.1, DAY_MS),
            ("memory", advised.memory_request, 100 * MIB, 2 * DAY_MS),
        ):
            values, weights, _ = weighed(pods, subject, what, day_ms - 7 * DAY_MS, day_ms, half_life_ms)
            if len(values):
                end = (reached((values // width).astype(int), weights, 0.99) + 1) * width
                assert found[d, subject] == pytest.approx(end * 1.15)
            else:
                assert np.isnan(found[d, subject])


@given(seeds)
@settings(max_examples=40)
def test_autopilot_is_a_percentile_of_load(seed: int) -> None:
    pods = pods_of(seed)
    samples = samples_of(pods)
    known = unhindered(samples.subjects)
    minimal, low = (
        AutopilotWindow(t).advise(samples, known, DAYS_MS) for t in (Tolerance.MINIMAL, Tolerance.LOW)
    )
    peaks = []
    for pod in pods:
        step = pod.at_ms // (5 * MINUTE_MS)
        there = np.isfinite(pod.memory)
        times = np.unique(step[there])
        tops = np.array([pod.memory[there & (step == time)].max() for time in times])
        peaks.append(replace(pod, at_ms=times * 5 * MINUTE_MS, lasted_ms=5 * MINUTE_MS, memory=tops))

    def by_load(
        pods: list[Pod],
        what: str,
        subject: int,
        day_ms: int,
        fraction: float,
        first: float,
        half_life_ms: float,
    ) -> float:
        edges = starts(first, 1.025, 411)
        best = np.nan
        for back in range(13):
            until_ms = day_ms - back * 5 * MINUTE_MS
            values, weights, seconds = weighed(pods, subject, what, 0, until_ms, half_life_ms)
            if len(values):
                bucket = np.searchsorted(edges, values, side="right") - 1
                end = edges[reached(bucket, weights * seconds * edges[bucket + 1], fraction) + 1]
                best = np.fmax(best, end)
        return float(best)

    for d, day_ms, subject in each_day(pods)[:4]:
        cores = observed(pods, subject, "cores", day_ms - 14 * DAY_MS, day_ms)
        memory = observed(pods, subject, "memory", day_ms - 14 * DAY_MS, day_ms)
        hour_more = observed(pods, subject, "memory", day_ms - 14 * DAY_MS - 60 * MINUTE_MS, day_ms)
        expected = by_load(pods, "cores", subject, day_ms, 0.95, 0.001, DAY_MS / 2) * 1.1 if cores else np.nan
        assert minimal.cpu_request[d, subject] == pytest.approx(expected, nan_ok=True)
        if not memory:
            assert np.isnan([minimal.memory_request[d, subject], low.memory_request[d, subject]]).all()
            continue
        assert minimal.memory_request[d, subject] == pytest.approx(max(map(max, hour_more)) * 1.1)
        expected = by_load(peaks, "memory", subject, day_ms, 0.98, 1e6, 2 * DAY_MS) * 1.1
        assert low.memory_request[d, subject] == pytest.approx(expected)


def figures(advised: Advised) -> list[Floats]:
    return [np.asarray(getattr(advised, field.name), float) for field in fields(advised)]


rules = pytest.mark.parametrize("rule", POLICIES.values(), ids=POLICIES)


@rules
@given(seeds)
@settings(max_examples=20)
def test_nothing_of_the_future_is_used(rule: Callable[[], Policy], seed: int) -> None:
    pods = pods_of(seed)
    samples = samples_of(pods)
    known = circumstances_of(seed, samples.subjects)
    now_ms = int(DAYS_MS[1])
    later = samples.at_ms >= now_ms
    other = replace(
        samples,
        lasted_ms=np.where(later, 7 * MINUTE_MS, np.minimum(samples.lasted_ms, np.maximum(now_ms - samples.at_ms, 1))),
        cpu_cores=np.where(later, np.float32(999), samples.cpu_cores),
        memory_bytes=np.where(later, np.float32(9e12), samples.memory_bytes),
    )  # fmt: skip
    unheard = known.killed_at_ms >= now_ms
    other_known = replace(known, killed_limit_bytes=np.where(unheard, 9e12, known.killed_limit_bytes))
    one = rule().advise(samples, known, DAYS_MS)
    two = rule().advise(other, other_known, DAYS_MS)
    for left, right in zip(figures(one), figures(two), strict=True):
        np.testing.assert_array_equal(left[:2], right[:2])


@rules
@given(seeds)
@settings(max_examples=20)
def test_a_day_alone_is_advised_as_among_others(rule: Callable[[], Policy], seed: int) -> None:
    samples = samples_of(pods_of(seed))
    known = circumstances_of(seed, samples.subjects)
    together = rule().advise(samples, known, DAYS_MS)
    for d in range(len(DAYS_MS)):
        alone = rule().advise(samples, known, DAYS_MS[d : d + 1])
        for left, right in zip(figures(together), figures(alone), strict=True):
            np.testing.assert_allclose(left[d : d + 1], right, rtol=1e-12)


@rules
@given(seeds)
@settings(max_examples=20)
def test_subjects_are_apart_and_in_any_order(rule: Callable[[], Policy], seed: int) -> None:
    pods = pods_of(seed)
    samples = samples_of(pods)
    known = circumstances_of(seed, samples.subjects)
    together = rule().advise(samples, known, DAYS_MS)
    last = samples.subjects - 1
    turned = sorted((replace(pod, subject=last - pod.subject) for pod in pods), key=lambda pod: pod.subject)
    turned_known = Circumstances(
        known.containers_in_pod[::-1], known.cpu_autoscaled[::-1], known.memory_autoscaled[::-1],
        last - known.killed_subject, known.killed_at_ms, known.killed_limit_bytes,
    )  # fmt: skip
    for left, right in zip(
        figures(together), figures(rule().advise(samples_of(turned), turned_known, DAYS_MS)), strict=True
    ):
        np.testing.assert_array_equal(left, right[:, ::-1])


@pytest.mark.parametrize(
    "rule", [KrrSimple(), KrrSimpleLimit(), Kubecost(), Kubecost("q", cpu_quantile=0.7, memory_quantile=0.7)]
)
@given(seeds)
@settings(max_examples=20)
def test_more_usage_never_lowers_advice(rule: Policy, seed: int) -> None:
    samples = samples_of(pods_of(seed))
    known = unhindered(samples.subjects)
    rng = np.random.default_rng(seed + 2)
    more = replace(
        samples,
        cpu_cores=samples.cpu_cores * np.float32(1)
        + rng.gamma(0.3, 0.1, len(samples.at_ms)).astype(np.float32),
        memory_bytes=samples.memory_bytes + rng.gamma(0.3, 1e8, len(samples.at_ms)).astype(np.float32),
    )
    before, after = rule.advise(samples, known, DAYS_MS), rule.advise(more, known, DAYS_MS)
    for name in ("cpu_request", "memory_request", "memory_limit"):
        low, high = getattr(before, name), getattr(after, name)
        assert not (high < low).any()
        np.testing.assert_array_equal(np.isnan(low), np.isnan(high))

"""Laws of the rule `costlab`, and of what it is made of."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.core.rightsizing.costlab import percentiles, reference
from costlab.core.rightsizing.costlab.calibration import calibrated
from costlab.core.rightsizing.costlab.regression import fitted
from costlab.core.rightsizing.costlab.rule import Costlab
from costlab.core.rightsizing.daily import daily_of
from costlab.core.rightsizing.policy import REASONS, Advised
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.domain.advice import Reason
from costlab.domain.time import HOUR_MS

DAY_MS = 24 * HOUR_MS
SUBJECTS, DAYS, A_DAY = 12, 34, 8  # stretches of three hours
ASKED = np.arange(20, DAYS + 1)


def made(seed: int = 3) -> Samples:
    """Subjects of all kinds: flat, noisy, weekly, growing, jumping; one begins late, one ends early."""
    rng = np.random.default_rng(seed)
    at = np.arange(DAYS * A_DAY)
    memory = 2.0 ** rng.integers(26, 34, (SUBJECTS, 1)) * rng.lognormal(
        0, rng.random((SUBJECTS, 1)) * 0.4, (SUBJECTS, len(at))
    )
    memory[3] *= 1 + (at // A_DAY % 7 == 2)
    memory[4] *= 1 + at / len(at)
    memory[5:8] *= 1 + 2 * (rng.random((3, len(at))) < 0.01)
    memory[8, : 25 * A_DAY] = np.nan
    memory[9, 10 * A_DAY :] = np.nan
    cpu = rng.lognormal(0, 1, memory.shape) * np.where(np.isnan(memory), np.nan, 1)
    offsets = np.arange(SUBJECTS + 1) * len(at)
    at_ms = np.tile(at * DAY_MS // A_DAY, SUBJECTS)
    lasted_ms = np.full(at_ms.size, DAY_MS // A_DAY)
    return Samples(
        np.arange(SUBJECTS),
        offsets,
        at_ms,
        lasted_ms,
        cpu.ravel().astype(np.float32),
        memory.ravel().astype(np.float32),
    )


def changed(samples: Samples, *, cpu: np.ndarray | None = None, memory: np.ndarray | None = None) -> Samples:
    return Samples(
        samples.subject, samples.offsets, samples.at_ms, samples.lasted_ms,
        samples.cpu_cores if cpu is None else cpu, samples.memory_bytes if memory is None else memory,
    )  # fmt: skip


def advised(
    samples: Samples, asked: np.ndarray = ASKED, circumstances: Circumstances | None = None, **rule: object
) -> Advised:
    told = circumstances or Circumstances.nothing_known(samples.subjects)
    return Costlab(**rule).advise(samples, told, asked * DAY_MS)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def samples() -> Samples:
    return made()


@pytest.fixture(scope="module")
def advice(samples: Samples) -> Advised:
    return advised(samples)


@pytest.mark.parametrize("steady", [False, True])
def test_nothing_of_a_day_or_after_it_is_used(samples: Samples, steady: bool) -> None:
    day = 27
    later = samples.at_ms >= day * DAY_MS
    factor = np.where(later, np.random.default_rng(1).lognormal(0, 2, later.size), 1).astype(np.float32)
    before, after = (
        advised(some, steady=steady)
        for some in (
            samples,
            changed(samples, cpu=samples.cpu_cores * factor, memory=samples.memory_bytes * factor),
        )
    )
    same = day + 1 > ASKED
    for name in Advised.__slots__:
        np.testing.assert_array_equal(getattr(before, name)[same], getattr(after, name)[same], err_msg=name)
    assert not np.allclose(before.memory_request[~same], after.memory_request[~same], equal_nan=True)


def test_advice_for_one_day_is_that_day_of_advice_for_many(samples: Samples, advice: Advised) -> None:
    one = advised(samples, ASKED[-1:])
    for name in Advised.__slots__:
        np.testing.assert_array_equal(getattr(one, name)[0], getattr(advice, name)[-1], err_msg=name)


def test_memory_and_cpu_scale(samples: Samples, advice: Advised) -> None:
    scaled = advised(changed(samples, cpu=samples.cpu_cores * 4, memory=samples.memory_bytes / 8))
    np.testing.assert_allclose(scaled.memory_request, advice.memory_request / 8, rtol=1e-6)
    np.testing.assert_allclose(scaled.cpu_request, advice.cpu_request * 4, rtol=1e-9)
    np.testing.assert_allclose(scaled.memory_risk, advice.memory_risk, rtol=1e-6)


def test_the_order_of_subjects_does_not_matter(samples: Samples, advice: Advised) -> None:
    order = np.random.default_rng(5).permutation(SUBJECTS)
    row = samples.cpu_cores.reshape(SUBJECTS, -1), samples.memory_bytes.reshape(SUBJECTS, -1)
    shuffled = advised(changed(samples, cpu=row[0][order].ravel(), memory=row[1][order].ravel()))
    np.testing.assert_allclose(shuffled.memory_request, advice.memory_request[:, order], rtol=1e-6)
    np.testing.assert_allclose(shuffled.cpu_request, advice.cpu_request[:, order], rtol=1e-9)


def test_a_dearer_risk_costs_more_memory(samples: Samples) -> None:
    bills = [np.nansum(advised(samples, price=price).memory_request) for price in (1.0, 20.0, 400.0)]
    assert bills[0] < bills[1] < bills[2]


def test_steady_advice_moves_only_when_it_must(samples: Samples, advice: Advised) -> None:
    held = advised(samples, steady=True)
    for steady, plain, most in (
        (held.memory_request, advice.memory_request, 0.5),
        (held.cpu_request, advice.cpu_request, 0.6),
    ):
        assert np.mean(steady[1:] != steady[:-1]) < most * np.mean(plain[1:] != plain[:-1])
    before, after = held.cpu_request[:-1], held.cpu_request[1:]
    cut = after < before
    assert np.all(after[cut] < 0.6 * before[cut]), "small cuts wait"
    one = advised(samples, ASKED[-1:], steady=True).cpu_request[0]
    np.testing.assert_array_equal(
        one, held.cpu_request[-1], err_msg="asked for alone, it is what it is among others"
    )


def test_however_careful_it_never_asks_for_a_multiple_of_what_was_ever_used(samples: Samples) -> None:
    """On the first days as later: a young lake knows no more than that."""
    asked = np.arange(2, DAYS + 1)
    request = advised(samples, asked, price=1e6).memory_request
    peaks = np.nanmax(samples.memory_bytes.reshape(SUBJECTS, DAYS, A_DAY), axis=2, initial=0.0).astype(float)
    seen = np.cumsum(peaks > 0, axis=1)[:, asked - 1].T
    ratio = request / np.maximum.accumulate(peaks, axis=1)[:, asked - 1].T
    for least, most in ((0, 2.0), (4, 1.6), (10, 1.3)):
        assert np.nanmax(ratio[seen >= least]) <= most * (1 + 1e-9)
    assert np.nanmax(ratio[seen == 3]) > 1.6, "it is as careful as it may be"


@pytest.mark.parametrize("price", [7.0, 30.0, 400.0])
def test_what_grows_and_what_comes_every_week_is_foreseen(price: float) -> None:
    """In a fleet that does neither: a leak of 3 % a day, one of 25 %, twice as much on each Wednesday or in each noon."""
    rng = np.random.default_rng(0)
    fleet, days = 60, 49
    day, hour = np.divmod(np.arange(days * A_DAY), A_DAY)
    kinds = 1.03**day, 1.25**day, 1.0 + (day % 7 == 2), 1.0 + (hour == 4)
    shape = np.ones((fleet, len(day)))
    shape[: len(kinds)] = kinds
    noise = rng.uniform(0.02, 0.15, (fleet, 1))
    noise[: len(kinds)] = 0.01
    memory = 2.0 ** rng.uniform(28, 33, (fleet, 1)) * shape * rng.lognormal(0, noise, shape.shape)
    one = Samples(
        np.arange(fleet), np.arange(fleet + 1) * len(day), np.tile(np.arange(len(day)) * DAY_MS // A_DAY, fleet),
        np.full(memory.size, DAY_MS // A_DAY), np.ones(memory.size, np.float32), memory.ravel().astype(np.float32),
    )  # fmt: skip
    asked = np.arange(21, days)
    request = advised(one, asked, price=price).memory_request
    above = request < memory.reshape(fleet, days, A_DAY).max(axis=2)[:, 21:].T
    assert above[:, :2].sum() == 0, "what grows"
    assert above[asked % 7 == 2, 2].sum() <= 1, "of four Wednesdays"
    assert above[:, 3].sum() <= 1
    assert np.nanmedian(request[:, :2] / memory.reshape(fleet, days, A_DAY).max(axis=2)[:2, 21:].T) < 1.3


def test_every_row_without_advice_has_its_reason(advice: Advised) -> None:
    for request, code in (
        (advice.memory_request, advice.memory_reason),
        (advice.cpu_request, advice.cpu_reason),
    ):
        assert np.array_equal(np.isnan(request), code > 0)
    late = {REASONS[code] for code in advice.memory_reason[ASKED <= 26, 8]}
    assert late == {Reason.NOT_OBSERVED, Reason.TOO_LITTLE_DATA}
    assert REASONS[advice.memory_reason[-1, 9]] is Reason.NOT_OBSERVED


def test_autoscaled_and_killed(samples: Samples, advice: Advised) -> None:
    nothing = Circumstances.nothing_known(SUBJECTS)
    scaled = np.arange(SUBJECTS) == 1
    limit = 10 * float(np.nanmax(samples.memory_bytes))
    told = Circumstances(
        nothing.containers_in_pod, scaled, scaled, np.array([2]), np.array([22 * DAY_MS]), np.array([limit])
    )
    found = advised(samples, circumstances=told)
    assert {REASONS[code] for code in found.memory_reason[:, 1]} == {Reason.HPA_MANAGED}
    assert np.isnan(found.cpu_request[:, 1]).all()
    assert np.array_equal(found.memory_request[:, 2] == 1.25 * limit, ASKED > 22)
    others = np.delete(np.arange(SUBJECTS), [1, 2])
    np.testing.assert_array_equal(found.memory_request[:, others], advice.memory_request[:, others])


@pytest.mark.parametrize("price", [1e-3, 30.0])
def test_after_a_rise_of_its_level_memory_is_that_of_since(samples: Samples, price: float) -> None:
    """However little a violation costs; and one peak, or a fall, is no rise of the level."""
    memory = samples.memory_bytes.reshape(SUBJECTS, DAYS, A_DAY).copy()
    quiet = memory[0].max() * np.ones((DAYS, A_DAY), np.float32)
    memory[:3] = quiet
    memory[0, 25:] *= 3
    memory[1, 25, 3] *= 3
    memory[2, 25:] /= 3
    found = advised(changed(samples, memory=memory.ravel()), price=price).memory_request / quiet[0, 0]
    since = ASKED > 25
    assert np.all(found[since & (ASKED <= 32), 0] >= 3)
    if price < 1:  # the risk is worth nothing: elsewhere the rule takes it
        assert np.all(found[ASKED <= 25, 0] < 1)
        assert np.all(found[since, 1:3] < 3)


def test_no_samples_no_advice() -> None:
    none = np.empty(0, np.int64)
    nothing = Samples(
        none, np.zeros(1, np.int64), none, none, np.empty(0, np.float32), np.empty(0, np.float32)
    )
    assert advised(nothing).memory_request.shape == (len(ASKED), 0)
    unseen = made()
    unseen.memory_bytes[:] = np.nan
    assert np.isnan(advised(unseen).memory_request).all()


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_a_fleets_cpu_costs_its_budget_and_nothing_above_what_a_week_used(seed: int) -> None:
    """4 % above the 95th percentile of 14 days; the subjects that are seen less weigh less."""
    samples = made(seed)
    request = advised(samples).cpu_request
    usage = samples.cpu_cores.reshape(SUBJECTS, DAYS, A_DAY)
    for row, midnight in zip(request, ASKED, strict=True):
        week = usage[:, midnight - 7 : midnight]
        told = np.isfinite(row) & np.isfinite(week).any(axis=(1, 2))
        seconds = np.isfinite(week).sum(axis=(1, 2))[told]
        past = usage[told, midnight - 14 : midnight].reshape(told.sum(), -1)
        plain = [np.nanquantile(one, 0.95, method="inverted_cdf") for one in past]
        # Sketches know levels to 1/64.
        assert row[told] @ seconds == pytest.approx(1.04 * (np.array(plain) @ seconds), rel=1 / 64)
        assert np.all(row[told] <= np.nanmax(week[told], axis=(1, 2)))


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_window_ranks_equal_their_twin(seed: int) -> None:
    daily = daily_of(made(seed), np.arange(6) * DAY_MS)
    told = daily.cpu_offsets, daily.cpu_buckets, daily.cpu_seconds, 5, 2, 3, np.array([0.5, 0.9, 0.95])
    ours, twin = percentiles.window_ranks(*told), reference.window_ranks(*told)
    np.testing.assert_allclose(percentiles.cores_at(ours), percentiles.cores_at(twin), rtol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.9]))
def test_the_regression_is_nearly_the_best_line(seed: int, level: float) -> None:
    """The least loss is reached by a line through two of the points: all of them are tried."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=40)
    y = 2 * x + rng.standard_t(3, size=40) * 10  # noise against which the rounded corner is small

    def loss(line: np.ndarray) -> float:
        miss = y - line
        return float(np.maximum(level * miss, (level - 1) * miss).sum())

    lines = ((a, b, (y[b] - y[a]) / (x[b] - x[a])) for a, b in itertools.combinations(range(40), 2))
    best = min(loss(y[a] + slope * (x - x[a])) for a, _, slope in lines)
    found = fitted(x[:, None], y, np.array([level]), ridge=0.0).quantiles(x[:, None])[:, 0]
    assert best * (1 - 1e-9) <= loss(found) <= best * 1.05


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=100, max_size=2000))
@settings(max_examples=30)
def test_what_is_promised_is_no_less_than_what_came(past: list[tuple[float, bool]]) -> None:
    expected = np.array([each[0] for each in past])
    violated = np.array([each[1] for each in past])
    promise = calibrated(expected, violated, np.zeros(len(past), int)).promise(expected)
    assert promise.mean() >= violated.mean()
    assert np.all(np.diff(promise[np.argsort(expected)]) >= 0)


def test_nothing_is_promised_without_a_past() -> None:
    assert np.isnan(calibrated(np.zeros(5), np.zeros(5, bool), np.zeros(5, int)).promise(np.zeros(2))).all()

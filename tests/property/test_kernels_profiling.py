"""How usage was spread over the time: every kernel equals its NumPy twin, and the definition in fractions."""

from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
from arrays_of import same, stretches
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.kernels import profiling as kernels
from costlab.core.reference import profiling as reference
from costlab.core.sketch import merged, nearest_rank

TINY = float(np.finfo(np.float32).smallest_normal)


@st.composite
def usage(draw: st.DrawFn) -> tuple[Any, ...]:
    """What three rows were seen to use: zeros, levels of all sizes, and what is no level at all."""
    start_ms, end_ms, _, offsets = draw(stretches(3, disjoint=False))
    level = st.one_of(
        st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -1.0]),
        st.integers(0, 64).map(lambda n: n / 8),
        st.floats(0, width=32, allow_infinity=False),
    )
    values = np.array([draw(level) for _ in start_ms], np.float32)
    life = np.array([sorted(draw(st.tuples(*2 * [st.integers(0, 500)]))) for _ in range(3)], np.int64) * 1000
    seen = np.column_stack([offsets[:-1], offsets[1:]])
    return seen, life, 5000, (start_ms - 5000).astype(np.int32), (end_ms - 5000).astype(np.int32), values


@given(usage())
def test_profile(used: tuple[Any, ...]) -> None:
    arguments = (*used, np.array([1, 50, 90, 99, 100]))
    same(kernels.profile(*arguments), reference.profile(*arguments))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-4, 0.01, 1.0, 8.0]))
def test_profile_of_a_day(seed: int, sigma: float) -> None:
    """As many samples as a day has, most of them in few buckets: they are not sorted, but parted."""
    random = np.random.default_rng(seed)
    count = 1440
    start_ms = (60_000 * np.arange(count) + random.integers(0, 20_000, count)).astype(np.int32)
    values = np.exp(sigma * random.standard_normal(count)).round(random.integers(1, 6)).astype(np.float32)
    values[random.random(count) < random.choice([0.0, 0.3, 0.97])] = random.choice([0.0, np.nan])
    seen = np.array([[0, count], [100, 1200], [3, 3], [7, 135], [7, 136]])  # none, a block, and one more
    life = np.array([[0, 2**40], [5_000_000, 70_000_000], *3 * [[-(2**40), 2**40]]])
    arguments = (seen, life, 0, start_ms, np.append(start_ms[1:], start_ms[-1] + 1), values)
    percents = np.array([0, 1, 50, 50, 90, 95, 99, 100])
    same(kernels.profile(*arguments, percents), reference.profile(*arguments, percents))


@given(st.integers(0, 2**32 - 1))
def test_profile_of_the_smallest_floats(seed: int) -> None:
    """The bucket above 0 is of twice as many floats as any other."""
    count = 100
    values = np.random.default_rng(seed).integers(1, 1 << 18, count, np.int32).view(np.float32)
    start_ms = (60_000 * np.arange(count)).astype(np.int32)
    seen, life = np.array([[0, count]]), np.array([[0, 2**40]])
    arguments = (seen, life, 0, start_ms, start_ms + np.int32(60_000), values)
    percents = np.array([1, 50, 99])
    found, wanted = (of.profile(*arguments, percents)[2] for of in (kernels, reference))
    np.testing.assert_array_equal(found, wanted)  # to the bit: all of them are close to each other


@given(usage())
def test_profile_by_definition(used: tuple[Any, ...]) -> None:
    """Nearest rank in fractions, and a sketch that is 1/128 away at most."""
    seen, life, zero_ms, start_ms, end_ms, values = used
    percents = np.array([50, 95, 100])
    observed_ms, _, ranks, offsets, buckets, weights_ms = kernels.profile(
        seen, life, zero_ms, start_ms, end_ms, values, percents
    )
    for r, (first, last) in enumerate(seen):
        weighed = sorted(
            (abs(float(values[i])), lasted_ms)
            for i in range(first, last)
            if (lasted_ms := min(zero_ms + end_ms[i], life[r, 1]) - max(zero_ms + start_ms[i], life[r, 0]))
            > 0
            and 0 <= values[i] < np.inf
        )
        total_ms = sum(lasted_ms for _, lasted_ms in weighed)
        assert observed_ms[r] == total_ms
        sketch = buckets[offsets[r] : offsets[r + 1]], weights_ms[offsets[r] : offsets[r + 1]]
        assert sketch[1].sum() == total_ms
        for percent, found in zip(percents.tolist(), ranks[r], strict=True):
            if not weighed:
                assert np.isnan(found)
                assert np.isnan(nearest_rank(*sketch, percent))
                continue
            reached = accumulate(lasted_ms for _, lasted_ms in weighed)
            enough = (Fraction(so_far, int(total_ms)) >= Fraction(percent, 100) for so_far in reached)
            wanted = next(value for (value, _), ok in zip(weighed, enough, strict=True) if ok)
            assert found == wanted
            assert (nearest_rank(*sketch, percent) == 0) == (wanted == 0)
            if wanted >= TINY:
                assert abs(nearest_rank(*sketch, percent) / wanted - 1) <= 1 / 128


@given(usage())
def test_merged_sketches_are_the_sketch_of_all(used: tuple[Any, ...]) -> None:
    seen, life, zero_ms, start_ms, end_ms, values = used
    everything = np.array([[0, len(values)]])
    whole, parts = (
        kernels.profile(
            rows, life[np.zeros(len(rows), int)], zero_ms, start_ms, end_ms, values, np.array([50])
        )
        for rows in (everything, seen)
    )
    same(merged(*parts[4:]), whole[4:])
    same(merged(parts[4][::-1], parts[5][::-1]), whole[4:])

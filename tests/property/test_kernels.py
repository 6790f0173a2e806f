"""Every kernel equals its NumPy twin, whatever the series look like."""

import inspect
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core import hours, kernels, reference
from costlab.core.kernels import Floats, Ints
from costlab.core.observe import held
from costlab.core.sketch import merged, nearest_rank
from costlab.domain.signals import Series, Signal
from costlab.jobs.heard import spans

GAP_MS = 300_000
TINY = float(np.finfo(np.float32).smallest_normal)
NAMES = sorted(
    name
    for name, value in vars(reference).items()
    if inspect.isfunction(value) and value.__module__ == reference.__name__
)


def offsets_of(counts: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@st.composite
def samples(draw: st.DrawFn) -> tuple[Ints, Floats, Ints]:
    """Series of increasing times with gaps, resets and stale markers, as CSR arrays."""
    counts = draw(st.lists(st.integers(0, 8), min_size=1, max_size=5))
    times, values = [], []
    for count in counts:
        steps = draw(st.lists(st.integers(1, 2 * GAP_MS), min_size=count, max_size=count))
        times += list(np.cumsum(steps))
        values += draw(
            st.lists(
                st.one_of(st.just(float("nan")), st.floats(0, 1e6, width=32)), min_size=count, max_size=count
            )
        )
    return np.array(times, np.int64), np.array(values, np.float64), offsets_of(counts)


@st.composite
def stretches(draw: st.DrawFn, groups: int, *, disjoint: bool) -> tuple[Ints, Ints, Floats, Ints]:
    """Intervals by group, ordered by start; disjoint ones or overlapping ones."""
    rows, counts = [], []
    for _ in range(groups):
        count = draw(st.integers(0, 6))
        counts.append(count)
        if disjoint:
            edges = sorted(draw(st.sets(st.integers(0, 400), min_size=2 * count, max_size=2 * count)))
            pairs = list(zip(edges[::2], edges[1::2], strict=True))
        else:
            pairs = sorted(
                (start, start + draw(st.integers(1, 90)))
                for start in (draw(st.integers(0, 300)) for _ in range(count))
            )
        rows += [(start * 1000, end * 1000, draw(st.integers(0, 64)) / 4) for start, end in pairs]
    table = np.array(rows, np.float64).reshape(-1, 3)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].copy(), offsets_of(counts)


def same(left: object, right: object) -> None:
    for ours, theirs in zip(
        left if isinstance(left, tuple) else (left,),
        right if isinstance(right, tuple) else (right,),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_twins_have_one_signature(name: str) -> None:
    loop = getattr(hours if hasattr(hours, name) and not hasattr(kernels, name) else kernels, name)
    plain = getattr(loop, "py_func", loop)
    assert inspect.signature(plain) == inspect.signature(getattr(reference, name))


def test_every_kernel_has_a_twin() -> None:
    loops = {name for name, value in vars(kernels).items() if callable(value) and hasattr(value, "py_func")}
    assert {name for name in loops if not name.startswith("_")} <= set(NAMES)


@given(samples())
def test_hold(series: tuple[Ints, Floats, Ints]) -> None:
    same(kernels.hold(*series, GAP_MS), reference.hold(*series, GAP_MS))


@given(samples())
def test_telling(series: tuple[Ints, Floats, Ints]) -> None:
    at_ms, values, offsets = series
    values = np.floor(values / 5e5)  # few values, so that many samples tell nothing new
    same(kernels.telling(at_ms, values, offsets, GAP_MS), reference.telling(at_ms, values, offsets, GAP_MS))


@given(samples(), st.integers(1, 20))
def test_what_tells_holds_as_all_samples_do(series: tuple[Ints, Floats, Ints], faster: int) -> None:
    at_ms, values, offsets = series[0] // faster, np.floor(series[1] / 5e5), series[2]

    def told(one: Series) -> list[tuple[int, int, int, float]]:
        """Series, start, end and value of all that holds, neighbours of equal value as one; and both edges of each."""
        holding = held(one.at_ms, one.values, one.offsets, GAP_MS)
        rows: list[tuple[int, int, int, float]] = []
        for row in zip(
            *(a.tolist() for a in (holding.group, holding.start_ms, holding.end_ms, holding.values)),
            strict=True,
        ):
            if rows and rows[-1][0] == row[0] and rows[-1][2:] == (row[1], row[3]):
                rows.append((*rows.pop()[:2], *row[2:]))
            else:
                rows.append(row)
        return rows

    rising = np.ones(len(at_ms), bool)  # dividing may have made two instants one
    rising[1:] = at_ms[1:] > at_ms[:-1]
    rising[offsets[:-1][np.diff(offsets) > 0]] = True
    labels = tuple({"pod": str(i)} for i in range(len(offsets) - 1))
    whole = Series(Signal.POD_PHASE, labels, offsets, at_ms, values).keep(rising)
    fewer = whole.keep(kernels.telling(whole.at_ms, whole.values, whole.offsets, GAP_MS))
    assert told(fewer) == told(whole)
    assert list(spans(fewer)) == list(spans(whole))


@given(samples(), st.data())
def test_rate(series: tuple[Ints, Floats, Ints], data: st.DataObject) -> None:
    groups = len(series[2]) - 1
    began = np.array(data.draw(st.lists(st.integers(-1, GAP_MS), min_size=groups, max_size=groups)), np.int64)
    same(kernels.rate(*series, began, GAP_MS, 60_000), reference.rate(*series, began, GAP_MS, 60_000))


@given(samples(), st.data())
def test_late(series: tuple[Ints, Floats, Ints], data: st.DataObject) -> None:
    _, values, offsets = series
    group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    who = data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values)))
    source = 3 * group + np.array(who, np.int64)
    same(kernels.late(values, source, offsets), reference.late(values, source, offsets))


@given(stretches(3, disjoint=False), st.booleans())
def test_overlay(intervals: tuple[Ints, Ints, Floats, Ints], add: bool) -> None:
    same(kernels.overlay(*intervals, add), reference.overlay(*intervals, add))


@given(stretches(3, disjoint=True), stretches(3, disjoint=True))
def test_align(a: tuple[Ints, Ints, Floats, Ints], b: tuple[Ints, Ints, Floats, Ints]) -> None:
    arguments = (a[0], a[1], a[3], b[0], b[1], b[3])
    same(kernels.align(*arguments), reference.align(*arguments))


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), st.floats(0, 90_000, width=32))))
def test_lay(stretches: list[tuple[int, float]]) -> None:
    at_us = np.array([at for at, _ in stretches], np.int64)
    lasted_s = np.array([lasted for _, lasted in stretches], np.float32)
    ours, theirs = np.empty((2, len(at_us)), np.int32), np.empty((2, len(at_us)), np.int32)
    kernels.lay(at_us, lasted_s, -7, *ours)
    reference.lay(at_us, lasted_s, -7, *theirs)
    same(ours, theirs)


@given(stretches(1, disjoint=False), st.integers(-100, 200), st.integers(-50, 250), st.integers(0, 200))
def test_spread(
    intervals: tuple[Ints, Ints, Floats, Ints], start_s: int, begin_s: int, length_s: int
) -> None:
    start_ms, end_ms, values, (first, last) = intervals
    grid_ms = start_s * 1000, 60_000
    within_ms = max(begin_s, start_s) * 1000, min(begin_s + length_s, start_s + 240) * 1000
    arguments = (-7, start_ms, end_ms, values, 0.5, first, last, *within_ms, *grid_ms)
    ours, theirs = (np.zeros(4), np.zeros(4)), (np.zeros(4), np.zeros(4))
    assert kernels.spread(*arguments, *ours) == reference.spread(*arguments, *theirs)
    same(ours, theirs)


@st.composite
def claims(draw: st.DrawFn, *, share: bool) -> tuple[Any, ...]:
    """What three rows ask for, and what they were seen to use: CSR arrays, and one of seen, of stretches or nothing."""
    numbers = st.integers(0, 48).map(lambda n: n / 4)
    asked = draw(stretches(3, disjoint=True).filter(lambda some: np.diff(some[3]).min() > 0))
    used = draw(stretches(3, disjoint=True))
    known = np.array([draw(st.one_of(st.just(np.nan), numbers)) for _ in used[0]], np.float32)
    seen = np.column_stack([used[3][:-1], used[3][1:]])
    zero_ms = draw(st.integers(-100, 100))
    since = [(edge - zero_ms).astype(np.int32) for edge in used[:2]]
    seen[draw(st.lists(st.booleans(), min_size=3, max_size=3))] = -1
    return (asked[3], *asked[:3], seen, zero_ms, *since, known / 16 if share else known, 0.5)


@given(st.data(), st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_bill(data: st.DataObject, mode: tuple[bool, bool, bool, bool]) -> None:
    cells = 4
    claimed = data.draw(claims(share=mode[2]))
    edges = sorted(data.draw(st.sets(st.integers(-50, 450), min_size=4, max_size=4)))
    there = data.draw(
        st.sampled_from(
            [np.array([[-(2**62), 2**62]]), np.array(edges).reshape(2, 2) * 1000, np.empty((0, 2), int)]
        )
    )
    capacity = (
        np.array(data.draw(st.lists(st.integers(0, 12), min_size=cells, max_size=cells)), np.float64) * 60
    )
    allocatable = capacity * 0.75
    price = np.array([1.0, 2.0, np.nan, 0.5])
    grid = data.draw(st.integers(-100, 200)) * 1000, 60_000
    arguments = (*claimed, there, *grid, capacity, allocatable, price, mode)
    same(kernels.bill(*arguments), reference.bill(*arguments))


@given(st.integers(0, 1500), st.integers(0, 1500), st.integers(1, 1500))
def test_pairwise_is_the_sum_of_numpy_to_the_bit(low: int, count: int, cells: int) -> None:
    values = np.zeros(cells)
    values[low : low + count] = np.random.default_rng(count).lognormal(0, 9, len(values[low : low + count]))
    room = np.empty((64, 4), np.int64), np.empty(64)
    arguments = (values, low, low + count, *room)
    same(kernels.pairwise(*arguments), reference.pairwise(*arguments))
    assert kernels.pairwise(*arguments) == values.sum()


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
    seen = np.array([[0, count], [100, 1200]])
    life = np.array([[0, 2**40], [5_000_000, 70_000_000]])
    arguments = (seen, life, 0, start_ms, np.append(start_ms[1:], start_ms[-1] + 1), values)
    percents = np.array([0, 1, 50, 50, 90, 95, 99, 100])
    same(kernels.profile(*arguments, percents), reference.profile(*arguments, percents))


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

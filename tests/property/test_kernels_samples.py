"""From samples to values: every kernel equals its NumPy twin, whatever the series look like."""

import numpy as np
from arrays_of import offsets_of, same, stretches
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.arrays import Floats, Ints
from costlab.core.kernels import samples as kernels
from costlab.core.observe import held
from costlab.core.reference import samples as reference
from costlab.domain.signals import Series, Signal
from costlab.jobs.heard import spans

GAP_MS = 300_000


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

"""Demand by the hour: the kernel, its NumPy twin, and a sum over minutes by the definition in plain fractions."""

import inspect
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.arrays import Floats
from costlab.core.demand import kernels, reference

CELL, CELLS, CELLS_AN_HOUR = 5, 7, 3  # minutes; the last hour of the grid has one cell
START = 1_000 * 60_000
END = CELL * CELLS


@dataclass(frozen=True)
class Container:
    """What it asks for in (since, until, request, limit), and was seen to use in (since, until, usage); minutes."""

    group: int
    asked: tuple[tuple[int, int, int, int], ...]
    used: tuple[tuple[int, int, float], ...] | None  # None: known to have used nothing


@st.composite
def containers(draw: st.DrawFn) -> list[Container]:
    found = []
    for group in range(draw(st.integers(0, 3))):
        for _ in range(draw(st.integers(1, 3))):
            edges = sorted(draw(st.sets(st.integers(-9, END + 9), min_size=2, max_size=4)))
            quarters = st.integers(0, 12)
            asked = tuple(
                (a, b, draw(quarters), draw(quarters)) for a, b in zip(edges, edges[1:], strict=False)
            )
            seen = sorted(draw(st.sets(st.integers(-9, END + 9), max_size=6)))
            used = tuple(
                (a, b, draw(st.sampled_from([0.0, 0.25, 0.5, 1.5, np.nan])))
                for a, b in zip(seen[::2], seen[1::2], strict=False)
            )
            found.append(Container(group, asked, draw(st.sampled_from([used, used, None]))))
    return found


def arguments(some: list[Container], *, share: bool) -> tuple[Any, ...]:
    groups = max((each.group for each in some), default=-1) + 1
    rows = [row for each in some for row in each.asked]
    stretches = [stretch for each in some for stretch in each.used or ()]
    ends = np.cumsum([0, *(len(each.used or ()) for each in some)])
    seen = np.column_stack([ends[:-1], ends[1:]]).reshape(-1, 2)
    seen[[each.used is None for each in some]] = -1
    table = np.array(rows, np.float64).reshape(-1, 4)
    told = np.array(stretches, np.float64).reshape(-1, 3)
    return (
        np.searchsorted([each.group for each in some], np.arange(groups + 1)).astype(np.int64),
        np.cumsum([0, *(len(each.asked) for each in some)]).astype(np.int64),
        START + (table[:, 0] * 60_000).astype(np.int64), START + (table[:, 1] * 60_000).astype(np.int64),
        table[:, 2] / 4, table[:, 3] / 4, seen.astype(np.int64),
        START, (told[:, 0] * 60_000).astype(np.int32), (told[:, 1] * 60_000).astype(np.int32),
        told[:, 2].astype(np.float32), share, START, CELL * 60_000, CELLS, CELLS_AN_HOUR,
    )  # fmt: skip


def by_definition(some: list[Container], groups: int, *, share: bool) -> Floats:
    """Minute by minute: a cell's requests are those of its minutes, over its whole length; usage is that of its observed
    minutes, for as long as the container is there."""
    hours = -(-CELLS // CELLS_AN_HOUR)
    found = np.full((groups, hours, 8), np.nan)
    for group in range(groups):
        cells: dict[int, list[Fraction | None]] = {}
        times: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for cell in range(CELLS):
            minutes = range(cell * CELL, (cell + 1) * CELL)
            asked, capped, spent = Fraction(0), Fraction(0), Fraction(0)
            occupied = observed = 0
            for each in (each for each in some if each.group == group):
                here = {m: (q, lim) for m in minutes for a, b, q, lim in each.asked if a <= m < b}
                asked += Fraction(sum(q for q, _ in here.values()), 4 * CELL)
                capped += Fraction(sum(lim for _, lim in here.values()), 4 * CELL)
                if each.used is None:
                    continue
                seen = {m: u for m in here for a, b, u in each.used if a <= m < b and not np.isnan(u)}
                occupied, observed = occupied + len(here), observed + len(seen)
                if seen:
                    level = sum(map(Fraction, seen.values()), Fraction(0)) / len(seen)
                    held = Fraction(sum(q for q, _ in here.values()), 4) if share else len(here)
                    spent += level * held / CELL
            cells[cell] = [asked, capped, spent if observed or not occupied else None]
            times[cell] = occupied, observed
        for hour in range(hours):
            inside = range(hour * CELLS_AN_HOUR, min((hour + 1) * CELLS_AN_HOUR, CELLS))
            for kind in range(3):
                told = [value for k in inside if (value := cells[k][kind]) is not None]
                if told:
                    found[group, hour, 2 * kind] = float(max(told))
                    found[group, hour, 2 * kind + 1] = float(sum(told, Fraction(0)) / len(told))
            found[group, hour, 6:] = 60_000.0 * np.sum([times[k] for k in inside], axis=0)
    return found


@given(containers(), st.booleans())
def test_kernel_and_twin_are_the_definition(some: list[Container], share: bool) -> None:
    given_ = arguments(some, share=share)
    ours = kernels.demand(*given_)
    np.testing.assert_allclose(ours, reference.demand(*given_), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        ours, by_definition(some, len(given_[0]) - 1, share=share), rtol=1e-9, atol=1e-12
    )


@given(containers())
def test_the_demand_of_all_is_at_most_the_sum_of_the_groups_and_its_mean_is_that_sum(
    some: list[Container],
) -> None:
    apart = kernels.demand(*arguments(some, share=False))
    together = kernels.demand(*arguments([Container(0, each.asked, each.used) for each in some], share=False))
    if some:
        np.testing.assert_allclose(together[0, :, (1, 3)], apart.sum(axis=0)[:, (1, 3)].T, atol=1e-9)
        assert (together[0, :, 0] <= apart[:, :, 0].sum(axis=0) + 1e-9).all()
        assert (apart[:, :, 1] <= apart[:, :, 0] + 1e-12).all()


def test_twins_have_one_signature() -> None:
    assert inspect.signature(getattr(kernels.demand, "py_func", kernels.demand)) == inspect.signature(
        reference.demand
    )

"""The laws of what other requests save, against an oracle in plain fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.rightsizing.savings import Levels, Pools, freed_hours, given_back, unused_hours

amounts = st.integers(0, 4096).map(lambda n: n / 64)  # exact in float64, and so are their sums
entries = st.lists(st.tuples(amounts, amounts), max_size=6)
rows = st.lists(st.tuples(entries, amounts, amounts, amounts), min_size=1, max_size=5)
Rows = list[tuple[list[tuple[float, float]], float, float, float]]


def levels(of: Rows) -> Levels:
    flat = [entry for row in of for entry in row[0]]
    offsets = np.cumsum([0, *(len(row[0]) for row in of)])
    return Levels(offsets, np.array([level for level, _ in flat]), np.array([hours for _, hours in flat]))


def requests(of: Rows, place: int) -> np.ndarray:
    return np.array([row[place] for row in of])


@given(rows)
def test_what_is_freed_is_the_integral(of: Rows) -> None:
    freed = freed_hours(levels(of), requests(of, 1), requests(of, 2))
    for got, (used, request, proposed, _) in zip(freed, of, strict=True):
        area = sum(
            (max(Fraction(request), Fraction(u)) - max(Fraction(proposed), Fraction(u))) * Fraction(h)
            for u, h in used
        )
        assert Fraction(float(got)) == area


@given(rows)
def test_no_more_is_freed_than_was_reserved_and_not_used(of: Rows) -> None:
    usage, request = levels(of), requests(of, 1)
    freed, unused = freed_hours(usage, request, requests(of, 2)), unused_hours(usage, request)
    assert (freed <= unused).all()
    assert (freed_hours(usage, request, 0 * request) == unused).all(), "a request of nothing frees all of it"


@given(rows)
def test_two_steps_free_what_one_does(of: Rows) -> None:
    usage, (one, two, three) = levels(of), (requests(of, place) for place in (1, 2, 3))
    steps = freed_hours(usage, one, two) + freed_hours(usage, two, three)
    assert (steps == freed_hours(usage, one, three)).all()


def test_what_is_not_known_frees_what_is_not_known() -> None:
    usage = levels([([(1.0, 2.0)], 0, 0, 0), ([], 0, 0, 0)])
    assert np.isnan(freed_hours(usage, np.array([np.nan, 1.0]), np.array([1.0, np.nan]))).all()


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pools, np.ndarray, np.ndarray]:
    count = draw(st.integers(1, 4))
    few = st.integers(0, 640).map(lambda n: n / 16)

    def matrix(of: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(st.tuples(of, of, of), min_size=count, max_size=count)))

    def vector(of: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(of, min_size=count, max_size=count)))

    signed = st.integers(-320, 640).map(lambda n: n / 16)
    price = vector(st.one_of(few, st.just(float("nan"))))
    return Pools(matrix(few), matrix(few), price), matrix(signed), vector(signed)


@given(pools())
def test_nodes_give_back_no_more_than_is_saved_and_never_less_than_nothing(
    made: tuple[Pools, np.ndarray, np.ndarray],
) -> None:
    of, freed, gross = made
    back = given_back(of, freed, gross)
    assert ((back >= 0) & (back <= np.maximum(gross, 0))).all()
    assert (given_back(of, 0 * freed, gross) == 0).all(), "what is idle without advice is not its merit"
    assert (given_back(of, freed + 1, gross) >= back).all(), "who frees more gives back no less"


@pytest.mark.parametrize(
    ("idle", "freed", "gross", "back"),
    [
        ((1, 4), (2, 4), 500, 0),  # three of four cores: the node stays
        ((1, 4), (3, 12), 500, 100),  # a node of 4 cores and 16 GiB goes
        ((1, 4), (3, 11), 500, 0),  # a GiB too little
        ((4, 16), (3, 12), 500, 0),  # one goes by itself, and what is freed lets no other go
        ((4, 16), (4, 16), 500, 100),
        ((1, 4), (8, 30), 150, 150),  # two nodes, of which no more than what is saved is counted
    ],
)
def test_only_whole_nodes_are_given_back(
    idle: tuple[float, float], freed: tuple[float, float], gross: float, back: float
) -> None:
    alike = Pools(np.array([[4.0, 16.0, 0.0]]), np.array([[*idle, 0.0]]), np.array([100.0]))
    assert given_back(alike, np.array([[*freed, 0.0]]), np.array([gross])) == [back]

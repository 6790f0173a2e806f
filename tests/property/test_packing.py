"""Nodes for pods: the kernel and its twin, what is true of any packing, and sums by every single moment."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.arrays import Ints
from costlab.core.packing import kernels, reference
from costlab.core.packing.nodes import least_nodes, most_nodes, needs

ROOM = st.lists(st.integers(1, 12), min_size=3, max_size=3).map(np.array)
PODS = st.lists(st.tuples(*[st.integers(0, 14)] * 3), max_size=14).map(
    lambda rows: np.array(rows, np.int64).reshape(-1, 3)
)


def fitting(pods: Ints, room: Ints) -> Ints:
    found: Ints = pods[(pods <= room).all(axis=1)]
    return found


def test_the_twins_have_one_signature() -> None:
    assert inspect.signature(kernels.first_fit.py_func) == inspect.signature(reference.first_fit)  # type: ignore[attr-defined]  # numba's


@given(PODS, ROOM)
def test_the_kernel_places_as_its_twin_does(pods: Ints, room: Ints) -> None:
    assert kernels.first_fit(pods, room).tolist() == reference.first_fit(pods, room).tolist()


@given(PODS, ROOM)
def test_every_pod_that_fits_an_empty_node_is_placed_once_and_no_node_is_overfull(
    pods: Ints, room: Ints
) -> None:
    placed = kernels.first_fit(pods, room)
    assert ((placed >= 0) == (pods <= room).all(axis=1)).all()
    assert set(placed[placed >= 0]) == set(range(placed.max(initial=-1) + 1))  # none is empty
    for node in range(placed.max(initial=-1) + 1):
        assert (pods[placed == node].sum(axis=0) <= room).all()


@given(PODS, ROOM, st.randoms(use_true_random=False))
def test_bounds_are_in_order_and_do_not_depend_on_the_order_of_pods(
    pods: Ints, room: Ints, random: object
) -> None:
    pods = fitting(pods, room)
    most, least = most_nodes(pods, room), int(least_nodes(pods.sum(axis=0), room))
    assert least <= most <= len(pods)
    shuffled = pods.copy()
    random.shuffle(shuffled_rows := shuffled.tolist())  # type: ignore[attr-defined]  # of Random
    assert most_nodes(np.array(shuffled_rows, np.int64).reshape(-1, 3), room) == most


@given(PODS, ROOM, ROOM)
def test_larger_nodes_are_never_more_by_the_lower_bound(pods: Ints, room: Ints, more: Ints) -> None:
    asked = fitting(pods, room).sum(axis=0)
    assert least_nodes(asked, room + more) <= least_nodes(asked, room)


def fewest(pods: list[tuple[int, ...]], room: Ints) -> int:
    """The optimum, by trying every way."""

    def place(rest: list[tuple[int, ...]], nodes: list[Ints]) -> int:
        if not rest:
            return len(nodes)
        first, others = np.array(rest[0]), rest[1:]
        tries = [
            place(others, [*nodes[:i], node - first, *nodes[i + 1 :]])
            for i, node in enumerate(nodes)
            if (first <= node).all()
        ]
        return min([*tries, place(others, [*nodes, room - first])])

    return place(pods, [])


@given(PODS.map(lambda pods: pods[:5]), ROOM)
def test_the_fewest_nodes_that_do_are_within_the_bounds(pods: Ints, room: Ints) -> None:
    pods = fitting(pods, room)
    optimum = fewest([tuple(pod) for pod in pods.tolist()], room)
    assert int(least_nodes(pods.sum(axis=0), room)) <= optimum <= most_nodes(pods, room)


@given(st.lists(st.tuples(st.integers(-3, 30), st.integers(0, 12), *[st.integers(0, 4)] * 2), max_size=9))
def test_a_stretch_needs_what_its_fullest_moment_needs(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows, np.int64).reshape(-1, 4)
    start, end, amounts = table[:, 0], table[:, 0] + table[:, 1], table[:, 2:]
    room, edges = np.array([4, 4]), np.arange(0, 31, 10)
    found = list(needs(start, end, amounts, room, edges))
    for need, begin in zip(found, edges[:-1], strict=True):
        by_moment = [
            int(least_nodes(amounts[(start <= t) & (end > t)].sum(axis=0), room))
            for t in range(begin, begin + 10)
        ]
        now = (start <= need.at_ms) & (end > need.at_ms)
        assert begin <= need.at_ms < begin + 10
        assert need.least == max(by_moment) <= need.most
        assert need.asked.tolist() == amounts[now].sum(axis=0).tolist()
        assert (need.pods, need.most) == (now.sum(), most_nodes(amounts[now], room))


def test_a_pod_that_no_node_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        list(needs(np.array([0]), np.array([1]), np.array([[5]]), np.array([4]), np.array([0, 1])))

"""Bounds of the number of equal nodes that pods need at a time: one by sums, one by placing each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Ints
from costlab.core.packing.kernels import first_fit


@dataclass(frozen=True, slots=True)
class Need:
    """Nodes that are needed in a stretch of time. at_ms: its fullest moment, which `most` and the amounts are of.

    least: no fewer do, at any of its moments. most: so many do at that moment. asked: int64 (resources,).
    """

    at_ms: int
    pods: int
    asked: Ints
    least: int
    most: int


def needs(start_ms: Ints, end_ms: Ints, amounts: Ints, room: Ints, edges_ms: Ints) -> Iterator[Need]:
    """What is needed between each edge and the next: pods that are there, on nodes that offer `room`.

    start_ms, end_ms: int64 (pods,), half-open. amounts: int64 (pods, resources), >= 0. room: int64 (resources,), >= 0,
    what an empty node has for pods. Raises ValueError for a pod that an empty node has no room for.
    """
    if (amounts > room).any():
        raise ValueError("a pod that no node has room for is in no sum: leave it out")
    for begin_ms, until_ms in zip(edges_ms[:-1].tolist(), edges_ms[1:].tolist(), strict=True):
        there = np.flatnonzero((start_ms < until_ms) & (end_ms > begin_ms))
        yield _need(np.maximum(start_ms[there], begin_ms), end_ms[there], amounts[there], room, begin_ms)


def least_nodes(asked: Ints, room: Ints) -> Ints:
    """No fewer nodes do: of each resource what is asked for over what a node has of it, and the largest of these.

    asked: int64 (…, resources); what a node has none of is not asked for. Returns int64 (…).
    """
    of_each = -(-asked // np.maximum(room, 1))
    most: Ints = of_each.max(axis=-1, initial=0)
    return most


def most_nodes(amounts: Ints, room: Ints) -> int:
    """So many nodes do: the largest pods first, each on the first node with room (first-fit decreasing).

    The largest is the one that takes the largest share of a node's room in any resource; pods of the same share are put
    into order by their amounts, so that the number does not depend on the order in which they come.
    """
    share = (amounts / np.maximum(room, 1)).max(axis=1, initial=0.0)
    order = np.lexsort([*amounts.T[::-1], share])[::-1]
    return int(first_fit(np.ascontiguousarray(amounts[order]), room).max(initial=-1)) + 1


def _need(start_ms: Ints, end_ms: Ints, amounts: Ints, room: Ints, begin_ms: int) -> Need:
    """Sums change where a pod comes or goes, and are largest where one came: only these moments are looked at."""
    moments = np.unique(np.append(start_ms, begin_ms))
    come = np.zeros((len(moments) + 1, amounts.shape[1]), np.int64)
    np.add.at(come, np.searchsorted(moments, start_ms), amounts)
    # One that ends at a moment is no longer there.
    np.add.at(come, np.searchsorted(moments, end_ms), -amounts)
    asked = come.cumsum(axis=0)[:-1]
    least = least_nodes(asked, room)
    share = (asked / np.maximum(room, 1)).max(axis=1)
    fullest = int(np.lexsort((share, least))[-1])
    at_ms = int(moments[fullest])
    now = amounts[(start_ms <= at_ms) & (end_ms > at_ms)]
    return Need(at_ms, len(now), asked[fullest], int(least[fullest]), most_nodes(now, room))

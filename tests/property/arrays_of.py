"""Strategies of the laws of kernels, and what equal results are."""

import numpy as np
from hypothesis import strategies as st

from costlab.core.arrays import Floats, Ints


def offsets_of(counts: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


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

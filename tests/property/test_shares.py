"""Time that several have at once, shared out evenly: held to a count by the millisecond."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.shares import even_shares

spans = st.lists(st.tuples(st.integers(-5, 45), st.integers(-5, 45)), max_size=8)


@given(st.integers(0, 20), st.integers(1, 20), spans)
def test_each_millisecond_is_shared_by_those_who_have_it(
    start_ms: int, lasts_ms: int, held: list[tuple[int, int]]
) -> None:
    end_ms = start_ms + lasts_ms
    shares, alone = [Fraction(0)] * len(held), 0
    for at_ms in range(start_ms, end_ms):
        holders = [i for i, (low, high) in enumerate(held) if low <= at_ms < high]
        alone += not holders
        for i in holders:
            shares[i] += Fraction(1, len(holders))
    low, high = np.array([a for a, _ in held], np.int64), np.array([b for _, b in held], np.int64)
    found, nobody = even_shares(start_ms, end_ms, low, high)
    assert found.tolist() == pytest.approx([float(share) for share in shares], abs=1e-9)
    assert nobody == alone
    assert float(found.sum()) + nobody == pytest.approx(lasts_ms)


def test_what_has_no_length_cannot_be_shared() -> None:
    with pytest.raises(ValueError, match="nothing lasts"):
        even_shares(8, 8, np.empty(0, np.int64), np.empty(0, np.int64))

"""Amounts are rounded to micro-units so that they add up."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.money import apportion, to_micros, told_amount


def test_the_largest_remainders_get_what_is_left() -> None:
    assert apportion(np.array([0.0000006, 0.0000003, 0.0000001]), 1).tolist() == [1, 0, 0]
    assert apportion(np.array([1 / 3, 1 / 3, 1 / 3]), 1_000_000).tolist() == [333_334, 333_333, 333_333]


@pytest.mark.parametrize("total", [0, 3_000_010])
def test_what_rounding_cannot_explain_is_refused(total: int) -> None:
    with pytest.raises(ValueError, match="left over"):
        apportion(np.array([1.0, 2.0]), total)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_rounded_parts_add_up_and_none_moves_by_more_than_one(amounts: list[float]) -> None:
    total = to_micros(float(np.sum(amounts)))
    micros = apportion(np.array(amounts), total)
    assert micros.sum() == total
    assert np.all(np.abs(micros - np.array(amounts) * 1e6) <= 1.001)


@given(st.floats())
def test_what_a_finding_tells_is_an_amount_that_the_lake_holds(amount: float) -> None:
    told = told_amount(amount)
    assert pa.array([told], pa.decimal128(18, 6)).to_pylist() == [told]
    assert (told is None) == (not abs(amount) < 10**12 - 1)

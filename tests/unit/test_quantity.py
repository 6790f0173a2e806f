"""Quantities as Kubernetes writes them back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.quantity import Form, canonical, form_of, rewritten, rounded_up
from costlab.domain.units import parse_quantity

# Written and read back, by the tests of k8s.io/apimachinery/pkg/api/resource.
REWRITTEN = {
    "0": "0", "0.1": "100m", "100m": "100m", "1000m": "1", "1.5": "1500m", "2000": "2k", "12.5k": "12500", "1n": "1n",
    "1u": "1u", "1000k": "1M", "5G": "5G", "7T": "7T", "8P": "8P", "2E": "2E", "1.5Gi": "1536Mi", "1024Ki": "1Mi",
    "0.5Ki": "512", "1Ti": "1Ti", "3Pi": "3Pi", "1Ei": "1Ei", "1e3": "1e3", "1E6": "1e6", "12000e0": "12e3",
    "1e-3": "1e-3", "-1500m": "-1500m", "-1.5Gi": "-1536Mi", ".0000000001": "1n", "1.1Ki": "1127",
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REWRITTEN.items())
def test_what_the_api_server_prints(text: str, expected: str) -> None:
    assert rewritten(text) == expected


def test_the_same_memory_by_each_of_its_names() -> None:
    same = ["128974848", "123Mi", "128.974848M", "128974848000m", "128974848e0"]
    assert {parse_quantity(text) for text in same} == {Fraction(128974848)}
    assert parse_quantity("100m") == Fraction(1, 10)
    assert parse_quantity("128Mi") == 134217728
    assert parse_quantity("1G") == 10**9


@given(nanos=st.integers(-(2**63) + 1, 2**63 - 1), form=st.sampled_from([Form.DECIMAL, Form.EXPONENT]))
def test_no_nano_is_lost_on_the_way_there_and_back(nanos: int, form: Form) -> None:
    text = canonical(Fraction(nanos, 10**9), form)
    assert parse_quantity(text) == Fraction(nanos, 10**9)
    assert rewritten(text) == text


@given(size=st.integers(-(2**63) + 1, 2**63 - 1))
def test_no_byte_is_lost_in_binary_units(size: int) -> None:
    text = canonical(size, Form.BINARY)
    assert parse_quantity(text) == size
    assert (form_of(text) is Form.BINARY) == (abs(size) >= 1024 and size % 1024 == 0)


@given(value=st.fractions(0, 10**12), step=st.fractions(min_value=Fraction(1, 10**6), max_value=10**9))
def test_rounding_up_never_falls_short_and_by_less_than_a_step(value: Fraction, step: Fraction) -> None:
    rounded = rounded_up(value, step)
    assert rounded % step == 0
    assert 0 <= rounded - value < step


def test_the_noise_of_floats_is_no_need() -> None:
    assert rounded_up(0.1 + 0.2, Fraction(1, 1000)) == Fraction(3, 10)
    assert rounded_up(0.3001, Fraction(1, 1000)) == Fraction(301, 1000)
    with pytest.raises(ValueError, match="above 0"):
        rounded_up(1.0, Fraction(0))

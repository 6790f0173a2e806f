"""Kubernetes quantities, exactly; money in micro-units."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.units import GIB, format_bytes, format_cores, money, parse_quantity

GOOD = {
    "0": 0, "1": 1, "+1": 1, "-1": -1, "1.": 1, ".5": Fraction(1, 2), "100m": Fraction(1, 10), "1.5Gi": Fraction(3, 2) * GIB,
    "1k": 1000, "1Ki": 1024, "12E": 12 * 10**18, "1e3": 1000, "1E3": 1000, "1e-3": Fraction(1, 1000), "5n": Fraction(5, 10**9),
    "7u": Fraction(7, 10**6), "2Ei": 2 * 2**60,
}  # fmt: skip
BAD = [
    "",
    " ",
    ".",
    "+",
    "1 Gi",
    "1e3Ki",
    "1K",
    "1ki",
    "Gi",
    "0x1",
    "1e",
    "1_000",
    "١",
    "1\n",
    "inf",
    "nan",
    "1e9999",
]


@pytest.mark.parametrize(("text", "value"), GOOD.items())
def test_quantities(text: str, value: Fraction | int) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", BAD)
def test_what_the_api_server_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        parse_quantity(text)


@given(st.decimals(0, 10**6, places=9), st.sampled_from([("", 0), ("m", -3), ("u", -6), ("k", 3), ("G", 9)]))
def test_decimal_suffixes_are_powers_of_ten(number: Decimal, suffix: tuple[str, int]) -> None:
    assert parse_quantity(f"{number:f}{suffix[0]}") == Fraction(number) * Fraction(10) ** suffix[1]


@given(st.floats(0, 10_000))
def test_written_cores_are_never_less_than_needed(cores: float) -> None:
    written = parse_quantity(format_cores(cores))
    assert Fraction(cores) <= written < Fraction(cores) + Fraction(1, 1000)


@given(st.floats(0, 2**50))
def test_written_bytes_are_never_less_than_needed(size: float) -> None:
    written = parse_quantity(format_bytes(size))
    assert Fraction(size) <= written < Fraction(size) + 1


def test_sizes_take_the_largest_unit_without_a_fraction() -> None:
    assert [format_bytes(n) for n in (0, 1, 1536 * 2**20, 2 * GIB)] == ["0", "1", "1536Mi", "2Gi"]
    assert [format_cores(n) for n in (0, 0.1, 1.5, 2)] == ["0", "101m", "1500m", "2"]


def test_money_is_rounded_half_to_even_at_a_micro_unit() -> None:
    assert money("0.0000005") == Decimal("0.000000")
    assert money(Fraction(1, 3)) == Decimal("0.333333")

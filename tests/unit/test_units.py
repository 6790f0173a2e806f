"""Kubernetes quantities, exactly; money in micro-units."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.units import GB, GIB, UNITS, Resource, format_bytes, format_cores, money, parse_quantity

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


def test_sizes_take_the_largest_unit_without_a_fraction() -> None:
    assert [format_bytes(n) for n in (0, 1, 1536 * 2**20, 2 * GIB)] == ["0", "1", "1536Mi", "2Gi"]
    assert [format_cores(n) for n in (0, 0.1, 0.1 + 0.2, 0.1004, 1.5, 2)] == [
        "0", "100m", "300m", "101m", "1500m", "2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("0.0000005", "0.000000"),
        ("0.0000015", "0.000002"),
        ("-0.0000015", "-0.000002"),
        (Fraction(1, 3), "0.333333"),
        (0.1, "0.100000"),
        # just above half a micro-unit, by less than 28 digits show: rounding it twice would give 0
        (Fraction(1, 2 * 10**6) + Fraction(1, 10**40), "0.000001"),
        (Decimal("999999999999.9999995"), "1000000000000.000000"),
    ],
)
def test_money_is_rounded_once_half_to_even_at_a_micro_unit(amount: Decimal, rounded: str) -> None:
    assert str(money(amount)) == rounded


def test_what_is_not_finite_is_no_money() -> None:
    with pytest.raises(ValueError, match="NaN"):
        money(float("nan"))
    with pytest.raises(OverflowError):
        money(Decimal("Infinity"))


def test_units_of_resources() -> None:
    assert [resource.unit for resource in Resource] == ["core_hour", "gib_hour", "gpu_hour"]
    assert (GIB, GB) == (1_073_741_824, 1_000_000_000)


# By hand, not by the table's own numbers: 3 of each unit.
THREE: dict[str, int | Fraction] = {
    "ratio": 3, "percent": Fraction(3, 100), "bytes": 3, "KiB": 3072, "MiB": 3 * 2**20, "GiB": 3 * 2**30, "kB": 3000,
    "MB": 3_000_000, "GB": 3_000_000_000, "watts": 3, "kilowatts": 3000, "milliwatts": Fraction(3, 1000),
    "microwatts": Fraction(3, 10**6), "joules": 3, "millijoules": Fraction(3, 1000), "microjoules": Fraction(3, 10**6),
}  # fmt: skip


@given(st.floats(0, 2.0**61), st.sampled_from(sorted(THREE)))
def test_a_value_in_another_unit_is_the_nearest_float(value: float, name: str) -> None:
    unit = UNITS[name]
    assert set(THREE) == set(UNITS)
    assert value * unit.factor / unit.divisor == float(Fraction(value) * THREE[name] / 3)

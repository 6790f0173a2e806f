import csv
import io
import math
from datetime import date
from decimal import Decimal

import pytest
from hostile import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from costlab.render import figures
from costlab.render.names import LONGEST, cell, markdown, named, visible
from costlab.render.text import rows_csv

AMOUNTS = st.decimals(min_value=-100_000, max_value=1_000_000, places=6)


def printed(text: str) -> Decimal:
    return (
        Decimal(0)
        if text.startswith("<")
        else Decimal(text.replace(",", "").replace("−", "-").replace("+", ""))
    )


@given(st.lists(AMOUNTS, min_size=1, max_size=30), st.booleans())
def test_printed_parts_add_up_to_the_printed_total(amounts: list[Decimal], signed: bool) -> None:
    cells, total = figures.column(amounts, signed=signed)
    assert sum(map(printed, cells)) == printed(total)
    for amount, text in zip(amounts, cells, strict=True):
        assert abs(printed(text) - amount) < 2


@given(st.lists(AMOUNTS, min_size=1, max_size=30), st.integers(-3, 3))
def test_parts_add_up_to_a_total_that_another_place_has_rounded(amounts: list[Decimal], off: int) -> None:
    total = sum(amounts, Decimal(0)).quantize(Decimal(1)) + off
    assert sum(figures.apportion(amounts, Decimal(1), total)) == total


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("6708.4", "$6,708"),
        ("100", "$100"),
        ("99.994", "$99.99"),
        ("0.004", "$0.00"),
        ("-3.5", "−$3.50"),
        ("0", "$0.00"),
    ],
)
def test_money_is_whole_from_a_hundred_on(amount: str, text: str) -> None:
    assert figures.money(Decimal(amount), "USD") == text


def test_money_in_other_currencies() -> None:
    assert figures.money(Decimal(1204), "CHF") == "1,204 CHF"
    assert figures.money(Decimal("3.5"), "EUR", signed=True) == "+€3.50"
    assert figures.money(Decimal("42.4"), "JPY") == "¥42"  # which has no hundredths
    assert figures.money(Decimal("42.4"), "KRW") == "42 KRW"


def test_an_amount_that_rounds_to_nothing_is_not_written_as_nothing() -> None:
    assert figures.column([Decimal("0.000000"), None], signed=True) == (["0", "–"], "0")
    assert figures.column([Decimal(5000), Decimal("0.2"), Decimal(0), None]) == (
        ["5,000", "<1", "0", "–"],
        "5,000",
    )


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "0%"),
        (0.002, "<1%"),
        (0.417, "42%"),
        (0.997, ">99%"),
        (1.0, "100%"),
        (math.nan, "–"),
        (None, "–"),
        (12.5, "1,250%"),
    ],
)
def test_a_share_never_rounds_to_all_or_nothing(ratio: float | None, text: str) -> None:
    assert figures.share(ratio) == text


def test_one_is_told_of_as_one() -> None:
    told = [figures.unpriced(charges) for charges in (1, 1204)]
    assert told == ["1 charge has no price and is", "1,204 charges have no price and are"]


def test_quantities_and_dates() -> None:
    values = [0.0, 0.004, 0.25, 12.54, 1204.4, math.nan]
    assert [figures.quantity(value) for value in values] == ["0", "<0.01", "0.25", "12.5", "1,204", "–"]
    assert figures.long_date(date(2026, 11, 22)) == "Sunday, 22 November 2026"
    assert [figures.axis_money(x, "USD") for x in (0, 250, 2500, 1.5e6)] == ["$0", "$250", "$2.5k", "$1.5M"]
    large = [figures.axis_money(x, "IDR") for x in (1.5e9, 4e10, 2e13, 5e18)]
    assert large == ["1.5B IDR", "40B IDR", "20T IDR", "5000000T IDR"]
    assert [figures.axis_money(x, "USD") for x in (5e-7, 2.5e-5)] == ["$0.0000005", "$0.000025"]


@given(st.text())
def test_shown_text_hides_nothing(text: str) -> None:
    shown = visible(text)
    assert shown
    assert len(shown) >= len(text), "and nothing is left out"
    assert not any(ord(character) < 0x20 or "\u202a" <= character <= "\u202e" for character in shown)


def test_only_a_name_is_shortened_and_none_of_kubernetes() -> None:
    assert named("x" * 253) == "x" * 253
    assert named("start" + "x" * 10_000 + "end").startswith("startx")
    assert (len(named("x" * 10_000)), named("x" * 10_000).count("…")) == (LONGEST, 1)
    assert visible("x" * 10_000) == "x" * 10_000


def test_harmless_names_are_shown_as_they_are() -> None:
    assert visible("train-llm_7b.v2 (größer) 👩\u200d👧") == "train-llm_7b.v2 (größer) 👩\u200d👧"
    assert markdown("train-llm, $6,708 (+8%)") == "train-llm, $6,708 (+8%)"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_a_csv_is_a_formula_and_what_was_there_can_be_had_back(name: str) -> None:
    written = rows_csv(["name", "cost"], [{"name": name, "cost": Decimal("-1.500000")}])
    _, (text, cost) = csv.reader(io.StringIO(written.decode(), newline=""))
    assert not text.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert text in {name, f"'{name}"}
    assert cell(name) == text
    assert cost == "-1.500000"


def test_a_csv_keeps_null_and_not_observed_apart() -> None:
    row = {"cost": None, "used": math.nan, "hours": 0.1, "pods": 3, "day": date(2026, 11, 22)}
    assert rows_csv(list(row), [row]) == b"cost,used,hours,pods,day\n,NaN,0.1,3,2026-11-22\n"

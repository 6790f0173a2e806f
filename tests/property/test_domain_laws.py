"""Laws of the vocabulary: quantities against an oracle in Decimal, days that tile time, keys that never collide."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.identity import PodKey, container_key, gpu_key, stable_key
from costlab.domain.time import HOUR_MS, Day, Window, day_of, days_between, instant, milliseconds
from costlab.domain.units import KIB, format_bytes, format_cores, money, parse_quantity

WIDE = Context(prec=2000)  # holds the longest number drawn below without rounding
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
     "Africa/Cairo", "America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Kiritimati"]
)  # fmt: skip
DATES = st.dates(date(2000, 1, 1), date(2049, 12, 31))
NAMES = st.text(max_size=20)


def by_decimal(text: str) -> Fraction | None:
    """The value of a quantity by another road: Decimal's own parser, and suffixes cut off by hand."""
    if not text.isascii() or "_" in text or text != text.strip():
        return None
    number, power_of_two, power_of_ten = text, 0, 0
    if text[-2:] in BINARY:
        number, power_of_two = text[:-2], BINARY[text[-2:]]
    elif text[-1:] in DECIMAL:
        number, power_of_ten = text[:-1], DECIMAL[text[-1]]
    if number != text and re.search("[eE]", number):
        return None  # a suffix and an exponent exclude each other
    if not re.search("[0-9]", number) or re.search("[^0-9.eE+-]", number):
        return None
    try:
        value = Decimal(number, WIDE)
    except ArithmeticError:
        return None
    return Fraction(value) * Fraction(10) ** power_of_ten * Fraction(2) ** power_of_two


@st.composite
def quantities(draw: st.DrawFn) -> str:
    """Texts that look like quantities: most are, some are broken in one place."""
    sign = draw(st.sampled_from(["", "", "+", "-"]))
    whole = draw(st.from_regex(r"[0-9]{0,12}", fullmatch=True))
    rest = draw(st.from_regex(r"(\.[0-9]{0,12})?", fullmatch=True))
    exponent = st.from_regex(r"[eE][+-]?[0-9]{0,3}", fullmatch=True)
    tail = draw(
        st.one_of(st.just(""), st.sampled_from([*BINARY, *DECIMAL, "K", "ki", " Gi", "mi"]), exponent)
    )
    return sign + whole + rest + tail


@given(st.one_of(quantities(), st.text("0123456789.+-eEnumkKMGTPi \n_١", max_size=8)))
def test_a_quantity_is_what_the_oracle_says(text: str) -> None:
    expected = by_decimal(text)
    if expected is None:
        with pytest.raises(ValueError, match="not a Kubernetes quantity"):
            parse_quantity(text)
    else:
        assert parse_quantity(text) == expected


@given(st.fractions(0, 10**6))
def test_written_cores_are_enough_and_not_a_millicore_too_many(cores: Fraction) -> None:
    half_a_nanocore = Fraction(1, 2 * 10**9)
    written = parse_quantity(format_cores(cores))
    assert cores - half_a_nanocore <= written < cores + Fraction(1, 1000) + half_a_nanocore
    assert format_cores(written) == format_cores(cores)


@given(st.integers(0, 10**9))
def test_no_float_noise_costs_a_millicore(millicores: int) -> None:
    assert parse_quantity(format_cores(millicores / 1000)) == Fraction(millicores, 1000)


@given(st.floats(0, 2**60))
def test_written_bytes_are_enough_and_not_a_byte_too_many(size_bytes: float) -> None:
    written = parse_quantity(format_bytes(size_bytes))
    assert Fraction(size_bytes) <= written < Fraction(size_bytes) + 1
    assert format_bytes(int(written)) == format_bytes(size_bytes)


@given(st.integers(1, 1023), st.integers(0, 5))
def test_sizes_use_the_largest_unit_without_a_fraction(count: int, power: int) -> None:
    assert format_bytes(count * KIB**power) == f"{count}{['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'][power]}"


@given(st.fractions(-(10**9), 10**9))
def test_money_moves_by_half_a_micro_unit_at_most(amount: Fraction) -> None:
    assert abs(Fraction(money(amount)) - amount) <= Fraction(1, 2 * 10**6)
    assert money(-amount) == -money(amount)
    assert money(money(amount)) == money(amount)


@given(DATES, ZONES)
def test_days_tile_time(day: date, zone: str) -> None:
    today = Day(day, zone)
    assert today.window.end_ms == today.next.window.start_ms
    assert today.next.previous == today


@given(DATES, ZONES)
def test_a_day_lasts_as_long_as_a_calendar_day_may(day: date, zone: str) -> None:
    skipped = (zone, day) == ("Pacific/Apia", date(2011, 12, 30))
    assert Day(day, zone).window.hours in ({0.0} if skipped else {23.0, 23.5, 24.0, 24.5, 25.0})


@given(st.integers(946_684_800, 2_524_607_999).map(lambda at_s: datetime.fromtimestamp(at_s, UTC)), ZONES)
def test_an_instant_is_in_its_own_day_and_in_no_other(moment: datetime, zone: str) -> None:
    today = day_of(moment, zone)
    at_ms = milliseconds(moment)
    assert today.window.start_ms <= at_ms < today.window.end_ms
    assert moment.astimezone(ZoneInfo(zone)).date() == today.date


@given(DATES, st.integers(0, 40), ZONES)
def test_a_range_of_days_covers_its_time_once(first: date, count: int, zone: str) -> None:
    days = days_between(Day(first, zone), Day(first + timedelta(days=count), zone))
    assert len(days) == count + 1
    assert sum(day.window.duration_ms for day in days) == days[-1].window.end_ms - days[0].window.start_ms


@given(st.integers(-(10**13), 10**13))
def test_milliseconds_come_back(at_ms: int) -> None:
    assert milliseconds(instant(at_ms)) == at_ms


@given(st.integers(-(10**12), 10**13), st.integers(0, 40 * HOUR_MS), st.integers(HOUR_MS // 60, 60 * HOUR_MS))
def test_pieces_of_a_window_cover_it_once(start_ms: int, length_ms: int, piece_ms: int) -> None:
    whole = Window(start_ms, start_ms + length_ms)
    edges = [whole.start_ms]
    for piece in whole.split(piece_ms):
        assert piece.start_ms == edges[-1]
        assert 0 < piece.duration_ms <= piece_ms
        edges.append(piece.end_ms)
    assert edges[-1] == whole.end_ms


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4))
def test_keys_differ_when_any_part_does(ours: list[str], theirs: list[str]) -> None:
    assert (stable_key(*ours) == stable_key(*theirs)) == (ours == theirs)
    assert 0 <= stable_key(*ours) < 2**63


@given(NAMES.filter(bool), NAMES, NAMES, st.integers(0, 10**12))
def test_a_pod_is_its_uid_and_without_one_its_name_and_start(
    uid: str, name: str, other: str, start_ms: int
) -> None:
    known = PodKey("prod", "ml", name, uid, start_ms)
    assert container_key(known, "main") == container_key(
        PodKey("prod", "x", other, uid, start_ms + 1), "main"
    )
    nameless = PodKey("prod", "ml", name, "", start_ms)
    assert container_key(nameless, "main") != container_key(
        PodKey("prod", "ml", name, "", start_ms + 1), "main"
    )


@given(st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=8, unique=True))
def test_gpus_without_uuid_are_told_apart_by_node_and_index(devices: list[tuple[str, str]]) -> None:
    assert len({gpu_key("prod", node, "", "", index) for node, index in devices}) == len(devices)

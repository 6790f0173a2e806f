"""Days are calendar days of the lake's zone, whatever the host's own."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.time import HOUR_MS, Day, Window, day_of, days_between, instant, milliseconds


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Asia/Kathmandu", date(2026, 11, 22), 24),
    ],
)
def test_days_have_the_hours_that_the_clock_gives_them(zone: str, day: date, hours: float) -> None:
    assert Day(day, zone).window.hours == hours


@given(
    st.dates(date(2000, 1, 1), date(2049, 12, 31)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_days_tile_time(day: date, zone: str) -> None:
    today = Day(day, zone)
    assert today.window.end_ms == today.next.window.start_ms
    assert today.next.previous == today
    assert day_of(today.window.start, zone) == today


def test_the_first_instant_of_a_kathmandu_day_is_on_the_quarter() -> None:
    assert Day(date(2026, 11, 22), "Asia/Kathmandu").window.start == datetime(
        2026, 11, 21, 18, 15, tzinfo=UTC
    )


@given(st.integers(-(10**12), 4 * 10**12))
def test_milliseconds_come_back(at_ms: int) -> None:
    assert milliseconds(instant(at_ms)) == at_ms


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 10**5))
def test_pieces_of_a_window_cover_it(start: int, length: int, piece: int) -> None:
    parts = Window(start, start + length).split(piece * 10)
    assert sum(part.duration_ms for part in parts) == length
    assert all(a.end_ms == b.start_ms for a, b in zip(parts, parts[1:], strict=False))


def test_a_window_has_no_negative_length_and_a_naive_time_no_instant() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Window(1, 0)
    with pytest.raises(ValueError, match="no time zone"):
        milliseconds(datetime(2026, 1, 1))  # noqa: DTZ001 - a naive one is the fault under test


def test_a_range_of_days_includes_both_ends() -> None:
    first, last = Day(date(2026, 2, 27)), Day(date(2026, 3, 1))
    assert [str(day) for day in days_between(first, last)] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert days_between(last, first) == ()
    assert Window(0, 5 * HOUR_MS).widen(HOUR_MS, 0).hours == 6

"""Days are calendar days of the lake's zone, whatever the host's own."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from costlab.domain.time import HOUR_MS, Day, Window, day_of, days_between, instant, milliseconds


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Kathmandu", date(2026, 11, 22), 24),
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # skipped: the island crossed the date line
        ("Pacific/Apia", date(2011, 12, 31), 24),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # has no midnight: clocks go from 00:00 to 01:00
        ("America/Havana", date(2026, 11, 1), 25),  # has midnight twice
    ],
)
def test_days_have_the_hours_that_the_clock_gives_them(zone: str, day: date, hours: float) -> None:
    assert Day(day, zone).window.hours == hours


def test_the_first_instant_of_a_kathmandu_day_is_on_the_quarter() -> None:
    assert Day(date(2026, 11, 22), "Asia/Kathmandu").window.start == datetime(
        2026, 11, 21, 18, 15, tzinfo=UTC
    )


def test_a_day_begins_at_local_midnight_or_at_the_first_instant_after_it() -> None:
    cairo = Day(date(2026, 4, 24), "Africa/Cairo")
    assert cairo.window.start.astimezone(ZoneInfo("Africa/Cairo")).isoformat() == "2026-04-24T01:00:00+03:00"
    assert cairo.window.start == datetime(2026, 4, 23, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize("host", ["UTC", "Pacific/Kiritimati", "America/St_Johns"])
def test_the_hosts_own_zone_does_not_matter(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", host)
    time.tzset()
    try:
        berlin = Day(date(2026, 10, 25), "Europe/Berlin")
        assert berlin.window == Window(1_792_879_200_000, 1_792_969_200_000)
        assert day_of(datetime(2026, 10, 24, 22, tzinfo=UTC), "Europe/Berlin") == berlin
        assert instant(0).isoformat() == "1970-01-01T00:00:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


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

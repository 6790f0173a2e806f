"""Dates and windows as people type them, in the lake's time zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.dates import Dates, parse_day, parse_window, windows_of
from costlab.domain.errors import ConfigError

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # the 23rd in Berlin
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"])
NOWS = st.datetimes(datetime(1971, 1, 2), datetime(2199, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware


@given(st.dates(date(1970, 1, 1), date(9999, 12, 30)), ZONES, NOWS)
def test_a_date_reads_back_whatever_the_clock_says(day: date, zone: str, now: datetime) -> None:
    assert parse_day(day.isoformat(), now, zone).date == day


@given(NOWS, ZONES, st.integers(0, 365))
def test_days_ago_are_counted_from_the_zone_s_today(now: datetime, zone: str, ago: int) -> None:
    today = now.astimezone(ZoneInfo(zone)).date()
    assert parse_day(f"-{ago}d", now, zone).date == today - timedelta(days=ago)
    assert parse_day("today", now, zone) == parse_day("-0d", now, zone)
    assert parse_day("yesterday", now, zone) == parse_day("-1d", now, zone)


@given(NOWS, ZONES, st.integers(1, 365))
def test_the_last_days_are_whole_and_end_before_today(now: datetime, zone: str, count: int) -> None:
    window = parse_window(f"{count}d", now, zone)
    assert (len(window), window.end) == (count, now.astimezone(ZoneInfo(zone)).date())


@given(st.dates(date(2, 1, 1), date(9998, 12, 31)), st.integers(1, 300))
def test_from_to_excludes_its_end(start: date, count: int) -> None:
    try:
        end = start + timedelta(days=count)
    except OverflowError:
        return
    window = parse_window(f"{start}..{end}", NOW, "UTC")
    assert window == Dates(start, end)
    assert len(window) == count


@given(st.integers(1, 9998), st.integers(1, 12))
def test_a_month_holds_its_own_days_and_no_other(year: int, month: int) -> None:
    window = parse_window(f"{year:04}-{month:02}", NOW, "UTC")
    assert all(
        (day.year, day.month) == (year, month) for day in (window.start, window.end - timedelta(days=1))
    )
    assert (window.start.day, window.end.day) == (1, 1)


@given(st.dates(date(2, 1, 1), date(9998, 11, 1)))
def test_weeks_and_months_are_read_by_their_names_and_follow_each_other(day: date) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for period in ("week", "month"):
        this, last = (parse_window(f"{which}-{period}", now, "UTC") for which in ("this", "last"))
        assert this.start <= day < this.end
        assert (last.end, this.before) == (this.start, last)
        assert parse_window(str(this.name), NOW, "UTC") == this
    week = parse_window("{:04}-W{:02}".format(*day.isocalendar()), NOW, "UTC")
    assert (len(week), week.start.isoweekday()) == (7, 1)
    assert Dates(day, day + timedelta(days=2)).name is None


@given(st.sets(st.dates(date(2026, 10, 25), date(2026, 12, 5))).map(sorted))
def test_windows_of_days_hold_these_days_and_no_others(days: list[date]) -> None:
    windows = [parse_window(text, NOW, "UTC") for text in windows_of(days)]
    assert [window.start + timedelta(days=n) for window in windows for n in range(len(window))] == days
    assert all(ours.end < theirs.start for ours, theirs in pairwise(windows)), "neighbours are one window"


def test_the_zone_decides_what_today_is() -> None:
    assert parse_day("today", NOW, "UTC").date == date(2026, 11, 22)
    assert parse_day("today", NOW, "Europe/Berlin").date == date(2026, 11, 23)
    assert parse_window("yesterday", NOW, "UTC") == Dates(date(2026, 11, 21), date(2026, 11, 22))
    assert parse_window("-3d..today", NOW, "UTC") == Dates(date(2026, 11, 19), date(2026, 11, 22))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-31",
        "2026-1-1",
        "20261122",
        "-999999d",
        "-1",
        "2026-11-22T00:00",
        "٢٠٢٦-١١-٢٢",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a date"):
        parse_day(text, NOW, "UTC")


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-31", "9999-12-31"])
def test_a_day_that_no_cluster_can_have_had_is_refused_before_anything_reckons_with_it(
    text: str, tmp_path: Path
) -> None:
    for zone in ("UTC", "Asia/Kathmandu"):
        with pytest.raises(ConfigError, match=f"no cluster has had a {text}"):
            parse_day(text, NOW, zone)
    assert parse_window("2026-11-01..9999-12-31", NOW, "UTC").end == date(9999, 12, 31), "an end may be it"
    config = tmp_path / "costlab.yaml"
    config.write_text("lake: lake\nclusters: [{id: prod, prometheus: {url: 'http://127.0.0.1:9'}}]\n")
    for option in ("--date", "--since"):
        words = ["--config", str(config), "nightly", "--dry-run", option, text]
        assert CliRunner().invoke(app, words, obj=Desk({}, NOW)).exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "0d", "d", "2026-13", "2026-00", "9999-12", "9999-12-31", "a..b", "..", "7", "1w"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a window"):
        parse_window(text, NOW, "UTC")


@pytest.mark.parametrize("text", ["2026-11-02..2026-11-02", "2026-11-02..2026-11-01", "today..yesterday"])
def test_a_window_without_a_day_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="holds no day"):
        parse_window(text, NOW, "UTC")


@given(st.text(max_size=12))
def test_any_text_is_a_window_or_a_fault(text: str) -> None:
    try:
        window = parse_window(text, NOW, "UTC")
    except ConfigError:
        return
    assert len(window) > 0

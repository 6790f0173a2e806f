"""Days that are not of 24 hours, midnights that are not UTC's, and pods that live across them."""

from datetime import date, timedelta

import pytest
from small_world import Measured, When, World

from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day

DAYS = [
    pytest.param("Europe/Berlin", date(2026, 3, 29), 23, id="23 h"),
    pytest.param("Europe/Berlin", date(2026, 10, 25), 25, id="25 h"),
    pytest.param("Australia/Lord_Howe", date(2026, 4, 5), 24.5, id="24.5 h"),
    pytest.param("Australia/Lord_Howe", date(2026, 10, 4), 23.5, id="23.5 h"),
    pytest.param("Asia/Kathmandu", date(2026, 11, 20), 24, id="a quarter to"),
]
HOURLY = 4 * 0.1 + 16 * 0.05
OWNED = {"resource": "cpu", "kind": "workload"}


@pytest.mark.parametrize("resolution", ["60s", "30m"])
@pytest.mark.parametrize(("timezone", "when", "hours"), DAYS)
def test_a_day_costs_what_its_hours_cost(timezone: str, when: date, hours: float, resolution: str) -> None:
    day = Day(when, timezone)
    around: When = {"start_ms": day.window.start_ms - HOUR_MS, "end_ms": day.window.end_ms + HOUR_MS}
    world = World().node(**around).pod("a", **around).use("a", **around)
    measured = Measured(world, day, timezone=timezone, billing={"resolution": resolution})
    assert measured.total("cost") == pytest.approx(HOURLY * hours, abs=1e-6)
    assert measured.total("billed_quantity", **OWNED) == pytest.approx(hours)
    assert [row["coverage"] for row in measured.rows("charges", **OWNED)] == [1.0]


@pytest.mark.parametrize(("timezone", "when", "hours"), DAYS)
def test_a_pod_across_midnights_is_charged_for_its_life_once(timezone: str, when: date, hours: float) -> None:
    days = [Day(when + timedelta(days=n), timezone) for n in (-1, 0, 1)]
    born_ms = days[1].window.start_ms - 2 * HOUR_MS - 7_000
    died_ms = days[1].window.end_ms + 5 * HOUR_MS + 11 * MINUTE_MS - 7_000
    whole: When = {"start_ms": days[0].window.start_ms - HOUR_MS, "end_ms": days[2].window.end_ms + HOUR_MS}
    life: When = {"start_ms": born_ms, "end_ms": died_ms}
    world = World().node(**whole).pod("a", **life).use("a", **life)
    measured = [Measured(world, day, timezone=timezone) for day in days]
    lived = [m.total("billed_quantity", **OWNED) for m in measured]
    assert lived == pytest.approx([2 + 7 / 3600, hours, 5 + 11 / 60 - 7 / 3600])
    paid = [m.total("cost", kind="workload") for m in measured]
    assert sum(paid) == pytest.approx((died_ms - born_ms) / HOUR_MS * (0.1 + 0.05), abs=3e-6)
    used = sum(m.total("used_quantity", **OWNED) for m in measured)
    assert used == pytest.approx(0.5 * (died_ms - born_ms) / HOUR_MS, rel=1e-3)


def test_a_price_that_changes_at_a_midnight_within_the_utc_day_parts_the_night_there() -> None:
    day = Day(date(2026, 11, 20), "Asia/Kathmandu")  # begins at 18:15 UTC
    around: When = {"start_ms": day.window.start_ms - 24 * HOUR_MS, "end_ms": day.window.end_ms + HOUR_MS}
    world = World().node(**around).pod("a", **around).use("a", **around)
    world.add(Signal.NODE_LABELS, {"node": "n1", "label_pool": "cpu"}, 1, **around)
    rules = [
        {"match": {"pool": "cpu"}, "hourly": 1.0, "valid_to": day.date},
        {"match": {"pool": "cpu"}, "hourly": 3.0, "valid_from": day.date},
    ]
    paid = [
        Measured(world, one, timezone=day.timezone, book={"nodes": rules}).total("cost")
        for one in (day.previous, day)
    ]
    assert paid == pytest.approx([24 * 1.0, 24 * 3.0], abs=1e-6)

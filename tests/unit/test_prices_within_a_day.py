"""Prices that change within a day or at its edges: each cell has its own, whatever the day's length and zone."""

from datetime import date
from decimal import Decimal

import pytest
from small_world import Measured, When, World

from costlab.config.book import contradictions
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day, instant
from costlab.domain.units import GIB

SIZE = {"cpu": 4.0, "memory": 16.0 * GIB}
LENGTHS = [
    ("UTC", date(2026, 11, 20), 24),
    ("Europe/Berlin", date(2026, 3, 29), 23),
    ("Europe/Berlin", date(2026, 10, 25), 25),
    ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ("Asia/Kathmandu", date(2026, 11, 20), 24),
]


def measured(day: Day, *rules: dict[str, object]) -> Measured:
    """A day of a node that one pod has whole."""
    around: When = {"start_ms": day.window.start_ms - HOUR_MS, "end_ms": day.window.end_ms + HOUR_MS}
    world = World().node(**around).pod("a", requests=SIZE, **around).use("a", 4.0, 16.0 * GIB, **around)
    any_node = {"match": {"pool": "all"}}
    world.add(Signal.NODE_LABELS, {"node": "n1", "label_pool": "all"}, 1, **around)
    found = Measured(
        world, day, timezone=day.timezone, book={"nodes": [{**any_node, **rule} for rule in rules]}
    )
    assert contradictions(found.settings.book, day.timezone) == []
    return found


@pytest.mark.parametrize(("timezone", "at", "hours"), LENGTHS)
def test_a_price_that_changes_within_the_day_holds_from_that_second(
    timezone: str, at: date, hours: float
) -> None:
    day = Day(at, timezone)
    since_ms = 5 * HOUR_MS + 17 * MINUTE_MS + 23_000  # within a cell
    change = instant(day.window.start_ms + since_ms)
    found = measured(day, {"hourly": 3.6, "valid_to": change}, {"hourly": 7.2, "valid_from": change})
    expected = Decimal(since_ms) / 1_000_000 + (Decimal(hours) * HOUR_MS - since_ms) * 2 / 1_000_000
    assert sum(row["cost"] for row in found.rows("charges")) == expected
    assert sum(row["cost_used"] for row in found.rows("charges", kind="workload")) == expected


@pytest.mark.parametrize(("timezone", "at", "hours"), LENGTHS)
def test_a_date_is_midnight_of_the_lakes_time_zone(timezone: str, at: date, hours: float) -> None:
    day = Day(at, timezone)
    rules: list[dict[str, object]] = [{"hourly": 1.0, "valid_to": at}, {"hourly": 2.0, "valid_from": at, "valid_to": day.next.date},
             {"hourly": 4.0, "valid_from": day.next.date}]  # fmt: skip
    costs = [
        sum(row["cost"] for row in measured(each, *rules).rows("charges"))
        for each in (day.previous, day, day.next)
    ]
    assert costs == [24 * 1, Decimal(hours) * 2, 24 * 4]

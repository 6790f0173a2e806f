"""Which days a night measures by itself."""

from datetime import UTC, date, datetime
from pathlib import Path

from small_world import DAY, World

from costlab.config.settings import Settings
from costlab.domain.time import Day, days_between
from costlab.jobs.measure import measure_day
from costlab.jobs.nightly import Asked, due
from costlab.store.lake import Lake

NIGHT = datetime(2026, 12, 20, 3, tzinfo=UTC)  # a month after the day of the small worlds
YESTERDAY = Day(date(2026, 12, 19))


def test_a_night_looks_back_a_week_and_no_further(tmp_path: Path) -> None:
    lake, settings = Lake.create(tmp_path / "lake"), Settings.model_validate({})
    assert due(lake, settings, "test", Asked(), NIGHT) == (YESTERDAY,)
    measure_day(World().node().pod("a").use("a"), lake, settings, "test", DAY)
    week = due(lake, settings, "test", Asked(), NIGHT)
    assert week == days_between(Day(date(2026, 12, 13)), YESTERDAY)
    month = due(lake, settings, "test", Asked(since=DAY), NIGHT)
    assert month == days_between(DAY.next, YESTERDAY)


def test_a_day_that_the_calendar_left_out_is_not_due(tmp_path: Path) -> None:
    settings = Settings.model_validate({"timezone": "Pacific/Apia"})
    lake = Lake.create(tmp_path / "lake", settings.timezone)
    since = Asked(since=Day(date(2011, 12, 28), settings.timezone))
    night = datetime(2012, 1, 1, 12, tzinfo=UTC)
    assert [day.date.day for day in due(lake, settings, "test", since, night)] == [28, 29, 31, 1]

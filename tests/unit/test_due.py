"""Which days a night measures by itself."""

from datetime import UTC, date, datetime
from pathlib import Path

from small_lake import findings, replace_day
from small_world import DAY, World
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.settings import Settings
from costlab.domain.time import Day, days_between
from costlab.jobs.due import Asked, due, late
from costlab.jobs.measure import measure_day
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


def test_the_incomplete_of_the_last_three_days_are_read_again_and_a_dry_run_says_so(tmp_path: Path) -> None:
    config = tmp_path / "costlab.yaml"
    config.write_text("lake: lake\nclusters: [{id: prod, prometheus: {url: 'http://127.0.0.1:9'}}]\n")
    settings, lake = Settings.model_validate({}), Lake.create(tmp_path / "lake")
    days = days_between(Day(date(2026, 12, 15)), YESTERDAY)
    for day, status in zip(
        days, ["incomplete", "incomplete", "incomplete", "complete", "extracted"], strict=True
    ):
        replace_day(lake, {"findings": findings("a", day=day)}, day, status=status)

    def again(asked: Asked) -> list[int]:
        return [day.date.day for day in late(lake, settings, "prod", asked, NIGHT)]

    assert again(Asked()) == [17]
    assert again(Asked(since=days[1])) == [16, 17]
    assert again(Asked(date=days[0])) == again(Asked(since=days[0], force="all of them")) == []
    said = (
        CliRunner().invoke(app, ["--config", str(config), "nightly", "--dry-run"], obj=Desk({}, NIGHT)).stdout
    )
    assert said == (
        "prod: 2026-12-15 (only its report), 2026-12-16 (only its report), 2026-12-17 (again: it is incomplete), "
        "2026-12-18 (only its report), 2026-12-19\n"
    )

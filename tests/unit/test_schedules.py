"""When workloads could be down: only hours in which nothing ever happened, seen often enough."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_world import DAY

from costlab.config.advising import Silence
from costlab.jobs.rightsizing.schedules import (
    Worked,
    ever_idle,
    idle_hours,
    saved,
    schedule_advice,
    schedule_of,
    whole_days,
)

HOUR = np.arange(24)
AT_WORK = (HOUR >= 8) & (HOUR < 19)


def weeks(days: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """So many days of office hours, from a day of the week on: which hours were idle, and the days of the week."""
    weekday = (first + np.arange(days)) % 7
    return np.where((weekday < 5)[:, None], ~AT_WORK, True), weekday


@pytest.mark.parametrize(
    ("days", "words", "hours_off"),
    [
        (14, "19:00 to 08:00, and all of Saturday and Sunday", 5 * 13 + 48),
        (13, "19:00 to 08:00", 7 * 13),  # one weekend and a half
        (5, "19:00 to 08:00", 5 * 13),  # no weekend was seen: nothing is said of it
        (4, None, 0),
    ],
)
def test_nights_need_five_working_days_and_weekends_two_of_them(
    days: int, words: str | None, hours_off: int
) -> None:
    schedule = schedule_of(*weeks(days))
    assert (schedule and schedule.words) == words
    assert (int(schedule.off.sum()) if schedule else 0) == hours_off


def test_one_night_of_work_or_one_that_was_not_seen_takes_its_hours_out() -> None:
    idle, weekday = weeks(14)
    idle[9, 2] = False  # from 19 to 2 stays, which is longer than from 3 to 8
    schedule = schedule_of(idle, weekday)
    assert schedule is not None
    assert (schedule.down, schedule.up) == (19, 2)
    idle[9, 23] = False  # what is left is shorter than six hours
    assert schedule_of(idle, weekday).words == "all of Saturday and Sunday"  # type: ignore[union-attr]


def test_what_never_does_anything_has_no_nights() -> None:
    """It is idle, which is said elsewhere; so has what is always at work."""
    assert schedule_of(np.ones((5, 24), bool), np.arange(5)) is None
    assert schedule_of(np.zeros((14, 24), bool), np.arange(14) % 7) is None


def test_next_to_nothing_is_by_the_most_ever_used_and_by_the_request() -> None:
    cores = np.array([[0.02, 0.06, 1.7, np.nan]])
    assert idle_hours(cores).tolist() == [[True, True, False, False]]
    assert idle_hours(cores, request=0.5).tolist() == [[True, False, False, False]]
    assert not idle_hours(np.full((2, 24), np.nan)).any()


def test_money_is_that_of_the_hours_and_never_more_than_was_unused() -> None:
    idle, weekday = weeks(14)
    schedule = schedule_of(idle, weekday)
    assert schedule is not None
    cost = np.full(14, 24.0)
    assert saved(schedule, weekday, cost, cost) == 10 * 13 + 4 * 24
    assert saved(schedule, weekday, cost, np.full(14, 5.0)) == 14 * 5


NO_LABELS = dict.fromkeys(("ignore_label", "mute_until_label", "reason_label"))


def worked(
    hourly_max: np.ndarray, workload_class: str = "notebook", cost: float = 24.0, *, autoscaled: bool = False,
    labels: dict[str, str] | None = None,
) -> Worked:  # fmt: skip
    days = len(hourly_max)
    return Worked(
        ("ns", "Deployment", "w", ""), "nlp", workload_class, date(2026, 11, 2).toordinal() + np.arange(days), hourly_max,
        np.isnan(hourly_max), 2.0, np.full(days, cost), np.full(days, 0.9 * cost), 1.0, 1.0, autoscaled,
        NO_LABELS | (labels or {}),
    )  # fmt: skip


def advised(one: Worked, *silence: Silence) -> list[dict[str, Any]]:
    rows = schedule_advice([one], silence, "c", DAY, "USD").to_pylist()
    return [row | {"facts": dict(row["facts"])} for row in rows]


def test_a_row_of_advice_for_cpu_and_memory() -> None:
    idle, _ = weeks(14)
    cores = np.where(idle, 0.01, 1.5)
    (row,) = advised(worked(cores))
    assert (row["action"], row["resource"], row["current_request"]) == ("schedule", "cpu", 2)
    assert (row["reason"], row["evidence"]) == ("advised", "measured")
    assert row["facts"]["monthly_saving"] == f"{(10 * 13 + 4 * 0.9 * 24) * 730 / 336:.2f}"
    assert row["monthly_saving_gross"] is None  # a smaller request saves some of it too
    assert row["facts"]["down"] == "19:00 to 08:00, and all of Saturday and Sunday"
    assert not advised(worked(cores, "batch"))
    (row,) = advised(worked(cores, cost=np.nan))
    assert "monthly_saving" not in row["facts"]


def test_the_day_on_which_it_began_is_no_night_without_a_sign_of_life() -> None:
    idle, _ = weeks(15)
    cores = np.where(idle, 0.01, 1.5)
    cores[0, :15] = np.nan  # made on Monday at three
    (row,) = advised(worked(cores))
    assert (row["reason"], row["facts"]["days_looked_at"]) == ("advised", "14")
    cores[3, :6] = (
        np.nan
    )  # but hours that were lost in between were not idle: what is left of the night is too short
    cores[5:7] = np.nan
    (row,) = advised(worked(cores))
    assert (row["reason"], row["evidence"]) == ("not_observed", "refused")
    assert row["facts"]["hours_not_observed"] == str(6 + 48)
    assert "monthly_saving" not in row["facts"]


@pytest.mark.parametrize(
    ("days", "more", "reason"),
    [
        (14, {}, "advised"),
        (13, {}, "too_little_data"),
        (14, {"autoscaled": True}, "hpa_managed"),
        (14, {"labels": {"ignore_label": "cpu"}}, "ignored"),
        (14, {"labels": {"mute_until_label": "2027-01-01"}}, "muted"),
    ],
)
def test_why_a_schedule_that_is_there_is_not_advised(days: int, more: dict[str, Any], reason: str) -> None:
    cores = np.where(weeks(days)[0], 0.01, 1.5)
    (row,) = advised(worked(cores, **more))
    assert (row["reason"], "monthly_saving" in row["facts"]) == (reason, reason == "advised")
    assert "19:00 to 08:00" in row["facts"]["down"]
    assert not advised(worked(np.full((days, 24), 1.0), **more)), "nothing is said of what has none"


def test_a_silence_of_the_configuration_holds_for_schedules_too() -> None:
    cores = np.where(weeks(14)[0], 0.01, 1.5)
    (row,) = advised(worked(cores), Silence(workload="w*", reason="a clinic"))
    assert (row["reason"], row["facts"]["silenced_because"]) == ("ignored", "a clinic")


@given(arrays(bool, (14, 24)), arrays(bool, (14, 24)))
def test_an_hour_that_was_ever_at_work_is_never_off_and_more_work_is_never_more_off(
    idle: np.ndarray, also: np.ndarray
) -> None:
    weekday = np.arange(14) % 7
    schedule, busier = schedule_of(idle, weekday), schedule_of(idle & also, weekday)
    if schedule is not None:
        assert not (schedule.off[weekday] & ~idle).any()
    if busier is not None and not idle.all():
        assert schedule is not None
        assert busier.off[:5].sum() <= schedule.off[:5].sum()


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.003, 0.05]),
    st.sampled_from([None, 0.5, 8.0]),
    st.integers(0, 6),
)
def test_what_has_a_schedule_is_never_passed_over(
    seed: int, share: float, request: float | None, first: int
) -> None:
    """Office hours with a few hours of work or without observation anywhere, at the edges above all."""
    random = np.random.default_rng(seed)
    idle, weekday = weeks(14, first)
    cores = np.where(idle, 0.0, 1.0).astype(np.float32)
    cores[random.random(cores.shape) < share] = 1.0
    cores[random.random(cores.shape) < share] = np.nan
    cores[random.choice([0, 13]), random.integers(0, 24, 3)] = random.choice([0.0, 1.0, np.nan], 3)
    whole = whole_days(cores)
    found = schedule_of(
        (idle_hours(cores.astype(np.float64), request) | np.isnan(cores))[whole], weekday[whole]
    )
    chosen = ever_idle(cores[None], np.ones((1, 14), bool), weekday, np.array([request or np.nan]))
    assert chosen or found is None


@given(st.integers(0, 23), st.integers(6, 23))
def test_a_night_is_found_wherever_it_lies(down: int, length: int) -> None:
    night = np.zeros(24, bool)
    night[(down + np.arange(length)) % 24] = True
    schedule = schedule_of(np.tile(night, (5, 1)), np.arange(5))
    assert schedule is not None
    assert (schedule.down, schedule.up) == (down, (down + length) % 24)
    assert (schedule.off[0] == night).all()

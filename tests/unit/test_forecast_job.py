"""Forecasts and budgets over the made-up world: what counts, what is a gap, what is said, and how the command ends."""

import json
import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result
from world import INCOMPLETE, LAST_DAY, MISSING, world

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.advising import Budget, Forecasting
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.findings import Severity
from costlab.domain.units import GIB, money
from costlab.jobs.alerts import budget_findings, exhaustion, quota_findings, volume_findings
from costlab.jobs.asked import Filters
from costlab.jobs.budgets import BudgetState, Standing, exceeded_on, state_of
from costlab.jobs.forecasts import dimension_of
from costlab.jobs.outlook import Outlook, outlooks
from costlab.render.outlook_chart import Panel, outlook_chart
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

Run = Callable[..., Result]

EVERYTHING = Filters()
USUAL = Forecasting()
WINDOW = Dates(LAST_DAY - timedelta(days=100), LAST_DAY + timedelta(days=1))
LEFT = monthrange(LAST_DAY.year, LAST_DAY.month)[1] - LAST_DAY.day


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return Warehouse.over_tables(world())


@pytest.fixture(scope="module")
def total(warehouse: Warehouse) -> Outlook:
    [found] = outlooks(warehouse, "total", WINDOW, EVERYTHING, USUAL, 40)
    return found


def test_the_month_is_what_was_charged_and_days_that_are_not_whole_are_gaps(total: Outlook) -> None:
    rows = world()["charges"].to_pylist()
    by_day: dict[date, Decimal] = {}
    for row in rows:
        by_day[row["date"]] = by_day.get(row["date"], Decimal(0)) + row["cost"]
    month = [day for day in by_day if day >= LAST_DAY.replace(day=1)]
    assert total.month_cost == sum(by_day[day] for day in month)
    assert (total.missing_days, total.month_days, total.last_day) == (1, LEFT, LAST_DAY)
    for day, past in enumerate(total.past):
        when = total.first_day + timedelta(days=day)
        if when in (MISSING, INCOMPLETE):
            assert np.isnan(past)
        else:
            assert past == float(by_day[when])
    assert total.by_month_end()[0] == pytest.approx(
        float(total.month_cost) + total.ahead.days.level[:LEFT].sum()
    )


def test_a_window_that_ended_earlier_knows_nothing_of_what_came(warehouse: Warehouse) -> None:
    until = LAST_DAY - timedelta(days=9)
    tables = {
        name: table.filter([day < until for day in table["date"].to_pylist()])
        for name, table in world().items()
        if name in ("charges", "runs")
    }
    window = Dates(WINDOW.start, until)
    then = outlooks(Warehouse.over_tables(tables), "team", WINDOW, EVERYTHING, USUAL, 20)
    now = outlooks(warehouse, "team", window, EVERYTHING, USUAL, 20)
    assert [each.subject for each in then] == [each.subject for each in now]
    for one, other in zip(then, now, strict=True):
        assert one.by_month_end() == other.by_month_end()
        assert (one.month_cost, one.missing_days) == (other.month_cost, other.missing_days)


def test_an_empty_window_has_no_outlook(warehouse: Warehouse) -> None:
    early = Dates(date(2020, 1, 1), date(2020, 2, 1))
    assert outlooks(warehouse, "team", early, EVERYTHING, USUAL, 5) == []


@given(share=st.floats(0.01, 3))
def test_a_budget_stands_as_spent_expected_and_upper_bound_say(total: Outlook, share: float) -> None:
    spent = float(total.month_cost)
    expected, _, upper = total.by_month_end()
    budget = Budget(cluster="c", monthly=spent * share)
    state = state_of(budget, total)
    if total.month_cost > money(budget.monthly):
        right = BudgetState.EXCEEDED
    else:
        order = [(expected, BudgetState.WILL_BE_EXCEEDED), (upper, BudgetState.MAY_BE_EXCEEDED)]
        right = next((found for amount, found in order if amount > budget.monthly), BudgetState.KEPT)
    assert state is right
    day = exceeded_on(budget, total)
    assert (day is not None) == (state is BudgetState.WILL_BE_EXCEEDED)
    if day:
        days = (day - LAST_DAY).days
        assert total.in_month(days)[0] > budget.monthly >= total.in_month(days - 1)[0]
    told = [finding.rule for finding in budget_findings([Standing(budget, total)])]
    if total.month_cost >= money(0.5 * budget.monthly) or state is not BudgetState.KEPT:
        assert len(told) == 1
    else:
        assert told == []


def test_a_budget_that_is_spent_to_the_micro_unit_is_not_exceeded(total: Outlook) -> None:
    spent = replace(
        total, month_cost=Decimal("20000.1"), month_days=0
    )  # as a double, 20000.1 is less than that
    assert state_of(Budget(team="a", monthly=20000.1), spent) is BudgetState.KEPT
    more = replace(spent, month_cost=Decimal("20000.100001"))
    assert state_of(Budget(team="a", monthly=20000.1), more) is BudgetState.EXCEEDED


def test_findings_of_budgets_say_which_it_is_and_by_how_much(total: Outlook) -> None:
    spent = float(total.month_cost)
    expected, _, upper = total.by_month_end()
    limits = (spent - 1, (spent + expected) / 2, (expected + upper) / 2, spent * 1.99)
    budgets = [Budget(team="a", monthly=limit) for limit in limits]
    found = list(
        budget_findings([*(Standing(budget, total) for budget in budgets), Standing(budgets[0], None)])
    )
    assert [(finding.rule, finding.severity.value) for finding in found] == [
        ("budget_exceeded", "warning"),
        ("budget_will_be_exceeded", "warning"),
        ("budget_may_be_exceeded", "info"),
        ("budget_share_reached", "info"),
        ("budget_without_charges", "info"),
    ]
    assert found[0].amount == pytest.approx(Decimal(1), abs=Decimal("0.001"))
    assert found[1].amount == pytest.approx(Decimal(expected - limits[1]), abs=Decimal("0.001"))
    assert "1 day of the month not known and not counted" in found[0].message
    assert "50% reached" in found[3].message


@given(st.integers(30, 60), st.integers(1, 7), st.floats(1, 1000))
def test_what_grows_evenly_is_full_when_it_will_be(days: int, left: int, step: float) -> None:
    used = [step * day for day in range(days)]
    limit = step * (days - 1 + left) * 0.999
    found = exhaustion(used, LAST_DAY, limit, USUAL)
    assert found is not None
    # A trend fades by two hundredths a day: a week ahead that is not yet a day.
    assert found.day is not None
    assert left <= (found.day - LAST_DAY).days <= left + 1
    full = exhaustion(used, LAST_DAY, used[-1], USUAL)
    assert full is not None
    assert full.day == full.earliest == LAST_DAY


def test_what_does_not_grow_is_never_full_and_what_is_young_is_not_known() -> None:
    flat = exhaustion([5.0] * 30, LAST_DAY, 6.0, USUAL)
    assert flat is not None
    assert (flat.day, flat.earliest) == (None, None)
    assert exhaustion([5.0] * 13, LAST_DAY, 6.0, USUAL) is None
    assert exhaustion([None] * 40, LAST_DAY, 6.0, USUAL) is None


def test_volumes_that_run_out_are_named_with_the_day() -> None:
    days = [LAST_DAY - timedelta(days=ago) for ago in range(39, -1, -1)]
    claims = [
        {"cluster": "c", "namespace": "a", "claim": claim, "date": day, "requested_bytes": 100.0 * GIB, "used_bytes": used}
        for claim, first, growth in (("fills", 40, 1), ("stands", 99, 0), ("dark", np.nan, 0))
        for i, day in enumerate(days)
        for used in [(first + growth * i) * GIB]
        if i != 20
    ]  # fmt: skip
    [volume] = volume_findings(pa.Table.from_pylist(claims), USUAL)
    assert volume.subject == "claim a/fills of c"
    full, early = re.fullmatch(
        r"will be full on (\S+?)(?:, as early as on (\S+))?: 79.0 GiB of 100 GiB used on 2026-11-22",
        volume.message,
    ).groups()  # type: ignore[union-attr]  # it matches
    assert 21 <= (date.fromisoformat(full) - LAST_DAY).days <= 30
    assert early is None or early < full


def test_quotas_that_are_used_up_or_run_out_are_named_with_the_day_and_what_would_do() -> None:
    row: dict[str, Any] = {
        "cluster": "c", "namespace": "a", "quotas": ["q"], "resource": "requests.nvidia.com/gpu", "hard_now": 8.0,
        "used_now": 8.0, "suggested_hard": 10.0, "reason": "exhausted", "exhausted_on": None, "exhausted_earliest": None,
    }  # fmt: skip
    soon, sooner = LAST_DAY + timedelta(days=9), LAST_DAY + timedelta(days=2)
    runs_out: dict[str, Any] = {"reason": "runs_out", "exhausted_on": soon, "exhausted_earliest": sooner}
    memory: dict[str, Any] = {
        "resource": "requests.memory",
        "hard_now": 64.0 * GIB,
        "used_now": 60.0 * GIB,
        "suggested_hard": 80.0 * GIB,
    }
    silent: list[dict[str, Any]] = [
        {"reason": "fits", "used_now": 1.0},
        {"reason": "fits", "exhausted_earliest": soon},  # it only may be
        {"hard_now": 0.0, "used_now": 0.0},  # meant to be used up
        {"reason": "no_quota", "hard_now": None, "quotas": []},
    ]
    used_up, later = quota_findings([row, row | memory | runs_out, *(row | each for each in silent)])
    assert used_up.subject == "quota q of a in c: requests.nvidia.com/gpu"
    assert used_up.message == "is used up: 8 of 8 asked for at a time, 10 would do"
    assert later.subject == "quota q of a in c: requests.memory"
    assert (
        later.message
        == f"runs out on {soon}, perhaps {sooner}: 60Gi of 64Gi asked for at a time, 80Gi would do"
    )
    assert {used_up.severity, later.severity} == {Severity.WARNING}


@pytest.mark.parametrize(
    ("by", "found"),
    [("team", ("team", False)), ("date", ("total", True)), ("date,pipeline", ("pipeline", True))],
)
def test_a_forecast_is_by_one_dimension_and_by_day(by: str, found: tuple[str, bool]) -> None:
    assert dimension_of(by.split(",")) == found
    for wrong in ("team,namespace", "teem", ""):
        with pytest.raises(ConfigError):
            dimension_of(wrong.split(","))


@pytest.fixture
def run(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(Lake, "open", lambda _: SimpleNamespace(timezone="UTC"))
    monkeypatch.setattr(Warehouse, "over", lambda _: warehouse)
    (tmp_path / "costlab.yaml").write_text(
        "budgets: [{team: nlp-research, monthly: 1000}, {team: vision, monthly: 900000}]\n"
    )
    now = datetime.combine(LAST_DAY + timedelta(days=1), datetime.min.time(), UTC)

    def command(*args: str | Path) -> Result:
        words = ["--config", str(tmp_path / "costlab.yaml"), "forecast", *map(str, args)]
        return CliRunner().invoke(app, words, obj=Desk({"HOME": "/nonexistent"}, now))

    return command


def test_the_command_tells_the_month_its_budgets_and_ends_as_it_was_asked_to(
    run: Run, tmp_path: Path
) -> None:
    done = run("-o", "json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["schema"], told["currency"]) == (0, "costlab.forecast/1", "USD")
    assert (told["quality"]["days"], told["quality"]["complete_days"]) == (53, 51)
    states = {row["team"]: row["budget_state"] for row in told["rows"]}
    assert states["nlp-research"] == "exceeded"
    assert states["vision"] == "kept"
    assert states["(total)"] is None
    assert list(states)[-1] == "(total)"
    assert "warning: budget of team nlp-research: exceeded: " in done.stderr
    assert run("--fail-on", "budget").exit_code == 10
    assert run("--fail-on", "budget", "--team", "vision").exit_code == 2
    assert run("--horizon", "30").exit_code == 2
    assert run("--plot", "a.pdf").exit_code == 2
    (tmp_path / "costlab.yaml").write_text("budgets: [{team: vision, monthly: 900000}]\n")
    assert run("--fail-on", "budget").exit_code == 0


def test_a_young_lake_is_drawn_with_room_for_what_is_not_known() -> None:
    unknown = np.full(30, np.nan)
    young = Panel("x" * 63, LAST_DAY, np.array([7000.0, 7010.0, 7020.0]), unknown, unknown, unknown)
    nothing = replace(young, name="nothing", past=np.zeros(3))
    drawn = outlook_chart([young, nothing], "Ahead", "USD", "svg").decode()
    assert drawn.count(">too little known<") == 2
    assert "x" * 41 not in drawn, "its name would lie on the next panel's"
    dates = re.findall(r">(\d+ [A-Z][a-z]{2})<", drawn)
    assert len(set(dates[: len(dates) // 2])) == len(dates) // 2, "no day is named twice"
    assert not re.search(r">[^<]*\$[^<]*(-|0000)", drawn)


def test_each_day_ahead_and_the_picture_of_them(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "ahead.svg"
    done = run("--by", "total,date", "--horizon", "5d", "-o", "json", "--plot", picture)
    rows = json.loads(done.stdout)["rows"]
    assert [row["date"] for row in rows] == [str(LAST_DAY + timedelta(days=day)) for day in range(1, 6)]
    costs = [Decimal(row["cost"]) for row in rows]
    assert abs(sum(costs) - Decimal(rows[-1]["sum_cost"])) < Decimal("0.05")
    drawn = picture.read_text()
    assert "(total)" in drawn
    assert "Cost a day, and what is ahead" in drawn
    run("--by", "total,date", "--horizon", "5d", "--plot", picture)
    assert picture.read_text() == drawn

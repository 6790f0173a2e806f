"""Weekly and monthly editions: sums that are those of the days, files that are there in time, and nobody else's."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from answers import CLUSTER, LAST_DAY, SETTINGS, tables
from hypothesis import given
from hypothesis import strategies as st
from world import MISSING

from costlab.domain.dates import Dates, named_window
from costlab.domain.errors import ConfigError
from costlab.jobs.edition import gather, render_edition
from costlab.jobs.editions import (
    clear_editions,
    closed_editions,
    due_editions,
    edition_window,
    editions_in,
    write_edition,
)
from costlab.jobs.periods import contributions
from costlab.render.edition import Told
from costlab.store.lake import DayState
from costlab.store.warehouse import Warehouse

ZERO = Decimal(0)
TODAY = LAST_DAY + timedelta(days=1)
DAYS = {day: DayState.COMPLETE for ago in range(53) if (day := LAST_DAY - timedelta(days=ago)) != MISSING}


def window(name: str) -> Dates:
    found = named_window(name)
    assert found
    return found


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return Warehouse.over_tables(tables())


@pytest.fixture(scope="module")
def told(warehouse: Warehouse) -> Callable[[str], Told]:
    return cache(lambda name: gather(warehouse, SETTINGS, CLUSTER, window(name)))


def charged(warehouse: Warehouse, name: str, where: str = "true") -> Decimal:
    """The plain sum of a period's charges, by no query of ours."""
    dates = window(name)
    text = f"select sum(cost) as cost from charges where date between '{dates.start}' and '{dates.end - timedelta(days=1)}' and {where}"  # noqa: S608 - the test's own
    return warehouse.sql(text)["cost"][0].as_py() or ZERO


@pytest.mark.parametrize("name", ["2026-W47", "2026-W45", "2026-W40", "2026-10"])
def test_the_total_is_the_sum_of_the_days_and_the_parts_add_up(
    warehouse: Warehouse, told: Callable[[str], Told], name: str
) -> None:
    edition = told(name)
    total, answers = charged(warehouse, name), edition.answers
    assert edition.compared.now.total == total
    assert sum((row["total_cost"] or ZERO for row in edition.shown), ZERO) == total
    for rows in (answers["teams"], answers["workloads"]):
        assert sum(row["total_cost"] for row in [*rows, *answers["kinds"]]) == total
    for row in answers["teams"]:
        assert row["total_cost"] == charged(warehouse, name, f"team = '{row['team']}'")
    [added] = [
        {key: sum(row[key] for row in answers["reconciliation"]) for key in ("paid_cost", "difference")}
    ]
    assert added == {"paid_cost": total, "difference": 0}


def test_the_causes_add_up_to_the_change(told: Callable[[str], Told]) -> None:
    edition = told("2026-W47")
    now, before = edition.compared.now.total, edition.compared.before.total
    assert now is not None
    assert before is not None
    assert sum((each.change for each in edition.causes), ZERO) == now - before


amounts = st.decimals("0.01", "1e6", places=2)
hours = st.floats(0.01, 1e4)


@given(amounts, hours, amounts, hours)
def test_what_another_price_made_is_the_new_price_less_the_old_for_the_new_quantity(
    cost: Decimal, quantity: float, usual: Decimal, quantity_before: float
) -> None:
    def row(money: Decimal, gpu_hours: float) -> dict[str, Any]:
        key = (
            ("kind", "workload"),
            ("team", "t"),
            ("namespace", "n"),
            ("workload_kind", "Job"),
            ("workload", "w"),
        )
        return {**dict(key), "resource": "gpu", "cost": money, "gpu_hours": gpu_hours, "unpriced_charges": 0}

    [found] = contributions([row(cost, quantity)], [row(usual, quantity_before)], (Decimal(1), Decimal(1)))
    expected = (float(cost) / quantity - float(usual) / quantity_before) * quantity
    assert float(found.price) == pytest.approx(expected, rel=1e-9, abs=1e-6 * float(cost + usual))
    [same] = contributions([row(cost, quantity)], [row(cost, quantity)], (Decimal(1), Decimal(1)))
    assert (same.change, same.price) == (ZERO, ZERO)


def test_a_gpu_is_idle_as_often_as_the_daily_reports_say(
    warehouse: Warehouse, told: Callable[[str], Told]
) -> None:
    daily = [
        row
        for ago in range(7)
        for row in warehouse.query(
            "idle_gpus", cluster=CLUSTER, day=str(LAST_DAY - timedelta(days=ago))
        ).to_pylist()
    ]
    idle = told("2026-W47").answers["idle_gpus"]
    assert sum(row["idle_days"] for row in idle) == len(daily)
    assert sum(row["not_busy_cost"] for row in idle) == sum(row["not_busy_cost"] for row in daily)
    days = [row["idle_days"] for row in idle]
    assert days == sorted(days, reverse=True)


@pytest.mark.parametrize(
    ("name", "budget", "state"), [("2026-10", "nlp-research", "exceeded"), ("2026-10", "vision", "kept"), ("2026-11", "vision", "not_known")]
)  # fmt: skip
def test_a_budget_is_kept_only_where_no_day_is_missing(
    told: Callable[[str], Told], name: str, budget: str, state: str
) -> None:
    [row] = [row for row in told(name).answers["budgets"] if row["subject"] == budget]
    assert row["state"] == state
    assert told("2026-W47").answers["budgets"] == []


def test_a_second_run_changes_no_byte_and_money_is_exact_in_the_json(warehouse: Warehouse) -> None:
    one, two = (render_edition(warehouse, SETTINGS, CLUSTER, window("2026-W47")) for _ in range(2))
    assert one == two
    answer = json.loads(one["json"])
    assert list(answer)[:4] == ["schema", "window", "currency", "quality"]
    assert answer["quality"] == {"complete_days": 7, "days": 7, "coverage": pytest.approx(0.996)}
    assert Decimal(answer["total"]) == charged(warehouse, "2026-W47")
    assert b"<script" not in one["html"]
    assert len(one["html"]) < 300_000


def due(
    warehouse: Warehouse, out: Path, days: dict[date, DayState] | None = None, **more: Any
) -> list[str | None]:
    found = due_editions(
        warehouse,
        DAYS if days is None else days,
        CLUSTER,
        out,
        **{"today": TODAY, "kept_since": date(2026, 8, 1), **more},
    )
    return [each.name for each in found]


def test_an_edition_is_due_once_until_one_of_its_days_is_another(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    assert due(warehouse, tmp_path) == ["2026-10", "2026-W46", "2026-W47"]
    for name in ("2026-10", "2026-W47", "2026-W46"):
        write_edition(warehouse, SETTINGS, CLUSTER, window(name), tmp_path)
    assert due(warehouse, tmp_path) == []
    assert due(warehouse, tmp_path, fresh=[date(2026, 11, 2)]) == ["2026-W45"]  # November is not over
    runs = tables()["runs"]
    place = runs.column_names.index("status")
    changed = pc.if_else(pc.equal(runs["date"], date(2026, 11, 14)), "incomplete", runs["status"])
    again = Warehouse.over_tables(
        {**tables(), "runs": runs.set_column(place, runs.schema.field(place), changed.cast(pa.string()))}
    )
    assert due(again, tmp_path) == [
        "2026-W46",
        "2026-W47",
    ]  # the latter is compared with the week of that day
    (tmp_path / CLUSTER / "month" / "2026-10.html").unlink()
    assert due(warehouse, tmp_path) == ["2026-10"]


def test_an_edition_waits_a_week_for_its_last_day_and_is_not_made_of_what_was_pruned(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    without = {day: state for day, state in DAYS.items() if day != LAST_DAY}
    assert due(warehouse, tmp_path, without) == ["2026-10", "2026-W46"]
    late = TODAY + timedelta(days=6)
    assert due(warehouse, tmp_path, without, today=late) == ["2026-10", "2026-W46"]
    assert due(warehouse, tmp_path, without, today=late + timedelta(days=1)) == ["2026-10", "2026-W47"]
    pruned = {**DAYS, date(2026, 10, 5): DayState.PRUNED}
    assert due(warehouse, tmp_path, pruned) == ["2026-W46", "2026-W47"]
    assert due(warehouse, tmp_path, kept_since=date(2026, 11, 16)) == ["2026-W47"]
    assert due(warehouse, tmp_path, {}) == []


def test_latest_is_the_last_of_its_kind_and_old_ones_go_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    home = tmp_path / CLUSTER
    for name in ("2026-W47", "2026-W46", "2026-10"):
        write_edition(warehouse, SETTINGS, CLUSTER, window(name), tmp_path)
    assert (home / "week/latest.html").read_bytes() == (home / "week/2026-W47.html").read_bytes()
    for odd in ("week/notes.html", "week/2026-W99.html", "month/2026-W46.html"):
        (home / odd).write_text("kept")
    assert [each.name for each in editions_in(tmp_path, CLUSTER)] == ["2026-W46", "2026-W47", "2026-10"]
    assert clear_editions(tmp_path, CLUSTER, date(2026, 11, 16)) == ["2026-W46", "2026-10"]
    left = {str(path.relative_to(home)) for path in home.rglob("*.html")}
    assert left == {
        "week/2026-W47.html", "week/latest.html", "month/latest.html", "week/notes.html", "week/2026-W99.html",
        "month/2026-W46.html",
    }  # fmt: skip
    assert not list(home.rglob("2026-W46.json"))


def test_only_a_closed_week_or_month_has_an_edition(warehouse: Warehouse) -> None:
    for text, start, end in (
        ("neither a week nor a month", date(2026, 11, 2), date(2026, 11, 8)),
        ("2026-11 is not over", date(2026, 11, 1), date(2026, 12, 1)),
    ):
        with pytest.raises(ConfigError, match=text):
            edition_window(Dates(start, end), TODAY)
    with pytest.raises(ConfigError, match="no day of 2026-08"):
        gather(warehouse, SETTINGS, CLUSTER, window("2026-08"))
    found = [each.name for each in closed_editions(DAYS, TODAY, date(2026, 11, 3))]
    assert found == ["2026-W45", "2026-W46", "2026-W47"]


@pytest.mark.parametrize("name", ["2026-W46", "2026-W45", "2026-10"])
def test_an_edition_knows_of_no_later_day(warehouse: Warehouse, name: str) -> None:
    """So that a night may make it before it has measured the days that follow."""
    end = window(name).end
    by_then = {
        table: rows.filter(pc.less(rows["date"], end)) if "date" in rows.column_names else rows
        for table, rows in tables().items()
    }
    assert by_then["charges"].num_rows < tables()["charges"].num_rows
    early = render_edition(Warehouse.over_tables(by_then), SETTINGS, CLUSTER, window(name))
    assert early == render_edition(warehouse, SETTINGS, CLUSTER, window(name))


def test_two_currencies_in_a_period_are_refused_and_one_before_is_not_compared() -> None:
    charges = tables()["charges"]
    place = charges.column_names.index("currency")

    def until(day: date) -> Warehouse:
        changed = pc.if_else(pc.less(charges["date"], day), "EUR", charges["currency"])
        return Warehouse.over_tables(
            {
                **tables(),
                "charges": charges.set_column(place, charges.schema.field(place), changed.cast(pa.string())),
            }
        )

    edition = gather(until(date(2026, 11, 16)), SETTINGS, CLUSTER, window("2026-W47"))
    assert (edition.compared.other_currency, edition.compared.comparable) == ("EUR", False)
    assert all(not row["before_cost"] for row in edition.answers["teams"])
    with pytest.raises(ConfigError, match="EUR and USD"):
        gather(until(date(2026, 11, 18)), SETTINGS, CLUSTER, window("2026-W47"))

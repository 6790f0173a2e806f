"""A statement adds up to what `cost` tells, says what it lacks, and keeps to its page."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from answers import HOSTILE, LAST_DAY, SETTINGS, tables

from costlab.config.charging import Share
from costlab.domain.dates import Dates, month_of, week_of
from costlab.domain.errors import ConfigError
from costlab.domain.sharing import ShareIdle
from costlab.jobs.asked import Filters
from costlab.jobs.cost import cost_table
from costlab.jobs.statement import Asked, statement_of, teams_of
from costlab.publish import pdf
from costlab.render.html import statement_html
from costlab.render.statement_tables import volumes
from costlab.render.text import statement_markdown
from costlab.store.warehouse import Warehouse

NOVEMBER, WEEK = month_of(LAST_DAY), week_of(LAST_DAY)
TODAY = date(2026, 11, 23)
SHARED = Share(teams=("platform",), fees=True)


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return Warehouse.over_tables(tables())


def amount(text: str) -> Decimal:
    return Decimal(
        text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "0").replace("<", "")
    )


@pytest.mark.parametrize(
    ("idle", "share"),
    [(ShareIdle.NONE, Share()), (ShareIdle.EVEN, SHARED), (ShareIdle.COST, SHARED)],
    ids=["own", "even", "cost"],
)
def test_its_sum_is_that_of_cost_to_the_micro_unit(
    warehouse: Warehouse, idle: ShareIdle, share: Share
) -> None:
    billing = SETTINGS.billing.model_copy(update={"share": share})
    settings = SETTINGS.model_copy(update={"billing": billing})
    asked = Asked(WEEK, idle)
    assert {"platform", "unallocated", "vision"} < set(teams_of(warehouse, asked))
    for team in ("vision", "platform"):  # platform's cost is borne by the others where it is shared
        told = statement_of(warehouse, settings, team, asked, TODAY)
        answer: dict[str, Any] = json.loads(told.json)
        owed = cost_table(warehouse, ["team"], WEEK, Filters(team=team), idle=idle, share=share)
        bill = {name: Decimal(value) for name, value in answer["bill"].items()}
        assert bill["total"] == owed["cost"][-1].as_py() == bill["own"] + bill["idle"] + bill["shared"]
        assert (bill["idle"] != 0, bill["shared"] != 0) == (idle != "none", share == SHARED)
        for rows in (answer["rows"], answer["resources"]):
            assert sum(Decimal(row["cost"] or 0) for row in rows) == bill["own"]
            assert sum(Decimal(row["cost_before"]) for row in rows) == Decimal(
                answer["before"]["bill"]["own"]
            )
        for section in told.page.sections[:2]:
            table = section.table
            for place, column in enumerate(table.columns):
                if column.unit == "USD":
                    parts = [amount(row[place].text or "0") for row in (*table.rows, *table.rest)]
                    assert sum(parts) == amount(table.total[place].text), (section.key, column.title)


def test_it_says_what_it_lacks_and_the_budget(warehouse: Warehouse) -> None:
    told = statement_of(warehouse, SETTINGS, "vision", Asked(NOVEMBER), TODAY)
    said = statement_markdown(told.page).decode()
    assert "so far" in said
    assert "not complete" in said
    assert [tile.label for tile in told.page.tiles][-1] == "Of the month's budget"
    first = Dates(date(2026, 10, 1), date(2026, 10, 8))
    alone = statement_of(warehouse, SETTINGS, "vision", Asked(first), TODAY)
    assert json.loads(alone.json)["before"]["bill"] is None
    assert "nothing is known of the period before" in statement_markdown(alone.page).decode()


def test_of_a_period_that_was_not_measured_no_amount_is_told(warehouse: Warehouse) -> None:
    december = Dates(date(2026, 12, 1), date(2027, 1, 1))
    told = statement_of(warehouse, SETTINGS, "vision", Asked(december), TODAY)
    said = statement_markdown(told.page).decode()
    assert {tile.value for tile in told.page.tiles} == {"–"}
    assert "$" not in said
    assert "0.00" not in said
    assert said.count("Nothing is known of these days.") == 2
    assert "Nothing is known of these days." in statement_html(told.page).decode()


def test_yen_have_no_hundredths() -> None:
    rows = [
        {"namespace": "a", "item": f"v{each}", "cost": Decimal("12.345678") * each, "storage_gib_hours": 1.0,
         "storage_class": "fast", "unpriced_charges": 0}
        for each in range(1, 5)
    ]  # fmt: skip
    table = volumes(rows, "JPY").table
    assert [row[-1].text for row in table.rows] == ["49", "37", "25", "12"]
    assert table.total[-1].text == "123"


def test_a_team_that_nobody_is_in_has_no_statement(warehouse: Warehouse) -> None:
    with pytest.raises(ConfigError, match=r"'visoin'.*'vision'"):
        statement_of(warehouse, SETTINGS, "visoin", Asked(NOVEMBER), TODAY)
    with pytest.raises(ConfigError, match="is of a team"):
        teams_of(warehouse, Asked(Dates(date(2025, 1, 1), date(2025, 2, 1))))


def test_hostile_names_are_text() -> None:
    hostile = Warehouse.over_tables(tables(hostile=True))
    name = next(name for name in HOSTILE if "<" in name)
    told = statement_of(hostile, SETTINGS, name, Asked(NOVEMBER), TODAY)
    page = statement_html(told.page).decode()
    assert name not in page
    assert "<script" not in page
    assert statement_html(told.page) == statement_html(replace(told.page))


def test_without_a_browser_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no Chromium") as told:
        pdf.browser()
    assert "-o html" in str(told.value.hint)
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2; exit 3\n")
    broken.chmod(0o755)
    with pytest.raises(ConfigError, match="no PDF: no display"):
        pdf.printed(b"<p>", broken)

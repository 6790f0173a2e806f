"""Alarms of a cluster with a story: the one day that was dear, and its cause; what becomes of gaps and prices."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from world import CLUSTER, LAST_DAY, world

from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.anomalies import alarms_of, anomalies
from costlab.jobs.asked import Filters
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

WEEK = Dates(LAST_DAY - timedelta(6), LAST_DAY + timedelta(1))
TODAY = Dates(LAST_DAY, LAST_DAY + timedelta(1))


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return Warehouse.over_tables(world())


def test_the_day_that_was_dear_is_the_one_alarm_and_names_its_cause(warehouse: Warehouse) -> None:
    found = anomalies(warehouse, "team", WEEK)
    [row] = found.rows.to_pylist()
    assert (found.judged, found.subjects, found.currency) == (10, 10, "USD")
    assert (row["team"], row["date"], row["last_date"], row["cause"]) == (
        "nlp-research",
        LAST_DAY,
        LAST_DAY,
        "quantity",
    )
    assert (row["cause_workload"], row["cause_resource"]) == ("train-llm-7b", "gpu")
    assert row["message"] == (
        "Team nlp-research cost $3,455 on Sunday, 22 November 2026, $1,174 more than on a usual Sunday ($2,281), "
        "led by GPU cost of nlp-research's Job train-llm-7b (+$787)."
    )
    [told] = alarms_of(warehouse, CLUSTER, LAST_DAY)
    assert (told.subject, told.amount, told.message) == ("nlp-research", row["change_cost"], row["message"])
    assert alarms_of(warehouse, CLUSTER, LAST_DAY - timedelta(1)) == []


def test_the_effects_of_all_parts_add_up_to_the_change_of_the_day(warehouse: Warehouse) -> None:
    days = [LAST_DAY - timedelta(back) for back in (0, 7, 21)]
    rows = warehouse.query(
        "cost_changes", cluster=CLUSTER, day=days[0], against=",".join(map(str, days[1:]))
    ).to_pylist()
    effects = ("new_cost", "gone_cost", "quantity_cost", "price_cost")
    assert all(sum(row[name] for name in effects) == row["change_cost"] for row in rows)
    text = "select sum(cost) as cost from charges where date = $day"
    now, *before = (warehouse.sql(text, {"day": day})["cost"][0].as_py() for day in days)
    change = sum((row["change_cost"] for row in rows), Decimal(0))
    assert abs(change - (now - sum(before) / 2)) <= len(rows) * Decimal("0.0000005")  # each mean is rounded


def test_a_filter_keeps_what_it_names_and_costs_are_those_of_the_lake(warehouse: Warehouse) -> None:
    [row] = anomalies(warehouse, "workload", WEEK, Filters(namespace="nlp")).rows.to_pylist()
    assert (row["workload_kind"], row["workload"]) == ("Job", "train-llm-7b")
    paid = warehouse.sql(
        "select sum(cost) as cost from charges where date = $day and workload = 'train-llm-7b'",
        {"day": LAST_DAY},
    )["cost"][0].as_py()
    assert row["cost"] == paid
    assert anomalies(warehouse, "workload", WEEK, Filters(namespace="vision")).rows.num_rows == 0


def charged(days: int, **changes: dict[str, Any]) -> Warehouse:
    """A lake of one Job: 10 USD for 100 core-hours a day; `changes` by days back, as d0, d1, …; None leaves it out."""
    base = {"cluster": "c", "kind": "workload", "resource": "cpu", "team": "a", "namespace": "n", "workload_kind": "Job",
            "workload": "j", "currency": "USD", "cost": Decimal(10), "billed_quantity": 100.0}  # fmt: skip
    charges, runs = [], []
    for back in range(days):
        on, own = LAST_DAY - timedelta(back), changes.get(f"d{back}", {})
        runs.append({"cluster": "c", "date": on, "status": "complete", "coverage": 1.0})
        if own is not None:
            charges.append(base | {"date": on} | own)
    return Warehouse.over_tables(
        {name: pa.Table.from_pylist(rows, schema=arrow_schema(name)) for name, rows in (("charges", charges), ("runs", runs))}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("today", "cause", "end"),
    [
        ({"cost": Decimal(30)}, "price", "led by CPU cost of a's Job j (+$20.00, at a higher price)."),
        ({"cost": Decimal(30), "billed_quantity": 300.0}, "quantity", "led by CPU cost of a's Job j (+$20.00)."),
        (None, "gone", ("Team a cost nothing on Sunday, 22 November 2026, $10.00 less than on a usual Sunday ($10.00), "
         "led by CPU cost of a's Job j (−$10.00, gone).")),
        ({"workload": "k", "cost": Decimal(40)}, "new", "led by CPU cost of a's Job k (+$40.00, new)."),
        ({"cost": None}, None, ""),
    ],
    ids=["price", "quantity", "gone", "new", "unpriced"],
)  # fmt: skip
def test_an_alarm_says_how_the_cost_came_to_change(
    today: dict[str, Any] | None, cause: str | None, end: str
) -> None:
    rows = anomalies(charged(60, d0=today), "team", TODAY).rows.to_pylist()  # type: ignore[arg-type]
    assert [row["cause"] for row in rows] == [cause] * (cause is not None)
    assert all(row["message"].endswith(end) for row in rows)


def test_a_young_lake_is_not_judged_and_old_alarms_are_not_told_again() -> None:
    dear = {"cost": Decimal(90)}
    assert anomalies(charged(17, d0=dear), "team", TODAY).judged == 0
    assert anomalies(charged(18, d0=dear), "team", TODAY).rows.num_rows == 1
    lasting = charged(90, **{f"d{back}": dear for back in range(6)})
    [row] = anomalies(lasting, "team", TODAY).rows.to_pylist()
    assert (row["date"], row["last_date"]) == (LAST_DAY - timedelta(5), LAST_DAY)
    assert alarms_of(lasting, "c", LAST_DAY) == []
    assert len(alarms_of(lasting, "c", LAST_DAY - timedelta(5))) == 1


def test_days_in_another_currency_are_not_known_and_what_is_not_known_by_is_refused() -> None:
    changed = {f"d{back}": {"currency": "EUR", "cost": Decimal(1000)} for back in range(18, 60)}
    found = anomalies(charged(60, d0={"cost": Decimal(90)}, **changed), "team", TODAY)
    [row] = found.rows.to_pylist()
    assert (found.currency, row["usual_cost"]) == ("USD", Decimal(10))
    with pytest.raises(ConfigError, match="did you mean 'team'"):
        anomalies(charged(1), "teams", Dates(date(2026, 1, 1), date(2026, 1, 2)))

"""The cost table against the made-up world: sums to the micro-unit, whatever it is asked by."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import CLUSTER, INCOMPLETE, LAST_DAY, MISSING, world

from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import OF_PODS, Filters, key_columns
from costlab.jobs.cost import cost_table, currency_of, quality
from costlab.store.schema import conform, empty
from costlab.store.warehouse import Warehouse

Row = dict[str, Any]

WEEK = Dates(LAST_DAY - timedelta(days=3), LAST_DAY + timedelta(days=1))
DIMENSIONS = [
    "team",
    "namespace",
    "workload",
    "workload_kind",
    "pod",
    "node",
    "resource",
    "kind",
    "pipeline",
    "class",
    "date",
    "cluster",
]
MONEY = ("cost", "cost_used", "cost_unused", "cost_unobserved")
EVERYTHING = Filters()


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return Warehouse.over_tables(world(first_day=LAST_DAY - timedelta(days=10)))


@pytest.fixture(scope="module")
def charges() -> list[Row]:
    rows = world(first_day=LAST_DAY - timedelta(days=10))["charges"].to_pylist()
    return [row for row in rows if WEEK.start <= row["date"] < WEEK.end]


def exact(rows: list[Row], name: str) -> Decimal:
    return sum((row[name] for row in rows if row[name] is not None), Decimal(0))


@settings(max_examples=25, deadline=None)
@given(by=st.lists(st.sampled_from([*DIMENSIONS, "label:team"]), min_size=1, max_size=3))
def test_the_rows_add_up_to_the_total_and_the_total_to_the_charges(
    warehouse: Warehouse, charges: list[Row], by: list[str]
) -> None:
    *rows, total = cost_table(warehouse, by, WEEK, EVERYTHING).to_pylist()
    assert next(iter(total.values())) == "(total)"
    for name in MONEY:
        assert exact(rows, name) == total[name] == exact(charges, name)
    for name, resource in (("cpu_core_hours", "cpu"), ("memory_gib_hours", "memory"), ("gpu_hours", "gpu")):
        truth = sum(row["billed_quantity"] for row in charges if row["resource"] == resource)
        assert total[name] == pytest.approx(truth, rel=1e-9, abs=1e-6)
    keys = [
        tuple(value for name, value in row.items() if name not in total.keys() - rows[0].keys())
        for row in rows
    ]
    assert len(set(keys)) == len(keys)


def test_what_nobody_owns_has_a_name(warehouse: Warehouse, charges: list[Row]) -> None:
    by_team = {
        row["team"]: row["cost"] for row in cost_table(warehouse, ["team"], WEEK, EVERYTHING).to_pylist()
    }
    for kind in ("idle", "system", "fee"):
        assert by_team[f"({kind})"] == exact([row for row in charges if row["kind"] == kind], "cost")
    teams = {row["team"] for row in charges} - {None}
    assert set(by_team) == teams | {"(idle)", "(system)", "(fee)", "(total)"}


@pytest.mark.parametrize(
    "filters", [Filters(CLUSTER), Filters(team="vision"), Filters(CLUSTER, "spark", "data-eng")]
)
def test_filters_keep_only_what_they_name(warehouse: Warehouse, charges: list[Row], filters: Filters) -> None:
    kept = [
        row
        for row in charges
        if filters.team in (None, row["team"]) and filters.namespace in (None, row["namespace"])
    ]
    [*_, total] = cost_table(warehouse, ["workload"], WEEK, filters).to_pylist()
    assert total["cost"] == exact(kept, "cost")
    assert kept


def test_the_dearest_comes_first_and_dates_in_their_order(warehouse: Warehouse) -> None:
    costs = cost_table(warehouse, ["workload"], WEEK, EVERYTHING)["cost"].to_pylist()[:-1]
    assert costs == sorted(costs, reverse=True)
    days = cost_table(warehouse, ["date"], WEEK, EVERYTHING)["date"].to_pylist()
    assert days == [*(str(WEEK.start + timedelta(days=i)) for i in range(4)), "(total)"]


def test_nothing_is_not_zero(warehouse: Warehouse) -> None:
    nothing = Dates(date(2020, 1, 1), date(2020, 1, 2))
    [total] = cost_table(warehouse, ["team"], nothing, EVERYTHING).to_pylist()
    assert (total["team"], total["cost"]) == ("(total)", None)
    assert currency_of(warehouse, nothing, EVERYTHING) is None
    assert currency_of(warehouse, WEEK, EVERYTHING) == "USD"


def test_quality_counts_whole_days_of_the_past() -> None:
    runs = Warehouse.over_tables({"runs": world()["runs"]})
    window = Dates(MISSING, MISSING + timedelta(days=30))
    assert quality(runs, window, CLUSTER, MISSING + timedelta(days=3)).days == 3
    seen = quality(runs, Dates(MISSING, INCOMPLETE + timedelta(days=1)), None, LAST_DAY)
    assert (seen.days, seen.complete_days) == (9, 7)  # one missing, one incomplete
    assert seen.coverage is not None
    assert 0 < seen.coverage < 1
    assert quality(runs, Dates(date(2030, 1, 1), date(2030, 1, 2)), None, LAST_DAY).coverage is None


def changed(**columns: Callable[[int], Sequence[str | None]]) -> Warehouse:
    """The last day's charges, with some columns set to one value."""
    rows = world(first_day=LAST_DAY)["charges"]
    arrays = {name: rows[name].combine_chunks() for name in rows.column_names}
    for name, values in columns.items():
        arrays[name] = pa.array(values(len(rows)), rows.schema.field(name).type)
    return Warehouse.over_tables({"charges": conform("charges", arrays)})


@pytest.mark.parametrize("by", ["node", "pod"])
def test_namesakes_of_several_clusters_are_not_added_up(by: str) -> None:
    twins = changed(cluster=lambda count: ["a", "b"] * (count // 2) + ["a"] * (count % 2))
    rows = cost_table(twins, [by], WEEK, EVERYTHING).to_pylist()[:-1]
    key = ["cluster", *(["namespace"] if by == "pod" else []), by]
    truth: dict[tuple[str, ...], Decimal] = {}
    for row in twins.sql("select cluster, namespace, pod, node, cost from charges").to_pylist():
        named = tuple(row[name] for name in key)
        if row[by] is not None:
            truth[named] = truth.get(named, Decimal(0)) + row["cost"]
    assert truth == {
        tuple(row[name] for name in key): row["cost"] for row in rows if not row[by].startswith("(")
    }
    assert len({named[1:] for named in truth}) < len(truth)


def test_two_currencies_do_not_add_up() -> None:
    mixed = changed(currency=lambda count: ["EUR"] + ["USD"] * (count - 1))
    with pytest.raises(ConfigError, match="holds EUR and USD, which do not add up"):
        cost_table(mixed, ["team"], WEEK, EVERYTHING)


def test_charges_without_a_price_are_counted_not_priced() -> None:
    unpriced = changed(**dict.fromkeys(MONEY, lambda count: [None] * count))
    [*_, total] = cost_table(unpriced, ["team"], WEEK, EVERYTHING).to_pylist()
    assert total["cost"] is None
    assert total["unpriced_charges"] > 0


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("temm", "did you mean 'team'"),
        ("cost; drop table charges", "no such dimension"),
        ("", "no such dimension"),
    ],
)
def test_only_known_dimensions_are_taken(warehouse: Warehouse, by: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cost_table(warehouse, [by], WEEK, EVERYTHING)


@pytest.mark.parametrize("name", ["cluster", "namespace", "team"])
def test_an_empty_filter_is_no_filter(name: str) -> None:
    with pytest.raises(ConfigError, match=f"--{name} is empty"):
        Filters(**{name: ""})


def test_an_empty_dimension_is_none() -> None:
    with pytest.raises(ConfigError, match="--by '': no such dimension"):
        key_columns(["team", ""], OF_PODS, labels=True)


@pytest.mark.parametrize(
    "by", [["label:x", "team", "date"], ["workload", "cluster"], ["kind", "node", "resource"]]
)
def test_columns_stand_as_asked_and_hold_what_they_say(
    warehouse: Warehouse, charges: list[Row], by: list[str]
) -> None:
    rows = cost_table(warehouse, by, WEEK, EVERYTHING).to_pylist()[:-1]
    names = list(rows[0])[: list(rows[0]).index("cost")]
    assert [name for name in names if name in by] == by
    for name in set(names) - {"label:x"}:
        told = {row[name] for row in rows if "(" not in row[name]}
        assert told == {str(row[name]) for row in charges if row[name] is not None}


@pytest.mark.parametrize(
    "name", ['x"; drop view charges; --', "a'b", "app.kubernetes.io/name", "$1", "label:x"]
)
def test_a_label_s_name_is_never_sql(warehouse: Warehouse, name: str) -> None:
    table = cost_table(warehouse, [f"label:{name}"], WEEK, EVERYTHING)
    assert table.column_names[0] == f"label:{name}"
    assert set(table[0].to_pylist()) == {"(idle)", "(system)", "(fee)", "(none)", "(total)"}


def test_a_label_is_found_under_the_name_that_kubernetes_gives_it() -> None:
    tables = world(first_day=LAST_DAY)
    [pod] = [
        row
        for row in tables["charges"].to_pylist()
        if row["workload"] == "mlflow" and row["resource"] == "cpu"
    ][:1]
    container = {
        **dict.fromkeys(empty("containers").column_names),
        **{key: pod[key] for key in ("cluster", "date", "namespace", "pod", "pod_uid", "container", "node")},
        "labels": [("label_app_kubernetes_io_name", "tracking")],
    }
    containers = pa.Table.from_pylist([container], schema=empty("containers").schema)
    labelled = Warehouse.over_tables({"charges": tables["charges"], "containers": containers})
    found = cost_table(labelled, ["label:app.kubernetes.io/name"], WEEK, EVERYTHING).to_pylist()
    truth = [row for row in tables["charges"].to_pylist() if row["pod_uid"] == pod["pod_uid"]]
    assert {row["label:app.kubernetes.io/name"]: row["cost"] for row in found}["tracking"] == exact(
        truth, "cost"
    )

"""Who bears what nobody asked for: others' published cases to the given digits, and the laws of sharing."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.config.charging import Share
from costlab.domain.dates import Dates
from costlab.domain.sharing import ShareIdle
from costlab.jobs.asked import Filters
from costlab.jobs.cost import cost_table
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

Row = dict[str, Any]
DAY = date(2026, 11, 22)
WINDOW = Dates(DAY, DAY + timedelta(days=1))
ALL = Filters()
MICRO = Decimal("0.000001")


def charge(cost: str | Decimal, **given: Any) -> Row:
    """A charge of one container of a deployment; idle, system and fees have no owner."""
    owner = dict.fromkeys(
        ("namespace", "workload_kind", "workload", "pod", "pod_uid", "container", "team", "class")
    )
    if given.get("kind", "workload") == "workload":
        owner = {**owner, "namespace": "ns", "team": "unallocated", "workload_kind": "Pod", "workload": "w"}
        owner |= {"pod": "p", "pod_uid": "p", "container": "c", "class": "service"}
    return {
        **dict.fromkeys(arrow_schema("charges").names),
        "cluster": "cluster1",
        "date": DAY,
        "kind": "workload",
        "resource": "cpu",
        "unit": "core_hour",
        "billed_quantity": 1.0,
        "currency": "USD",
        "cost": Decimal(cost).quantize(MICRO),
        **owner,
        **given,
    }


def loose(table: str) -> pa.Schema:
    """A table's columns, any of which may be left out."""
    return pa.schema([field.with_nullable(nullable=True) for field in arrow_schema(table)])


def lake(rows: Iterable[Row], containers: Iterable[Row] = ()) -> Warehouse:
    tables = {"charges": list(rows), "containers": list(containers)}
    return Warehouse.over_tables(
        {name: pa.Table.from_pylist(made, schema=loose(name)) for name, made in tables.items()}
    )


# OpenCost's test topology: every container costs 1 of each resource, but container1 11 of memory.
# container: cluster, node, namespace, pod, controller's kind and name, labels
CONTAINERS = [
    ("container1", "cluster1", "c1nodes", "namespace1", "pod1", None, {"app": "app1", "env": "env1"}),
    ("container2", "cluster1", "c1nodes", "namespace1", "pod-abc", "Deployment/deployment1", {}),
    ("container3", "cluster1", "c1nodes", "namespace1", "pod-def", "Deployment/deployment1", {}),
    ("container4", "cluster1", "c1nodes", "namespace2", "pod-ghi", "Deployment/deployment2",
     {"app": "app2", "env": "env2"}),
    ("container5", "cluster1", "c1nodes", "namespace2", "pod-ghi", "Deployment/deployment2",
     {"app": "app2", "env": "env2"}),
    ("container6", "cluster1", "c1nodes", "namespace2", "pod-jkl", "DaemonSet/daemonset1",
     {"service": "service1"}),
    ("container4", "cluster2", "node1", "namespace2", "pod-mno", "Deployment/deployment2", {"app": "app2"}),
    ("container5", "cluster2", "node1", "namespace2", "pod-mno", "Deployment/deployment2", {"app": "app2"}),
    ("container6", "cluster2", "node2", "namespace2", "pod-pqr", "DaemonSet/daemonset1",
     {"service": "service1"}),
    ("container7", "cluster2", "node2", "namespace3", "pod-stu", "Deployment/deployment3",
     {"annotation": "team1"}),
    ("container8", "cluster2", "node3", "namespace3", "pod-vwx", "StatefulSet/statefulset1",
     {"annotation": "team2"}),
    ("container9", "cluster2", "node3", "namespace3", "pod-vwx", "StatefulSet/statefulset1",
     {"annotation": "team1"}),
]  # fmt: skip
RESOURCES = ("cpu", "memory", "gpu", "storage", "network", "load_balancer")
# container8 and container9 are in one pod, and annotated apart: labels are a pod's here, so each is a pod of its own.
APART = {"container9": "pod-vwx-9"}


def topology() -> tuple[list[Row], list[Row]]:
    charges, containers = [], []
    for container, cluster, node, namespace, pod, controller, labels in CONTAINERS:
        named = APART.get(container, pod)
        kind, _, workload = (controller or f"Pod/{pod}").partition("/")
        who: Row = {"cluster": cluster, "node": node, "namespace": namespace, "pod": named, "pod_uid": named}
        who |= {"container": container, "workload_kind": kind, "workload": workload}
        who |= {"team": labels.get("app", "unallocated"), "class": "service"}
        for resource in RESOURCES:
            cost = 11 if (container, resource) == ("container1", "memory") else 1
            charges.append(charge(Decimal(cost), resource=resource, **who))
        exposed = [(f"label_{name}", value) for name, value in labels.items()]
        containers.append({**who, "date": DAY, "labels": exposed})
    idle = {
        ("cluster1", "cpu"): 5,
        ("cluster1", "memory"): 15,
        ("cluster2", "cpu"): 5,
        ("cluster2", "memory"): 5,
    }
    for (cluster, resource), cost in idle.items():
        nodes = ["c1nodes"] if cluster == "cluster1" else ["node1", "node2", "node3"]
        for place, node in enumerate(nodes):
            exact = Decimal(cost) / len(nodes)
            part = (
                exact.quantize(MICRO) if place else Decimal(cost) - exact.quantize(MICRO) * (len(nodes) - 1)
            )
            charges.append(charge(part, kind="idle", cluster=cluster, resource=resource, node=node))
    return charges, containers


@pytest.fixture(scope="module")
def opencost() -> Warehouse:
    return lake(*topology())


@pytest.fixture(scope="module")
def opencost_with_overhead() -> Warehouse:
    """7 an hour all day."""
    charges, containers = topology()
    return lake([*charges, charge("168", kind="fee", resource="fee")], containers)


def costs(warehouse: Warehouse, by: str, filters: Filters = ALL, **sharing: Any) -> dict[str, Decimal]:
    """The cost of each key that has any: values joined by a slash, nobody's in brackets."""
    table = cost_table(warehouse, by.split(","), WINDOW, filters, **sharing)
    width = table.column_names.index("cost")
    *rows, total = [list(row.values()) for row in table.to_pylist()]
    assert sum((row[width] for row in rows), Decimal(0)) == (total[width] or 0)
    return {"/".join(row[:width]): row[width] for row in rows if row[width]}


def assert_costs(got: Mapping[str, Decimal], expected: Mapping[str, float]) -> None:
    assert got.keys() == expected.keys()
    for key, cost in expected.items():
        assert abs(float(got[key]) - cost) < 0.00005001, key  # published to four digits


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        pytest.param("cluster,kind", {"cluster1/workload": 46, "cluster2/workload": 36, "cluster1/idle": 20,
                                      "cluster2/idle": 10}, id="1, 21 by cluster"),
        pytest.param("namespace", {"namespace1": 28, "namespace2": 36, "namespace3": 18, "(idle)": 30}, id="2"),
        pytest.param("workload_kind", {"DaemonSet": 12, "Deployment": 42, "StatefulSet": 12, "Pod": 16,
                                       "(idle)": 30}, id="3"),
        pytest.param("label:service", {"service1": 12, "(none)": 70, "(idle)": 30}, id="5 service"),
        pytest.param("label:app", {"app1": 16, "app2": 24, "(none)": 42, "(idle)": 30}, id="5 label"),
        pytest.param("label:annotation", {"team1": 12, "team2": 6, "(none)": 64, "(idle)": 30}, id="5 annotation"),
        pytest.param("label:app,label:env", {"app1/env1": 16, "app2/env2": 12, "app2/(none)": 12,
                                             "(none)/(none)": 42, "(idle)/(idle)": 30}, id="6"),
        pytest.param("label:env,cluster,label:app", {
            "env2/cluster1/app2": 12, "env1/cluster1/app1": 16, "(none)/cluster1/(none)": 18,
            "(none)/cluster2/app2": 12, "(none)/cluster2/(none)": 24,
            "(idle)/cluster1/(idle)": 20, "(idle)/cluster2/(idle)": 10}, id="7"),
    ],
)  # fmt: skip
def test_opencost_aggregation(opencost: Warehouse, by: str, expected: Mapping[str, float]) -> None:
    assert_costs(costs(opencost, by), expected)


def test_opencost_by_controller(opencost: Warehouse) -> None:  # case 4
    by_name: dict[str, Decimal] = {}
    for key, cost in costs(opencost, "workload").items():
        name = key.rpartition("/")[2]
        by_name[name] = by_name.get(name, Decimal(0)) + cost
    expected = {"deployment1": 12, "deployment2": 24, "deployment3": 6, "daemonset1": 12, "statefulset1": 12}
    assert_costs(by_name, {**expected, "pod1": 16, "(idle)": 30})


def test_opencost_idle_by_node(opencost: Warehouse) -> None:  # case 21
    found = {key: cost for key, cost in costs(opencost, "node,kind").items() if key.endswith("/idle")}
    of_two = {f"cluster2/node{n}/idle": 10 / 3 for n in (1, 2, 3)}
    assert_costs(found, {"cluster1/c1nodes/idle": 20, **of_two})


IDLE = ShareIdle.COST
NAMESPACE1 = Share(namespaces=("namespace1",), across="lake")
NAMESPACE3 = Share(namespaces=("namespace3",), across="lake")
NAMESPACE3_EVEN = Share(namespaces=("namespace3",), method="even", across="lake")
APP1_EVEN = Share(teams=("app1",), method="even", across="lake")
OVERHEAD = Share(fees=True, across="lake")


@pytest.mark.parametrize(
    ("by", "sharing", "expected"),
    [
        pytest.param("namespace", {"idle": IDLE},
                     {"namespace1": 42.6875, "namespace2": 46.3125, "namespace3": 23}, id="8"),
        pytest.param("namespace", {"share": NAMESPACE3_EVEN},
                     {"namespace1": 37, "namespace2": 45, "(idle)": 30}, id="9"),
        pytest.param("namespace", {"share": NAMESPACE3},
                     {"namespace1": 35.875, "namespace2": 46.125, "(idle)": 30}, id="10"),
        pytest.param("namespace", {"share": APP1_EVEN},
                     {"namespace1": 17.3333, "namespace2": 41.3333, "namespace3": 23.3333, "(idle)": 30}, id="11"),
        pytest.param("cluster", {"idle": IDLE}, {"cluster1": 66, "cluster2": 46}, id="13 shared, unfiltered"),
        pytest.param("namespace", {"share": NAMESPACE1, "idle": IDLE},
                     {"namespace2": 74.7708, "namespace3": 37.2292}, id="19"),
    ],
)  # fmt: skip
def test_opencost_sharing(opencost: Warehouse, by: str, sharing: Any, expected: Mapping[str, float]) -> None:
    assert_costs(costs(opencost, by, **sharing), expected)


def test_opencost_overhead(opencost_with_overhead: Warehouse) -> None:  # case 12
    expected = {"namespace1": 85.3659, "namespace2": 109.7561, "namespace3": 54.8780, "(idle)": 30}
    assert_costs(costs(opencost_with_overhead, "namespace", share=OVERHEAD), expected)


ONLY2 = Filters(namespace="namespace2")


@pytest.mark.parametrize(
    ("by", "filters", "sharing", "expected"),
    [
        pytest.param("cluster,kind", Filters("cluster1"), {}, {"cluster1/workload": 46, "cluster1/idle": 20},
                     id="13 separate"),
        pytest.param("cluster", Filters("cluster1"), {"idle": IDLE}, {"cluster1": 66}, id="13 shared"),
        pytest.param("cluster", ONLY2, {}, {"cluster1": 18, "cluster2": 18}, id="14 without its idle"),
        pytest.param("namespace", ONLY2, {"idle": IDLE}, {"namespace2": 46.3125}, id="15"),
        pytest.param("namespace", ONLY2, {"share": NAMESPACE1, "idle": IDLE}, {"namespace2": 74.7708}, id="17"),
        pytest.param("namespace", ONLY2, {"share": NAMESPACE1}, {"namespace2": 54.6667}, id="18 without its idle"),
    ],
)  # fmt: skip
def test_opencost_filters(
    opencost: Warehouse, by: str, filters: Filters, sharing: Any, expected: Mapping[str, float]
) -> None:
    assert_costs(costs(opencost, by, filters, **sharing), expected)


def test_opencost_filters_with_overhead(opencost_with_overhead: Warehouse) -> None:
    overhead = costs(opencost_with_overhead, "namespace", ONLY2, share=OVERHEAD)
    assert_costs(overhead, {"namespace2": 109.7561})  # case 16 without its idle
    both = costs(opencost_with_overhead, "namespace", ONLY2, share=OVERHEAD, idle=IDLE)
    assert_costs(both, {"namespace2": 120.0686})  # case 20


def test_the_part_of_idle_that_a_filter_leaves_is_told(opencost: Warehouse) -> None:
    [*_, total] = cost_table(opencost, ["cluster"], WINDOW, ONLY2, idle=IDLE).to_pylist()
    assert total["cost_idle"] == Decimal("10.3125")  # case 14


def test_idle_is_what_is_not_allocated() -> None:  # case 41: idle 44/24/4 and 44/34/4
    told = {"cluster1": {"cpu": 44, "memory": 24, "gpu": 4}, "cluster2": {"cpu": 44, "memory": 34, "gpu": 4}}
    rows = [
        charge(Decimal(cost), kind="idle", cluster=cluster, resource=resource)
        for cluster, parts in told.items()
        for resource, cost in parts.items()
    ]
    assert_costs(costs(lake(rows), "cluster"), {"cluster1": 72, "cluster2": 82})


@pytest.mark.parametrize("idle", list(ShareIdle))
def test_idle_that_nobody_can_bear_stays(idle: ShareIdle) -> None:
    """A resource without a charge, and (case 42) charges that cost nothing: no share is NaN."""
    rows = [
        charge("6", kind="idle", resource="gpu"),
        charge("3"),
        charge("2", kind="idle", cluster="other"),
        charge("0", cluster="other"),
    ]
    found = costs(lake(rows), "namespace", idle=idle)
    stays = {"none": 8, "cost": 8, "even": 6}[idle]  # as much to each key: also to one that costs nothing
    assert_costs(found, {"ns": 11 - stays, "(idle)": stays})


@pytest.mark.parametrize(
    ("unallocated", "parts"),
    [
        pytest.param("1000", (444.4444, 333.3333, 222.2222), id="46"),
        pytest.param("29.761905", (13.2275, 9.9206, 6.6138), id="44"),
    ],
)
def test_koku_unallocated_by_slice_hours(unallocated: str, parts: tuple[float, ...]) -> None:
    rows = [charge(str(hours), namespace=f"p{hours}", resource="gpu") for hours in (8, 6, 4)]
    shared = costs(lake([*rows, charge(unallocated, kind="idle", resource="gpu")]), "namespace", idle=IDLE)
    assert_costs(shared, {f"p{hours}": hours + part for hours, part in zip((8, 6, 4), parts, strict=True)})


def test_koku_a_workers_unallocated_cost() -> None:  # case 47
    projects = [charge("25", namespace="a"), charge("75", namespace="b"), charge("100", namespace="worker")]
    table = cost_table(
        lake(projects), ["namespace"], WINDOW, Filters(), share=Share(namespaces=("worker",))
    ).to_pylist()
    given_out = {row["namespace"]: row["cost_shared"] for row in table}
    assert given_out == {"a": 25, "b": 75, "worker": -100, "(total)": 0}


def test_kubecost_idle_picture() -> None:  # case 51: by cluster +1.4 each
    rows = [charge("1", namespace=f"w{n}", node="node1" if n < 5 else "node2") for n in range(1, 6)]
    idle = [charge("2", kind="idle", node="node1"), charge("5", kind="idle", node="node2")]
    shared = costs(lake([*rows, *idle]), "namespace", idle=IDLE)
    assert_costs(shared, {f"w{n}": 2.4 for n in range(1, 6)})


def used(used_cost: float, unused_cost: float, **given: Any) -> Row:
    parts = {"cost_used": Decimal(str(used_cost)), "cost_unused": Decimal(str(unused_cost))}
    return charge(sum(parts.values(), Decimal(0)), **parts, cost_unobserved=Decimal(0), **given)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([used(10, 40), used(15, 35)], 0.25, id="23 memory"),
        pytest.param([used(0.1, 0.4), used(0.2, 0.3)], 0.3, id="23 cpu"),
        pytest.param([used(10, 40), used(15, 35), charge("9", kind="idle")], 0.25, id="23 idle is ignored"),
        pytest.param([used(3, 0)], 1.0, id="23 used without a request"),
        pytest.param([charge("9", kind="idle")], None, id="23 nothing"),
        pytest.param([used(5, 15), used(0.5, 0.5, resource="memory")], 0.2619047619, id="49"),
    ],
)
def test_efficiency_is_a_ratio_of_sums(rows: list[Row], expected: float | None) -> None:
    apart = [{**row, "container": str(place)} for place, row in enumerate(rows)]
    [*_, total] = cost_table(lake(apart), ["team"], WINDOW, Filters()).to_pylist()
    assert total["used_ratio"] == (None if expected is None else pytest.approx(expected))


AMOUNT = st.integers(0, 10**8).map(lambda micros: micros * MICRO)
CHARGES = st.lists(
    st.builds(
        lambda cost, cluster, resource, namespace, team, day: charge(
            cost, cluster=cluster, resource=resource, namespace=namespace, team=team, date=day
        ),
        AMOUNT, st.sampled_from("ab"), st.sampled_from(["cpu", "gpu"]), st.sampled_from("xyz"), st.sampled_from("tu"),
        st.sampled_from([DAY, DAY + timedelta(days=1)]),
    ), max_size=12,
)  # fmt: skip
RESTS = st.lists(
    st.builds(
        lambda cost, sign, cluster, kind, day: charge(
            sign * cost, cluster=cluster, kind=kind, resource="fee" if kind == "fee" else "cpu", date=day
        ),
        AMOUNT, st.sampled_from([1, 1, 1, -1]), st.sampled_from("ab"), st.sampled_from(["idle", "system", "fee"]),
        st.sampled_from([DAY, DAY + timedelta(days=1)]),
    ), max_size=6,
)  # fmt: skip
SHARES = st.builds(
    Share,
    namespaces=st.sampled_from([(), ("x",), ("x", "y", "z")]),
    teams=st.sampled_from([(), ("t",)]),
    fees=st.booleans(),
    method=st.sampled_from(["cost", "even"]),
    across=st.sampled_from(["cluster", "lake"]),
)
BOTH = Dates(DAY, DAY + timedelta(days=2))


@settings(max_examples=15, deadline=None)
@given(CHARGES, RESTS, SHARES, st.sampled_from(ShareIdle), st.sampled_from(["team", "namespace", "cluster"]))
def test_sharing_moves_money_and_makes_none(
    owned: list[Row], rests: list[Row], share: Share, idle: ShareIdle, by: str
) -> None:
    """The total stays; a filtered answer and the rest are the whole; a window is the sum of its days."""
    rows = [*owned, *rests]
    warehouse = lake(rows)

    def answer(window: Dates = BOTH, filters: Filters = ALL) -> list[Row]:
        table = cost_table(warehouse, [by], window, filters, idle=idle, share=share)
        told: list[Row] = table.to_pylist()
        return told

    def by_key(*answers: list[Row]) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for row in (row for told in answers for row in told):
            found[row[by]] = found.get(row[by], Decimal(0)) + (row["cost"] or 0)
        return {key: cost for key, cost in found.items() if cost}

    whole = answer()
    assert (whole[-1]["cost"] or 0) == sum(row["cost"] for row in rows)
    assert not whole[-1].get("cost_idle")
    assert not whole[-1].get("cost_shared")
    days = [Dates(DAY, BOTH.start + timedelta(days=1)), Dates(DAY + timedelta(days=1), BOTH.end)]
    assert by_key(*map(answer, days)) == by_key(whole)
    clusters = [answer(filters=Filters(cluster=cluster)) for cluster in "ab"]
    assert by_key(*clusters) == by_key(whole)
    teams = [answer(filters=Filters(team=team)) for team in ("t", "u", "(idle)", "(system)", "(fee)")]
    assert by_key(*teams) == by_key(whole)

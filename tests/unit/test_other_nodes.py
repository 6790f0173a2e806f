"""Pods replayed on other nodes, by hand: what each hour needs, what it costs, what is left out, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.book import PriceBook
from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.units import GIB
from costlab.jobs.other_nodes import NodeShape, Replay, replay
from costlab.store.lake import Lake
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

DAY = date(2026, 11, 22)
WINDOW = Dates(DAY, DAY + timedelta(1))
START = datetime(2026, 11, 22, tzinfo=UTC)
SHAPE = NodeShape(8, 32, hourly=1.5)


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def pod(
    name: str, cpu: float, since: float = 0, until: float = 24, gib: float = 4, gpu: float = 0, **more: Any
) -> Any:
    return {
        "node": "a", "namespace": "n", "workload_kind": "Deployment", "workload": name, "pod": name, "pod_uid": name,
        "container": "main", "start": at(since), "end": at(until), "cpu_request": cpu, "memory_request": gib * GIB,
        "gpu_share": gpu or None,
    } | more  # fmt: skip


def node(name: str, **more: Any) -> dict[str, Any]:
    return {
        "node": name, "start": at(0), "end": at(24), "cpu_capacity": 8.0, "cpu_allocatable": 7.0,
        "memory_capacity": 32.0 * GIB, "memory_allocatable": 30.0 * GIB, "cpu_price": 0.1, "memory_price": 0.05,
        "cpu_cost": Decimal("19.2"), "memory_cost": Decimal("38.4"), "gpu_cost": None,
    } | more  # fmt: skip


def lake(pods: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> Warehouse:
    rows = {
        "runs": [{"status": "complete", "coverage": 1.0}],
        "nodes": nodes,
        "containers": pods,
        "charges": [{"kind": "idle", "resource": "cpu", "node": "a", "currency": "EUR"}],
    }
    same = {"cluster": "c", "date": DAY}
    return Warehouse.over_tables(
        {
            name: pa.Table.from_pylist([same | row for row in of], schema=arrow_schema(name))
            for name, of in rows.items()
        }
    )


# 7 cores are left of 8, and half a core of these is the DaemonSet's on every node.
PODS = [
    pod("proxy", 0.5, workload_kind="DaemonSet", gib=0),
    pod("proxy", 0.25, workload_kind="DaemonSet", gib=0, node="b", pod="proxy-b"),
    pod("api", 4),
    pod("twin", 4),
    pod("batch", 2.5, 6.25, 6.75),
    pod("other", 2.5, 6.75, 7),  # begins when batch ends
]
NODES = [node("a"), node("b"), node("c", end=at(12), cpu_cost=Decimal("9.6"), memory_cost=Decimal("19.2"))]


def asked(
    pods: list[dict[str, Any]] = PODS, shape: NodeShape = SHAPE, nodes: list[dict[str, Any]] = NODES, **more: Any
) -> Replay:  # fmt: skip
    return replay(lake(pods, nodes), Settings(), shape, WINDOW, "UTC", **more)


def test_each_hour_needs_what_its_fullest_moment_does_and_a_started_hour_is_paid() -> None:
    found = asked()
    hours = found.hours.to_pylist()
    assert [row["nodes_least"] for row in hours] == [2] * 24
    assert [row["nodes_most"] for row in hours] == [2] * 24  # 4 + 2.5 of 6.5
    assert (hours[5]["cpu_cores"], hours[6]["cpu_cores"], hours[6]["pods"]) == (8.0, 10.5, 3)
    assert hours[6]["hour"] == at(6)
    rows = {row["nodes"]: row for row in found.rows.to_pylist()}
    assert (rows["today"]["nodes_most"], rows["today"]["node_hours_most"]) == (3, 60.0)
    assert rows["today"]["cost_most"] == Decimal("144.000000")
    assert rows["fixed"]["cost_least"] == rows["autoscaled"]["cost_most"] == Decimal("72.000000")
    assert rows["fixed"]["difference_most"] == Decimal("-72.000000")
    assert (found.currency, found.left_out, found.notes) == ("EUR", (), ())
    assert (found.node["reserved_cores"], found.node["reserved_gib"], found.node["daemonset_cores"]) == (
        1,
        2,
        0.5,
    )


def test_only_the_hours_that_need_more_have_more_where_nodes_come_and_go() -> None:
    found = asked([*PODS, pod("peak", 6.5, 9.5, 10.5)])
    assert [row["nodes_most"] for row in found.hours.to_pylist()] == [2] * 9 + [3, 3] + [2] * 13
    fixed, autoscaled = found.rows.to_pylist()[1:]
    assert (fixed["node_hours_most"], autoscaled["node_hours_most"]) == (72, 50)
    assert autoscaled["cost_least"] == Decimal("75.000000")


def test_pods_that_no_such_node_holds_are_named_and_no_difference_is_told() -> None:
    found = asked(
        [*PODS, pod("large", 7, gib=40), pod("gpu", 1, gpu=0.5), pod("bare", 0, memory_request=None)]
    )
    assert [(row["workload"], row["pods"], row["too_few"]) for row in found.left_out] == [
        ("gpu", 1, ["GPUs"]),
        ("large", 1, ["cores", "GiB"]),
    ]
    assert {row["difference_least"] for row in found.rows.to_pylist()[1:]} == {None}
    assert "1 pod with a container without a request" in found.notes[-1]
    with_gpu = asked([*PODS, pod("gpu", 1, gpu=0.5)], replace(SHAPE, gpus=1.0))
    assert with_gpu.left_out == ()
    assert "parts of GPUs" in with_gpu.notes[-1]


def test_more_than_maxpods_need_another_node() -> None:
    found = asked([pod(f"p{i}", 0.001, gib=0) for i in range(7)], replace(SHAPE, pods=3))
    assert {row["nodes_most"] for row in found.hours.to_pylist()} == {3}


def test_a_pool_is_the_nodes_that_are_as_the_named_one() -> None:
    large = node("large", cpu_capacity=16.0, cpu_allocatable=15.0)
    pods = [*PODS, pod("own", 6, node="large")]
    assert {
        row["nodes_least"] for row in asked(pods, nodes=[*NODES, large], like="large").hours.to_pylist()
    } == {1}
    with pytest.raises(ConfigError, match="did you mean 'large'"):
        asked(pods, nodes=[*NODES, large], like="larg")


def test_a_node_costs_what_its_parts_do_and_a_gpu_what_its_model_does() -> None:
    settings = Settings.model_construct(
        **dict(Settings()) | {"book": PriceBook(gpu_models={"NVIDIA L4": 0.8})}
    )
    shape = NodeShape(8, 32, 1.0, gpu_model="nvidia l4")
    found = replay(lake(PODS, NODES), settings, shape, WINDOW, "UTC")
    assert found.node["price_an_hour"] == Decimal("3.200000")  # 8 cores, 32 GiB and a GPU
    with pytest.raises(ConfigError, match="no price of a 'NVIDIA L40'; did you mean 'NVIDIA L4'"):
        replay(lake(PODS, NODES), settings, replace(shape, gpu_model="NVIDIA L40"), WINDOW, "UTC")


def test_what_is_not_known_is_refused_or_said() -> None:
    blind = [each | {"cpu_allocatable": None} for each in NODES]
    with pytest.raises(ConfigError, match="keep from pods is not known"):
        asked(nodes=blind)
    assert asked(nodes=blind, shape=replace(SHAPE, reserved_cores=1.0)).node["reserved_cores"] == 1
    unpriced = asked(nodes=[*NODES[1:], NODES[0] | {"cpu_cost": None}])
    assert unpriced.rows["cost_most"].to_pylist()[0] is None
    assert unpriced.rows["difference_most"].null_count == 3
    assert unpriced.notes == ("what a cost is not known, and so today's cost is not",)
    elsewhere = asked([*PODS, pod("lost", 1, node="z")])
    assert elsewhere.rows["difference_most"].to_pylist()[1:] == [None, None]
    assert "pods ran on z, of which nothing is known" in elsewhere.notes[0]
    with pytest.raises(ConfigError, match="has no cores for pods"):
        asked(shape=NodeShape(1, 32, hourly=1.0))
    with pytest.raises(ConfigError, match="no node of 2026-11-22"):
        asked(nodes=[])
    with pytest.raises(ConfigError, match="no amount"):
        NodeShape(float("nan"), 1.0)
    for much in ({"cores": 1e308}, {"gib": 2e9}, {"gpus": 1e13}, {"pods": 10**19}, {"hourly": 1e300}):
        with pytest.raises(ConfigError, match="no amount of a node"):
            replace(SHAPE, **much)


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(Lake, "open", lambda _: SimpleNamespace(timezone="UTC"))
    monkeypatch.setattr(Warehouse, "over", lambda _: lake([*PODS, pod("large", 9)], NODES))
    (tmp_path / "costlab.yaml").write_text("{}\n")

    def command(*args: str) -> Result:
        words = ["--config", str(tmp_path / "costlab.yaml"), "whatif", "--cores", "8", "--gib", "32", *args]
        return CliRunner().invoke(app, words, obj=Desk({"HOME": "/nonexistent"}, at(30)))

    return command


def test_the_command_tells_both_bounds_the_node_and_what_is_left_out(run: Run) -> None:
    done = run("--window", "1d", "-o", "json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["schema"], told["currency"]) == (0, "costlab.whatif/1", "EUR")
    assert [row["nodes"] for row in told["rows"]] == ["today", "fixed", "autoscaled"]
    assert told["node"]["price_an_hour"] == "2.400000"
    assert [row["workload"] for row in told["left_out"]] == ["large"]
    assert "warning: Deployment n/large: 1 pod with up to 9 cores" in done.stderr
    hours = json.loads(run("--window", "1d", "--by-hour", "-o", "json").stdout)["rows"]
    assert (len(hours), hours[0]["hour"]) == (24, "2026-11-22T00:00:00Z")
    for form in ("table", "jsonl", "csv", "md", "yaml"):
        assert "autoscaled" in run("--window", "1d", "-o", form).stdout
    assert run("--window", "1d", "--pool", "z").exit_code == 2

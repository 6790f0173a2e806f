"""Advice out of a lake of small measured days."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_world import DAY, World, at

from costlab.config.settings import Settings
from costlab.core.rightsizing.policies import POLICIES
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.domain.errors import ConfigError
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, Day
from costlab.domain.units import GIB, MIB
from costlab.jobs.measure import measure_day
from costlab.jobs.rightsizing.recommend import advice_of, recommend_day
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

DAYS = (DAY.previous.previous, DAY.previous, DAY)
Rows = dict[tuple[str, str], dict[str, Any]]
Night = tuple[Lake, Settings]


class When(TypedDict):
    start_ms: int
    end_ms: int


def all_days(days: tuple[Day, ...] = DAYS) -> When:
    return {"start_ms": days[0].window.start_ms - HOUR_MS, "end_ms": days[-1].window.end_ms + HOUR_MS}


def measured(
    path: Path, world: World, days: tuple[Day, ...] = DAYS[2:], **rules: Any
) -> tuple[Lake, Settings]:
    """A lake of some days of a world, and advice of each of them, as nights leave it."""
    told = Settings.model_validate({"lake": path, "rightsizing": rules})
    lake = Lake.create(path)
    for day in days:
        measure_day(world, lake, told, "test", day)
        recommend_day(lake, told, "test", day)
    return lake, told


def advice(lake: Lake, day: Day = DAY) -> Rows:
    return by_name(lake.read("advice", "test", day))


def by_name(rows: pa.Table) -> Rows:
    return {(row["workload"], row["resource"]): row for row in rows.to_pylist()}


def of_one_day(path: Path, world: World) -> Rows:
    return advice(measured(path, world, min_days=1, policy="peak")[0])


@dataclass(frozen=True)
class Peak:
    """A rule that needs but one day: the peak and 15 %."""

    name = "peak"

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: np.ndarray) -> Advised:  # noqa: ARG002 - a policy's
        shape = len(days_ms), samples.subjects
        cpu, memory = np.full(shape, np.nan), np.full(shape, np.nan)
        for replica, subject in enumerate(samples.subject):
            own = slice(samples.offsets[replica], samples.offsets[replica + 1])
            for day, at_ms in enumerate(days_ms):
                past = samples.at_ms[own] < at_ms
                for found, used in ((cpu, samples.cpu_cores), (memory, samples.memory_bytes)):
                    found[day, subject] = np.fmax(
                        found[day, subject], 1.15 * np.fmax.reduce(used[own][past], initial=np.nan)
                    )
        none, codes = np.full(shape, np.nan), np.zeros(shape, np.int8)
        return Advised(cpu, none, memory, none, none, none, codes, codes)


@pytest.fixture(autouse=True)
def by_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "peak", Peak)


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Settings]:
    return measured(tmp_path_factory.mktemp("lake"), usual(), DAYS)


def usual() -> World:
    """Two pods that ask for far more than they use, on two nodes."""
    world = World().node("n1", **all_days()).node("n2", **all_days())
    for name, node in (("a", "n1"), ("b", "n2")):
        world.pod(name, node, {"cpu": 3.0, "memory": 12 * GIB}, **all_days()).use(
            name, 0.5, 2 * GIB, **all_days()
        )
    return world


def limited(world: World, pod: str, **limits: float) -> World:
    for resource, size in limits.items():
        labels = {
            "namespace": "ns",
            "pod": pod,
            "uid": f"{pod}-uid",
            "container": "app",
            "resource": resource,
        }
        world.add(Signal.CONTAINER_LIMIT, labels, size, **all_days())
    return world


def test_a_new_lake_says_too_little_data_and_a_few_days_later_what_to_do(three_days: Night) -> None:
    first, last = advice(three_days[0], DAYS[0]), advice(three_days[0])
    assert {row["reason"] for row in first.values()} == {"too_little_data"}
    assert {row["evidence"] for row in first.values()} == {"refused"}
    assert all(row["proposed_request"] is None for row in first.values())
    row = last["a", "cpu"]
    assert (row["reason"], row["evidence"], row["evidence_days"]) == ("usage_below_request", "measured", 3)
    assert 0.5 <= row["proposed_request"] < 0.7
    assert last["a", "memory"]["proposed_request"] % MIB == 0


def test_money_is_the_integral_at_the_workloads_own_price(three_days: Night) -> None:
    row = advice(three_days[0])["a", "cpu"]
    assert float(row["monthly_cost"]) == pytest.approx(3 * 730 * 0.1, rel=1e-3)
    freed = 3 - row["proposed_request"]  # usage is at the proposal, and its sketch knows it to 1/128
    bucket = 0.5 / 128 * 730 * 0.1
    assert float(row["monthly_saving_gross"]) == pytest.approx(freed * 730 * 0.1, abs=1.01 * bucket)


def test_only_whole_nodes_are_net(three_days: Night) -> None:
    """Each node is idle by 1 core and 4 GiB, and 2.4 cores and 9.7 GiB are freed: of the two together one can go."""
    rows = advice(three_days[0]).values()
    gross, net = (sum(row[f"monthly_saving_{which}"] for row in rows) for which in ("gross", "net"))
    node = (4 * 0.1 + 16 * 0.05) * 730
    assert float(net) == pytest.approx(min(node, float(gross)), rel=1e-3)
    assert all(row["monthly_saving_net"] <= row["monthly_saving_gross"] for row in rows)


def test_a_second_run_writes_the_same_bytes(three_days: Night) -> None:
    lake, told = three_days
    before = lake.run("test", DAY)
    for day in DAYS:
        assert recommend_day(lake, told, "test", day).outcome.line.endswith("unchanged, nothing committed")
    assert lake.run("test", DAY) == before
    measure_day(usual(), lake, told, "test", DAY)  # the day itself, once more: its advice stands
    assert lake.run("test", DAY) == before


def test_nothing_later_is_used(tmp_path: Path) -> None:
    """The last day uses all of it: advice of the day before is the same with and without it."""
    until_ms = all_days()["end_ms"]
    busy = usual().use("a", 3.0, 11 * GIB, id="/a/later", start_ms=DAY.window.start_ms, end_ms=until_ms)
    lake, told = measured(tmp_path, busy, DAYS[1:2], min_days=1, policy="peak")
    before = lake.read("advice", "test", DAYS[1])
    measure_day(busy, lake, told, "test", DAY)
    recommend_day(lake, told, "test", DAYS[1])
    assert lake.read("advice", "test", DAYS[1]) == before
    recommend_day(lake, told, "test", DAY)
    assert advice(lake)["a", "cpu"]["reason"] == "usage_above_request"


def test_a_guaranteed_pod_stays_one_and_one_at_its_limit_is_not_cut(tmp_path: Path) -> None:
    world = limited(limited(usual(), "a", cpu=3.0, memory=12 * GIB), "b", memory=2 * GIB)
    rows = of_one_day(tmp_path, world)
    assert all(
        row["proposed_limit"] == row["proposed_request"] for row in rows.values() if row["workload"] == "a"
    )
    assert rows["a", "memory"]["reason"] == "usage_below_request"
    assert (rows["b", "memory"]["reason"], rows["b", "memory"]["proposed_request"]) == (
        "usage_was_capped",
        None,
    )
    assert dict(rows["b", "memory"]["facts"])["at_limit"] == "yes"


def test_odd_containers_have_a_reason_and_no_crash(tmp_path: Path) -> None:
    """No request, none observed, one sample, most of it missing, a limit below the request, and a label against it."""
    world = World().node(cpu=32.0, memory=64 * GIB)
    world.pod("bare", requests={}).use("bare")
    world.pod("zero", requests={"cpu": 0.0, "memory": 0.0}).use("zero")
    world.pod("dark")
    world.pod("brief", start_ms=at(1), end_ms=at(1.05)).use("brief", start_ms=at(1), end_ms=at(1.05))
    world.pod("part").use("part", start_ms=at(18))
    limited(world.pod("low"), "low", memory=GIB / 2).use("low", 0.5, GIB / 4)
    labels = {"namespace": "ns", "pod": "mine", "uid": "mine-uid", "label_costlab_io_ignore": "memory",
              "label_costlab_io_reason": "cache"}  # fmt: skip
    world.pod("mine").use("mine").add(Signal.POD_LABELS, labels, 1)
    rows = of_one_day(tmp_path, world)
    assert len(rows) == 14, "all that ran on the day, twice"
    reasons = {key: row["reason"] for key, row in rows.items()}
    assert reasons["bare", "cpu"] == reasons["zero", "memory"] == "no_request"
    assert reasons["dark", "cpu"] == "not_observed"
    assert {reasons["brief", "memory"], reasons["part", "cpu"]} == {"too_little_data"}, reasons
    assert (reasons["mine", "memory"], reasons["mine", "cpu"]) == ("ignored", "usage_below_request")
    assert dict(rows["mine", "memory"]["facts"])["silenced_because"] == "cache"
    assert dict(rows["low", "memory"]["facts"])["limit_below_request"] == "yes"
    assert rows["low", "memory"]["proposed_limit"] >= rows["low", "memory"]["proposed_request"]
    assert all(row["monthly_saving_gross"] < 0 for key, row in rows.items() if reasons[key] == "no_request")


def test_a_request_that_changed_saves_no_more_than_the_least_of_it(tmp_path: Path) -> None:
    world = World().node(cpu=16.0, memory=64 * GIB)
    world.pod("a", requests={"cpu": 2.0}, end_ms=at(10)).pod("a", requests={"cpu": 8.0}, start_ms=at(10))
    row = of_one_day(tmp_path, world.use("a", 0.5))["a", "cpu"]
    assert row["current_request"] == 8
    assert dict(row["facts"])["request_changed"] == "yes"
    saved = (2 - row["proposed_request"]) * 730 * 0.1
    assert float(row["monthly_saving_gross"]) == pytest.approx(saved, rel=1e-2)


def test_who_is_silenced_gets_no_advice_until_the_day(three_days: Night) -> None:
    warehouse = Warehouse.over(three_days[0])

    def silenced(rule: dict[str, str], day: Day = DAY) -> Rows:
        settings = Settings.model_validate({"rightsizing": {"silence": [rule], "min_days": 1}})
        return by_name(advice_of(warehouse, settings, "test", day, 14))

    rule = {"workload": "a", "resource": "cpu", "until": str(DAY), "reason": "being moved"}
    muted, later = silenced(rule, DAYS[1]), silenced(rule)
    assert (muted["a", "cpu"]["reason"], later["a", "cpu"]["reason"]) == ("muted", "usage_below_request")
    assert dict(muted["a", "cpu"]["facts"])["silenced_because"] == "being moved"
    assert muted["a", "memory"]["reason"] == "usage_below_request"
    ever = silenced({"namespace": "n*", "reason": "theirs"})
    assert {row["reason"] for row in ever.values()} == {"ignored"}


@pytest.mark.parametrize("policy", ["costlab", "costlab-steady", "krr-simple", "vpa"])
def test_every_rule_can_be_asked(three_days: Night, policy: str) -> None:
    """On usage that never changes they all say about as much as is used, and a margin."""
    settings = Settings.model_validate({"rightsizing": {"min_days": 2}})
    row = by_name(advice_of(Warehouse.over(three_days[0]), settings, "test", DAY, 14, policy))["a", "cpu"]
    assert row["reason"] == "usage_below_request", row
    assert 0.5 <= row["proposed_request"] < 0.9
    assert row["policy"].startswith(f"{policy}:")
    assert row["violation_rate"] in (0, None)


def test_a_day_that_is_not_there_and_a_rule_that_is_not_known(three_days: Night) -> None:
    lake, told = three_days
    with pytest.raises(ConfigError, match="2026-11-17 of cluster test is not in the lake"):
        recommend_day(lake, told, "test", DAYS[0].previous)
    wrong = Settings.model_validate({"rightsizing": {"policy": "costlap"}})
    with pytest.raises(ConfigError, match="did you mean 'costlab'"):
        recommend_day(lake, wrong, "test", DAY)


def by_turns(low: float, high: float) -> Callable[[int], float]:
    return lambda at_ms: low if at_ms // HOUR_MS % 2 else high


some = st.floats(0.01, 3)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(some, some, some, some), min_size=1, max_size=3),
    st.sampled_from(["max", "request", "usage"]),
)
def test_savings_never_exceed_what_was_paid_for_and_not_used(
    tmp_path_factory: pytest.TempPathFactory, pods: list[tuple[float, float, float, float]], basis: str
) -> None:
    """Whatever is asked for and used, by turns, and on a node that may be too small for it."""
    world = World().node(cpu=6.0, memory=8 * GIB)
    for place, (cpu, memory, low, high) in enumerate(pods):
        name = f"p{place}"
        world.pod(name, requests={"cpu": cpu, "memory": memory * GIB})
        world.use(name, low, by_turns(GIB * low, GIB * high))
    path = tmp_path_factory.mktemp("lake")
    told = Settings.model_validate(
        {
            "billing": {"basis": basis},
            "rightsizing": {"policy": "peak", "min_days": 1, "near_enough": 0.0, "near_enough_monthly": 0.0},
        }
    )
    lake = Lake.create(path)
    measure_day(world, lake, told, "test", DAY)
    recommend_day(lake, told, "test", DAY)
    rows = advice(lake).values()
    saved = sum((max(row["monthly_saving_gross"] or 0, Decimal(0)) for row in rows), Decimal(0))
    unused = Warehouse.over(lake).sql("select sum(cost_unused) as unused from charges")["unused"][0].as_py()
    assert saved <= unused * 730 / 24
    for row in rows:
        if row["monthly_saving_gross"] is not None:
            assert row["monthly_saving_net"] <= row["monthly_saving_gross"]

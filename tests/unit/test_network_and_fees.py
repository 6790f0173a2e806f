"""What stands beside nodes and volumes: the traffic of pods, and fees by the hour."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from small_world import BEFORE, DAY, DEFAULT, START, Measured, World, at

from costlab.config.charging import Prices
from costlab.config.settings import Settings
from costlab.domain.errors import SourceRefused
from costlab.domain.signals import Series, Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day, Window
from costlab.domain.units import GIB
from costlab.jobs.facts import observe_day
from costlab.jobs.measure import measure_day, price
from costlab.jobs.network import NETWORK_RULES
from costlab.store.lake import Lake
from costlab.store.rows import whole

PRICED = {"network_gib": 0.01}


class Unasked(World):
    """A world in which nobody may ask for traffic."""

    def fetch(self, signal: Signal, window: Window) -> Series:
        if signal is Signal.SENT_BYTES:
            raise SourceRefused("traffic was read", "it has no price")
        return super().fetch(signal, window)


def test_traffic_without_a_price_is_neither_read_nor_charged() -> None:
    day = Measured(Unasked().node().pod("a").use("a").send("a"))
    assert day.rows("charges", kind="network") == []
    assert [row["sent_bytes"] for row in day.rows("pods")] == [None]
    assert day.found() == []


def test_what_a_pod_sends_is_the_sum_of_its_interfaces() -> None:
    world = World().node().pod("a").use("a").send("a").send("a", GIB / 7200, "net1")
    day = Measured(world, prices=PRICED)
    (row,) = day.rows("charges", kind="network")
    assert (row["pod"], row["resource"], row["unit"], row["node"], row["item"]) == (
        "a",
        "network",
        "gib",
        None,
        None,
    )
    assert row["billed_quantity"] == row["used_quantity"] == pytest.approx(36)
    assert (row["cost"], row["unit_price"], row["coverage"]) == (Decimal("0.36"), 0.01, 1.0)
    assert day.total("cost") == pytest.approx(DEFAULT + 0.36)
    assert day.found() == []


def test_an_interface_that_two_cgroups_show_counts_once() -> None:
    world = World().node().pod("a").send("a").send("a", id="/docker/node/a")
    assert Measured(world, prices=PRICED).total("billed_quantity", kind="network") == pytest.approx(24)


def test_what_a_pod_sent_before_its_first_sample_is_its_own() -> None:
    world = World().node().pod("a", start_ms=at(6)).use("a")
    labels = {"namespace": "ns", "pod": "a", "id": "/a", "interface": "eth0"}
    world.add(Signal.SENT_BYTES, labels, lambda t: (t - at(6)) / 1000, start_ms=at(6) + MINUTE_MS // 2)
    (row,) = Measured(world, prices=PRICED).rows("pods")
    assert (row["sent_bytes"], row["sent_coverage"]) == (pytest.approx(18 * 3600), 1.0)


def test_a_counter_that_begins_anew_goes_on_and_a_gap_is_not_observed() -> None:
    world = (
        World().node().pod("a").use("a").send("a", end_ms=at(8)).send("a", start_ms=at(8)).pod("b").use("b")
    )
    # The first minute after the reset counts from 0 only where something is seen to begin: the counter's value then.
    world.send("b", end_ms=at(6) + MINUTE_MS).send("b", start_ms=at(12))
    day = Measured(world, prices=PRICED)
    sent = {
        row["pod"]: (row["billed_quantity"], row["coverage"]) for row in day.rows("charges", kind="network")
    }
    assert sent["a"] == (pytest.approx(24, abs=0.02), 1.0)
    assert sent["b"] == (pytest.approx(18, abs=0.02), pytest.approx(0.75, abs=0.001))
    assert day.found() == ["network_unobserved"]


def test_a_pod_on_its_nodes_network_is_not_charged_for_the_nodes_traffic() -> None:
    world = (
        World()
        .node()
        .pod("a")
        .use("a")
        .send("a")
        .pod("proxy", host_network="true")
        .use("proxy")
        .send("proxy")
    )
    day = Measured(world, prices=PRICED)
    assert [row["pod"] for row in day.rows("charges", kind="network")] == ["a"]
    assert {row["pod"]: (row["network"], row["sent_bytes"]) for row in day.rows("pods")} == {
        "a": ("pod", pytest.approx(24 * GIB)), "proxy": ("host", None),
    }  # fmt: skip
    assert day.found() == ["network_of_nodes"]


def test_traffic_that_nobody_exposes_is_a_finding_and_no_zero() -> None:
    day = Measured(World().node().pod("a").use("a"), prices=PRICED)
    assert day.rows("charges", kind="network") == []
    assert day.found() == ["network_unobserved", "signal_missing"]
    assert (
        "container_network_transmit_bytes_total" in day.rows("findings", rule="signal_missing")[0]["message"]
    )


def test_traffic_gets_its_price_only_on_days_that_were_read_with_one() -> None:
    unread = Measured(World().node().pod("a").use("a").send("a"))
    priced = unread.settings.model_copy(update={"prices": Prices(network_gib=0.01)})
    tables = price(unread.facts, priced, "test", Day(date(2026, 11, 20))).tables
    assert "network" not in whole(tables["charges"])["kind"].to_pylist()
    assert whole(tables["findings"])["rule"].to_pylist() == ["network_unread"]
    assert set(NETWORK_RULES) == {"network_unread", "network_unobserved", "network_of_nodes"}


@pytest.mark.parametrize(
    ("on", "zone", "hours"),
    [
        (date(2026, 11, 20), "UTC", 24),
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 10, 4), "Australia/Lord_Howe", 23.5),
    ],
)
def test_a_fee_is_owed_for_the_hours_of_the_day(on: date, zone: str, hours: float) -> None:
    day = Day(on, zone)
    moved_ms = day.window.start_ms - START
    world = World().node(start_ms=BEFORE + moved_ms, end_ms=BEFORE + moved_ms + 27 * HOUR_MS)
    world.pod("a", start_ms=BEFORE + moved_ms, end_ms=BEFORE + moved_ms + 27 * HOUR_MS)
    measured = Measured(
        world, day, timezone=zone, prices={"fees": [{"name": "control plane", "hourly": 0.1}]}
    )
    (row,) = measured.rows("charges", kind="fee")
    assert (row["item"], row["resource"], row["unit"], row["billed_quantity"]) == (
        "control plane",
        "fee",
        "hour",
        hours,
    )
    assert row["cost"] == Decimal("0.1") * Decimal(hours)
    assert {
        row[name] for name in ("node", "namespace", "workload", "pod", "team", "cost_used", "coverage")
    } == {None}


def test_fees_are_rounded_once_by_the_number_that_is_written() -> None:
    fees = [{"name": "third", "hourly": 0.0000001}, {"name": "tie", "hourly": 0.0000000625}]
    day = Measured(World().node().pod("a"), prices={"fees": fees})
    # 2.4 and 1.5 micro-units: half to even.
    assert {row["item"]: row["cost"] for row in day.rows("charges", kind="fee")} == {
        "third": Decimal("0.000002"), "tie": Decimal("0.000002"),
    }  # fmt: skip


def test_a_fee_is_of_its_cluster_and_of_its_time() -> None:
    fees = [
        {"name": "ours", "hourly": 1.0, "cluster": "test"},
        {"name": "theirs", "hourly": 1.0, "cluster": "other"},
        {"name": "plane", "hourly": 1.0, "valid_to": "2026-11-20"},
        {"name": "plane", "hourly": 2.0, "valid_from": "2026-11-20"},
        {"name": "later", "hourly": 1.0, "valid_from": "2026-11-21"},
    ]
    day = Measured(World().node().pod("a"), prices={"fees": fees})
    assert {row["item"]: row["cost"] for row in day.rows("charges", kind="fee")} == {"ours": 24, "plane": 48}


@pytest.mark.parametrize(
    ("fees", "fault"),
    [
        (
            [{"name": "x", "hourly": 1.0}, {"name": "x", "hourly": 2.0, "cluster": "test"}],
            "twice at the same time",
        ),
        ([{"name": "x", "hourly": -1.0}], "greater than or equal to 0"),
        (
            [{"name": "x", "hourly": 1.0, "valid_from": "2026-11-20", "valid_to": "2026-11-20"}],
            "later than valid_from",
        ),
    ],
)
def test_fees_that_contradict_each_other_are_refused(fees: list[dict[str, object]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Prices.model_validate({"fees": fees})


def test_the_signals_of_a_world_are_read_with_a_price() -> None:
    with pytest.raises(SourceRefused):
        observe_day(
            Unasked().node().pod("a"),
            Measured(World().node().pod("a"), prices=PRICED).settings,
            "test",
            Day(date(2026, 11, 20)),
        )


def test_a_price_that_is_taken_back_makes_no_day_worse(tmp_path: Path) -> None:
    world, lake = World().node().pod("a").use("a").send("a"), Lake.create(tmp_path / "lake")
    for prices, sent in ((PRICED, [24 * GIB]), ({}, [None])):
        measure_day(world, lake, Settings.model_validate({"prices": prices}), "test", DAY)
        assert lake.read("pods", "test", DAY)["sent_bytes"].to_pylist() == [
            sent[0] and pytest.approx(sent[0])
        ]

"""What volumes cost and who pays for them: the cases that others publish, and those that are easily charged wrong."""

from decimal import Decimal

import pyarrow as pa
import pytest
from small_world import DAY, START, Measured, When, World, at, shift

from costlab.config.book import PriceBook
from costlab.config.settings import Settings
from costlab.domain.errors import ReconcileError
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS
from costlab.domain.units import GIB
from costlab.jobs.commit import check
from costlab.jobs.measure import price
from costlab.store.rows import whole

Clock = tuple[float, float]


def shared(world: World, hourly: float = 1.0) -> dict[str, float]:
    """The cost of the volumes by pod, `""` for the time in which none mounts them."""
    day = Measured(world, prices={"storage_gib_hour": hourly})
    return {row["pod"] or "": float(row["cost"]) for row in day.rows("charges", kind="volume")}


PUBLISHED: dict[int, tuple[Clock, list[Clock], float, list[float], float]] = {
    # number: the claim's hours, the pods', a price of the GiB, and each pod's part
    27: ((8, 9), [(8, 9), (8.5, 9), (8.75, 9), (8, 8.25)], 1, [0.583333, 0.208333, 0.083333, 0.125], 0),
    28: ((8, 9), [(8, 8.5), (8.5, 9)], 1, [0.5, 0.5], 0),
    29: ((8, 9), [(8.5, 9), (8.5, 9)], 1, [0.25, 0.25], 0.5),
    30: ((8, 9), [(8, 8.25), (8.75, 9)], 1, [0.25, 0.25], 0.5),
    31: ((8, 9), [(8.25, 8.75)], 1, [0.5], 0.5),
    33: ((1, 3), [(1, 3), (2, 3)], 2, [3, 1], 0),
}


@pytest.mark.parametrize("number", PUBLISHED)
def test_the_published_cases_of_opencost(number: int) -> None:
    hours, pods, hourly, parts, alone = PUBLISHED[number]
    world = World().node().claim("c", start_ms=at(hours[0]), end_ms=at(hours[1]))
    for i, (start, end) in enumerate(pods):
        world.pod(f"p{i}", claims=["c"], start_ms=at(start), end_ms=at(end))
    wanted = {f"p{i}": part for i, part in enumerate(parts)} | ({"": alone} if alone else {})
    found = shared(world, hourly)
    assert found.keys() == wanted.keys()
    assert found == pytest.approx(wanted, abs=1.1e-6)  # a third is rounded so that the parts are the whole


def test_a_claim_of_no_length_is_never_told_of_and_its_pods_are_a_finding() -> None:
    """Published case 32: an error there."""
    world = World().node().pod("a", claims=["c"]).use("a").claim("other")
    world.claim("c", start_ms=at(8), end_ms=at(8))
    day = Measured(world)
    assert day.rows("volumes", claim="c") == []
    assert day.found() == ["mounted_claim_unknown"]


def test_a_day_of_one_volume_is_charged_to_who_mounts_it() -> None:
    day = Measured(World().node().pod("a", claims=["c"]).use("a").claim("c", 100.0))
    (row,) = day.rows("charges", kind="volume")
    assert (row["item"], row["resource"], row["unit"]) == ("c", "storage", "gib_hour")
    assert (row["pod"], row["workload_kind"], row["team"]) == ("a", "Pod", "unallocated")
    assert (row["node"], row["container"], row["cost_used"], row["coverage"]) == (None, None, None, None)
    assert row["billed_quantity"] == pytest.approx(2400)
    assert row["cost"] == Decimal("0.24")
    (volume,) = day.rows("volumes")
    assert (volume["class"], volume["volume"], volume["mounted_hours"]) == ("fast", "pv-c", 24.0)
    assert (volume["requested_bytes"], volume["used_bytes"]) == (100 * GIB, GIB / 4)
    assert day.found() == []


def test_what_no_pod_mounts_is_its_namespaces() -> None:
    world = World().node().pod("a").use("a").claim("c")
    world.add(Signal.NAMESPACE_LABELS, {"namespace": "ns", "label_team": "nlp"}, 1)
    day = Measured(world, prices={"storage_gib_hour": 1.0})
    (row,) = day.rows("charges", kind="volume")
    assert (row["team"], row["namespace"], row["item"], row["pod"], row["workload"]) == (
        "nlp",
        "ns",
        "c",
        None,
        None,
    )
    assert row["cost"] == 24
    assert day.rows("volumes")[0]["mounted_hours"] == 0
    assert day.found() == ["signal_missing"]  # no pod mounts anything, and that may be what is not told


def test_a_volume_of_many_at_once_is_shared_to_the_micro_unit() -> None:
    world = World().node().claim("c", 7.0)
    for i in range(7):
        world.pod(f"p{i}", claims=["c"], start_ms=at(i), end_ms=at(24 - i / 3))
    day = Measured(world, prices={"storage_gib_hour": 0.0317})
    charges = [row["cost"] for row in day.rows("charges", kind="volume")]
    assert len(set(charges)) == 7
    assert sum(charges) == day.rows("volumes")[0]["cost"] == Decimal("5.3256")


def test_a_finished_pod_and_one_that_finds_no_node_mount_nothing() -> None:
    world = World().node().claim("c").pod("a", claims=["c"]).pod("late", node="", claims=["c"])
    done = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world.add(Signal.POD_COMPLETION_TIME, done, at(6) / 1000, start_ms=at(6))
    world.add(Signal.POD_PHASE, {**done, "phase": "Succeeded"}, 1, start_ms=at(6))
    assert shared(world) == {"a": 6, "": 18}


def test_a_claim_that_comes_goes_and_grows_is_billed_by_its_parts() -> None:
    world = World().node().pod("a", claims=["c"]).claim("c", shift(10, 30), start_ms=at(6), end_ms=at(18))
    day = Measured(world, prices={"storage_gib_hour": 0.01})
    assert [(row["requested_bytes"] / GIB, row["cost"]) for row in day.rows("volumes")] == [
        (10, Decimal("0.6")),
        (30, Decimal("1.8")),
    ]
    (row,) = day.rows("charges", kind="volume")
    assert row["billed_quantity"] == pytest.approx(6 * 10 + 6 * 30)
    assert row["cost"] == Decimal("2.4")


def test_a_claim_made_anew_under_its_name_is_another_volume() -> None:
    again_ms = at(8) - MINUTE_MS // 2  # within a scrape interval of the old one's last sample
    world = World().node().pod("a", claims=["c"]).claim("c", 10, "slow", volume="pv-1", end_ms=again_ms)
    world.claim("c", 20, "fast", volume="pv-2", start_ms=again_ms)
    book = PriceBook(storage={"slow": 0.01, "fast": 0.1})
    day = Measured(world, prices={"storage_gib_hour": None}, book=book)
    first, second = day.rows("volumes")
    assert [(row["volume"], row["class"], row["price"]) for row in (first, second)] == [
        ("pv-1", "slow", 0.01), ("pv-2", "fast", 0.1),
    ]  # fmt: skip
    assert first["end"] == second["start"]
    early, late = (again_ms - START) / HOUR_MS, 24 - (again_ms - START) / HOUR_MS
    (charge,) = day.rows("charges", kind="volume")
    assert charge["cost"] == first["cost"] + second["cost"]
    assert float(charge["cost"]) == pytest.approx(early * 0.1 + late * 2, abs=1e-6)
    assert charge["billed_quantity"] == pytest.approx(early * 10 + late * 20)


def test_a_claim_that_is_away_for_hours_is_not_there_and_one_of_a_silence_is() -> None:
    world = World().node().pod("a").claim("away", end_ms=at(6)).claim("away", start_ms=at(18))
    assert shared(world) == {"": 12}
    quiet = World()
    early: When = {"end_ms": at(6)}
    late: When = {"start_ms": at(18)}
    for when in (early, late):
        quiet.node(**when).pod("a", **when).claim("c", **when)
    assert shared(quiet) == {"": 24}


def test_a_pending_claim_costs_nothing_and_a_lost_one_nothing_more() -> None:
    world = World().node().pod("a", claims=["lost"]).use("a").claim("pending").claim("lost")
    phases = world._series[Signal.CLAIM_PHASE]  # noqa: SLF001 - bound all day, as `claim` has it
    phases.clear()
    for claim, phase, told in (
        ("pending", "Bound", shift(0, 0)), ("lost", "Bound", shift(1, 0)), ("lost", "Lost", shift(0, 1)),
    ):  # fmt: skip
        world.add(
            Signal.CLAIM_PHASE, {"namespace": "ns", "persistentvolumeclaim": claim, "phase": phase}, told
        )
    day = Measured(world, prices={"storage_gib_hour": 1.0})
    assert [(row["claim"], row["end"].hour) for row in day.rows("volumes")] == [("lost", 12)]
    assert day.total("cost", kind="volume") == 12
    assert day.found() == ["claim_lost"]


def test_a_volume_without_a_price_costs_null_and_is_a_finding_by_class() -> None:
    world = World().node().pod("a", claims=["c", "d"]).use("a").claim("c", 10, "gold").claim("d", 10, "")
    day = Measured(world, prices={"storage_gib_hour": None})
    assert [row["cost"] for row in day.rows("charges", kind="volume")] == [None, None]
    assert [(row["rule"], row["subject"]) for row in day.rows("findings")] == [
        ("storage_price_unknown", "class gold"), ("storage_price_unknown", "no class"),
    ]  # fmt: skip
    assert day.total("billed_quantity", kind="volume") == pytest.approx(480)


@pytest.mark.parametrize(
    ("signal", "rules", "cost"),
    [
        (Signal.CLAIM_INFO, ["signal_missing"], 0),
        (Signal.CLAIM_REQUEST, ["signal_missing", "storage_size_unknown"], 0),
        (Signal.POD_CLAIMS, ["signal_missing"], 24),
        (Signal.CLAIM_PHASE, [], 24),
        (Signal.VOLUME_USED, ["signal_missing"], 24),
    ],
)
def test_a_missing_metric_is_named_and_fails_nothing(signal: Signal, rules: list[str], cost: int) -> None:
    world = World().node().pod("a", claims=["c"]).use("a").claim("c")
    world._series[signal].clear()  # noqa: SLF001 - as if nobody exposed it
    day = Measured(world, prices={"storage_gib_hour": 1.0})
    assert day.found() == rules
    assert day.total("cost", kind="volume") == cost
    if rules:
        assert signal.value == day.rows("findings", rule="signal_missing")[0]["subject"]


def test_a_claim_that_two_kube_state_metrics_tell_of_counts_once() -> None:
    world = World().node().pod("a", claims=["c"]).claim("c")
    for signal in (Signal.CLAIM_INFO, Signal.CLAIM_REQUEST, Signal.POD_CLAIMS):
        for key, pieces in list(world._series[signal].items()):  # noqa: SLF001 - doubled under another instance
            world._series[signal][(*key, ("instance", "other"))] = list(pieces)  # noqa: SLF001
    assert shared(world) == {"a": 24}


def test_prices_may_change_after_the_day_was_read() -> None:
    day = Measured(World().node().pod("a", claims=["c"]).use("a").claim("c", 100.0))
    dearer = Settings.model_validate(
        {"prices": {"storage_gib_hour": 0.01}, "book": PriceBook(storage={"fast": 1.0})}
    )
    tables = price(day.facts, dearer, "test", DAY).tables
    charges, volumes = whole(tables["charges"]), whole(tables["volumes"])
    assert sum(row["cost"] for row in charges.to_pylist() if row["kind"] == "volume") == 2400
    assert volumes["price"].to_pylist() == [1.0]


def test_charges_that_are_not_a_claims_price_are_refused() -> None:
    tables = dict(Measured(World().node().pod("a", claims=["c"]).claim("c")).tables)
    volumes = whole(tables["volumes"])
    dearer = pa.array([volumes["cost"][0].as_py() + Decimal("0.01")], volumes["cost"].type)
    tables["volumes"] = volumes.set_column(volumes.column_names.index("cost"), "cost", dearer)
    with pytest.raises(ReconcileError, match="volume_totals"):
        check(tables)

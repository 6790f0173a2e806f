"""Bills in the lake: what they price, what they replace, and how they stand beside the charges."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_bill import line, written
from small_world import DAY, World, at

from costlab.config.settings import Settings
from costlab.domain.bills import CostKind
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.signals import Signal
from costlab.domain.time import Day
from costlab.jobs.billing import import_bill, reconciliation
from costlab.jobs.measure import compute_day, measure_day
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

CLUSTER = "test"
AWS, GCE = "aws:///eu-central-1a/i-0abc", "gce://project/europe-west3-a/gke-pool-1"


class Books:
    """A lake with a measured day, into which bills are imported."""

    def __init__(
        self, folder: Path, nodes: dict[str, str | None], timezone: str = "UTC", **world: Any
    ) -> None:
        self.folder = folder
        self.settings = Settings.model_validate({"lake": folder / "lake", "timezone": timezone})
        self.lake = Lake.create(folder / "lake", timezone)
        self.day = Day(DAY.date, timezone)
        small = World()
        for name, provider_id in nodes.items():
            small.node(name, **world).pod(f"on-{name}", node=name).use(f"on-{name}")
            if provider_id is not None:
                small.add(Signal.NODE_INFO, {"node": name, "provider_id": provider_id}, 1)
        measure_day(small, self.lake, self.settings, CLUSTER, self.day)

    def imported(
        self, *lines: dict[str, str], dry_run: bool = False, name: str = "b.csv"
    ) -> list[dict[str, Any]]:
        """Import a bill; what is told of it."""
        file = written(self.folder / name, *lines)
        done = import_bill(self.lake, self.settings, CLUSTER, [file], CostKind.EFFECTIVE, dry_run=dry_run)
        rows: list[dict[str, Any]] = done.rows.to_pylist()
        return rows

    def computed(self) -> dict[str, Decimal]:
        """Charge the day anew; what each node costs."""
        compute_day(self.lake, self.settings, CLUSTER, self.day)
        costs: dict[str, Decimal] = {}
        for row in self.lake.read("charges", CLUSTER, self.day).to_pylist():
            costs[row["node"]] = costs.get(row["node"], Decimal(0)) + row["cost"]
        return costs

    def nodes(self) -> list[dict[str, Any]]:
        """The day's nodes."""
        rows: list[dict[str, Any]] = self.lake.read("nodes", CLUSTER, self.day).to_pylist()
        return rows

    def bills(self, day: Day | None = None) -> list[tuple[str | None, Decimal]]:
        """What the lake holds of a day's bill."""
        return [
            (r["resource_id"], r["cost"])
            for r in self.lake.read("bills", CLUSTER, day or self.day).to_pylist()
        ]

    def reasons(self) -> dict[str, str]:
        """The reason of each node's row, or of the service's where there is no node."""
        return {row["node"] or row["service"]: row["reason"] for row in self.reconciled()[:-1]}

    def reconciled(self, window: Dates | None = None) -> list[dict[str, Any]]:
        """The report, its total last."""
        window = window or Dates(date(2026, 11, 1), date(2026, 12, 1))
        rows: list[dict[str, Any]] = reconciliation(Warehouse.over(self.lake), window, CLUSTER).to_pylist()
        return rows


@pytest.fixture
def books(tmp_path: Path) -> Callable[..., Books]:
    return lambda nodes, **more: Books(tmp_path, nodes, **more)


def test_a_node_costs_what_its_bill_says_to_the_micro_unit(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS, "n2": GCE, "n3": None, "n4": None}, nvidia_com_gpu=2.0)
    listed = cluster.computed()
    hours = [line("i-0abc", "1.2345678", f"2026-11-20T{h:02}", f"2026-11-20T{h + 1:02}") for h in range(23)]
    told = cluster.imported(
        *hours,
        line(
            "//compute.googleapis.com/projects/project/zones/europe-west3-a/instances/gke-pool-1", "77.000001"
        ),
        line("some-disk", "5", ResourceName="N3"),
        line("bucket", "3.5", ServiceName="S3"),
        line("", "19", ChargeCategory="Tax", ServiceName="tax"),
        line("i-0abc", "-10", ChargeCategory="Credit", ServiceName="credit"),
    )
    assert [(row["date"], row["billed_cost"], row["unmatched_cost"]) for row in told] == [
        ("2026-11-20", Decimal("122.895060"), Decimal("12.500000")),
        ("(total)", Decimal("122.895060"), Decimal("12.500000")),
    ]
    assert cluster.reasons()["n1"] == "before calibration"
    costs = cluster.computed()
    assert costs == {
        "n1": Decimal("28.395059"), "n2": Decimal("77.000001"), "n3": Decimal("5.000000"), "n4": listed["n4"],
    }  # fmt: skip
    n1, *_, n4 = cluster.nodes()
    assert (n1["price_source"], n4["price_source"]) == ("bill b.csv (EffectiveCost)", "default rates")
    assert (n1["cpu_price"] / n1["memory_price"], n1["gpu_price"] / n1["cpu_price"]) == pytest.approx((2, 25))
    assert cluster.reasons() == {
        "n1": "settled", "n2": "settled", "n3": "settled", "n4": "not in the bill", "S3": "not in the cluster",
        "tax": "tax", "credit": "credit",
    }  # fmt: skip
    *rows, total = cluster.reconciled()
    assert total["billed_cost"] == Decimal("122.895060") == sum(row["billed_cost"] or 0 for row in rows)
    assert total["charged_cost"] == sum(costs.values())
    assert total["difference_cost"] == total["billed_cost"] - total["charged_cost"]


def test_a_total_may_have_a_digit_more_than_its_lines(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    told = cluster.imported(line("i-0abc", "999"), line("i-0abc", "999", "2026-11-21T00", "2026-11-22T00"))
    assert told[-1]["billed_cost"] == Decimal(1998)


def test_a_bill_that_is_over_a_part_of_the_day_prices_that_part(books: Callable[..., Books]) -> None:
    # Of the lake's 20 November, from 23:00 UTC on the 19th, the bill has what is after midnight UTC.
    cluster = books({"n1": AWS}, timezone="Europe/Berlin")
    before = cluster.computed()["n1"]
    cluster.imported(line("i-0abc", "240"))
    assert cluster.computed()["n1"] == before / 24 + 230
    assert [row["price_source"] for row in cluster.nodes()] == ["default rates", "bill b.csv (EffectiveCost)"]
    assert cluster.reasons()["n1"] == "billed for a part of its life"
    assert cluster.bills(cluster.day.next) == [("i-0abc", Decimal(10))]


def test_a_bill_for_hours_in_which_its_node_was_not_there_is_shown(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS}, start_ms=at(12))
    day_before = {"start": "2026-11-19T00", "end": "2026-11-20T00"}
    cluster.imported(
        line("i-0abc", "10", **day_before), line("i-0abc", "20", "2026-11-20T00", "2026-11-20T06")
    )
    assert {row["reason"] for row in cluster.reconciled()[:-1]} == {
        "day not measured", "outside its life", "not in the bill",
    }  # fmt: skip
    assert cluster.reconciled()[-1]["billed_cost"] == 30


def test_what_is_paid_back_makes_no_price_below_nothing(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    before = cluster.computed()
    cluster.imported(line("i-0abc", "1"), line("i-0abc", "-3", ChargeCategory="Adjustment"))
    assert cluster.computed() == before
    assert cluster.reasons() == {"n1": "less than nothing"}


def test_a_correction_of_a_bill_that_is_not_there_is_no_price(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    before = cluster.computed()
    cluster.imported(line("i-0abc", "2", ChargeClass="Correction", BillingPeriodStart="2026-12-01T00:00:00Z"))
    assert cluster.computed() == before
    cluster.imported(line("i-0abc", "50"), name="november.csv")
    assert cluster.computed() == {"n1": Decimal(52)}


def stamps(lake: Lake) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in Path(str(lake.path)).rglob("*") if file.is_file()}


def test_the_same_bill_again_and_a_dry_run_write_nothing(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    before = stamps(cluster.lake)
    assert cluster.imported(line("i-0abc", "1"), dry_run=True)[0]["bill"] == "new"
    assert stamps(cluster.lake) == before
    assert cluster.imported(line("i-0abc", "1"))[0]["bill"] == "new"
    before = stamps(cluster.lake)
    assert [row["bill"] for row in cluster.imported(line("i-0abc", "1"))] == ["unchanged", None]
    assert stamps(cluster.lake) == before


def test_a_bill_replaces_its_own_earlier_one_and_nothing_else(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    of_19, of_20 = (
        {"start": "2026-11-19T00", "end": "2026-11-20T00"},
        {"start": "2026-11-20T00", "end": "2026-11-21T00"},
    )
    cluster.imported(line("i-0abc", "1", **of_19), line("i-0abc", "2", **of_20), line("gone", "4", **of_20))
    cluster.imported(line("i-0abc", "8", **of_20, BillingAccountId="another"), name="another.csv")
    cluster.imported(
        line("i-0abc", "16", ChargeClass="Correction", BillingPeriodStart="2026-12-01T00:00:00Z")
    )
    cluster.imported(line("i-0abc", "32", **of_20), name="again.csv")
    assert cluster.bills(cluster.day.previous) == [("i-0abc", Decimal(1))]
    assert sorted(cluster.bills()) == [
        ("i-0abc", Decimal(8)),
        ("i-0abc", Decimal(16)),
        ("i-0abc", Decimal(32)),
    ]
    # What a later export of the same time does not have any more is gone, also from a day of which it has nothing.
    cluster.imported(
        line("x", "1", "2026-11-18T00", "2026-11-19T00"), line("x", "1", "2026-11-21T00", "2026-11-22T00")
    )
    assert cluster.bills(cluster.day.previous) == []


def test_a_correction_replaces_nothing_that_it_corrects(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    cluster.imported(line("i-0abc", "50"))
    around = {"start": "2026-11-18T00", "end": "2026-11-22T00"}
    later = {"start": "2026-11-22T00", "end": "2026-11-23T00"}
    cluster.imported(line("i-0abc", "50", **later), line("i-0abc", "-4", **around, ChargeClass="Correction"))
    assert sorted(cluster.bills()) == [("i-0abc", Decimal(-1)), ("i-0abc", Decimal(50))]
    assert cluster.computed() == {"n1": Decimal(49)}


def test_a_bill_does_not_cut_through_what_was_charged_as_one(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    cluster.imported(line("i-0abc", "24"))
    before = stamps(cluster.lake)
    with pytest.raises(
        ConfigError, match=r"2026-11-20 06:00 UTC, in the midst of what b\.csv charges as one on"
    ) as fault:
        cluster.imported(line("i-0abc", "1", "2026-11-20T06", "2026-11-21T00"), name="late.csv")
    assert "whole billing period" in fault.value.hint
    assert stamps(cluster.lake) == before


def test_a_bill_at_fault_leaves_the_lake_as_it_was(books: Callable[..., Books]) -> None:
    cluster = books({"n1": AWS})
    before = stamps(cluster.lake)
    with pytest.raises(ConfigError, match="EffectiveCost of row 2"):
        cluster.imported(line("i-0abc", "1"), line("i-0abc", "x"))
    assert stamps(cluster.lake) == before

"""Who is fit for spot nodes: by the length of whole runs; the money by the price book alone."""

from typing import Any

import pytest
from small_world import DAY, Measured, When, World, at

from costlab.domain.advice import Evidence, Reason
from costlab.domain.signals import Signal
from costlab.jobs.rightsizing.spot import Run, fitness, spot_advice
from costlab.store.warehouse import Warehouse

HALF = (0.5, 0.5, 0.5)
USED = (1.0, 2.0, 3.0)


def run(hours: float = 1.0, less: Any = HALF, *, full: bool = True, capacity_type: str | None = None) -> Run:
    return Run(hours, full, capacity_type, USED, less)


@pytest.mark.parametrize(
    ("runs", "reason", "evidence", "saved"),
    [
        ([run()] * 3, Reason.ADVISED, Evidence.MEASURED, 9.0),
        ([run(less=None)] * 3, Reason.ADVISED, Evidence.MEASURED, None),
        ([run(), run(), run(capacity_type="spot", less=None)], Reason.ADVISED, Evidence.MEASURED, 6.0),
        ([run(capacity_type="spot", less=None)] * 3, Reason.NEAR_ENOUGH, Evidence.MEASURED, None),
        ([run(), run(), run(7.0)], Reason.RISK_TOO_HIGH, Evidence.MEASURED, None),
        ([run(), run(), run(), run(40.0, full=False)], Reason.RISK_TOO_HIGH, Evidence.MEASURED, None),
        ([run()] * 2, Reason.TOO_LITTLE_DATA, Evidence.REFUSED, None),
        ([run(full=False)] * 9, Reason.NO_FULL_RUN, Evidence.REFUSED, None),
    ],
)
def test_fitness_by_runs(runs: list[Run], reason: Reason, evidence: Evidence, saved: float | None) -> None:
    said = fitness(runs, None)
    assert (said.reason, said.evidence, said.saved) == (reason, evidence, saved)


ON_DEMAND, SPOT = ({"match": {"type": "big"}, "hourly": hourly} for hourly in (4.0, 1.0))


@pytest.mark.parametrize(
    ("book", "part"),
    [
        ({"nodes": [SPOT | {"capacity_type": "spot"}, ON_DEMAND]}, 0.75),
        ({"nodes": [{"match": {"karpenter.sh/capacity-type": "spot"}, "hourly": 1.0}, ON_DEMAND]}, 0.75),
        ({"nodes": [ON_DEMAND], "discounts": [{"capacity_type": "spot", "percent": 60}]}, 0.6),
        ({"nodes": [ON_DEMAND]}, None),
        ({}, None),
    ],
)
def test_money_is_the_price_books_difference_on_what_was_used(
    book: dict[str, Any], part: float | None
) -> None:
    world = World().node()
    labels = {"node": "n1", "label_type": "big", "label_karpenter_sh_capacity_type": "on-demand"}
    world.add(Signal.NODE_LABELS, labels, 1)
    for number in range(3):
        when: When = {"start_ms": at(4 + 3 * number), "end_ms": at(6 + 3 * number)}
        owner = {
            "namespace": "ns",
            "pod": f"b-{number}",
            "uid": f"b-{number}-uid",
            "owner_kind": "Job",
            "owner_name": "b",
        }
        world.pod(f"b-{number}", **when).use(f"b-{number}", cpu=0.5, **when)
        world.add(Signal.POD_OWNER, owner, 1, **when)
    day = Measured(world, book=book)
    (row,) = spot_advice(Warehouse.over_tables(day.tables), day.settings, "test", DAY, 1).to_pylist()
    assert (row["workload"], row["reason"], row["evidence"]) == ("b", "advised", "measured")
    used = day.total("cost_used", kind="workload") * 730 / 24
    facts = dict(row["facts"])
    assert row["monthly_saving_gross"] is None
    assert facts.get("monthly_saving") == (None if part is None else f"{part * used:.2f}")
    assert ("price" in facts) == (part is None)

"""What other requests are worth a month, at each workload's own prices: all of it, and what nodes give back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.decisions import Decided
from costlab.core.rightsizing.savings import Pools, freed_hours, given_back
from costlab.domain.time import Day
from costlab.domain.units import GIB, Resource
from costlab.jobs.rightsizing.past import ADVISED, KEYS
from costlab.jobs.rightsizing.subjects import Subjects, floats
from costlab.store.warehouse import Warehouse

MONTH_HOURS = 730.0

_POOLED = (Resource.CPU, Resource.MEMORY, Resource.GPU)
# What bytes are in the unit of a charge.
_PER_UNIT = {Resource.CPU: 1.0, Resource.MEMORY: float(GIB)}


@dataclass(frozen=True, slots=True)
class Worth:
    """Money a month by subject, float64 (subjects,); NaN = no price known, or no advice. net is at most gross."""

    cost: Floats
    gross: Floats
    net: Floats


@dataclass(frozen=True, slots=True)
class Costs:
    """What each subject's containers cost, in each pool of nodes, within the days of the window.

    subject, pool: int64 (rows,); cost, unused: float64 (rows,), money, NaN = no price known; quantity: float64 (rows,),
    core-hours or GiB-hours that were charged. currency: of the last day; empty when nothing was charged.
    """

    subject: Mapping[Resource, Ints]
    pool: Mapping[Resource, Ints]
    cost: Mapping[Resource, Floats]
    unused: Mapping[Resource, Floats]
    quantity: Mapping[Resource, Floats]
    pools: Pools
    currency: str

    def totals(self, subjects: int) -> Floats:
        """What each subject cost in the window, all resources: float64 (subjects,); NaN where no price is known."""
        parts = [
            np.bincount(self.subject[resource], np.nan_to_num(self.cost[resource]), subjects)
            for resource in ADVISED
        ]
        total = np.sum(parts, axis=0)
        return np.where(total > 0, total, np.nan)


def costs_of(warehouse: Warehouse, cluster: str, day: Day, days: int, subjects: Subjects) -> Costs:
    """What the window's charges tell of the subjects, and its nodes of their pools."""
    asked = {"cluster": cluster, "day": str(day), "days": days}
    pools = warehouse.query("pool_capacity", **asked)
    rows = warehouse.query("advisable_costs", **asked)
    place = {
        key: i for i, key in enumerate(zip(*(subjects.rows[name].to_pylist() for name in KEYS), strict=True))
    }
    whose = np.array(
        [place.get(key, -1) for key in zip(*(rows[name].to_pylist() for name in KEYS), strict=True)], np.int64
    )
    where = pc.index_in(rows["pool"], pools["pool"].combine_chunks()).to_numpy().astype(np.int64)
    of = {
        resource: pc.equal(rows["resource"], resource.value).to_numpy() & (whose >= 0) for resource in ADVISED
    }

    def column(name: str) -> Mapping[Resource, Floats]:
        numbers = floats(rows[name])
        return {resource: numbers[some] for resource, some in of.items()}

    return Costs(
        {resource: whose[some] for resource, some in of.items()},
        {resource: where[some] for resource, some in of.items()},
        column("cost"),
        column("unused_cost"),
        column("billed_quantity"),
        _pools(pools),
        rows["currency"][0].as_py() if rows.num_rows else "",
    )


def worth(
    subjects: Subjects, decided: Mapping[Resource, Decided], costs: Costs, hours: Floats
) -> Mapping[Resource, Worth]:
    """What the decisions are worth. hours: float64 (subjects,), of the measured days since a subject's first."""
    alone = {resource: _gross(subjects, decided[resource], costs, hours, resource) for resource in ADVISED}
    share = _share_given_back(alone, costs)
    found = {}
    for resource, (cost, gross, _) in alone.items():
        weights = np.maximum(costs.cost[resource], 0)
        by_pool = np.bincount(
            costs.subject[resource], np.nan_to_num(weights * share[costs.pool[resource]]), subjects.count
        )
        whole = np.bincount(costs.subject[resource], np.nan_to_num(weights), subjects.count)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(whole > 0, by_pool / whole, 0)
        net = np.where(gross > 0, gross * np.minimum(part, 1), gross)
        found[resource] = Worth(cost, gross, net)
    return found


def _gross(
    subjects: Subjects, decided: Decided, costs: Costs, hours: Floats, resource: Resource
) -> tuple[Floats, Floats, Floats]:
    """Cost and gross saving a month, and the quantity that is freed on average, by subject."""
    whose = costs.subject[resource]
    priced = ~np.isnan(costs.cost[resource])

    def total(amounts: Floats) -> Floats:
        return np.bincount(whose, np.where(priced, amounts, 0), subjects.count).astype(np.float64)

    cost, unused, quantity = (
        total(amounts) for amounts in (costs.cost[resource], costs.unused[resource], costs.quantity[resource])
    )
    now = np.nan_to_num(subjects.floats(f"{resource.value}_request"))
    least = np.fmin(now, subjects.floats(f"least_{resource.value}_request"))
    # A request that was lower before is not given back for the days on which it was.
    cut = decided.request < now
    counted = np.where(cut, np.maximum(least, decided.request), now)
    freed = freed_hours(subjects.past.used[resource].usage, counted, decided.request) / _PER_UNIT[resource]
    with np.errstate(divide="ignore", invalid="ignore"):
        price, month = cost / quantity, MONTH_HOURS / hours
        gross = np.where(cut, np.minimum(freed * price, unused), freed * price) * month
        mean_freed = freed / hours
    return np.where(quantity > 0, cost * month, np.nan), gross, np.nan_to_num(mean_freed)


def _share_given_back(alone: Mapping[Resource, tuple[Floats, Floats, Floats]], costs: Costs) -> Floats:
    """Which part of what cuts save in each pool its nodes give back: float64 (pools,)."""
    count = len(costs.pools.price)
    freed, saved = np.zeros((count, len(_POOLED))), np.zeros(count)
    for place, resource in enumerate(ADVISED):
        _, gross, mean_freed = alone[resource]
        whose, pool = costs.subject[resource], costs.pool[resource]
        quantity = np.nan_to_num(costs.quantity[resource])
        whole = np.bincount(whose, quantity, len(gross))[whose]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(whole > 0, quantity / whole, 0)
        freed[:, place] = np.bincount(pool, part * mean_freed[whose], count)
        saved += np.bincount(pool, part * np.maximum(np.nan_to_num(gross), 0)[whose], count)
    back = given_back(costs.pools, freed, saved)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(saved > 0, back / saved, 0)


def _pools(rows: pa.Table) -> Pools:
    days = np.maximum(floats(rows["days"]), 1)
    return Pools(
        np.column_stack([floats(rows[f"{resource.value}_allocatable"]) for resource in _POOLED]),
        np.column_stack([floats(rows[f"{resource.value}_idle_hours"]) for resource in _POOLED])
        / (24 * days[:, None]),
        floats(rows["price"]) * MONTH_HOURS,
    )

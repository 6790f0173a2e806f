"""What other requests would free, and how much of it whole nodes give back. docs/methods.md, "Recommendations"."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Levels:
    """How long each of several containers used how much; row i owns the entries offsets[i]:offsets[i + 1].

    offsets: int64 (rows + 1,). level: float64 (n,), cores or bytes. hours: float64 (n,), all replicas together.
    """

    offsets: Ints
    level: Floats
    hours: Floats

    @property
    def row(self) -> Ints:
        """Whose each entry is: int64 (n,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class Pools:
    """Nodes that are alike, and what is not given to any pod on them, both as averages over time.

    allocatable, idle: float64 (pools, resources), of one node and of all of them; 0 where the nodes have none of a
    resource. price: float64 (pools,), of one node; NaN = not known.
    """

    allocatable: Floats
    idle: Floats
    price: Floats


def freed_hours(usage: Levels, request: Floats, proposed: Floats) -> Floats:
    """∫ (max(request, used) − max(proposed, used)) dt of each row: float64 (rows,), value-hours; below 0: it takes more.

    Never more than ∫ max(request − used, 0) dt, which is what was reserved and not used. NaN in gives NaN.
    """
    row = usage.row
    now, then = np.maximum(request[row], usage.level), np.maximum(proposed[row], usage.level)
    freed: Floats = np.bincount(row, (now - then) * usage.hours, len(request)).astype(np.float64)
    return freed + 0 * (request + proposed)


def unused_hours(usage: Levels, request: Floats) -> Floats:
    """∫ max(request − used, 0) dt of each row: float64 (rows,), value-hours: reserved and not used."""
    row = usage.row
    unused = np.maximum(request[row] - usage.level, 0) * usage.hours
    return np.bincount(row, unused, len(request)).astype(np.float64)


def given_back(pools: Pools, freed: Floats, gross: Floats) -> Floats:
    """The part of what is saved in each pool that nodes give back: float64 (pools,), at most `gross`, at least 0.

    freed: float64 (pools, resources), the average that advice frees. gross: float64 (pools,), what it is worth.
    Only whole nodes are given back: those that fit into what is idle and freed of every resource, without those that
    idle capacity would let go by itself. How pods would have to be moved for that is not asked. A pool whose nodes have
    no price gives nothing back.
    """
    nodes = _whole_nodes(pools.allocatable, pools.idle + freed) - _whole_nodes(pools.allocatable, pools.idle)
    return np.clip(nodes * np.nan_to_num(pools.price), 0, np.maximum(gross, 0))


def _whole_nodes(allocatable: Floats, spare: Floats) -> Floats:
    """How many nodes' worth of every resource is spare: float64 (pools,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fits = np.where(allocatable > 0, spare / allocatable, np.inf).min(axis=1)
    # An ulp below a whole node is a whole node.
    return np.maximum(np.floor(np.where(np.isfinite(fits), fits, 0) + 1e-9), 0)

"""What containers were seen to use, as the core wants it: stretches of constant usage, container by container."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from costlab.core.arrays import Brief, Ints, Singles
from costlab.core.kernels import spreading
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.store.rows import DayRows, batches

_SPAN = ("container_key", "ts", "dt_s")


@dataclass(frozen=True, slots=True)
class Observed:
    """Stretches in which containers were observed, by container, and for each in the order in which they were told.

    key: int64 (containers,), ordered; container i owns offsets[i]:offsets[i + 1] of start_ms and end_ms, int32 (n,) since
    zero_ms, and of the usage of each resource: float32 (n,), in cores, bytes and ratio; NaN = not observed. Seven
    million samples are 115 MB; to touch memory for the first time takes longer than to charge what is in it.
    """

    zero_ms: int
    key: Ints
    offsets: Ints
    start_ms: Brief
    end_ms: Brief
    usage: Mapping[Resource, Singles]

    def of(self, keys: Ints) -> Ints:
        """Where the stretches of each of these containers stand: int64 (len(keys), 2); equal where it has none."""
        if not len(self.key):
            return np.zeros((len(keys), 2), np.int64)
        place = np.minimum(np.searchsorted(self.key, keys), len(self.key) - 1)
        found = np.column_stack([self.offsets[place], self.offsets[place + 1]])
        found[self.key[place] != keys] = 0
        return found


Usage: TypeAlias = Mapping[Resource, Observed]


def usage_in(tables: Mapping[str, DayRows], day: Day) -> Usage:
    """What was observed of each resource on a day. tables: container_usage, gpu_usage."""
    columns = {Resource.CPU: "cpu_cores", Resource.MEMORY: "memory_bytes"}
    zero_ms = day.window.start_ms
    containers = _observed(tables["container_usage"], columns, zero_ms)
    gpus = _observed(_by_container(tables["gpu_usage"]), {Resource.GPU: "busy_ratio"}, zero_ms)
    return {Resource.CPU: containers, Resource.MEMORY: containers, Resource.GPU: gpus}


def _by_container(gpu_usage: DayRows) -> pa.Table:
    """The stretches of `gpu_usage` that name a container, of each in the order of its devices."""
    rows = pa.concat_tables(batches(gpu_usage, (*_SPAN, "busy_ratio")))
    rows = rows.filter(rows.column("container_key").is_valid())
    return rows.take(np.argsort(rows.column("container_key").to_numpy(), kind="stable"))


def _observed(rows: DayRows, columns: Mapping[Resource, str], zero_ms: int) -> Observed:
    """Rows in the order of their containers."""
    start_ms, end_ms = (np.empty(rows.num_rows, np.int32) for _ in range(2))
    usage = {resource: np.empty(rows.num_rows, np.float32) for resource in columns}
    keys, offsets, filled = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for batch in batches(rows, (*_SPAN, *columns.values())):
        here = slice(filled, filled + batch.num_rows)
        at_us = batch.column("ts").cast(pa.int64()).to_numpy()
        spreading.lay(at_us, batch.column("dt_s").to_numpy(), zero_ms, start_ms[here], end_ms[here])
        for resource, column in columns.items():
            usage[resource][here] = batch.column(column).to_numpy()
        key = batch.column("container_key").to_numpy()
        first = np.flatnonzero(key[1:] != key[:-1]) + 1
        if len(key) and key[0] not in keys[-1][-1:]:
            first = np.append(0, first)
        keys.append(key[first])
        offsets.append(filled + first)
        filled = here.stop
    return Observed(
        zero_ms, np.concatenate(keys), np.concatenate([*offsets, [filled]]), start_ms, end_ms, usage
    )

"""Usage of workloads out of a Parquet file, on a grid of days."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from costlab.core.rightsizing.samples import Samples

STEP_S, DAY_S = 300, 86_400
_LEAST_OBSERVED = 0.5  # of a day, for it to be judged, whatever is advised
_MACHINES = """
    select vm::varchar as workload, ts_s,
        least(cpu_usage_pct, 100) / 100.0 * cpu_cores as cpu, mem_usage_kb * 1024.0 as memory,
        cpu_cores::double as cpu_now, mem_capacity_kb * 1024.0 as memory_now
    from read_parquet($path) where cpu_cores > 0 and cpu_capacity_mhz > 0 and mem_capacity_kb > 0"""
_ANY = """
    select workload::varchar as workload, ts_s, cpu_cores_used as cpu, memory_bytes_used as memory,
        cpu_current_cores as cpu_now, memory_current_bytes as memory_now
    from read_parquet($path)"""
_SLOTS = """
    select workload, ts_s // 86400 as day, ts_s % 86400 // 300 as slot,
        max(cpu) as cpu, max(memory) as memory, max(cpu_now) as cpu_now, max(memory_now) as memory_now
    from ({rows}) group by all"""


@dataclass(frozen=True, slots=True)
class Usage:
    """cpu, memory: float32 (workloads, days, slots), cores and bytes; NaN = not observed. *_now: (workloads, days)."""

    workloads: list[str]
    first_day: int  # since 1970
    cpu: NDArray[np.float32]
    memory: NDArray[np.float32]
    cpu_now: NDArray[np.float64]
    memory_now: NDArray[np.float64]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Days to be judged: (workloads, days)."""
        return np.asarray(np.isfinite(self.cpu).mean(axis=2) >= _LEAST_OBSERVED)

    @property
    def midnights_ms(self) -> NDArray[np.int64]:
        """Where each day begins."""
        return (self.first_day + np.arange(self.cpu.shape[1], dtype=np.int64)) * DAY_S * 1000


def read(path: Path) -> Usage:
    """The file's usage: virtual machines as Bitbrains' trace has them, or workloads in the columns of `_ANY`.

    Rows of machines that were switched off are left out; of rows of the same five minutes the highest counts.
    """
    with duckdb.connect() as connection:
        file = {"path": str(path)}
        columns = {
            row[0]
            for row in connection.execute("describe select * from read_parquet($path)", file).fetchall()
        }
        rows = _MACHINES if "vm" in columns else _ANY
        found: dict[str, Any] = connection.execute(_SLOTS.format(rows=rows), file).fetchnumpy()
    names = sorted(
        set(found["workload"].tolist()),
        key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name),
    )
    where = {name: index for index, name in enumerate(names)}
    workload = np.array([where[name] for name in found["workload"].tolist()])
    first = int(found["day"].min())
    shape = len(names), int(found["day"].max()) - first + 1, DAY_S // STEP_S
    place = workload, (found["day"] - first).astype(int), found["slot"].astype(int)

    def grid(column: str) -> NDArray[np.float32]:
        values = np.full(shape, np.nan, np.float32)
        values[place] = np.ma.filled(found[column], np.nan)
        return values

    def now(column: str) -> NDArray[np.float64]:
        return np.asarray(np.fmax.reduce(grid(column), axis=2), np.float64)

    return Usage(names, first, grid("cpu"), grid("memory"), now("cpu_now"), now("memory_now"))


def samples_of(usage: Usage) -> Samples:
    """The same, stretch by stretch."""
    workloads = len(usage.workloads)
    cpu, memory = usage.cpu.reshape(workloads, -1), usage.memory.reshape(workloads, -1)
    workload, slot = np.nonzero(np.isfinite(cpu) | np.isfinite(memory))
    return Samples(
        subject=np.arange(workloads),
        offsets=np.searchsorted(workload, np.arange(workloads + 1)),
        at_ms=(usage.first_day * DAY_S + slot * STEP_S) * 1000,
        lasted_ms=np.full(len(slot), STEP_S * 1000),
        cpu_cores=cpu[workload, slot],
        memory_bytes=memory[workload, slot],
    )

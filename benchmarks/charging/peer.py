"""What every peer is given, and what it tells: the day's files and prices in, charges as Parquet and their sums out."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CELL_MS, CELLS = 60_000, 1440
GIB = 2**30
CPU, MEMORY = "cpu", "memory"
UNITS = {CPU: ("cpu_cores", 1), MEMORY: ("memory_bytes", GIB)}  # column of usage, and what it is charged in

Sums = Mapping[str, float]  # money by resource and part: used, unused, unobserved, idle, system


@dataclass(frozen=True, slots=True)
class Given:
    """The files of each table, where to write, and when the day begins."""

    lake: Path
    zero_ms: int
    out: Path

    def files(self, table: str) -> list[str]:
        """Those of the one day that there is."""
        return sorted(str(file) for file in (self.lake / table).rglob("*.parquet"))


def tell(charge: Callable[[Given], Sums]) -> None:
    """Charge the lake that the command line names, and print seconds, peak memory and sums; imports do not count."""
    lake, zero_ms, out = sys.argv[1:]
    given = Given(Path(lake), int(zero_ms), Path(out))
    begun = time.perf_counter()
    sums = charge(given)
    print(json.dumps({"seconds": [time.perf_counter() - begun], "peak_mib": peak_mib(), "sums": dict(sums)}))


def peak_mib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

"""The billing kernels against their NumPy twins, and a whole day of 5,000 containers; all in one run, best of five."""

import resource
import time
from collections.abc import Callable

import numpy as np

from costlab.core import kernels, reference
from costlab.core.charge import Claims, Levels, Rule, bill_node
from costlab.core.grid import Grid

CONTAINERS, NODES, CELLS = 100, 50, 1440
GRID = Grid(0, 60_000, CELLS)


def seconds(work: Callable[[], object]) -> float:
    """The best of five runs; the first, which compiles, does not count."""
    work()
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def node() -> tuple[Levels, Claims]:
    """A node of 128 cores with a hundred containers, each sampled every minute of the day."""
    random = np.random.default_rng(7)
    row = np.repeat(np.arange(CONTAINERS), CELLS)
    start = np.tile(np.arange(CELLS) * 60_000, CONTAINERS)
    day = np.zeros(CONTAINERS, np.int64), np.full(CONTAINERS, GRID.end_ms)
    claims = Claims(
        CONTAINERS, np.arange(CONTAINERS), *day, random.uniform(0.1, 2, CONTAINERS),
        row, start, start + 60_000, random.gamma(2, 0.3, CONTAINERS * CELLS),
    )  # fmt: skip
    whole = np.zeros(1, np.int64), np.full(1, GRID.end_ms)
    return Levels(*whole, np.array([128.0]), np.array([126.0]), np.array([0.1])), claims


def main() -> None:
    """Print the figures."""
    levels, claims = node()
    used = claims.used_start_ms, claims.used_end_ms, claims.used, claims.used_row
    seen_s, work = kernels.spread(*used, CONTAINERS, 0, GRID.cell_ms, CELLS)
    occupied = np.full_like(seen_s, 60.0)
    flat = np.full(CELLS, 128.0 * 60), np.full(CELLS, 126.0 * 60), np.full(CELLS, 0.1)
    bill = occupied, occupied, seen_s, work, *flat, (True, True, False, True)
    few = 200  # the twin of spread compares every interval with every cell
    start_ms, end_ms, values, row = used
    part = start_ms[: few * 10], end_ms[: few * 10], values[: few * 10], row[: few * 10]
    pairs = {
        "spread": (
            seconds(lambda: kernels.spread(*part, CONTAINERS, 0, GRID.cell_ms, CELLS)),
            seconds(lambda: reference.spread(*part, CONTAINERS, 0, GRID.cell_ms, CELLS)),
        ),
        "bill": (seconds(lambda: kernels.bill(*bill)), seconds(lambda: reference.bill(*bill))),
    }
    for name, (ours, theirs) in pairs.items():
        print(
            f"{name:8} numba {ours * 1e3:9.3f} ms   numpy {theirs * 1e3:9.3f} ms   ratio {theirs / ours:8.1f}"
        )
    day = seconds(lambda: [bill_node(GRID, levels, claims, Rule.MAX) for _ in range(NODES)])
    cells = NODES * CONTAINERS * CELLS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"a day of {NODES * CONTAINERS:,} containers, one resource: {day:.2f} s, {cells / day / 1e6:.1f} M cells/s, {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()

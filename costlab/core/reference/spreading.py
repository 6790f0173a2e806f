"""What `kernels.spreading` means."""

import numpy as np

from costlab.core.arrays import Brief, Floats, Ints, Singles


def lay(at_us: Ints, lasted_s: Singles, zero_ms: int, start_ms: Brief, end_ms: Brief) -> None:
    """Fills start_ms and end_ms, milliseconds since zero_ms, of stretches that began at microseconds and lasted seconds."""
    start_ms[:] = at_us // 1000 - zero_ms
    end_ms[:] = start_ms + np.rint(lasted_s.astype(np.float64) * 1000)


def spread(
    zero_ms: int,
    start_ms: Ints | Brief,
    end_ms: Ints | Brief,
    values: Floats | Singles,
    unit: float,
    first: int,
    last: int,
    begin_ms: int,
    until_ms: int,
    grid_start_ms: int,
    cell_ms: int,
    covered_ms: Floats,
    weighted: Floats,
) -> int:
    """Adds the time that intervals first:last cover within [begin_ms, until_ms), and value × time, to each cell."""
    level = values[first:last].astype(np.float64) * unit
    start = np.maximum(zero_ms + start_ms[first:last].astype(np.int64), begin_ms)
    end = np.minimum(zero_ms + end_ms[first:last].astype(np.int64), until_ms)
    edges = grid_start_ms + cell_ms * np.arange(len(covered_ms) + 1)
    overlap_ms = np.minimum(end[:, None], edges[1:]) - np.maximum(start[:, None], edges[:-1])
    part_ms = np.where(np.isnan(level)[:, None], 0.0, np.maximum(overlap_ms, 0))
    covered_ms += part_ms.sum(axis=0)
    weighted += (np.nan_to_num(level)[:, None] * part_ms).sum(axis=0)
    return int(part_ms.sum())


def total_of(values: Floats) -> float:
    """The sum."""
    return float(values.sum())

"""Columns of the lake as the core wants them."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def milliseconds_of(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Timestamps as epoch milliseconds: int64 (n,)."""
    micros: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return micros // 1000


def lists(rows: NDArray[np.float32]) -> pa.ListArray:
    """Rows of a matrix as a column of lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.ravel()))

"""Arrow schemas of the lake's tables, made from `domain.tables`, and the way into them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.domain.tables import TABLES, Type

_ARROW: dict[Type, pa.DataType] = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.FLOAT32: pa.float32(),
    Type.INSTANT: pa.timestamp("us", tz="UTC"),
    Type.DATE: pa.date32(),
    Type.MONEY: pa.decimal128(18, 6),
    Type.MAP: pa.map_(pa.string(), pa.string()),
    Type.TEXTS: pa.list_(pa.string()),
}


def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a table, partition columns first."""
    return pa.schema([(column.name, _ARROW[column.type]) for column in TABLES[table].columns])


def empty(table: str) -> pa.Table:
    """The table without a row."""
    return arrow_schema(table).empty_table()


def conform(table: str, columns: Mapping[str, Any]) -> pa.Table:
    """Rows of a table from its columns: declared types and order, sorted by the table's total order.

    columns: every declared column by name, as Arrow arrays, NumPy arrays or lists; a cast that would lose something
    fails. Raises ValueError naming the column that is missing, unknown, of another kind, or null where it may not be.
    """
    spec, schema = TABLES[table], arrow_schema(table)
    if odd := set(columns) ^ set(spec.column_names):
        raise ValueError(f"{table}: columns missing or not declared: {', '.join(sorted(odd))}")
    arrays = []
    for column, field in zip(spec.columns, schema, strict=True):
        given = columns[column.name]
        try:
            array = given if isinstance(given, pa.Array | pa.ChunkedArray) else pa.array(given, from_pandas=False)
            array = array.cast(field.type) if array.type != field.type and len(array) else array
            array = array if len(array) else pa.array([], field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ValueError(f"{table}.{column.name}: {error}") from error
        if array.null_count and not column.null:
            raise ValueError(f"{table}.{column.name} is never null, and {array.null_count} rows are")
        arrays.append(array)
    rows = pa.Table.from_arrays(arrays, schema=schema)
    return rows.sort_by([(name, "ascending") for name in spec.sort]) if spec.sort else rows


def instants(at_ms: NDArray[np.int64]) -> pa.Array:
    """Epoch milliseconds as the lake's timestamps: microseconds, UTC."""
    return pa.array(at_ms * 1000, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def milliseconds_of(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The lake's timestamps as epoch milliseconds: int64 (n,)."""
    micros: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return micros // 1000


def micros_to_decimal(micros: NDArray[np.int64], null: NDArray[np.bool_]) -> pa.Array:
    """Micro-units as DECIMAL(18, 6), null where `null` is true."""
    words = np.empty((len(micros), 2), np.int64)
    words[:, 0], words[:, 1] = micros, micros >> 63  # a decimal128 is two little-endian words; the upper is the sign
    validity = pa.array(~null).buffers()[1]
    return pa.Array.from_buffers(pa.decimal128(18, 6), len(micros), [validity, pa.py_buffer(words.tobytes())])

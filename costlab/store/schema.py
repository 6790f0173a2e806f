"""Arrow schemas of the lake's tables, and the one way in which columns become rows of a table."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.domain.tables import TABLES, Column, TableSpec, Type

MONEY = pa.decimal128(18, 6)
INSTANT = pa.timestamp("us", tz="UTC")

ARROW = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.FLOAT32: pa.float32(),
    Type.INSTANT: INSTANT,
    Type.DATE: pa.date32(),
    Type.MONEY: MONEY,
    Type.MAP: pa.map_(pa.string(), pa.string()),
    Type.TEXTS: pa.list_(pa.string()),
    Type.INTEGERS: pa.list_(pa.int32()),
    Type.FLOATS: pa.list_(pa.float32()),
}
_SORTABLE = frozenset(Type) - {Type.MAP, Type.TEXTS, Type.INTEGERS, Type.FLOATS}
_SCALARS = (str, int, float, date, Decimal)
_MONEY_LIMIT_MICROS = 10**18


@cache
def arrow_schema(table: str) -> pa.Schema:
    """The declared columns of a table, partition columns first; a column is nullable where null has a meaning."""
    return pa.schema([pa.field(c.name, ARROW[c.type], nullable=bool(c.null)) for c in TABLES[table].columns])


def empty(table: str) -> pa.Table:
    """A table without rows, with all declared columns."""
    return arrow_schema(table).empty_table()


def conform(table: str, columns: Mapping[str, Any]) -> pa.Table:
    """Rows of a table as the lake stores them: the declared columns, types and order of rows.

    A column is an array-like (NumPy, masked NumPy, Arrow, pandas, list), or one value that holds in every row.
    int64 means epoch milliseconds where an instant is declared, and micro-units where money is. Floats are
    rounded to float32 where that is declared; every other cast that would change a value raises.

    Raises ValueError, naming table and column: a missing or unknown column, another length, a null where none
    may be, a value that the declared type cannot hold, floats for money, instants without a time zone.
    """
    spec = TABLES[table]
    _check_names(spec, columns)
    count = _row_count(spec, columns)
    arrays = [_declared(spec, column, columns[column.name], count) for column in spec.columns]
    return ordered(table, pa.Table.from_arrays(arrays, schema=arrow_schema(table)))


def ordered(table: str, rows: pa.Table) -> pa.Table:
    """The rows in the table's declared order; rows with equal keys are told apart by their other columns."""
    spec = TABLES[table]
    if rows.num_rows < 2 or not spec.sort:
        return rows
    order = _order(rows, spec.sort)
    if _has_ties(rows, spec.sort, order):
        others = [c.name for c in spec.columns if c.type in _SORTABLE and c.name not in spec.sort]
        order = _order(rows, (*spec.sort, *others))
    in_place = bool((order == np.arange(rows.num_rows, dtype=order.dtype)).all())
    return rows if in_place else rows.take(order)


def micros_to_decimal(micros: NDArray[np.int64], nulls: NDArray[np.bool_] | None = None) -> pa.Array:
    """Money as the lake stores it, decimal128(18, 6), from int64 micro-units (n,); `nulls` marks rows without.

    Raises ValueError for amounts of 10^12 currency units or more: 18 digits do not hold them.
    """
    known = micros if nulls is None else micros[~nulls]
    if known.size and max(-int(known.min()), int(known.max())) >= _MONEY_LIMIT_MICROS:
        raise ValueError("an amount of 10^12 currency units or more is no money that 18 digits can hold")
    words = np.empty((len(micros), 2), dtype="<i8")
    words[:, 0] = micros
    words[:, 1] = micros >> 63  # the sign, carried into the upper half of the 128 bits
    validity = None if nulls is None else pa.array(~nulls).buffers()[1]
    return pa.Array.from_buffers(MONEY, len(micros), [validity, pa.py_buffer(words)])


def _check_names(spec: TableSpec, columns: Mapping[str, Any]) -> None:
    missing = [name for name in spec.column_names if name not in columns]
    unknown = [name for name in columns if name not in spec.column_names]
    if missing:
        raise ValueError(f"{spec.name} lacks the columns {', '.join(missing)}")
    if unknown:
        raise ValueError(f"{spec.name} has no columns {', '.join(unknown)}")


def _row_count(spec: TableSpec, columns: Mapping[str, Any]) -> int:
    lengths = {name: len(values) for name, values in columns.items() if not _is_scalar(values)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"columns of {spec.name} have different lengths: {said}")
    return next(iter(lengths.values()), 1)


def _is_scalar(values: Any) -> bool:
    return values is None or isinstance(values, _SCALARS)


def _declared(spec: TableSpec, column: Column, values: Any, count: int) -> pa.Array:
    try:
        if _is_scalar(values):
            array = pa.repeat(_cast(column, pa.array([values]))[0], count)
        else:
            array = _cast(column, _to_arrow(column, values))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{spec.name}.{column.name} cannot be {column.type}: {error}") from error
    if not column.null and array.null_count:
        raise ValueError(f"{spec.name}.{column.name} is never null, and {array.null_count} of its rows are")
    return array


def _to_arrow(column: Column, values: Any) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(values.data, mask=np.ma.getmaskarray(values))
    if column.type in (Type.MAP, Type.TEXTS):
        return pa.array([list(v.items()) if isinstance(v, dict) else v for v in values], ARROW[column.type])
    return pa.array(values, from_pandas=False)  # else NaN would become null


def _cast(column: Column, array: pa.Array) -> pa.Array:
    kind, target = array.type, ARROW[column.type]
    if pa.types.is_null(kind):
        return array.cast(target)
    if _is_text(kind) != (column.type is Type.TEXT):
        raise ValueError(f"{kind} has to be converted by whoever knows what it means")
    if column.type is Type.MONEY:
        return _money(array)
    if column.type is Type.INSTANT:
        return _instant(array)
    cast = array.cast(target)
    if column.type is Type.FLOAT32 and pc.any(pc.and_(pc.is_inf(cast), pc.invert(pc.is_inf(array)))).as_py():
        raise ValueError("a value is beyond the range of float32")
    return cast


def _is_text(kind: pa.DataType) -> bool:
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held))


def _money(array: pa.Array) -> pa.Array:
    if pa.types.is_integer(array.type):
        whole = array.cast(pa.int64())
        nulls = whole.is_null().to_numpy(zero_copy_only=False)
        return micros_to_decimal(whole.fill_null(0).to_numpy(), nulls if nulls.any() else None)
    if not pa.types.is_decimal(array.type):
        raise ValueError(f"{array.type} is not exact")
    return array.cast(MONEY)


def _instant(array: pa.Array) -> pa.Array:
    if pa.types.is_integer(array.type):
        return array.cast(pa.int64()).cast(pa.timestamp("ms", tz="UTC")).cast(INSTANT)
    if pa.types.is_timestamp(array.type) and array.type.tz is None:
        raise ValueError("its instants have no time zone")
    return array.cast(INSTANT)


def _order(rows: pa.Table, keys: tuple[str, ...]) -> NDArray[np.uint64]:
    wanted = [(key, "ascending", "at_end") for key in keys]
    order: NDArray[np.uint64] = pc.sort_indices(rows.select(keys), sort_keys=wanted).to_numpy()
    return order


def _has_ties(rows: pa.Table, keys: tuple[str, ...], order: NDArray[np.uint64]) -> bool:
    """Whether two rows that follow each other have all keys equal; null equals null here."""
    equal = np.ones(rows.num_rows - 1, dtype=np.bool_)
    for key in keys:
        column = rows.column(key).combine_chunks().take(order)
        before, after = column[:-1], column[1:]
        same = pc.fill_null(pc.equal(before, after), False)
        same = pc.or_(same, pc.and_(pc.is_null(before), pc.is_null(after)))
        equal &= same.to_numpy(zero_copy_only=False)
        if not equal.any():
            return False
    return True

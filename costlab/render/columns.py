"""Tables as JSON and CSV say them, column by column: the same as row by row, in a fraction of the time."""

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from costlab.render.envelope import Row, plain, unique
from costlab.render.text import csv_cell

_SCALES = range(1, 7)  # of decimals that Arrow writes without an exponent, however small they are
# What is quoted, and what may begin a formula, which is more than what does: `csv_cell` looks closely.
_ODD = r"""[",\r\n]|^[^\w(/.]"""
_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e9  # of floats that Arrow and Python write alike


def plain_rows(rows: pa.Table) -> list[Row]:
    """Rows as JSON can say them: money as a decimal string, NaN and null as None, instants in UTC."""
    columns = [_plain_column(column) for column in rows.columns]
    names = unique(rows.column_names)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def table_csv(rows: pa.Table) -> bytes:
    """A table as CSV, UTF-8, as `rows_csv` writes its rows."""
    columns = [_csv_column(column.combine_chunks()) for column in rows.columns]
    lines = pc.binary_join_element_wise(*columns, ",").to_pylist() if rows.num_rows else []
    return ("\n".join([",".join(rows.column_names), *lines]) + "\n").encode()


def _plain_column(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _listed(column)
    if pa.types.is_float64(kind):
        values = _listed(column)
        if pc.all(pc.is_finite(column)).as_py() in (True, None):
            return values
        return [value if value is not None and math.isfinite(value) else None for value in values]
    if _fixed(kind) or pa.types.is_date32(kind):
        return _listed(column.cast(pa.string()))
    return [plain(value) for value in _listed(column)]


def _csv_column(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_string(kind):
        if not pc.any(pc.match_substring_regex(column, _ODD)).as_py():
            return column.fill_null("")
        coded = column.dictionary_encode()
        texts = pa.array([csv_cell(name) for name in coded.dictionary.to_pylist()], pa.string())
        return texts.take(coded.indices).fill_null("")
    if pa.types.is_float64(kind):
        return _csv_floats(column)
    if _fixed(kind) or pa.types.is_date32(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string()).fill_null("")
    return pa.array([csv_cell(value) for value in column.to_pylist()], pa.string())


def _csv_floats(column: pa.Array) -> pa.Array:
    """Floats so that they read back the same, as Python writes them; Arrow writes 48 for 48.0 and 1e+14."""
    size, missing = pc.abs(column), pc.is_nan(column)
    alike = pc.or_(
        pc.and_(pc.greater_equal(size, _PLAIN_FROM), pc.less(size, _PLAIN_BELOW)),
        pc.or_(missing, pc.equal(size, 0.0)),
    )
    written = column.cast(pa.string())
    whole = pc.equal(pc.floor(column), column)
    written = pc.if_else(whole, pc.binary_join_element_wise(written, ".0", ""), written)
    written = pc.if_else(missing, "NaN", written)
    odd = pc.invert(alike).fill_null(False)
    others = pa.array([csv_cell(value) for value in column.filter(odd).to_pylist()], pa.string())
    return pc.replace_with_mask(written, odd, others).fill_null("")


def _fixed(kind: pa.DataType) -> bool:
    return pa.types.is_decimal(kind) and kind.scale in _SCALES


def _listed(column: pa.ChunkedArray) -> list[Any]:
    found: list[Any] = column.to_pylist()
    return found

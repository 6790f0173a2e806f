"""What rows say, as one hash that does not depend on how they are chunked, encoded or compressed."""

from decimal import Decimal
from hashlib import sha256

import numpy as np
import orjson
import pyarrow as pa

_LENGTH_BYTES = 8


def content_hash(rows: pa.Table) -> str:
    """SHA-256 of names, types and values of all columns, row by row in the order given; hexadecimal.

    Any NaN is the same NaN; null and NaN differ; -0.0 and 0.0 differ.
    """
    digest = sha256()
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        for part in (name.encode(), str(column.type).encode(), *_parts(column.combine_chunks())):
            digest.update(len(part).to_bytes(_LENGTH_BYTES, "little"))
            digest.update(part)
    return digest.hexdigest()


def _parts(array: pa.Array) -> tuple[bytes | memoryview, ...]:
    """The bytes that say what an array holds: which rows are there, then their values, nulls as zero."""
    if pa.types.is_list(array.type) and pa.types.is_integer(array.type.value_type):
        return _integers(array)
    if pa.types.is_nested(array.type):
        return (orjson.dumps(array.to_pylist()),)
    there = np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes()
    if pa.types.is_string(array.type):
        return there, *_text(array.fill_null("") if array.null_count else array)
    return there, _fixed(array.fill_null(_zero(array.type)) if array.null_count else array)


def _integers(array: pa.Array) -> tuple[bytes | memoryview, ...]:
    """Lists without a null in them: which are there, how long each is, and all that is in them."""
    there = np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes()
    lengths = array.value_lengths().fill_null(0)
    return there, _fixed(lengths), *_parts(array.flatten())


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(0), kind)
    days = pa.types.is_date32(kind)
    return pa.scalar(0, pa.int32() if days else pa.int64()).cast(kind)


def _text(array: pa.Array) -> tuple[bytes, memoryview]:
    if not len(array):
        return b"", memoryview(b"")
    _, offsets, characters = array.buffers()
    ends = np.frombuffer(offsets, dtype="<i4")[array.offset : array.offset + len(array) + 1]
    return np.diff(ends).tobytes(), memoryview(characters or b"")[ends[0] : ends[-1]]


def _fixed(array: pa.Array) -> memoryview:
    if not len(array):
        return memoryview(b"")
    if pa.types.is_floating(array.type):
        values = array.to_numpy()
        return memoryview(np.where(np.isnan(values), values.dtype.type(np.nan), values)).cast("B")
    width = array.type.bit_width // 8
    return memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]

"""Whether two sets of rows are the same: a SHA-256 over their values, not over how they are stored."""

from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def content_hash(rows: pa.Table) -> str:
    """SHA-256 of column names, types and values, in row order; chunks, offsets and encodings do not matter."""
    digest = sha256()
    for field, column in zip(rows.schema, rows.columns, strict=True):
        digest.update(f"{field.name}:{field.type}:{len(column)};".encode())
        _feed(digest, column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    return digest.hexdigest()


def _feed(digest: Any, array: pa.Array) -> None:
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    digest.update(np.packbits(array.is_null().to_numpy(zero_copy_only=False)).tobytes())
    kind = array.type
    if pa.types.is_map(kind):
        _feed(digest, pc.list_value_length(array.cast(pa.list_(pa.struct([("k", pa.string()), ("v", pa.string())])))))
        entries = pa.concat_arrays([array.keys, array.items]) if len(array) else pa.array([], pa.string())
        _feed(digest, entries)
    elif pa.types.is_list(kind):
        _feed(digest, pc.list_value_length(array))
        _feed(digest, array.flatten())
    elif pa.types.is_string(kind):
        filled = pc.fill_null(array, "")
        lengths = pc.binary_length(filled)
        digest.update(np.ascontiguousarray(lengths.to_numpy(zero_copy_only=False)).tobytes())
        digest.update("".join(filled.to_pylist()).encode())
    elif pa.types.is_decimal(kind):
        size = 16
        data = pc.fill_null(array, pa.scalar(0, kind)).buffers()[1]
        digest.update(memoryview(data)[array.offset * size : (array.offset + len(array)) * size] if data else b"")
    else:
        numbers = array.cast(pa.int64()) if pa.types.is_temporal(kind) and not pa.types.is_date32(kind) else array
        numbers = numbers.cast(pa.int32()) if pa.types.is_date32(kind) else numbers
        filled = pc.fill_null(numbers, pa.scalar(0, numbers.type))
        digest.update(np.ascontiguousarray(filled.to_numpy(zero_copy_only=False)).tobytes())

"""What rows say, as one hash that does not depend on how they are chunked, encoded or compressed."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import sha256

import numpy as np
import orjson
import pyarrow as pa

from costlab.store.rows import Rows, StoredRows

_LENGTH_BYTES = 8


def content_hash(rows: Rows) -> str:
    """SHA-256 of names, types and values of all columns, row by row in the order given; hexadecimal.

    Any NaN is the same NaN; null and NaN differ; -0.0 and 0.0 differ. Of stored rows whose hash was told, it is that.
    """
    if isinstance(rows, StoredRows) and rows.content:
        return rows.content
    digest = sha256()
    for field in rows.schema:
        for part in (field.name.encode(), str(field.type).encode()):
            digest.update(len(part).to_bytes(_LENGTH_BYTES, "little"))
            digest.update(part)

        def chunks(name: str = field.name) -> Iterator[pa.Array]:
            return rows.chunks(name) if isinstance(rows, StoredRows) else iter(rows.column(name).chunks)

        for size, pieces in _parts(field.type, rows.num_rows, chunks):
            digest.update(size.to_bytes(_LENGTH_BYTES, "little"))
            for piece in pieces:
                digest.update(piece)
    return digest.hexdigest()


def _parts(
    kind: pa.DataType, count: int, chunks: Callable[[], Iterator[pa.Array]]
) -> Iterator[tuple[int, Iterator[bytes | memoryview]]]:
    """The bytes that say what a column holds, and how many: which rows are there, then their values, nulls as zero."""
    if pa.types.is_list(kind) and pa.types.is_integer(kind.value_type):
        yield from _integers(kind, count, chunks)
        return
    if pa.types.is_nested(kind):
        said = orjson.dumps([value for chunk in chunks() for value in chunk.to_pylist()])
        yield len(said), iter([said])
        return
    there = [chunk.is_valid().to_numpy(zero_copy_only=False) for chunk in chunks()]
    bits = np.packbits(np.concatenate([np.empty(0, np.bool_), *there])).tobytes()
    yield len(bits), iter([bits])
    if pa.types.is_string(kind):
        for side in (0, 1):
            size = sum(len(_text(chunk)[side]) for chunk in chunks())
            yield size, (_text(chunk)[side] for chunk in chunks())
        return
    yield count * kind.bit_width // 8, (_fixed(_filled(chunk)) for chunk in chunks())


def _filled(array: pa.Array) -> pa.Array:
    return array.fill_null(_zero(array.type)) if array.null_count else array


def _integers(
    kind: pa.DataType, count: int, chunks: Callable[[], Iterator[pa.Array]]
) -> Iterator[tuple[int, Iterator[bytes | memoryview]]]:
    """Lists without a null in them: which are there, how long each is, and all that is in them."""
    there = [chunk.is_valid().to_numpy(zero_copy_only=False) for chunk in chunks()]
    bits = np.packbits(np.concatenate([np.empty(0, np.bool_), *there])).tobytes()
    yield len(bits), iter([bits])
    yield 4 * count, (_fixed(chunk.value_lengths().fill_null(0)) for chunk in chunks())
    inside = sum(len(chunk.flatten()) for chunk in chunks())
    yield from _parts(kind.value_type, inside, lambda: (chunk.flatten() for chunk in chunks()))


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(0), kind)
    days = pa.types.is_date32(kind)
    return pa.scalar(0, pa.int32() if days else pa.int64()).cast(kind)


def _text(array: pa.Array) -> tuple[bytes, memoryview]:
    if not len(array):
        return b"", memoryview(b"")
    array = array.fill_null("")
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

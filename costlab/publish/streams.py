"""Rows that are too many for memory, written as they come."""

from collections.abc import Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv


def write_csv(rows: pa.RecordBatchReader, to: BinaryIO) -> int:
    """How many rows were written: instants as ISO 8601 in UTC, to the second; an empty field is null."""
    schema = pa.schema([pa.field(field.name, _in_csv(field.type)) for field in rows.schema])
    written = 0
    with csv.CSVWriter(to, schema) as file:
        for batch in rows:
            file.write_batch(pa.record_batch([_told(column) for column in batch.columns], schema=schema))
            written += batch.num_rows
    return written


def write_parquet(rows: pa.RecordBatchReader, to: BinaryIO, about: Mapping[str, str]) -> int:
    """How many rows were written; `about` goes into the file's metadata."""
    written = 0
    with pq.ParquetWriter(to, rows.schema, compression="zstd") as file:
        for batch in rows:
            file.write_batch(batch)
            written += batch.num_rows
        file.add_key_value_metadata(dict(about))
    return written


def _in_csv(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _told(column: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(column.type):
        return column
    return pc.strftime(column.cast(pa.timestamp("s", "UTC")), format="%Y-%m-%dT%H:%M:%SZ")

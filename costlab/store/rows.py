"""Rows of a day: in memory, or already in a file as the lake stores them, when they are too many for memory.

A reader of batches would do for Delta Lake, but it writes them in the order in which two threads happen to take them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from costlab.domain.tables import PARTITION, TABLES
from costlab.store.columns import with_unknown
from costlab.store.encoding import ENCODING, LEVEL, without_statistics
from costlab.store.faults import translated
from costlab.store.place import Place, readable_file
from costlab.store.reading import read_files, readable
from costlab.store.schema import arrow_schema, empty
from costlab.store.statistics import statistics


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows of one table on one day of one cluster, in the declared order, in a file that the lake takes over.

    Columns are read one row group at a time; those that name the partition are not in the file. without: columns that the
    rows were written without, or are looked at without. content: the hash of the rows, count: how many there are, and said: what a
    Delta log says of them, where who made them has told it.
    """

    table: str
    cluster: str
    day: date
    file: Place
    without: frozenset[str] = frozenset()
    content: str = ""
    count: int | None = None
    said: str = ""

    @property
    def num_rows(self) -> int:
        """How many rows there are. Raises LakeError."""
        if self.count is not None:
            return self.count
        with readable(self.table):
            return int(pq.read_metadata(readable_file(self.file)).num_rows)

    @property
    def schema(self) -> pa.Schema:
        """The declared columns."""
        declared = arrow_schema(self.table)
        return pa.schema([field for field in declared if field.name not in self.without])

    def chunks(self, column: str) -> Iterator[pa.Array]:
        """A column, some rows at a time. Raises LakeError."""
        with translated(self.file, "read"), pq.ParquetFile(readable_file(self.file)) as file:
            for group in range(file.num_row_groups):
                if column in PARTITION:
                    yield self._constant(column, file.metadata.row_group(group).num_rows)
                else:
                    read = file.read_row_group(group, columns=[column]).column(0)
                    yield read.cast(self.schema.field(column).type).combine_chunks()

    def whole(self) -> pa.Table:
        """All rows, in memory. Raises LakeError."""
        columns = [pa.chunked_array(self.chunks(field.name), field.type) for field in self.schema]
        return pa.Table.from_arrays(columns, schema=self.schema).combine_chunks()

    def _constant(self, column: str, count: int) -> pa.Array:
        value = {"cluster": self.cluster, "date": self.day}[column]
        return pa.repeat(pa.scalar(value, self.schema.field(column).type), count)


@dataclass(frozen=True, slots=True)
class FiledRows:
    """Rows of a table that stay in the lake's files until they are read. lacks: columns that some files may lack."""

    table: str
    files: tuple[Place, ...]
    lacks: frozenset[str] = frozenset()

    @property
    def num_rows(self) -> int:
        """How many there are. Raises LakeError when a file is damaged."""
        with readable(self.table):
            return sum(int(pq.read_metadata(readable_file(file)).num_rows) for file in self.files)


Rows: TypeAlias = pa.Table | StoredRows
"""Rows that can be written into the lake."""
DayRows: TypeAlias = Rows | FiledRows
"""The same, or rows that are in it already."""


def whole(rows: Rows) -> pa.Table:
    """All rows, in memory. Raises LakeError."""
    return rows.whole() if isinstance(rows, StoredRows) else rows


def batches(rows: DayRows, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of all rows, some rows at a time, in the declared order. Raises LakeError when a file is damaged.

    A row group is read in a fourth of the time that DuckDB takes to hand over the same rows, and is a million of them.
    """
    if isinstance(rows, pa.Table):
        yield rows.select(columns)
        return
    files: list[Place] = [rows.file] if isinstance(rows, StoredRows) else _in_turn(rows)
    if not files and isinstance(rows, FiledRows):
        yield read_files(rows.table, rows.files, rows.lacks).select(columns)
        return
    if not rows.num_rows:
        yield empty(rows.table).select(columns)
    for path in files:
        with readable(rows.table), pq.ParquetFile(readable_file(path)) as file:
            for group in range(file.num_row_groups):
                read = file.read_row_group(group, columns=list(columns))
                yield with_unknown(rows.table, read, columns).select(columns)


def _in_turn(rows: FiledRows) -> list[Place]:
    """The files so that the rows of each follow those of the one before; none where they are mixed.

    A day is cut into files in its order, but their names do not tell it.
    """
    leading = TABLES[rows.table].sort[0]
    if leading in rows.lacks:
        return []
    spans = []
    with readable(rows.table):
        for path in rows.files:
            metadata = pq.read_metadata(readable_file(path))
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            number = metadata.schema.names.index(leading)
            told = [group.column(number).statistics for group in groups]
            if not told or not all(one is not None and one.has_min_max for one in told):
                return []
            spans.append((min(one.min for one in told), max(one.max for one in told), path))
    spans.sort()
    apart = all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))
    return [path for *_, path in spans] if apart else []


class RowRoom(Protocol):
    """Takes the rows of a day of one table as they come, in the declared order."""

    def add(self, rows: pa.Table) -> None:
        """Take rows that follow all those before. Raises LakeError."""
        ...

    def rows(self) -> Rows:
        """All of them; nothing comes after."""
        ...


class InMemory:
    """Room for rows that fit into memory."""

    def __init__(self, table: str) -> None:
        self._parts = [empty(table)]

    def add(self, rows: pa.Table) -> None:
        """Take rows that follow all those before."""
        self._parts.append(rows)

    def rows(self) -> pa.Table:
        """All of them."""
        return pa.concat_tables(self._parts).combine_chunks()


class OnDisk:
    """Room for rows in a folder on the lake's disk."""

    def __init__(self, folder: Path, table: str, cluster: str, day: date) -> None:
        self._rows = StoredRows(table, cluster, day, folder / f"{table}.parquet")
        self._count = 0
        inside = [field for field in arrow_schema(table) if field.name not in PARTITION]
        with translated(self._rows.file):
            self._writer: Any = pq.ParquetWriter(self._rows.file, pa.schema(inside), **_options(table))

    def add(self, rows: pa.Table) -> None:
        """Take rows that follow all those before, as a row group. Raises LakeError."""
        if rows.num_rows:
            self._count += rows.num_rows
            with translated(self._rows.file):
                self._writer.write_table(rows.drop_columns(list(PARTITION)), row_group_size=rows.num_rows)

    def rows(self) -> StoredRows:
        """All of them; the file is whole. Raises LakeError."""
        with translated(self._rows.file):
            self._writer.close()
        return replace(self._rows, count=self._count)


@dataclass(frozen=True, slots=True)
class SentRows:
    """A file of rows on its way to another machine."""

    table: str
    file: bytes
    content: str
    count: int
    said: str

    @classmethod
    def of(cls, rows: StoredRows, content: str) -> "SentRows":
        """The file as it is; content: the hash of its rows. Raises LakeError."""
        with translated(rows.file, "read"):
            file, said = rows.file.read_bytes(), statistics(rows.file)
        return cls(rows.table, file, content, rows.num_rows, said)


@dataclass(frozen=True, slots=True)
class RowFolder:
    """Room in a folder for the rows of a day, by table."""

    folder: Path
    cluster: str
    day: date

    def __call__(self, table: str) -> OnDisk:
        """An empty room. Raises LakeError."""
        return OnDisk(self.folder, table, self.cluster, self.day)

    def landed(self, sent: SentRows) -> StoredRows:
        """Rows that another machine has put into a file. Raises LakeError."""
        file = self.folder / f"{sent.table}.parquet"
        with translated(file):
            file.write_bytes(sent.file)
        return StoredRows(
            sent.table, self.cluster, self.day, file, content=sent.content, count=sent.count, said=sent.said
        )


def _options(table: str) -> dict[str, Any]:
    """What the Delta library is told too, in pyarrow's words."""
    columns = [column for column in TABLES[table].columns if column.name not in PARTITION]
    text = [column.name for column in columns if column.type not in ENCODING]
    return {
        "compression": "ZSTD",
        "compression_level": LEVEL,
        "use_dictionary": text,
        "column_encoding": {c.name: ENCODING[c.type] for c in columns if c.type in ENCODING},
        "write_statistics": [c.name for c in columns if not without_statistics(c)],
        "store_schema": False,
    }

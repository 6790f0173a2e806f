"""Reads the lake's Parquet files by DuckDB, from explicit lists: never from a pattern, which would match junk."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from costlab.domain.errors import LakeError
from costlab.domain.tables import PARTITION, TABLES, Column, Type
from costlab.store.faults import asked_again, of_reading
from costlab.store.place import BucketPath, Place, readable_file
from costlab.store.schema import arrow_schema, empty, ordered

_SQL = {
    Type.TEXT: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.FLOAT: "DOUBLE",
    Type.FLOAT32: "FLOAT",
    Type.INSTANT: "TIMESTAMPTZ",
    Type.DATE: "DATE",
    Type.MONEY: "DECIMAL(18, 6)",
    Type.MAP: "MAP(VARCHAR, VARCHAR)",
    Type.TEXTS: "VARCHAR[]",
    Type.INTEGERS: "INTEGER[]",
    Type.FLOATS: "FLOAT[]",
}
# Nothing is fetched from the network, and no Python variable is taken for a table.
_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    # DuckDB 2.0 makes a join of a sum over a partition, and one side of it forgets which days were asked for.
    "disabled_optimizers": "window_self_join",
}
_threads: dict[str, str] = {}  # empty: as many as there are processors
# All that DuckDB leaves of what a signal's handler raised while it ran, or while it asked Python about an Arrow table.
_STOPPED = re.compile(r"Query interrupted|.* registered as '.*' failed: (KeyboardInterrupt|SystemExit): .*")


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside the block a signal that ends the process ends DuckDB too, by KeyboardInterrupt, and is no fault of a query."""
    try:
        yield
    except (duckdb.Error, RuntimeError) as error:
        if _STOPPED.fullmatch(str(error)):
            raise KeyboardInterrupt from error
        raise


def connect() -> duckdb.DuckDBPyConnection:
    """A private DuckDB in memory, in UTC."""
    connection = duckdb.connect(":memory:", config={**_SETTINGS, **_threads})
    # An extension's setting, which is not known until it is connected.
    connection.execute("set global TimeZone = 'UTC'")
    return _drawing_nothing(connection)


def _drawing_nothing(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    # Where it is on, it draws a bar on stdout after two seconds; in a notebook without ipywidgets it is off, and any
    # word of it is refused.
    if connection.sql("select current_setting('enable_progress_bar') as drawn").fetchall() == [(True,)]:
        connection.execute("set enable_progress_bar = false")
    return connection


def read_by(threads: int) -> None:
    """What reads files from now on does so by so many threads at most, in the place of one for each processor."""
    _threads["threads"] = str(threads)
    _shared.cache_clear()


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    """One DuckDB for all reads of files: to begin one takes 19 ms, to read a day of a table 4; of a file it keeps nothing."""
    connection = connect()
    connection.execute("set enable_external_file_cache = false")
    return connection


# Its threads are not in the fork, which would wait for them at its end.
os.register_at_fork(before=_shared.cache_clear)


def read_files(table: str, files: Sequence[Place], lacks: frozenset[str] = frozenset()) -> pa.Table:
    """All rows of these files of a table, as declared and in the declared order; none when there are no files.

    lacks: columns that some of the files may lack, as an older costlab wrote them. Raises LakeError when a file cannot be read.
    """
    if not files:
        return empty(table)

    def read() -> pa.Table:
        with interruptible(), _drawing_nothing(_shared().cursor()) as connection:
            return connection.sql(select_files(connection, table, files, lacks)).to_arrow_table()

    def rows() -> pa.Table:
        with readable(table):
            try:
                return read()
            except (duckdb.FatalException, duckdb.InternalException):
                # Of a damaged file, perhaps another than these: after that a DuckDB refuses whatever it is asked.
                _shared.cache_clear()
                try:
                    return read()
                finally:
                    _shared.cache_clear()

    return ordered(table, asked_again(rows, though_asked=False).cast(arrow_schema(table)))


@contextmanager
def readable(table: str) -> Iterator[None]:
    """Inside the block a file that cannot be read is a fault of the lake, and a bucket that does not give it away is not."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if fault := of_reading(f"the rows of {table}", error):
            raise fault from error
        raise LakeError(
            f"the rows of {table} cannot be read: {str(error).partition(chr(10))[0]}",
            "costlab doctor --files names the damaged days and how to mend them",
        ) from error


def select_files(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    files: Sequence[Place],
    lacks: frozenset[str] = frozenset(),
) -> str:
    """A SELECT of a table's declared columns from these files; without files, of no rows but all columns.

    lacks: columns that some of the files may lack, which are then NaN or null; only for those every file is looked at.
    Files in a bucket are read through Arrow, which is told the columns and the days that are asked for: what DuckDB needs
    for S3 would be fetched from the network. Raises LakeError.
    """
    if not files:
        columns = TABLES[table].columns
        nothing = ", ".join(f"cast(null as {_SQL[c.type]}) as {name(c.name)}" for c in columns)
        return f"select {nothing} where false"
    selects = (
        _select(connection, table, alike, absent) for absent, alike in _by_absent(files, lacks).items()
    )
    return " union all ".join(selects)


def absent_from(file: Place, lacks: frozenset[str]) -> frozenset[str]:
    """Those of the columns that a file lacks. Raises OSError and ArrowException."""
    return lacks - set(pq.read_schema(readable_file(file)).names) if lacks else lacks


def _by_absent(files: Sequence[Place], lacks: frozenset[str]) -> dict[frozenset[str], list[Place]]:
    """The files by what they lack."""
    if not lacks:
        return {lacks: list(files)}
    alike: dict[frozenset[str], list[Place]] = {}
    for file in files:
        alike.setdefault(absent_from(file, lacks), []).append(file)
    return alike


def _select(
    connection: duckdb.DuckDBPyConnection, table: str, files: list[Place], absent: frozenset[str]
) -> str:
    wanted = ", ".join(_column(column, absent) for column in TABLES[table].columns)
    inside = [file for file in files if isinstance(file, BucketPath)]
    if inside:
        view = " ".join(["files of", table, *(["without", *sorted(absent)] if absent else [])])
        connection.register(view, _dataset(table, inside))
        return f"select {wanted} from {name(view)}"  # noqa: S608 - quoted
    listed = ", ".join(text(str(file)) for file in files)
    types = "hive_types = {'cluster': VARCHAR, 'date': DATE}"
    return f"select {wanted} from read_parquet([{listed}], hive_partitioning = true, {types})"  # noqa: S608 - quoted


def _column(column: Column, absent: frozenset[str]) -> str:
    unknown = "'NaN'" if column.type in (Type.FLOAT, Type.FLOAT32) else "null"
    return f"cast({unknown if column.name in absent else name(column.name)} as {_SQL[column.type]}) as {name(column.name)}"


def _dataset(table: str, files: Sequence[BucketPath]) -> Any:
    """The files as one, each with the cluster and the day that its folder names."""
    import pyarrow.dataset as ds  # noqa: PLC0415 - it imports pandas, which takes longer than a question of a small lake

    schema = arrow_schema(table)
    parts = []
    for file in files:
        values = dict(part.split("=", 1) for part in file.parts if part.partition("=")[0] in PARTITION)
        held = [
            ds.field(key) == pa.scalar(value).cast(schema.field(key).type) for key, value in values.items()
        ]
        parts.append(held[0] & held[1])
    store, keys = files[0].store, [file.key for file in files]
    return ds.FileSystemDataset.from_paths(keys, schema, ds.ParquetFileFormat(), store, parts)


def name(identifier: str) -> str:
    """An identifier, quoted for SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def text(literal: str) -> str:
    """A text, quoted for SQL."""
    return "'" + literal.replace("'", "''") + "'"

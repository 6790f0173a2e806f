"""Ask the lake in SQL: DuckDB in memory, a view a table over the days that are whole, and the named queries."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from costlab import shipped
from costlab.domain.errors import ConfigError, LakeError
from costlab.domain.tables import TABLES
from costlab.store.faults import asked_again, of_reading
from costlab.store.lake import Lake
from costlab.store.reading import connect, interruptible, name, readable, select_files, text
from costlab.store.rows import FiledRows
from costlab.store.schema import empty

_ROWS_AT_ONCE = 65_536
# A line of a header, and what of it stands indented on the next ones.
_SAID = re.compile(r"^(grain|inputs|units): (.+(?:\n +.+)*)$", re.MULTILINE)
FOLDERS = ("staging", "marts", "exports", "checks")

# Where DuckDB was when rows of a bucket could not be read.
_FILES = re.compile(r"reading the stream registered as 'files of (\w+)")
# What DuckDB says of the content of a file that it could open.
_DAMAGED = re.compile(r"\bfile ['\"].*\.parquet['\"]|Parquet metadata is corrupt|byte sequence mismatch")
# The line in which DuckDB names what may be meant.
_NEAR = re.compile(r"^(?:Did you mean|Candidate bindings:) (.+?)\??$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """A named query: its folder, its text, and what its header says. params: the names after $; notes: may be empty."""

    name: str
    folder: str
    text: str
    about: str
    grain: str
    inputs: tuple[str, ...]
    params: frozenset[str]
    units: str
    notes: str


class Warehouse:
    """A door to a lake for readers: nothing but the lake's own files can be reached through it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._kept: set[str] = set()

    @classmethod
    @interruptible()
    def over(cls, lake: Lake, instead: Mapping[str, pa.Table] | None = None) -> Self:
        """A warehouse over the days that are complete, or committed as incomplete; some tables by other rows `instead`."""
        connection, rows = connect(), lake.readable()
        for table in TABLES:
            if instead and table in instead:
                connection.register(table, instead[table])
                continue
            asked_again(partial(_show, connection, table, rows[table]), though_asked=False)
        return cls._closed(
            connection, [file for filed in rows.values() for file in filed.files if isinstance(file, Path)]
        )

    @classmethod
    @interruptible()
    def over_tables(cls, tables: Mapping[str, pa.Table], asked: Iterable[str] | None = None) -> Self:
        """A warehouse over rows that are not committed; the lake's other tables are there, and empty.

        asked: the named queries that it is for, if it is for some only: what they do not read is then not there.
        """
        connection, needed = connect(), None if asked is None else _inputs(asked)
        for table in TABLES:
            if needed is None or table in needed:
                connection.register(table, tables.get(table, empty(table)))
        return cls._closed(connection, [], needed)

    @classmethod
    def _closed(
        cls, connection: duckdb.DuckDBPyConnection, files: Iterable[Path], needed: set[str] | None = None
    ) -> Self:
        # One thread: sums of doubles then have one order, and reports are the same to the byte.
        connection.execute("set threads = 1")
        for query in queries().values():
            if query.folder == "staging" and (needed is None or query.name in needed):
                connection.execute(f"create view {query.name} as {unordered(query.text)}")
        connection.execute(f"set allowed_paths = [{', '.join(text(str(file)) for file in files)}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        return cls(connection)

    def keep(self, view: str) -> None:
        """Hold the rows of a table or staging view in memory from now on; raises LakeError when they cannot be read."""
        if view in self._kept:
            return
        self._answer(f"create table kept as select * from {name(view)}")  # noqa: S608 - quoted
        with _told():
            self._connection.execute(f"drop view {name(view)}")
            self._connection.execute(f"alter table kept rename to {name(view)}")
        self._kept.add(view)

    def _copied(self, view: str) -> None:
        with _told():
            self._connection.execute(f"create table kept as select * from {name(view)}")  # noqa: S608 - quoted

    def query(self, wanted: str, **params: Any) -> pa.Table:
        """The rows of a named query. Raises ConfigError for an unknown name, and parameters that do not fit."""
        # Not looked through for what is no question: a test holds every named one to be a SELECT.
        return self._answer(_fitting(wanted, params).text, params)

    def stream(self, wanted: str, **params: Any) -> pa.RecordBatchReader:
        """The rows of a named query as they come, for answers that are too large for memory; raises as `query` does."""
        query = _fitting(wanted, params)
        with _told():
            return self._connection.sql(query.text, params=params).to_arrow_reader(_ROWS_AT_ONCE)

    def sql(self, statement: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """The rows of a SELECT, or of what tells about one: EXPLAIN, DESCRIBE, SHOW, SUMMARIZE.

        Raises ConfigError, with what DuckDB says, when it cannot be run, and for a statement that does anything else.
        """
        with _told():
            _refuse_changes(statement)
        return self._answer(statement, params)

    def _answer(self, statement: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """The rows; a bucket that was busy when pyarrow took it for broken is asked again."""
        return asked_again(lambda: self._asked(statement, params), though_asked=False)

    def _asked(self, statement: str, params: Mapping[str, Any] | None) -> pa.Table:
        with _told():
            relation: Any = self._connection.sql(statement, params=dict(params) if params else None)
            return pa.table({}) if relation is None else relation.to_arrow_table()


def _show(connection: duckdb.DuckDBPyConnection, table: str, rows: FiledRows) -> None:
    """The table is there to be asked."""
    # The newest day first: of days without the first file DuckDB 2.0 expects a single row, whatever they hold, and
    # joins them the wrong way round. People mostly ask of the last days.
    newest_first = rows.files[::-1]
    # A row a day in a file of its own, which most questions look at: they are read once.
    kept = "table" if table == "runs" else "view"
    with readable(table):  # of a view, its first file is looked at
        selected = select_files(connection, table, newest_first, rows.lacks)
        connection.execute(f"create {kept} {name(table)} as {selected}")


def _refuse_changes(statement: str) -> None:
    """A view that is gone, or hidden by another, would be missed by the next question."""
    statements = duckdb.extract_statements(statement)
    if not statements:  # a shell's variable that is not set
        raise ConfigError("SQL: nothing is asked", "costlab tables lists the tables and their columns")
    for each in statements:
        if each.type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise ConfigError(
                f"SQL: {each.type.name} is no question",
                "a lake is only read: write a SELECT, with its steps in WITH",
            )


@contextmanager
def _told() -> Iterator[None]:
    """What DuckDB says of a statement that cannot be run, as a ConfigError; of a bucket that does not answer, as Busy."""
    try:
        with interruptible():
            yield
    except duckdb.Error as error:
        if (asked := _FILES.search(str(error))) and (fault := of_reading(f"the rows of {asked[1]}", error)):
            raise fault from error
        if asked or _of_a_file(error):
            raise LakeError(
                f"a file of the lake cannot be read: {str(error).partition(chr(10))[0]}",
                "costlab doctor --files names the damaged days and how to mend them",
            ) from error
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        near = _NEAR.search(str(error))
        meant = f"did you mean {near[1][:300]}? " if near else ""
        raise ConfigError(
            f"SQL: {said[:300]}", f"{meant}costlab tables lists the tables and their columns"
        ) from error


def _of_a_file(error: duckdb.Error) -> bool:
    """Whether a file could not be read. What its reader of Parquet throws DuckDB passes on without a class of its own."""
    if type(error) is duckdb.Error or isinstance(error, duckdb.IOException):
        return True
    return isinstance(error, duckdb.InvalidInputException) and bool(_DAMAGED.search(str(error)))


@cache
def queries() -> dict[str, Query]:
    """Every query that ships with costlab by name, folder by folder."""
    folder = shipped.folder("queries")
    return {file.stem: _read(file) for floor in FOLDERS for file in sorted((folder / floor).glob("*.sql"))}


def _inputs(asked: Iterable[str]) -> set[str]:
    """The tables and staging views that queries read, and that those views read."""
    inputs = {name for query in asked for name in queries()[query].inputs}
    views = {name for name in inputs if name in queries()}
    return inputs | (_inputs(views) if views else set())


def find_query(wanted: str) -> Query:
    """The query of that name; raises ConfigError with the nearest one when there is none."""
    if wanted not in queries():
        close = difflib.get_close_matches(wanted, queries(), 1)
        hint = f"did you mean {close[0]}?" if close else "costlab queries lists them"
        raise ConfigError(f"there is no query {wanted!r}", hint)
    return queries()[wanted]


def unordered(select: str) -> str:
    """A SELECT without its last ORDER BY: DuckDB would sort a view's rows again in every question, though it asks for sums."""
    body, ordered, _ = select.rpartition("\norder by ")
    return body if ordered else select


def _fitting(wanted: str, params: Mapping[str, Any]) -> Query:
    query = find_query(wanted)
    if params.keys() != query.params:
        faults = {"lacks": query.params - params.keys(), "has no": params.keys() - query.params}
        said = " and ".join(
            f"{fault} {', '.join(f'${name}' for name in sorted(names))}"
            for fault, names in faults.items()
            if names
        )
        takes = " ".join(f"--param {name}=…" for name in sorted(query.params)) or "no parameter"
        raise ConfigError(
            f"query {query.name} {said}",
            f"it takes {takes}; costlab queries {query.name} tells what they mean",
        )
    return query


def _read(file: Path) -> Query:
    sql = file.read_text("utf-8")
    header = sql.partition("*/")[0]
    said = dict(_SAID.findall(header))
    notes = header.splitlines()[1:]
    while notes and (_SAID.match(notes[0]) or notes[0].startswith((" ", "params: "))):
        notes = notes[1:]
    return Query(
        name=file.stem,
        folder=file.parent.name,
        text=sql,
        about=header.splitlines()[0].removeprefix("/*").strip(),
        grain=said["grain"],
        inputs=tuple(part.strip() for part in said["inputs"].split(",")),
        params=frozenset(param for s in duckdb.extract_statements(sql) for param in s.named_parameters),
        units=" ".join(said["units"].split()),
        notes="\n".join(notes).strip(),
    )

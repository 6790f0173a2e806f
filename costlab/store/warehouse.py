"""Ask the lake in SQL: DuckDB in memory, a view a table over the days that are whole, and the named queries."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from costlab import shipped
from costlab.domain.errors import ConfigError
from costlab.domain.tables import TABLES
from costlab.store.lake import READABLE, Lake
from costlab.store.schema import empty


@dataclass(frozen=True, slots=True)
class Query:
    """A named query: its file, text and header."""

    name: str
    kind: str  # staging, marts or checks
    text: str
    about: str
    grain: str
    inputs: tuple[str, ...]
    params: frozenset[str]
    units: str


class Warehouse:
    """A read-only door to a lake. Nothing but the lake's own files can be read through it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @classmethod
    def over(cls, lake: Lake) -> "Warehouse":
        """A warehouse over the days that are complete, or committed as incomplete."""
        connection = _connect()
        whole = {where for where, status in lake.days().items() if status in READABLE}
        allowed: list[str] = []
        for table in TABLES:
            files = tuple(f for where, names in lake.files(table).items() if where in whole for f in names)
            if files:
                allowed += [str(lake.path / table / file) for file in files]
                connection.execute(f'create view "{table}" as {lake.scan(table, files)}')
            else:
                connection.register(table, empty(table))
        return cls._closed(connection, allowed)

    @classmethod
    def over_tables(cls, tables: Mapping[str, pa.Table]) -> "Warehouse":
        """A warehouse over rows that are not committed; the lake's other tables are there and empty."""
        connection = _connect()
        for table in TABLES:
            connection.register(table, tables.get(table, empty(table)))
        return cls._closed(connection, [])

    @classmethod
    def _closed(cls, connection: duckdb.DuckDBPyConnection, files: list[str]) -> "Warehouse":
        for query in queries().values():
            if query.kind == "staging":
                connection.execute(f"create view {query.name} as {query.text}")
        names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        connection.execute(f"set allowed_paths = [{names}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        return cls(connection)

    def query(self, name: str, **params: Any) -> pa.Table:
        """The rows of a named query. Raises ConfigError for an unknown name, or parameters that do not fit."""
        query = queries().get(name)
        if query is None:
            raise ConfigError(f"there is no query {name!r}", _nearest(name, queries()) or "costlab queries lists them")
        if params.keys() != query.params:
            odd = ", ".join(f"${param}" for param in sorted(params.keys() ^ query.params))
            raise ConfigError(f"query {name} and its parameters do not fit: {odd}", f"it takes {_dollars(query)}")
        return self.sql(query.text, params or None)

    def sql(self, text: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """The rows of a SELECT. Raises ConfigError with DuckDB's first line when it cannot be run."""
        try:
            relation = self._connection.sql(text, params=dict(params) if params else None)
            return empty_result() if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise ConfigError(f"SQL: {lines[0][:300]}", "costlab tables lists tables and columns") from error

    def check(self) -> dict[str, list[dict[str, Any]]]:
        """The guilty rows of every check that finds any; empty when all is well."""
        found = {q.name: self.query(q.name).to_pylist() for q in queries().values() if q.kind == "checks"}
        return {name: rows for name, rows in found.items() if rows}


def empty_result() -> pa.Table:
    """What a statement without rows gives."""
    return pa.table({})


@cache
def queries() -> dict[str, Query]:
    """Every query that ships with costlab, staging first, in the order of their names."""
    folder = shipped.folder("queries")
    files = [*sorted(folder.glob("staging/*.sql")), *sorted(folder.glob("marts/*.sql")), *sorted(folder.glob("checks/*.sql"))]
    return {file.stem: _read(file) for file in files}


def _read(file: Path) -> Query:
    text = file.read_text()
    header = text.partition("*/")[0]
    fields = dict(re.findall(r"^(grain|inputs|units): (.+)$", header, flags=re.MULTILINE))
    params = frozenset().union(*(s.named_parameters for s in duckdb.extract_statements(text)))
    about = header.splitlines()[0].removeprefix("/*").strip()
    inputs = tuple(part.strip() for part in fields["inputs"].split(","))
    return Query(file.stem, file.parent.name, text, about, fields["grain"], inputs, params, fields["units"])


def _connect() -> duckdb.DuckDBPyConnection:
    # One thread: sums of doubles then have one order, and reports are the same to the byte.
    config = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(config=config)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _nearest(name: str, names: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"did you mean {close[0]}?" if close else ""


def _dollars(query: Query) -> str:
    return ", ".join(f"${param}" for param in sorted(query.params)) or "none"

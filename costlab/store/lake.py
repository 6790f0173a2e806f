"""The lake: one Delta table a folder, partitioned by cluster and date; a day is replaced, and `runs` comes last."""

import errno
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from costlab.domain.errors import Busy, ConfigError, LakeError
from costlab.domain.tables import PARTITION, TABLES, Type
from costlab.domain.time import Day
from costlab.store import durable
from costlab.store.content import content_hash
from costlab.store.locking import exclusive
from costlab.store.schema import arrow_schema, conform, empty

FORMAT = 1
_CLUSTER = re.compile(r"[a-z0-9-]{1,63}")
_PARTITION = re.compile(r"cluster=([a-z0-9-]+)/date=(\d{4}-\d{2}-\d{2})/[^/]+")
_ENCODING = {
    Type.INTEGER: "DELTA_BINARY_PACKED",
    Type.INSTANT: "DELTA_BINARY_PACKED",
    Type.FLOAT: "BYTE_STREAM_SPLIT",
    Type.FLOAT32: "BYTE_STREAM_SPLIT",
}

Partition = tuple[str, date]
Run = dict[str, Any]


class Status(StrEnum):
    """How far a day has come: `runs.status`, and what readers see of it."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # committed, with coverage below the threshold
    EXTRACTED = "extracted"  # observed, not yet charged: no reader sees it
    REPAIR = "under repair"  # its files are not those that `runs` lists: a run broke off, or one is under way


READABLE = (Status.COMPLETE, Status.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write: the rows' hash, and whether anything was committed."""

    content: str
    changed: bool


class Lake:
    """A lake of measured days. Open it with `Lake.open`, make it with `Lake.create`."""

    def __init__(self, path: Path, timezone: str) -> None:
        self.path = path
        self.timezone = timezone

    @classmethod
    def create(cls, path: Path, timezone: str = "UTC") -> "Lake":
        """The lake at `path`, made if it is not there; its time zone is fixed from then on."""
        if (path / "lake.json").exists():
            return cls.open(path, timezone)
        with _translated(f"the lake {path} cannot be made"):
            path.mkdir(parents=True, exist_ok=True)
            durable.replace(path / "lake.json", json.dumps({"format": FORMAT, "timezone": timezone}).encode())
        return cls(path, timezone)

    @classmethod
    def open(cls, path: Path, timezone: str | None = None) -> "Lake":
        """The lake at `path`. Raises ConfigError when there is none or its days are of another time zone, LakeError
        when a newer costlab wrote it or its head cannot be read.
        """
        try:
            head = json.loads((path / "lake.json").read_text())
            version, zone = int(head["format"]), str(head["timezone"])
        except FileNotFoundError as error:
            raise ConfigError(
                f"there is no lake at {path}", "measure a day first: costlab nightly, or name another with --lake"
            ) from error
        except OSError as error:
            raise ConfigError(f"the lake {path} cannot be read: {error.strerror}", "check its permissions") from error
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{path / 'lake.json'} is damaged", "restore it from a backup of the lake") from error
        if version > FORMAT:
            raise LakeError(
                f"the lake {path} was written by a newer costlab (format {version}, this one reads {FORMAT})",
                "install the costlab that wrote it, or a later one",
            )
        if timezone is not None and zone != timezone:
            raise ConfigError(
                f"the days of the lake {path} are of {zone}, the configuration says {timezone}",
                f"set timezone: {zone}, or start another lake",
            )
        return cls(path, zone)

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other run out of the lake for the block; raises Busy when one is in it."""
        return exclusive(self.path)

    def write(self, table: str, cluster: str, day: Day, rows: pa.Table) -> Written:
        """Replace one day of one table; rows that are already committed are not written again.

        Raises LakeError, ConfigError (may not be written) or Busy (disk full); the old rows then still stand.
        """
        if not _CLUSTER.fullmatch(cluster):
            raise ConfigError(f"{cluster!r} is no cluster id", "use lower-case letters, digits and dashes, 63 at most")
        content, where = content_hash(rows), (cluster, day.date)
        run, held = self.run(cluster, day), self.files(table).get(where, ())
        if run and run["content"].get(table) == content and run["files"].get(table) == "\n".join(held):
            return Written(content, changed=False)
        if rows.num_rows or held:
            self._replace(table, where, rows, fresh=not (self.path / table / "_delta_log").exists())
        return Written(content, changed=True)

    def commit_run(self, cluster: str, day: Day, run: Run, content: Mapping[str, str]) -> bool:
        """Write the day's `runs` row, last of all; `content` holds every table's hash. False if it stands already."""
        where = (cluster, day.date)
        files = {table: "\n".join(self.files(table).get(where, ())) for table in sorted(content)}
        row = {**run, "content": dict(sorted(content.items())), "files": files}
        before = self.run(cluster, day)
        if before and {**before, "versions": None} == {**row, "versions": None}:
            return False
        row["versions"] = {table: str(self._version(table)) for table in sorted(content)}
        columns = {
            name: pa.array([list(v.items()) if isinstance(v, dict) else v], arrow_schema("runs").field(name).type)
            for name, v in {**row, "cluster": cluster, "date": day.date}.items()
        }
        self._replace("runs", where, conform("runs", columns), fresh=not (self.path / "runs" / "_delta_log").exists())
        return True

    def run(self, cluster: str, day: Day) -> Run | None:
        """The day's `runs` row without its partition columns; None when no run ever committed the day."""
        rows = self.read("runs", cluster, day).to_pylist()
        return _plain(rows[0]) if rows else None

    def read(self, table: str, cluster: str, day: Day) -> pa.Table:
        """The rows of one day of one table, in the order they were written."""
        files = self.files(table).get((cluster, day.date), ())
        return self.read_files(table, files)

    def read_files(self, table: str, files: tuple[str, ...]) -> pa.Table:
        """Rows of some of a table's files, as declared. Raises LakeError when one is missing or damaged."""
        if not files:
            return empty(table)
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set TimeZone = 'UTC'")
            try:
                rows = connection.sql(self.scan(table, files)).to_arrow_table()
            except duckdb.Error as error:
                raise LakeError(
                    f"table {table} of the lake {self.path} is damaged: {str(error).splitlines()[0][:200]}",
                    "measure the day anew with costlab nightly --date, or restore the lake from a backup",
                ) from error
        return rows.cast(arrow_schema(table))

    def scan(self, table: str, files: tuple[str, ...]) -> str:
        """SQL that reads exactly these files of a table, columns as declared."""
        names = ", ".join(_quoted(str(self.path / table / file)) for file in files)
        columns = ", ".join(f'"{name}"' for name in TABLES[table].column_names)
        kinds = "hive_partitioning = true, hive_types = {'cluster': varchar, 'date': date}"
        return f"select {columns} from read_parquet([{names}], {kinds})"  # noqa: S608 - quoted names, fixed columns

    def files(self, table: str) -> dict[Partition, tuple[str, ...]]:
        """The committed files of each day, relative to the table's folder."""
        delta = self._delta(table)
        if delta is None:
            return {}
        found: dict[Partition, list[str]] = {}
        for uri in delta.file_uris():
            match = _PARTITION.search(unquote(uri))
            if match is None:
                raise LakeError(f"{uri} is no file of a costlab table", "point lake: to a folder of costlab's own")
            found.setdefault((match[1], date.fromisoformat(match[2])), []).append(match[0])
        return {where: tuple(sorted(names)) for where, names in found.items()}

    def days(self) -> dict[Partition, Status]:
        """Every day that a run has begun, and how far it came."""
        listed = {name: self.files(name) for name in TABLES}
        rows = self.read_files("runs", tuple(f for names in listed["runs"].values() for f in names)).to_pylist()
        states = {}
        for row in rows:
            where, run = (row["cluster"], row["date"]), _plain(row)
            whole = all("\n".join(listed[t].get(where, ())) == names for t, names in run["files"].items())
            states[where] = Status(run["status"]) if whole else Status.REPAIR
        return states

    def _replace(self, table: str, where: Partition, rows: pa.Table, *, fresh: bool) -> None:
        folder = self.path / table
        before = set() if fresh else {*folder.rglob("*")}
        cluster, day = where
        predicate = f"cluster = '{cluster}' and date = '{day.isoformat()}'"
        with _translated(f"table {table} of the lake {self.path} cannot be written"):
            if rows.num_rows:
                write_deltalake(
                    str(folder), rows, mode="overwrite", predicate=None if fresh else predicate,
                    partition_by=list(PARTITION), writer_properties=_properties(table),
                )  # fmt: skip
            else:
                DeltaTable(str(folder)).delete(predicate)
            durable.sync((path for path in folder.rglob("*") if path not in before and path.is_file()), self.path)

    def _delta(self, table: str) -> DeltaTable | None:
        try:
            delta = DeltaTable(str(self.path / table))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise LakeError(
                f"table {table} of the lake {self.path} cannot be read: {_first_line(error)}",
                "restore it from a backup of the lake",
            ) from error
        columns = {field.name for field in delta.schema().fields}
        if unknown := columns ^ set(TABLES[table].column_names):
            raise LakeError(
                f"table {table} of the lake {self.path} has other columns than this costlab's: {', '.join(sorted(unknown))}",
                "install the costlab that wrote the lake, or start another lake",
            )
        return delta

    def _version(self, table: str) -> int:
        delta = self._delta(table)
        return -1 if delta is None else delta.version()


def _properties(table: str) -> WriterProperties:
    columns = {
        column.name: ColumnProperties(encoding=_ENCODING[column.type], dictionary_enabled=False)
        for column in TABLES[table].columns
        if column.type in _ENCODING and column.name not in PARTITION
    }
    return WriterProperties(compression="ZSTD", column_properties=columns)


def _plain(row: Mapping[str, Any]) -> Run:
    """A `runs` row with its maps as dictionaries, without its partition columns."""
    maps = {column.name for column in TABLES["runs"].columns if column.type is Type.MAP}
    return {name: dict(v or ()) if name in maps else v for name, v in row.items() if name not in PARTITION}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn what the file system says into our errors; the Delta library hides it in its own texts."""
    try:
        yield
    except (OSError, DeltaError) as error:
        text = str(error)
        code = error.errno if isinstance(error, OSError) else None
        if code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "os error 28" in text:
            raise Busy(f"{what}: the disk is full; nothing was committed", "make room, then run it again") from error
        if code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST) or re.search(
            r"Permission denied|Read-only file system|os error (13|30)", text
        ):
            raise ConfigError(
                f"{what}: {error.strerror or _first_line(error) if isinstance(error, OSError) else _first_line(error)}",
                "name a folder that can be written with lake: or --lake",
            ) from error
        raise LakeError(f"{what}: {_first_line(error)}", "check the disk, then run it again") from error

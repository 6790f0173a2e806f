"""One table of the lake as a Delta table: its files by day, and the replacement of a day, synced to the disk.

Only the log's numbered entries are ever needed: on a disk no checkpoint is written, because a torn one makes a table
unreadable, and no entry is cleaned up. Opening costs about 0.2 ms an entry; in a bucket it costs a request, and a
checkpoint, which is whole there or not at all, saves those of the entries before it.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pyarrow.parquet as pq
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from costlab.domain.errors import CostlabError
from costlab.domain.tables import PARTITION, TABLES
from costlab.store import durable
from costlab.store.columns import FILLED, fields_lacking, lacking, refuse_older
from costlab.store.encoding import ENCODING, LEVEL, without_statistics
from costlab.store.faults import full, newer, translated
from costlab.store.place import Place, found, moved, readable_file, remove_tree
from costlab.store.rows import Rows, StoredRows
from costlab.store.schema import arrow_schema

Key = tuple[str, date]

LOG = "_delta_log"
_READER, _WRITER = 1, 2  # later protocols may hide rows in ways that a list of files does not tell
_SIGNED = "costlab.write"
_CHECKPOINTS = {"delta.checkpointInterval": "10"}  # in a bucket: so many entries may have to be asked for
_SLACK_BYTES = 2**20  # the log entry, and what a file system needs for itself


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version of a table (-1: there is none yet) and the files of each (cluster, day), relative to its folder.

    lacks: declared columns that some of the files may lack, as an older costlab wrote them.
    """

    version: int
    files: dict[Key, tuple[str, ...]]
    lacks: frozenset[str] = frozenset()


class DeltaFolder:
    """The folder of one table."""

    def __init__(self, lake: Place, table: str) -> None:
        self.table = table
        self.path = lake / table
        self._lake = lake
        self._seen: DeltaTable | None = None
        self._own: list[bytes] = []  # signatures of the commits that were begun
        self._options = None if isinstance(lake, Path) else lake.delta_options
        self._hooks = PostCommitHookProperties(
            create_checkpoint=self._options is not None, cleanup_expired_logs=False
        )

    def snapshot(self) -> Snapshot:
        """What the table holds now. Raises LakeError when it is damaged, or is not as this version declares it."""
        if not self._exists():
            return Snapshot(-1, {})
        self._seen = self._open()
        return self._snapshot(self._seen)

    def replace(self, cluster: str, day: date, rows: Rows) -> Snapshot:
        """The table with these rows, and no others, for the day; they are on the disk when this returns.

        Raises LakeFull when the disk has no space, LakeError, or Busy.
        """
        return self.replace_days([(cluster, day)], rows)

    def replace_days(self, days: Sequence[Key], rows: Rows) -> Snapshot:
        """The same for several days at once, of rows in memory; raises as `replace` does."""
        check_space(self._lake, rows)
        with translated(self.path):
            # What `snapshot` has opened is still good: Delta refuses a commit on top of a version that is gone.
            table = self._seen or (self._open() if self._exists() else self._create())
            refuse_older(self.path, [field.name for field in fields_lacking(self.table, table)])
            with self._landing(table) as signed:
                if isinstance(rows, StoredRows):
                    self._take_over(rows, table, signed)
                else:
                    write_deltalake(
                        table,
                        rows,
                        mode="overwrite",
                        predicate=_of_days(days),
                        writer_properties=_writer_properties(self.table),
                        post_commithook_properties=self._hooks,
                        commit_properties=signed,
                    )
            return self._settled(table, days)

    def forget(self, days: Sequence[Key]) -> Snapshot:
        """The table without these days' rows; their files stay for who reads an earlier version. Raises as `replace` does."""
        with translated(self.path):
            table = self._seen or self._open()
            with self._landing(table) as signed:
                table.delete(_of_days(days), post_commithook_properties=self._hooks, commit_properties=signed)
            return self._settled(table, days)

    def widen(self) -> Snapshot:
        """The table with every declared column; until `settle` its snapshots say which of them some files may lack.

        Raises as `replace` does.
        """
        with translated(self.path):
            table = self._open()
            if fields := fields_lacking(self.table, table):
                with self._landing(table) as signed:
                    table.alter.add_columns(
                        fields, post_commithook_properties=self._hooks, commit_properties=signed
                    )
            return self._settled(table, ())

    def settle(self) -> Snapshot:
        """The table whose files all have every column from now on. Raises as `replace` does."""
        with translated(self.path):
            table = self._open()
            for column in sorted(lacking(self.path, self.table, table)):
                with self._landing(table) as signed:
                    table.alter.set_column_metadata(
                        column, FILLED, post_commithook_properties=self._hooks, commit_properties=signed
                    )
            return self._settled(table, ())

    @contextmanager
    def _landing(self, table: DeltaTable) -> Iterator[CommitProperties]:
        """Sign a commit for the block; one that is in the log was made, whatever the store answered last.

        A bucket's answer may be lost after the entry was written: the library asks again, and takes its own entry for
        another's.
        """
        before, mark = table.version(), uuid4().hex
        self._own.append(mark.encode())
        try:
            yield CommitProperties(custom_metadata={_SIGNED: mark})
        except (DeltaError, OSError):
            if self._options is None or not self._signed_since(before, mark):
                raise

    def overtaken(self, version: int) -> bool:
        """Whether another run has written after a version, into a bucket whose lease this one has lost.

        Raises what reading raises.
        """
        if self._options is None:
            return False
        later = [entry for entry in found(self.path / LOG, "*.json") if int(entry.stem) > max(version, 0)]
        return any(
            not any(own in said for own in self._own) for said in (entry.read_bytes() for entry in later)
        )

    def _signed_since(self, before: int, mark: str) -> bool:
        try:
            last = self._open().version()
            entries = [self.path / LOG / f"{version:020}.json" for version in range(before + 1, last + 1)]
            return any(mark.encode() in entry.read_bytes() for entry in entries)
        except (CostlabError, DeltaError, OSError):  # the first fault says more
            return False

    def _settled(self, table: DeltaTable, days: Sequence[Key]) -> Snapshot:
        table.update_incremental()
        snapshot = self._snapshot(table)
        self.sync(days, snapshot)
        return snapshot

    def _take_over(self, rows: StoredRows, table: DeltaTable, signed: CommitProperties) -> None:
        """Commit a file that is there already, in the place of the day's."""
        values = {"cluster": rows.cluster, "date": str(rows.day)}
        name = "/".join(
            [*(f"{key}={value}" for key, value in values.items()), f"part-{uuid4()}.zstd.parquet"]
        )
        count, statistics, status = rows.num_rows, _statistics(rows.file), rows.file.stat()
        moved(rows.file, self.path / name)
        added = AddAction(name, status.st_size, values, int(status.st_mtime * 1000), True, statistics)
        table.create_write_transaction(
            [added] if count else [],
            "overwrite",
            arrow_schema(self.table),
            partition_by=list(PARTITION),
            partition_filters=[(key, "=", value) for key, value in values.items()],
            post_commithook_properties=self._hooks,
            commit_properties=signed,
        )

    def restore(self, version: int) -> Snapshot:
        """The table as it was at an earlier version, which is now its newest. Raises LakeError."""
        with translated(self.path):
            table = self._open()
            with self._landing(table) as signed:
                table.restore(version, post_commithook_properties=self._hooks, commit_properties=signed)
            table.update_incremental()
        return self._snapshot(table)

    def sync(self, days: Sequence[Key], snapshot: Snapshot) -> None:
        """The days' files, then the log, are on the disk with all their folders."""
        if snapshot.version < 0:
            return
        if not isinstance(self.path, Path):  # what a bucket has taken stays
            return
        folders = {self.path / LOG, self.path, self.path.parent}
        with translated(self.path):
            for file in (file for day in days for file in snapshot.files.get(day, ())):
                durable.sync_file(self.path / file)
                folders.update(self.path / parent for parent in Path(file).parents)
            for entry in self._recent_entries():
                durable.sync_file(entry)
            for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
                durable.sync_folder(folder)

    def _exists(self) -> bool:
        """Whether a first log entry is there; a creation that was cut off left none."""
        return any((self.path / LOG).glob("*.json"))

    def _recent_entries(self) -> list[Place]:
        """The log's first entry and its last two: a commit, and the one that a killed run did not sync."""
        entries = found(self.path / LOG, "*.json")
        return [*entries[:1], *entries[1:][-2:]]

    def _create(self) -> DeltaTable:
        if self.path.exists():
            remove_tree(self.path)  # without a log entry nothing in it was ever committed
        spec = TABLES[self.table]
        try:
            return DeltaTable.create(
                str(self.path),
                arrow_schema(self.table),
                partition_by=list(PARTITION),
                name=spec.name,
                description=spec.grain,
                configuration=None if self._options is None else _CHECKPOINTS,
                storage_options=self._options,
                post_commithook_properties=self._hooks,
            )
        except (DeltaError, OSError):
            if self._options is None or not self._exists():
                raise
            return self._open()  # an empty table is the same, whoever made it

    def _open(self) -> DeltaTable:
        with translated(self.path, "read"):
            table = DeltaTable(str(self.path), storage_options=self._options)
            protocol = table.protocol()
            features = [*(protocol.reader_features or ()), *(protocol.writer_features or ())]
        if protocol.min_reader_version > _READER or protocol.min_writer_version > _WRITER or features:
            version = f"{protocol.min_reader_version}.{protocol.min_writer_version}"
            raise newer(self.path, f"its Delta protocol is {version}, not {_READER}.{_WRITER}")
        return table

    def _snapshot(self, table: DeltaTable) -> Snapshot:
        with translated(self.path, "read"):
            actions = table.get_add_actions(flatten=True)
            paths, clusters, days = (
                actions.column(name).to_pylist() for name in ("path", "partition.cluster", "partition.date")
            )
        files: dict[Key, tuple[str, ...]] = {}
        for path, cluster, day in sorted(zip(paths, clusters, days, strict=True)):
            files[cluster, day] = (*files.get((cluster, day), ()), path)
        return Snapshot(table.version(), files, lacking(self.path, self.table, table))


class Mark:
    """A day of a table as it is now, to come back to when the writing of it or of another table fails.

    Coming back is one more version, as for any reader of Delta Lake; only of a table that was not there nothing stays.
    """

    def __init__(self, folder: DeltaFolder, cluster: str, day: date, snapshot: Snapshot) -> None:
        self._folder = folder
        self._cluster, self._day = cluster, day
        self._version = snapshot.version
        self._files = self._present()

    def restore(self) -> None:
        """The table's version is again that of the mark, or one of the same content; on the disk. Raises LakeError.

        What another run has written since stays.
        """
        if self._folder.overtaken(self._version):
            return
        if self._version < 0:
            with translated(self._folder.path):
                if self._folder.path.exists():
                    remove_tree(self._folder.path)
                    durable.sync_folder(self._folder.path.parent)
            return
        if self._folder.snapshot().version > self._version:
            self._folder.sync([(self._cluster, self._day)], self._folder.restore(self._version))

    def sweep(self) -> None:
        """The day's files that came after the mark are gone. Raises LakeError."""
        if self._folder.overtaken(self._version):
            return  # `prune` deletes our own
        with translated(self._folder.path):
            for file in self._present() - self._files:
                file.unlink()

    def _present(self) -> set[Place]:
        return set(self._folder.path.glob(f"cluster={self._cluster}/date={self._day}/*"))


def check_space(lake: Place, *several: Rows) -> None:
    """Raise LakeFull when the disk of a lake, which a bucket is not on, may have no space for rows, even if they do not compress at all.

    Those that are stored already need none.

    The library would print the traces of a panic when it finds out by itself.
    """
    if not isinstance(lake, Path):
        return
    needed = _SLACK_BYTES + sum(0 if isinstance(rows, StoredRows) else rows.nbytes for rows in several)
    with translated(lake):
        free = shutil.disk_usage(lake).free
    if free < needed:
        raise full(lake, needed)


def _of_days(days: Sequence[Key]) -> str:
    """A predicate on the partition alone: whole files come and go by it."""
    dates: dict[str, list[str]] = {}
    for cluster, day in sorted(days):
        dates.setdefault(cluster, []).append(f"'{day}'")
    return " or ".join(f"(cluster = '{c}' and date in ({', '.join(of)}))" for c, of in dates.items())


def _statistics(file: Place) -> str:
    """What a Delta log says of a file: its number of rows, and minimum, maximum and nulls where the file tells them."""
    metadata = pq.read_metadata(readable_file(file))
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            name, told = column.path_in_schema, column.statistics
            if told is not None and told.has_min_max:
                least[name] = min(least.get(name, told.min), told.min)
                most[name] = max(most.get(name, told.max), told.max)
                nulls[name] = nulls.get(name, 0) + told.null_count
    said = {"numRecords": metadata.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}
    return orjson.dumps(said, option=orjson.OPT_UTC_Z).decode()


def _writer_properties(table: str) -> WriterProperties:
    columns = {
        column.name: ColumnProperties(
            encoding=ENCODING[column.type],
            dictionary_enabled=False,
            statistics_enabled="NONE" if without_statistics(column) else None,
        )
        for column in TABLES[table].columns
        if column.type in ENCODING and column.name not in PARTITION
    }
    return WriterProperties(compression="ZSTD", compression_level=LEVEL, column_properties=columns)

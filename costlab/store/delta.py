"""One table of the lake as a Delta table: its files by day, and the replacement of a day, synced to the disk.

Only the log's numbered entries are ever needed, and none is cleaned up. Each that is read takes 0.25 ms, on opening and on
every commit again, so every ten of them there is a checkpoint: on a disk one that cannot be torn (`checkpoint.py`), in a
bucket the library's own. On a disk a table stays open (`opened.py`), and is opened anew to be written when it has grown by ten.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from uuid import uuid4

from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from costlab.domain.errors import CostlabError
from costlab.domain.tables import PARTITION, TABLES
from costlab.store import checkpoint, durable
from costlab.store.columns import FILLED, fields_lacking, lacking, refuse_older
from costlab.store.encoding import ENCODING, LEVEL, without_statistics
from costlab.store.faults import translated, written_meanwhile
from costlab.store.log import ENTRIES, LOG, begun, recent_entries
from costlab.store.opened import Key, Opened, Snapshot, StoredTable
from costlab.store.place import Place, found, moved, remove_tree
from costlab.store.rows import Rows, StoredRows
from costlab.store.schema import arrow_schema
from costlab.store.space import check_space
from costlab.store.statistics import statistics
from costlab.store.vouching import told_of

_SIGNED = "costlab.write"
_CHECKPOINTS = {
    "delta.checkpointInterval": str(checkpoint.EVERY)
}  # in a bucket, where the library writes them


class DeltaFolder:
    """The folder of one table; threads may share it."""

    def __init__(self, lake: Place, table: str) -> None:
        self.table = table
        self.path = lake / table
        self._lake = lake
        self._stored = StoredTable(lake, table)
        self._seen: Opened | None = None
        self._unsynced = 0  # commits
        self._kept: set[Path] = set()  # folders that a power cut would leave where they are
        self._alone = RLock()
        self._own: list[bytes] = []  # signatures of the commits that were begun
        self._options = self._stored.options
        self._hooks = PostCommitHookProperties(
            create_checkpoint=self._options is not None, cleanup_expired_logs=False
        )

    def snapshot(self) -> Snapshot:
        """What the table holds now. Raises LakeError when it is damaged, or is not as this version declares it."""
        with self._alone, translated(self.path, "read"):
            if self._seen and self._seen.entry and self._seen.entry.is_newest:
                return self._seen.snapshot
            earlier, self._seen = self._seen, None
            if not begun(self.path):
                return Snapshot(-1, {})
            if earlier and not earlier.stands:
                self._kept.clear()  # its folders may be others, too
            self._seen = (earlier and self._stored.grown(earlier)) or self._stored.afresh()
            return self._seen.snapshot

    def replace(self, cluster: str, day: date, rows: Rows, *, synced: bool = True) -> Snapshot:
        """The table with these rows, and no others, for the day; they are on the disk when this returns.

        Unless `sync` is to be called later: not `synced`. Raises LakeFull when the disk has no space, LakeError, or Busy.
        """
        return self.replace_days([(cluster, day)], rows, synced=synced)

    def replace_days(self, days: Sequence[Key], rows: Rows, *, synced: bool = True) -> Snapshot:
        """The same for several days at once, of rows in memory; raises as `replace` does."""
        check_space(self._lake, rows)
        with self._writing() as seen:
            # What `snapshot` has opened is still good: Delta refuses a commit on top of a version that is gone.
            table = seen.table if seen else (self._stored.open() if begun(self.path) else self._create())
            refuse_older(self.path, [field.name for field in fields_lacking(self.table, table)])
            with self._landing(table, told_of(self.table, days, rows)) as signed:
                if isinstance(rows, StoredRows):
                    nothing = seen and not any(day in seen.snapshot.files for day in days)
                    self._take_over(rows, table, signed, beside=bool(nothing))
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
            return self._settled(table, days, seen, synced=synced)

    def forget(self, days: Sequence[Key]) -> Snapshot:
        """The table without these days' rows; their files stay for who reads an earlier version. Raises as `replace` does."""
        with self._writing() as seen:
            table = seen.table if seen else self._stored.open()
            with self._landing(table) as signed:
                table.delete(_of_days(days), post_commithook_properties=self._hooks, commit_properties=signed)
            return self._settled(table, days)

    def widen(self) -> Snapshot:
        """The table with every declared column; until `settle` its snapshots say which of them some files may lack.

        Raises as `replace` does.
        """
        with self._writing():
            table = self._stored.open()
            if fields := fields_lacking(self.table, table):
                with self._landing(table) as signed:
                    table.alter.add_columns(
                        fields, post_commithook_properties=self._hooks, commit_properties=signed
                    )
            return self._settled(table, ())

    def settle(self) -> Snapshot:
        """The table whose files all have every column from now on. Raises as `replace` does."""
        with self._writing():
            table = self._stored.open()
            for column in sorted(lacking(self.path, self.table, table)):
                with self._landing(table) as signed:
                    table.alter.set_column_metadata(
                        column, FILLED, post_commithook_properties=self._hooks, commit_properties=signed
                    )
            return self._settled(table, ())

    @contextmanager
    def _writing(self) -> Iterator[Opened | None]:
        """The table that is open, and what it holds, for a block that writes it: one in which anything fails is not trusted again."""
        with self._alone, translated(self.path):
            seen, self._seen = self._seen, None
            yield self._in_step(seen) if seen else None
            if seen and seen.entry and not seen.entry.stands:
                # The log became another's before the commit: what is open is not what lies there.
                self._seen = None

    def _in_step(self, seen: Opened) -> Opened | None:
        """The table, read by the library up to what it is said to hold; None where it has to be opened anew for that."""
        if seen.snapshot.version - seen.since >= checkpoint.EVERY:
            return None  # there is a checkpoint by now, and opening takes less than what was written since, once more
        if seen.table.version() < seen.snapshot.version:
            seen.table.update_incremental()
        return seen if seen.table.version() == seen.snapshot.version else None

    @contextmanager
    def _landing(
        self, table: DeltaTable, more: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[CommitProperties]:
        """Sign a commit for the block, and tell `more` of it; one that is in the log was made, whatever the store answered last.

        A bucket's answer may be lost after the entry was written: the library asks again, and takes its own entry for
        another's.
        """
        before, mark = table.version(), uuid4().hex
        self._own.append(mark.encode())
        self._unsynced += 1
        try:
            yield CommitProperties(custom_metadata={_SIGNED: mark, **more})
        except (DeltaError, OSError):
            if self._options is None or not self._signed_since(before, mark):
                raise

    def _overtaken(self, version: int) -> bool:
        """Whether another run has written after a version, into a bucket whose lease this one has lost.

        Raises what reading raises.
        """
        if self._options is None:
            return False
        later = [entry for entry in found(self.path / LOG, ENTRIES) if int(entry.stem) > max(version, 0)]
        return any(
            not any(own in said for own in self._own) for said in (entry.read_bytes() for entry in later)
        )

    def _signed_since(self, before: int, mark: str) -> bool:
        try:
            last = self._stored.open().version()
            entries = [self.path / LOG / f"{version:020}.json" for version in range(before + 1, last + 1)]
            return any(mark.encode() in entry.read_bytes() for entry in entries)
        except (CostlabError, DeltaError, OSError):  # the first fault says more
            return False

    def _settled(
        self, table: DeltaTable, days: Sequence[Key], before: Opened | None = None, *, synced: bool = True
    ) -> Snapshot:
        table.update_incremental()
        since = before.since if before else table.version()
        seen = (before and self._stored.read_on(before)) or self._stored.told_by(table, since)
        if synced:
            self.sync(file for day in days for file in seen.snapshot.files.get(day, ()))
        self._seen = seen
        return seen.snapshot

    def _take_over(
        self, rows: StoredRows, table: DeltaTable, signed: CommitProperties, *, beside: bool
    ) -> None:
        """Commit a file that is there already, in the place of the day's; beside: where the table has none of the day.

        Then the library need not look through all others for it, a fifth of a commit; so that nobody's commit in between goes
        unseen, it may not come after another.
        """
        if beside:
            signed.max_commit_retries = 0
        values = {"cluster": rows.cluster, "date": str(rows.day)}
        name = "/".join(
            [*(f"{key}={value}" for key, value in values.items()), f"part-{uuid4()}.zstd.parquet"]
        )
        added: list[AddAction | RemoveAction] = []
        if rows.num_rows:
            said, status = rows.said or statistics(rows.file), rows.file.stat()
            moved(rows.file, self.path / name)
            added = [AddAction(name, status.st_size, values, int(status.st_mtime * 1000), True, said)]
        table.create_write_transaction(
            added,
            "append" if beside else "overwrite",
            arrow_schema(self.table),
            partition_by=list(PARTITION),
            partition_filters=None if beside else [(key, "=", value) for key, value in values.items()],
            post_commithook_properties=self._hooks,
            commit_properties=signed,
        )

    def restore(self, version: int) -> Snapshot | None:
        """The table as it was at an earlier version, which is now its newest; None where another run has written since.

        That is possible in a bucket whose lease this one has lost. Raises LakeError.
        """
        with self._writing():
            table = self._stored.open()
            if self._overtaken(version):
                return None
            with self._landing(table) as signed:
                # It comes right after what was looked at, or not at all: the library would undo what lies between.
                signed.max_commit_retries = 0
                try:
                    table.restore(version, post_commithook_properties=self._hooks, commit_properties=signed)
                except CommitFailedError:
                    if self._overtaken(version):
                        return None
                    raise
            table.update_incremental()
            return self._stored.snapshot_of(table)

    def sync(self, files: Iterable[str]) -> None:
        """These files of the table, then its log, are on the disk with all their folders."""
        if not isinstance(self.path, Path):  # what a bucket has taken stays
            return
        log = self.path / LOG
        with self._alone, translated(self.path):
            entries = recent_entries(log, self._unsynced)
            synced = [*(self.path / file for file in files), *(log / name for name in entries)]
            for file in synced:
                durable.sync_file(file)
            self._keep({file.parent for file in synced})
            self._unsynced = 0
            with suppress(OSError, DeltaError):  # it only saves time: the next commit tries again
                checkpoint.keep_short(self.path)

    def _keep(self, folders: set[Path]) -> None:
        """What is in these folders is on the disk, and so are they themselves, in those above."""
        changed, new = set(folders), set[Path]()
        for each in folders:
            folder = each
            while folder != self._lake and folder not in self._kept:
                new.add(folder)
                folder = folder.parent
                changed.add(folder)
        for folder in sorted(changed, key=lambda path: len(path.parts), reverse=True):
            durable.sync_folder(folder)
        self._kept |= new

    def _create(self) -> DeltaTable:
        self._kept.clear()
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
            if self._options is None or not begun(self.path):
                raise
            table = self._stored.open()
            # An empty one is the same, whoever made it; this has another run's rows.
            if self._stored.snapshot_of(table).files:
                raise written_meanwhile(self.path) from None
            return table


def _of_days(days: Sequence[Key]) -> str:
    """A predicate on the partition alone: whole files come and go by it."""
    dates: dict[str, list[str]] = {}
    for cluster, day in sorted(days):
        dates.setdefault(cluster, []).append(f"'{day}'")
    return " or ".join(f"(cluster = '{c}' and date in ({', '.join(of)}))" for c, of in dates.items())


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

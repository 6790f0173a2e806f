"""The lake: one Delta table a folder, partitioned by cluster and date; a day is replaced, and `runs` comes last."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from enum import StrEnum

import orjson
import pyarrow as pa

from costlab.domain.errors import ConfigError, CostlabError, LakeError
from costlab.domain.tables import IMPORTED, TABLES
from costlab.domain.time import Day
from costlab.store import durable, locking, torn
from costlab.store.columns import refuse_older
from costlab.store.delta import DeltaFolder
from costlab.store.faults import newer, translated
from costlab.store.log import begun
from costlab.store.mark import Mark
from costlab.store.opened import Key, Snapshot
from costlab.store.pending import Pending, Written, listed
from costlab.store.place import Place, located, workshop
from costlab.store.reading import read_files
from costlab.store.rows import FiledRows, RowFolder, Rows
from costlab.store.runs import ReadRuns, Run, plain
from costlab.store.schema import conform
from costlab.store.space import check_space

FORMAT = 1
HEAD = "lake.json"  # without it a folder is no lake
RESTORING = "_restoring"  # a restore is under way, or broke off
_SYNCING = 4  # tables at a time: what a disk is told at once, it brings to rest at once


class DayState(StrEnum):
    """How far a day has come; readers see the first two."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # committed, with coverage below the threshold
    EXTRACTED = "extracted"  # observed, not yet charged
    PRUNED = "pruned"  # its charges were deleted because of their age, and all else with them
    REPAIR = "under repair"  # its files are not those that `runs` lists: a run broke off, or is under way


READABLE = (DayState.COMPLETE, DayState.INCOMPLETE)
# What `runs` lists in the place of a table's files when they were deleted because of their age.
PRUNED = "pruned"


class Lake:
    """A lake of measured days: `Lake.open` opens one, `Lake.create` makes it where there is none."""

    def __init__(self, path: Place, timezone: str) -> None:
        self.path = path
        self.timezone = timezone
        self._assure: Callable[[], None] = _alone
        self._tables: dict[str, DeltaFolder] = {}
        self._runs = ReadRuns(path / "runs")

    @staticmethod
    def exists(where: str | Place) -> bool:
        """Whether there is a lake at a path, or an address."""
        return (located(where) / HEAD).exists()

    @classmethod
    def create(cls, where: str | Place, timezone: str = "UTC") -> "Lake":
        """The lake at a path or an address, made if there is none; its time zone is fixed from then on.

        Raises LakeError (exit code 5 when the disk is full) when it cannot be made, and what `open` raises.
        """
        path = located(where)
        refuse_path(path)
        if not (path / HEAD).exists():
            if (path / RESTORING).exists():
                raise LakeError(
                    f"a restore into {path} has not ended", "run costlab restore again: it goes on"
                )
            refuse_headless(path)
            head = orjson.dumps({"format": FORMAT, "timezone": timezone}, option=orjson.OPT_INDENT_2)
            with translated(path):
                path.mkdir(parents=True, exist_ok=True)
                durable.write_atomically(path / HEAD, head)
        return cls.open(path, timezone)

    @classmethod
    def open(cls, where: str | Place, timezone: str | None = None) -> "Lake":
        """The lake at a path, or at an address such as s3://bucket/folder.

        Raises ConfigError when there is none, or its days are of another zone than `timezone`; LakeError when a newer
        costlab wrote it, or its head cannot be read.
        """
        path = located(where)
        try:
            with translated(path / HEAD, "read"):
                head = orjson.loads((path / HEAD).read_bytes())
            version, zone = int(head["format"]), str(head["timezone"])
        except LakeError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                refuse_headless(path)
                raise ConfigError(
                    f"there is no lake at {path}",
                    "measure a day first with costlab nightly, or name one with --lake",
                ) from error
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{path / HEAD} is damaged", "restore it from a backup of the lake") from error
        if version > FORMAT:
            raise newer(path, f"its format is {version}, not {FORMAT}")
        if timezone not in (None, zone):
            raise ConfigError(
                f"the days of the lake {path} are of {zone}, and the configuration says {timezone}",
                f"set timezone: {zone}, or start another lake",
            )
        return cls(path, zone)

    @contextmanager
    def locked(
        self, *, older: bool = False, heed: Callable[[Sequence[torn.Torn]], None] = torn.refuse
    ) -> Iterator[None]:
        """Keep every other run out of the lake for the block; raises Busy when one is in it.

        heed: what is done about entries that a power cut has torn. Raises LakeError where it does, and when an older costlab
        wrote the lake, unless `older` lets that be: what follows writes none of its tables, or migrates it.
        """
        with locking.alone(self.path) as assure:
            self._assure = assure
            self._tables = {}  # another run may have removed folders that these know to be there
            try:
                heed(torn.torn_entries(self.path))
                if not older:
                    for table, lacks in self.older().items():
                        refuse_older(self.path / table, lacks)
                yield
            finally:
                self._assure = _alone

    @contextmanager
    def observing(self, cluster: str, day: Day) -> Iterator[RowFolder]:
        """Room for the rows of a day by table, on this machine, for a block that commits them; then what is left goes.

        Raises LakeError.
        """
        folder = workshop(self.path) / "_observed"
        with translated(folder):
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
            folder.mkdir(parents=True)
        try:
            yield RowFolder(folder, cluster, day.date)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def replacing(
        self,
        cluster: str,
        day: Day,
        tables: Mapping[str, Rows],
        before: Run | None = None,
        *,
        afresh: bool = False,
    ) -> Iterator[dict[str, Written]]:
        """Replace a day of these tables, for a block that ends with `commit_run`: all of it stands then, or nothing does.

        before: the day's `runs` row, or None; rows that it vouches for are not written again, and the tables that it
        lists and that are not named here stay as they are. afresh: they are written again all the same, as their files may
        be damaged. Whatever fails, in the
        block as well, leaves every table and `runs` as they were. Raises LakeFull before anything is written when there
        may be no space for all of it; LakeError; Busy.
        """
        self._assure()
        runs = self._table("runs")
        waiting = [
            Pending.of(self._table(name), cluster, day, rows, before, afresh=afresh)
            for name, rows in sorted(tables.items())
        ]
        check_space(self.path, *(each.rows for each in waiting if each.differs))
        marks = [Mark(each.folder, cluster, day.date, each.snapshot) for each in waiting if each.differs]
        last = Mark(runs, cluster, day.date, runs.snapshot())
        try:
            yield _standing(before) | _written(waiting)
        except BaseException as fault:
            try:
                last.restore()  # first of all: from here on no reader looks for the new rows
                for mark in marks:
                    mark.sweep()  # what comes next needs a little space
                for mark in reversed(marks):
                    mark.restore()
                last.sweep()
            except CostlabError as another:
                raise LakeError(
                    f"{day} of cluster {cluster} is half written, and cannot be taken back: {another.message}",
                    f"mend the disk, then measure the day again: costlab nightly --date {day}",
                ) from fault
            raise

    def write(self, table: str, cluster: str, day: Day, rows: Rows, before: Run | None = None) -> Written:
        """Replace one day of one table; rows that `before`, the day's `runs` row, vouches for are not written again.

        Raises LakeError when they cannot be written: the old rows then still stand.
        """
        return Pending.of(self._table(table), cluster, day, rows, before).write()

    def commit_run(
        self, cluster: str, day: Day, run: Run, written: Mapping[str, Written], before: Run | None = None
    ) -> bool:
        """Write the day's `runs` row, last of all, with what became of each table; False when it stands already.

        before: the row that stands, or None.
        """
        tables = sorted(written.items())
        row = {
            **run,
            "content": {name: table.content for name, table in tables},
            "files": {name: table.files for name, table in tables},
        }
        if before and {**before, "versions": None} == {**row, "versions": None}:
            return False
        row["versions"] = {name: str(table.version) for name, table in tables}
        columns = {name: [value] for name, value in row.items()}
        rows = conform("runs", {"cluster": cluster, "date": day.date, **columns})
        self._assure()
        self._table("runs").replace(cluster, day.date, rows)
        return True

    def run(self, cluster: str, day: Day) -> Run | None:
        """The day's `runs` row, maps as dictionaries, without partition columns; None when the day was never committed."""
        rows = self.read("runs", cluster, day).to_pylist()
        return plain(rows[0]) if rows else None

    def mark(self, cluster: str, day: Day) -> str:
        """What only this lake, and only as the day stands in it now, gives: the name of the file of its `runs` row."""
        return listed(self._table("runs").snapshot(), cluster, day.date)

    def read(self, table: str, cluster: str, day: Day) -> pa.Table:
        """The rows of one day of one table; none when it has none. Raises LakeError when a file is damaged."""
        filed = self.filed(table, cluster, day)
        return read_files(table, filed.files, filed.lacks)

    def filed(self, table: str, cluster: str, day: Day) -> FiledRows:
        """The rows of one day of one table, to be read when they are needed."""
        folder = self._table(table)
        snapshot = folder.snapshot()
        files = snapshot.files.get((cluster, day.date), ())
        return FiledRows(table, tuple(folder.path / file for file in files), snapshot.lacks)

    def dates(self, table: str, cluster: str) -> list[date]:
        """The days of which a table holds rows of a cluster, oldest first."""
        files = self._table(table).snapshot().files
        return sorted(day for of, day in files if of == cluster)

    def clusters(self) -> list[str]:
        """The clusters of which a run has committed a day, by name."""
        return sorted({of for of, _ in self._table("runs").snapshot().files})

    def days(self, cluster: str) -> dict[date, DayState]:
        """Every day of a cluster that a run has committed, oldest first, and how far it came."""
        return {day: state for (of, day), state in self.states().items() if of == cluster}

    def states(self) -> dict[Key, DayState]:
        """The state of every day of every cluster."""
        snapshots = self.snapshots()
        return {where: _state(run, where, snapshots) for where, run in self.runs(snapshots["runs"]).items()}

    def runs(self, snapshot: Snapshot) -> dict[Key, Run]:
        """The `runs` row of every day of every cluster at a version of that table, in order; as `run` gives it."""
        return self._runs.at(snapshot)

    def snapshots(self) -> dict[str, Snapshot]:
        """Every table as it is now."""
        return {table: self._table(table).snapshot() for table in TABLES}

    def older(self) -> dict[str, frozenset[str]]:
        """The columns that each table may lack because an older costlab wrote it; tables that lack none are not named."""
        return {table: snapshot.lacks for table, snapshot in self.snapshots().items() if snapshot.lacks}

    def readable_files(self) -> dict[str, list[Place]]:
        """The files of each table on the days that readers see; of what was imported, on all days."""
        return {table: list(filed.files) for table, filed in self.readable().items()}

    def readable(self) -> dict[str, FiledRows]:
        """The rows of each table on the days that readers see; of what was imported, on all days."""
        snapshots = self.snapshots()
        runs = {
            where: run
            for where, run in self.runs(snapshots["runs"]).items()
            if _state(run, where, snapshots) in READABLE
        }
        found = {}
        for table, snapshot in snapshots.items():
            shown = [
                where
                for where in sorted(snapshot.files)
                if table in IMPORTED or (where in runs and runs[where]["files"].get(table) != PRUNED)
            ]
            files = tuple(self.path / table / file for where in shown for file in snapshot.files[where])
            found[table] = FiledRows(table, files, snapshot.lacks)
        return found

    def _table(self, name: str) -> DeltaFolder:
        """A table that stays open: opening it is most of what a question about it takes."""
        return self._tables.setdefault(name, DeltaFolder(self.path, name))


def _written(waiting: Sequence[Pending]) -> dict[str, Written]:
    """What became of each table; all are on the disk then. Raises what writing raises."""
    written, new = {}, [each for each in waiting if each.differs]
    for each in waiting:
        written[each.folder.table] = each.write(synced=False)
    with ThreadPoolExecutor(_SYNCING) as several:
        for synced in [several.submit(each.sync, written[each.folder.table]) for each in new]:
            synced.result()
    return written


def _alone() -> None:
    """Nobody has locked the lake, or by a lock that cannot be lost."""


def refuse_path(path: Place) -> None:
    """Raise ConfigError for a path at which there can be no lake."""
    if "%" in str(path):
        # The Delta library decodes what looks like %20 in a path, and would write beside the lake.
        raise ConfigError(f"the path of the lake, {path}, has a per cent sign", "name a folder without one")


def refuse_headless(path: Place) -> None:
    """Raise LakeError where there are days, and nothing says of which time zone: another one would shift them."""
    with translated(path, "read"):
        headless = begun(path / "runs") and not (path / RESTORING).exists()
    if headless:
        raise LakeError(
            f"{path} holds days, and {HEAD} is gone from it",
            f'bring that file back from a backup, or write it: {{"format": {FORMAT}, "timezone": "the zone of its days"}}',
        )


def _state(run: Run, where: Key, snapshots: Mapping[str, Snapshot]) -> DayState:
    """A day as its `runs` row and the tables tell it; rows that are being pruned are looked at by nobody any more."""
    if run["files"].get("charges") == PRUNED:
        return DayState.PRUNED
    whole = all(files in (PRUNED, listed(snapshots[table], *where)) for table, files in run["files"].items())
    return DayState(run["status"]) if whole else DayState.REPAIR


def _standing(run: Run | None) -> dict[str, Written]:
    """What a `runs` row lists of each table."""
    if run is None:
        return {}
    return {
        name: Written(content, changed=False, files=run["files"][name], version=int(run["versions"][name]))
        for name, content in run["content"].items()
    }

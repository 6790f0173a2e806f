"""Look at every file of a lake: what is missing, cut, changed or loose, named by table and day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from costlab.domain.errors import LakeError
from costlab.domain.tables import IMPORTED, TABLES
from costlab.domain.time import Day
from costlab.store import checkpoint
from costlab.store.delta import DeltaFolder
from costlab.store.lake import PRUNED, Lake
from costlab.store.log import ENTRIES, LOG
from costlab.store.migration import columns_hashed_without
from costlab.store.opened import Key, Snapshot
from costlab.store.place import Place, found
from costlab.store.pruning import actions_of
from costlab.store.runs import Run
from costlab.store.vouching import hashes_in


class Kind(StrEnum):
    """What a damage calls for."""

    DAY = "day"  # this day has to be measured again, or brought back
    TABLE = "table"  # of the table nothing can be read
    CHECKPOINT = "checkpoint"  # the same, but without it everything can: its text is the path
    UNFINISHED = "unfinished"  # no reader sees it: a run broke off


@dataclass(frozen=True, slots=True)
class Damage:
    """One fault. where: cluster and day; None when it is of the whole table."""

    kind: Kind
    table: str
    where: Key | None
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """What the log tells of a file: its size when it was written, and the hash of its rows; empty where it tells none."""

    size_bytes: int
    content: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found, and how much was looked at; loose: files that no table lists."""

    damages: tuple[Damage, ...]
    days: int
    files: int
    size_bytes: int
    loose: tuple[Place, ...]


def inspect(lake: Lake) -> Inspection:
    """Every fault of a lake whose head is sound: in logs, files and, by its hash, each row that `runs` vouches for.

    What a run writes meanwhile would look like a fault: the caller holds the lock.
    """
    damages: list[Damage] = []
    snapshots: dict[str, Snapshot] = {}
    written: dict[Place, Written] = {}
    for table in TABLES:
        folder = DeltaFolder(lake.path, table)
        try:
            listed = _listed(folder.path / LOG)
            if torn := _torn(folder, listed):
                damages.append(Damage(Kind.CHECKPOINT, table, None, str(torn)))
                continue
            snapshots[table] = folder.snapshot()
        except LakeError as fault:
            damages.append(Damage(Kind.TABLE, table, None, fault.message))
            continue
        written |= {folder.path / file: told for file, told in listed.items()}
    runs: Mapping[Key, Run] | None = None
    if "runs" in snapshots:
        try:
            runs = lake.runs(snapshots["runs"])
        except LakeError as fault:
            damages.append(Damage(Kind.TABLE, "runs", None, fault.message))
    for table, snapshot in snapshots.items():
        for where in sorted(snapshot.files.keys() | (runs or {}).keys()):
            damages += _day_faults(lake, table, where, snapshot, runs, written)
    loose = tuple(
        path
        for table in snapshots
        for path in found(lake.path / table, "cluster=*/date=*/*")
        if path not in written
    )
    size_bytes = sum(told.size_bytes for told in written.values())
    return Inspection(tuple(damages), len(runs or ()), len(written), size_bytes, loose)


def _listed(log: Place) -> dict[str, Written]:
    """The files that the entries of a log come to, and what they tell of each.

    Raises LakeError, also for a log that Delta Lake would read up to its hole.
    """
    listed: dict[str, Written] = {}
    hashes: dict[str, str] = {}  # an entry that brings a file back tells none
    for number, entry in enumerate(found(log, ENTRIES)):
        if int(entry.stem) != number:
            raise LakeError(f"{log} lacks entry {number}")
        said = actions_of(entry)
        hashes |= hashes_in(said)
        for action in said:
            if removed := action.get("remove"):
                listed.pop(removed["path"], None)
            if added := action.get("add"):
                listed[added["path"]] = Written(int(added["size"]), hashes.get(added["path"], ""))
    return listed


def _torn(folder: DeltaFolder, listed: Mapping[str, Written]) -> Path | None:
    """The newest checkpoint of a table's log, if it cannot be read, or if with it the table has other files than listed."""
    if not isinstance(folder.path, Path):  # what a bucket has taken is whole
        return None
    log = folder.path / LOG
    if torn := checkpoint.damaged(log):
        return torn
    told = {file for files in folder.snapshot().files.values() for file in files}
    return None if told == listed.keys() else next(reversed(checkpoint.checkpoints(log)), None)


def _day_faults(
    lake: Lake, table: str, where: Key, snapshot: Snapshot, runs: Mapping[Key, Run] | None,
    written: Mapping[Place, Written],
) -> Iterator[Damage]:  # fmt: skip
    """What is wrong with one day of one table: the first fault of it."""
    files = [lake.path / table / file for file in snapshot.files.get(where, ())]
    fault = next((fault for file in files if (fault := _file_fault(file, written[file].size_bytes))), "")
    if fault:
        yield Damage(Kind.DAY, table, where, fault)
        return
    if table == "runs" or table in IMPORTED or runs is None:
        told = written[files[0]].content if len(files) == 1 else ""
        unlike = _changed(lake, table, where, files, snapshot.lacks, told) if told else ""
        if fault := _unreadable(lake, table, where) or unlike:
            yield Damage(Kind.DAY, table, where, fault)
        return
    run = runs.get(where)
    vouched = run["files"].get(table) if run else None
    if vouched == PRUNED or (vouched is None and not files):
        return
    if run is None or vouched is None:
        yield Damage(Kind.UNFINISHED, table, where, "has rows that no run vouches for")
    elif vouched != "\n".join(snapshot.files.get(where, ())):
        yield Damage(Kind.DAY, table, where, "has other files than `runs` lists: a run broke off")
    elif fault := _changed(lake, table, where, files, snapshot.lacks, run["content"][table]):
        yield Damage(Kind.DAY, table, where, fault)


def _file_fault(file: Place, size_bytes: int) -> str:
    try:
        there = file.stat().st_size
    except FileNotFoundError:
        return f"lacks {file}"
    except OSError as error:
        return f"{file} cannot be looked at: {error.strerror}"
    return "" if there == size_bytes else f"{file} has {there:,} bytes instead of {size_bytes:,}"


def _unreadable(lake: Lake, table: str, where: Key) -> str:
    try:
        lake.read(table, where[0], Day(where[1], lake.timezone))
    except LakeError as fault:
        return fault.message
    return ""


def _changed(
    lake: Lake, table: str, where: Key, files: list[Place], lacks: frozenset[str], content: str
) -> str:
    """Why the rows are not those that were written; empty when their hash says that they are."""
    try:
        without = columns_hashed_without(lake, table, where, files, lacks, content)
    except (LakeError, pa.ArrowException) as fault:
        return f"cannot be read: {fault}"
    return "has other rows than were written" if without is None else ""

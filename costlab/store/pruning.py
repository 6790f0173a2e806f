"""Delete what is too old: a day's rows first, and their files once no reader can hold them any more."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from costlab.domain.errors import LakeError
from costlab.domain.tables import TABLES
from costlab.domain.time import HOUR_MS
from costlab.store.delta import DeltaFolder
from costlab.store.faults import translated
from costlab.store.lake import PRUNED, Lake
from costlab.store.log import ENTRIES, LOG, actions
from costlab.store.opened import Key, Snapshot
from costlab.store.place import Place, found
from costlab.store.posts import FOLDER as POSTS
from costlab.store.runs import Run
from costlab.store.schema import conform

# A reader holds the files that it was given when it was opened: a notebook may be left open over a weekend's nights.
HELD_MS = 72 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Pruned:
    """A table's rows on these days of a cluster, that go: how many files they are in, and their size."""

    table: str
    cluster: str
    days: tuple[date, ...]
    files: int
    size_bytes: int


def old_days(lake: Lake, expired: Callable[[str, Key], bool]) -> list[Pruned]:
    """What `prune_days` deletes, by table and cluster."""
    found = []
    for table, snapshot in lake.snapshots().items():
        old = [where for where in sorted(snapshot.files) if expired(table, where)]
        for cluster in sorted({cluster for cluster, _ in old}):
            days = tuple(day for of, day in old if of == cluster)
            files = [lake.path / table / file for day in days for file in snapshot.files[cluster, day]]
            found.append(Pruned(table, cluster, days, len(files), sum(map(_size, files))))
    return found


def prune_days(lake: Lake, expired: Callable[[str, Key], bool]) -> None:
    """The rows of days that are too old for their table are gone for whoever opens the lake from now on.

    `runs` is written first, and says so: from then on nobody misses them, whatever ends this. Raises what a write raises.
    """
    snapshots = lake.snapshots()
    marked = {where: _marked(run, where, expired) for where, run in lake.runs(snapshots["runs"]).items()}
    told = {where: run for where, run in marked.items() if run is not None}
    if told:
        names = next(iter(told.values())).keys()
        columns = {name: [run[name] for run in told.values()] for name in names}
        keys = {"cluster": [cluster for cluster, _ in told], "date": [day for _, day in told]}
        DeltaFolder(lake.path, "runs").replace_days(list(told), conform("runs", {**keys, **columns}))
    for table, snapshot in snapshots.items():
        old = [where for where in snapshot.files if expired(table, where)]
        if old:
            DeltaFolder(lake.path, table).forget(old)


def spent_files(lake: Lake, now_ms: int) -> list[Place]:
    """Data files that no table lists, nor did within the last three days: no reader can hold them.

    What was never listed, such as what a killed run left, counts from when it was written. Raises LakeError.
    """
    return [
        file
        for table in TABLES
        for file in _spent(lake.path / table, DeltaFolder(lake.path, table).snapshot(), now_ms)
    ]


def old_posts(lake: Lake, expired: Callable[[date], bool]) -> list[Place]:
    """What is remembered of the posts of days that can be posted no more."""
    return [
        path for path in found(lake.path / POSTS, "*/*.json") if expired(date.fromisoformat(path.parent.name))
    ]


def delete(files: list[Place]) -> int:
    """The files are gone; how many bytes they held. Raises LakeError."""
    freed = 0
    for file in files:
        freed += _size(file)
        with translated(file):
            file.unlink()
    return freed


def _marked(run: Run, where: Key, expired: Callable[[str, Key], bool]) -> Run | None:
    """The `runs` row as it is without the rows that are too old; None when it says so already."""
    # Charges that came to no row are marked all the same: with them the whole day goes.
    files = {
        table: PRUNED if expired(table, where) and (listed or table == "charges") else listed
        for table, listed in run["files"].items()
    }
    return None if files == run["files"] else {**run, "files": files}


def _spent(folder: Place, snapshot: Snapshot, now_ms: int) -> Iterator[Place]:
    listed = {file for files in snapshot.files.values() for file in files}
    gone_ms = _gone_ms(folder)
    for path in found(folder, "cluster=*/date=*/*.parquet"):
        name = "/".join(path.parts[-3:])
        if name not in listed:
            since_ms = gone_ms.get(name) or int(path.stat().st_mtime * 1000)
            if now_ms - since_ms > HELD_MS:
                yield path


def _gone_ms(folder: Place) -> Mapping[str, int]:
    """When each file was last taken out of the table, as its log tells."""
    gone: dict[str, int] = {}
    for entry in found(folder / LOG, ENTRIES):
        for action in actions_of(entry):
            if removed := action.get("remove"):
                gone[removed["path"]] = int(removed["deletionTimestamp"])
    return gone


def actions_of(entry: Place) -> list[dict[str, Any]]:
    """What one entry of a table's log says. Raises LakeError when it cannot be read."""
    try:
        with translated(entry, "read"):
            return actions(entry)
    except orjson.JSONDecodeError as error:
        raise LakeError(f"{entry} is damaged", "restore the lake from a backup: costlab restore") from error


def _size(file: Place) -> int:
    try:
        return file.stat().st_size
    except OSError:  # it is missing: there is nothing to free
        return 0

"""The rows of `runs`, which tell of every day how far it came: each is read once, for its file is never written again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costlab.domain.tables import PARTITION, TABLES, Type
from costlab.store.opened import Key, Snapshot
from costlab.store.place import Place
from costlab.store.reading import read_files

Run = dict[str, Any]

_MAPS = frozenset(
    column.name for column in TABLES["runs"].columns if column.type is Type.MAP and not column.null
)
_NULL_MAPS = frozenset(
    column.name for column in TABLES["runs"].columns if column.type is Type.MAP and column.null
)


class ReadRuns:
    """The rows of `runs` in a folder that were read so far."""

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._held: dict[Key, tuple[object, Run]] = {}

    def at(self, snapshot: Snapshot) -> dict[Key, Run]:
        """Those of a version of the table, in order, maps as dictionaries. Raises LakeError when a file is damaged."""
        listed = {key: [self._folder / file for file in files] for key, files in snapshot.files.items()}
        files = {key: (snapshot.lacks, _files(of)) for key, of in listed.items()}
        before = self._held  # once: another thread may put others in its place
        held = {key: before[key] for key, of in files.items() if key in before and before[key][0] == of}
        new = [file for key, of in listed.items() if key not in held for file in of]
        for row in read_files("runs", new, snapshot.lacks).to_pylist():
            key = row["cluster"], row["date"]
            held[key] = files[key], row
        self._held = held
        return {key: plain(row) for key, (_, row) in sorted(held.items())}


def _files(paths: Sequence[Place]) -> object:
    """What tells files from others of their names; what a bucket has taken stays. Raises nothing: one that is gone is read."""
    return [
        (path, path.stat().st_mtime_ns if isinstance(path, Path) and path.exists() else None)
        for path in paths
    ]


def plain(row: Mapping[str, Any]) -> Run:
    """A row of `runs` without the columns of the partition, maps as dictionaries."""

    def value_of(name: str, value: Any) -> Any:
        if name in _NULL_MAPS:
            return None if value is None else dict(value)
        return dict(value or ()) if name in _MAPS else value

    return {name: value_of(name, value) for name, value in row.items() if name not in PARTITION}

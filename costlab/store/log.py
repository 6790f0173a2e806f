"""The log of a table on this machine's disk: whether it is still as it was when it was read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from costlab.store.place import Place

LOG = "_delta_log"
# Delta Lake reads no other names: what a copying program leaves beside the entries is none.
ENTRIES = "[0-9]" * 20 + ".json"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a log as it was when it was read: its version, and its file's device, inode, time in ns and size.

    An entry is never written again, so the log up to it is the same as long as its file is: one that was removed and
    made anew, or restored, has another.
    """

    log: Path
    version: int
    file: tuple[int, int, int, int]

    @classmethod
    def at(cls, log: Path, version: int) -> "Entry | None":
        """That of a version; None where there is none. Raises OSError."""
        try:
            status = (log / f"{version:020}.json").stat()
        except FileNotFoundError:
            return None
        return cls(log, version, (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size))

    @classmethod
    def newest(cls, log: Path) -> "Entry | None":
        """That of the highest version; None where there is none. Raises OSError."""
        versions = [int(entry.stem) for entry in log.glob(ENTRIES)]
        return cls.at(log, max(versions)) if versions else None

    @property
    def stands(self) -> bool:
        """Whether the log up to this entry is as it was."""
        return Entry.at(self.log, self.version) == self

    @property
    def is_newest(self) -> bool:
        """Whether the whole log is as it was."""
        return self.stands and not (self.log / f"{self.version + 1:020}.json").exists()


def actions(entry: Place) -> list[dict[str, Any]]:
    """What an entry says, line by line. Raises OSError, and JSONDecodeError where a line is none."""
    return [orjson.loads(line) for line in entry.read_bytes().splitlines() if line.strip()]


def changes(log: Path, version: int) -> tuple[dict[str, dict[str, str]], frozenset[str]] | None:
    """What an entry has added, each file with the values of its partition, and what it has removed.

    None where that is not all that it says of the table, or where it is not as such an entry is. Raises OSError.
    """
    added: dict[str, dict[str, str]] = {}
    removed: set[str] = set()
    try:
        for action in actions(log / f"{version:020}.json"):
            [(kind, said)] = action.items()
            if kind == "add":
                added[said["path"]] = dict(said["partitionValues"])
            elif kind == "remove":
                removed.add(said["path"])
            elif kind != "commitInfo":
                return None
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return added, frozenset(removed)


def begun(folder: Place) -> bool:
    """Whether a first entry of a table's log is there; a creation that was cut off left none."""
    return any((folder / LOG).glob(ENTRIES))


def recent_entries(log: Path, commits: int) -> list[str]:
    """The names of the first entry and of so many last ones, and one more: that which a killed run did not sync."""
    entries = sorted(entry.name for entry in log.glob(ENTRIES))
    return [*entries[:1], *entries[1:][-commits - 1 :]]

"""Rows of a day that are to be written: whether they stand already, and what became of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.store.content import content_hash
from costlab.store.delta import DeltaFolder
from costlab.store.opened import Snapshot
from costlab.store.rows import Rows

_CLUSTER = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write: the SHA-256 of the rows, whether anything was committed, and what `runs` lists of it."""

    content: str
    changed: bool
    files: str
    version: int


@dataclass(frozen=True, slots=True)
class Pending:
    """Rows of a day that are about to be written. held: what the table lists of the day now."""

    folder: DeltaFolder
    cluster: str
    day: date
    rows: Rows
    snapshot: Snapshot
    held: str
    content: str
    same: bool

    @classmethod
    def of(
        cls, folder: DeltaFolder, cluster: str, day: Day, rows: Rows, before: Mapping[str, Any] | None, *, afresh: bool = False
    ) -> "Pending":  # fmt: skip
        """What is to be done about a table. before: the day's `runs` row, or None. Raises ConfigError and LakeError."""
        if not _CLUSTER.fullmatch(cluster):
            raise ConfigError(
                f"{cluster!r} is no cluster id", "it has 1 to 63 letters a-z, digits and dashes"
            )
        content, table, snapshot = content_hash(rows), folder.table, folder.snapshot()
        held = listed(snapshot, cluster, day.date)
        vouched = before and before["content"].get(table) == content and before["files"].get(table) == held
        same = bool(vouched) and not (afresh and held)
        return cls(folder, cluster, day.date, rows, snapshot, held, content, same)

    @property
    def differs(self) -> bool:
        """Whether anything has to be written: not what stands already, and not nothing in the place of nothing."""
        return not self.same and bool(self.rows.num_rows or self.held)

    def write(self, *, synced: bool = True) -> Written:
        """The table with the rows; unless `synced`, `DeltaFolder.sync` is to follow. Raises what `DeltaFolder.replace` does."""
        if not self.differs:
            return Written(self.content, not self.same, self.held, self.snapshot.version)
        snapshot = self.folder.replace(self.cluster, self.day, self.rows, synced=synced)
        return Written(self.content, True, listed(snapshot, self.cluster, self.day), snapshot.version)

    def sync(self, written: Written) -> None:
        """What was written is on the disk. Raises LakeError, or LakeFull."""
        self.folder.sync(written.files.splitlines())


def listed(snapshot: Snapshot, cluster: str, day: date) -> str:
    """What `runs` lists of a table: the day's files."""
    return "\n".join(snapshot.files.get((cluster, day), ()))

"""A day of a table as it was before it is written, to come back to."""

from datetime import date
from pathlib import Path

from costlab.store import durable
from costlab.store.delta import DeltaFolder
from costlab.store.faults import translated
from costlab.store.opened import Snapshot
from costlab.store.place import Place, remove_tree


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
        if self._version < 0 and isinstance(self._folder.path, Path):
            with translated(self._folder.path):
                if self._folder.path.exists():
                    remove_tree(self._folder.path)
                    durable.sync_folder(self._folder.path.parent)
            return
        # In a bucket another run may be about to write the table that this one has made: it stays, and is empty.
        first = max(self._version, 0)
        if self._folder.snapshot().version > first and (restored := self._folder.restore(first)):
            self._folder.sync(restored.files.get((self._cluster, self._day), ()))

    def sweep(self) -> None:
        """The day's files that came after the mark are gone; in a bucket they wait for `prune`. Raises LakeError.

        There space does not run out, and a run that has taken the lake over may be about to name what lies there.
        """
        if not isinstance(self._folder.path, Path):
            return
        with translated(self._folder.path):
            for file in self._present() - self._files:
                file.unlink()

    def _present(self) -> set[Place]:
        return set(self._folder.path.glob(f"cluster={self._cluster}/date={self._day}/*"))

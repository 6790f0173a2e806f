"""A checkpoint of a table's log on this machine's disk: what its entries come to, so that only those after it are read.

Delta Lake gives a checkpoint its name before it is on the disk, and one that a power cut tears makes the table unreadable. So
it is made apart, of a copy of what of the log it needs, and takes its name when it is whole. No entry goes: each is still
there, and the table is the same without its checkpoints.
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from costlab.store import durable
from costlab.store.log import ENTRIES, LOG

EVERY = 10  # entries: one takes 0.25 ms to read, each time, and a checkpoint 11 ms to write
_KEPT = 2  # who has listed the log a moment ago is about to read the last but one
_ENDING = ".checkpoint.parquet"
_WORKSHOP = "_checkpoint"  # in the table's folder, where no file of it is looked for


def keep_short(table: Path) -> None:
    """A log of ten entries since its last checkpoint has a new one; all its entries are on the disk.

    Raises OSError and DeltaError; the log is then as it was.
    """
    log, workshop = table / LOG, table / _WORKSHOP
    # The library passes over one without a byte, such as a copy that broke off has: its entries are needed still.
    before = [file for file in checkpoints(log) if file.stat().st_size]
    since = _version(before[-1]) if before else -1
    entries = sorted(entry for entry in log.glob(ENTRIES) if int(entry.stem) > since)
    if len(entries) < EVERY:
        return
    shutil.rmtree(workshop, ignore_errors=True)  # of a run that was killed
    try:
        (workshop / LOG).mkdir(parents=True)
        for file in (*before[-1:], *entries):
            shutil.copyfile(file, workshop / LOG / file.name)
        DeltaTable(str(workshop)).create_checkpoint()
        made = checkpoints(workshop / LOG)[-1]
        durable.sync_file(made)
        made.replace(log / made.name)
        durable.sync_folder(log)
        for old in before[: 1 - _KEPT]:
            old.unlink()
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def checkpoints(log: Path) -> list[Path]:
    """Those of a log, the oldest first."""
    return sorted(log.glob("[0-9]" * 20 + _ENDING))


def damaged(log: Path) -> Path | None:
    """The newest checkpoint of a log, if it cannot be read; nothing in it is needed."""
    newest = checkpoints(log)[-1:]
    try:
        for checkpoint in newest:
            pq.read_table(checkpoint)
    except (OSError, pa.ArrowException):
        return newest[0]
    return None


def _version(checkpoint: Path) -> int:
    return int(checkpoint.name.removesuffix(_ENDING))

"""Whether a disk has room for rows, asked before any of them is written."""

import shutil
from pathlib import Path

from costlab.store.faults import full, translated
from costlab.store.place import Place
from costlab.store.rows import Rows, StoredRows

_SLACK_BYTES = 2**20  # the log entry, and what a file system needs for itself


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

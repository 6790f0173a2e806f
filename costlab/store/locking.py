"""One run at a time: a kernel lock on the lake, freed by the kernel when its holder dies."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from costlab.domain.errors import Busy


@contextmanager
def exclusive(lake: Path) -> Iterator[None]:
    """Hold the lake's lock for the block. Raises Busy at once, naming the holder, when another run has it."""
    lock, holder = FileLock(lake / ".lock"), lake / ".lock-holder.json"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Busy(
            f"another run holds the lake {lake}{_named(holder)}", "wait for it to end, then run the same command again"
        ) from error
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}))
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _named(holder: Path) -> str:
    try:
        told = json.loads(holder.read_text())
        return f": process {told['pid']} on {told['host']} since {told['since']}"
    except (OSError, ValueError, KeyError):
        return ""

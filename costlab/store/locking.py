"""One writer at a time: a kernel lock on the lake, with the name of its holder beside it."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from costlab.domain.errors import Busy
from costlab.store.faults import translated

LOCK = ".lock"
HOLDER = ".lock.holder"


@contextmanager
def held(lake: Path, name: str = "the lake") -> Iterator[None]:
    """The lake (or what `name` says it is) is this process's alone to write, until the block ends or the process dies, however it dies.

    Raises Busy at once, naming the holder, when another process (or another block of this one) has it; LakeError when
    it cannot be locked, such as one that this user may only read.
    """
    lock = FileLock(lake / LOCK, timeout=0)
    with translated(lake / LOCK):
        try:
            lock.acquire()
        except Timeout:
            raise Busy(
                f"{name} at {lake} is in use{_holder(lake)}",
                "run the same command again when that run has ended; a run that dies frees it by itself",
            ) from None
    try:
        with translated(lake / HOLDER):
            _sign(lake)
        yield
    finally:
        with suppress(OSError):
            (lake / HOLDER).unlink()
        lock.release()


def _sign(lake: Path) -> None:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    signature = {"pid": os.getpid(), "host": socket.gethostname(), "command": command}
    (lake / HOLDER).write_bytes(orjson.dumps(signature))


def _holder(lake: Path) -> str:
    """Who has the lock, in words; nothing when that cannot be read: it is a courtesy, not the lock."""
    path = lake / HOLDER
    try:
        said: Any = orjson.loads(path.read_bytes())
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        return f" by process {said['pid']} on {said['host']} since {since}: {said['command']}"
    except (OSError, ValueError, TypeError, KeyError):
        return ""

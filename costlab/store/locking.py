"""One writer at a time: a kernel lock on the lake, with the name of its holder beside it."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from filelock import FileLock, Timeout

from costlab.domain.errors import Busy, ConfigError, LakeError, LakeFull
from costlab.store import durable
from costlab.store.faults import translated
from costlab.store.lease import leased
from costlab.store.place import Place, workshop

LOCK = ".lock"
HOLDER = ".lock.holder"
_NAME = ".name"


def _unguarded() -> None:
    """A kernel lock is not lost while the process lives."""


@contextmanager
def alone(lake: Place) -> Iterator[Callable[[], None]]:
    """Hold a lake, of a bucket its workshop too; the call that it gives raises Busy once the lake is lost to another run.

    Raises as `held` does, and ConfigError when nothing may be written into the bucket, or the workshop cannot be made.
    """
    if isinstance(lake, Path):
        with held(lake):
            yield _unguarded
        return
    room = workshop(lake)
    _make(room, lake)
    with held(room, f"the workshop of {lake}"), leased(lake, _known_as(room), _signature(), _words) as lease:
        yield lease.assure


def _make(room: Path, lake: Place) -> None:
    try:
        with translated(room):
            room.mkdir(parents=True, exist_ok=True)
    except LakeFull:
        raise
    except LakeError as fault:  # of this machine, and not of the lake: nothing is damaged
        raise ConfigError(
            f"{fault.message}; samples of {lake} wait there until they are committed",
            "name a folder that this user may write with XDG_STATE_HOME",
        ) from fault


def _known_as(room: Path) -> str:
    """The workshop's own name in the world: two machines may have equal names, and equal paths."""
    with translated(room):
        if not (room / _NAME).is_file():
            durable.write_atomically(room / _NAME, uuid4().hex.encode())
        return (room / _NAME).read_text()


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
    (lake / HOLDER).write_bytes(orjson.dumps(_signature()))


def _signature() -> dict[str, object]:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    began = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": began}


def _words(said: Any) -> str:
    return f" by process {said['pid']} on {said['host']} since {said['since']}: {said['command']}"


def _holder(lake: Path) -> str:
    """Who has the lock, in words; nothing when that cannot be read: it is a courtesy, not the lock."""
    path = lake / HOLDER
    try:
        said: Any = orjson.loads(path.read_bytes())
        return _words(said)
    except (OSError, ValueError, TypeError, KeyError):
        return ""

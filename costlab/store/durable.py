"""What survives a power cut: files and folders that were synced, in this order; what a bucket has taken does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from costlab.store.place import Place


def sync_file(path: Place) -> None:
    """The file's content is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Place) -> None:
    """The folder's entries are on the disk: without this a new file may be gone although its content was synced."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def write_atomically(path: Place, content: bytes) -> None:
    """Readers see the old file or the new one, also after a power cut; on an error the old one stays."""
    with replacing(path) as file:
        file.write(content)


def make_folder(folder: Place) -> list[Path]:
    """A folder with those above it; gives those that were not there. Nothing has to be made in a bucket."""
    if not isinstance(folder, Path):
        return []
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return made


@contextmanager
def replacing(path: Place) -> Iterator[BinaryIO]:
    """A file that takes the path's place once the block has ended well; else the old one stays, and nothing beside it."""
    if not isinstance(path, Path):
        with path.replacing() as file:
            yield cast(BinaryIO, file)
        return
    if not path.name:  # `.` and `/`, beside which nothing can be named
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            yield file
        sync_file(beside)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def left_beside(path: Path) -> list[Path]:
    """What `replacing` had not put into the path's place when its process was killed."""
    named = f".{path.name}."
    return [
        each
        for each in path.parent.iterdir()
        if each.name.startswith(named) and each.name.removeprefix(named).isdecimal()
    ]


def refuse_unwritable(folder: Place) -> None:
    """Raise OSError, or what a bucket's refusal is, when nothing can be written there."""
    if isinstance(folder, Path):
        with TemporaryFile(dir=folder):  # has no name, and leaves no trace
            return
    probe = folder / ".probe"
    probe.write_bytes(b"")
    probe.unlink(missing_ok=True)


def _sync(path: Place, flags: int) -> None:
    if not isinstance(path, Path):
        return
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

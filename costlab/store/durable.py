"""What survives a power cut: files and folders that were synced, in this order."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def sync_file(path: Path) -> None:
    """The file's content is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """The folder's entries are on the disk: without this a new file may be gone although its content was synced."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def write_atomically(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, also after a power cut; on an error the old one stays."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the path's place once the block has ended well; else the old one stays, and nothing beside it."""
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


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Where backups lie: names and their bytes. In a folder what has a name is whole, also after a power cut."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from costlab.store import durable, locking
from costlab.store.faults import translated
from costlab.store.place import Place

PIECE_BYTES = 2**20


class Readable(Protocol):
    """A file, of a disk or of a bucket."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at its end."""
        ...


class Vault(Protocol):
    """A place of backups; each call raises LakeError, LakeFull when it is full, or, of an object store, Busy and ConfigError."""

    def __str__(self) -> str:
        """The place, as a person names it."""
        ...

    def names(self, folder: str) -> list[str]:
        """What lies in a folder and its folders, sorted."""
        ...

    def loose(self, held: set[str]) -> list[str]:
        """What lies in `files`, is not among those, and that no backup under way may need."""
        ...

    def size_bytes(self, name: str) -> int | None:
        """The size of what has this name; None when nothing has."""
        ...

    def put(self, name: str, pieces: Iterator[bytes]) -> None:
        """Give the bytes a name, whole or not at all."""
        ...

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a name, some at a time."""
        ...

    def delete(self, name: str) -> None:
        """The name is gone."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Keep other backups out for the block; raises Busy when one is under way."""
        ...


class Folder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        """Its path."""
        return str(self.path)

    def names(self, folder: str) -> list[str]:
        """What lies in it, without what was not finished."""
        with translated(self.path, "read"):
            inside = [path for path in (self.path / folder).rglob("[!.]*") if path.is_file()]
        return sorted(path.relative_to(self.path).as_posix() for path in inside)

    def loose(self, held: set[str]) -> list[str]:
        """All of them: the folder is locked."""
        return [name for name in self.names("files") if name not in held]

    def size_bytes(self, name: str) -> int | None:
        """The file's size; None when there is none."""
        with translated(self.path / name, "read"):
            return (self.path / name).stat().st_size if (self.path / name).exists() else None

    def put(self, name: str, pieces: Iterator[bytes]) -> None:
        """Write a file beside, sync it, and give it its name."""
        path = self.path / name
        with translated(path):
            made = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            with durable.replacing(path) as file:
                file.writelines(pieces)
            for folder in made:
                durable.sync_folder(folder.parent)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The file's bytes."""
        return pieces_of(self.path / name)

    def delete(self, name: str) -> None:
        """The file is gone."""
        with translated(self.path / name):
            (self.path / name).unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A lock of the folder, as of a lake; what a killed backup left half written goes."""
        with translated(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with locking.held(self.path, "the backup"):
            with translated(self.path):
                for half in self.path.glob("files/*/.*"):
                    half.unlink()
            yield


def pieces_of(path: Place) -> Iterator[bytes]:
    """A file's bytes, a MiB at a time. Raises LakeError."""
    with translated(path, "read"), path.open("rb") as file:
        yield from _read(file)


def _read(file: Readable) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece

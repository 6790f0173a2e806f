"""Files that people read: each is replaced as a whole, and left alone when nothing in it changed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from costlab.domain.errors import ConfigError
from costlab.store import durable


def put(path: Path, content: bytes) -> Path:
    """The path, now holding the content: a reader sees the old file or the new one, also after a crash.

    Raises ConfigError when the file cannot be written; the old one is then still there.
    """
    with _said(path):
        _replace(path, content)
    return path


def put_out(path: Path, content: bytes) -> Path:
    """The same of what is no report and goes where --out says: the fault names no other setting."""
    try:
        _replace(path, content)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", "name another file or folder with --out"
        ) from error
    return path


def make_room(folder: Path) -> None:
    """The folder is there, and a file can be written into it. Raises ConfigError when not."""
    with _said(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def take_away(folder: Path, names: Iterable[str]) -> bool:
    """Remove the files of these names, and the folder once it is empty; whether there was any. Links stay, and what is behind.

    What a run that was killed left beside one goes with it. Raises ConfigError when one cannot be removed.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    paths = [folder / name for name in names]
    there = [path for path in paths if path.is_file()]
    try:
        for old in (*there, *(left for path in paths for left in durable.left_beside(path))):
            old.unlink()
        if there and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise ConfigError(
            f"the old report in {folder} cannot be removed: {error.strerror}",
            "remove it by hand, or keep it: report.keep",
        ) from error
    return bool(there)


def _replace(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write_atomically(path, content)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the report cannot be written to {path}: {error.strerror}",
            "name another folder with report.out in the configuration or --out",
        ) from error

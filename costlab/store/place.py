"""Where a lake lies: a folder, or a path in a bucket that answers what the lake asks of a folder's path.

A bucket has no folders, an object in it is there whole or not at all, and whoever lists it sees every earlier write.
"""

import io
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs

from costlab.domain.errors import ConfigError, CostlabError
from costlab.store.faults import asked_again, asking, no_address, of_bucket

_PIECE_BYTES = 2**20
_AT_ONCE_BYTES = 2**23  # one request writes what is smaller


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of an object, in the names of `os.stat_result`."""

    st_size: int
    st_mtime: float


class BucketPath:
    """A path such as s3://bucket/costlab; credentials and region are looked for where Amazon's own tools look.

    What is asked of the store raises Busy when it does not answer, ConfigError when it refuses, FileNotFoundError.
    """

    def __init__(self, root: "_Root", inside: PurePosixPath, status: Status | None = None) -> None:
        self._root = root
        self._inside = inside
        self._status = status

    @classmethod
    def at(cls, address: str) -> "BucketPath":
        """The path of an address; raises ConfigError for one that is none, or holds a secret."""
        return cls(_Root.of(address), PurePosixPath())

    def __str__(self) -> str:
        """Its address, without what says how the store is reached."""
        return f"s3://{self.key}"

    def __repr__(self) -> str:
        return f"BucketPath({str(self)!r})"

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BucketPath) and self.key == other.key

    def __lt__(self, other: "BucketPath") -> bool:
        return self.key < other.key

    def __truediv__(self, name: str | PurePosixPath) -> "BucketPath":
        return BucketPath(self._root, self._inside / name)

    @property
    def key(self) -> str:
        """Bucket and key, as the store is asked for them."""
        return (PurePosixPath(self._root.base) / self._inside).as_posix()

    @property
    def store(self) -> pa.fs.FileSystem:
        """The store that it is in."""
        return self._root.store

    @property
    def parts(self) -> tuple[str, ...]:
        """Its parts below the lake."""
        return self._inside.parts

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.key).name

    @property
    def stem(self) -> str:
        """The last part, without what follows its last dot."""
        return PurePosixPath(self.key).stem

    @property
    def parent(self) -> "BucketPath":
        """What it lies in."""
        return BucketPath(self._root, self._inside.parent)

    def relative_to(self, other: "BucketPath") -> PurePosixPath:
        """The path from another one to this."""
        return PurePosixPath(*self.parts[len(other.parts) :])

    @property
    def delta_options(self) -> dict[str, str]:
        """How Delta Lake reaches the store; it writes a log entry only where there is none yet."""
        return self._root.delta_options

    def opened(self) -> pa.NativeFile:
        """The object, to be read in any order."""
        with asking(self):
            file = self._root.store.open_input_file(self.key)
        return pa.PythonFile(_Patient(self, file), mode="r")

    def open(self, mode: str = "rb") -> pa.NativeFile:  # noqa: ARG002 - as of a Path, which is opened for reading only
        """The object, to be read from its beginning."""
        with asking(self):
            return self._root.store.open_input_stream(self.key)

    def read_bytes(self) -> bytes:
        """The object's bytes."""
        return asked_again(self._read)

    def _read(self) -> bytes:
        with asking(self), self._root.store.open_input_stream(self.key) as stream:
            return bytes(stream.read())

    def write_bytes(self, content: bytes) -> None:
        """The object is these bytes, or what it was before: they are one request."""
        with ThreadPoolExecutor(1) as apart:  # in which no signal's handler breaks off what has begun
            apart.submit(self._put, content).result()

    def _put(self, content: bytes) -> None:
        with asking(self), self._root.store.open_output_stream(self.key) as stream:
            stream.write(content)

    @contextmanager
    def replacing(self) -> Iterator[IO[bytes]]:
        """A file that becomes the object once the block has ended well; else the old one stays."""
        with SpooledTemporaryFile(_AT_ONCE_BYTES) as file:
            yield file
            file.seek(0)
            self.upload(file)

    def upload(self, file: IO[bytes]) -> None:
        """The object is what is left to read of a file; where that breaks off, it is what it was before.

        A large one is written beside it first: pyarrow ends a stream by closing it, and gives the half of it a name.
        """
        content = file.read(_AT_ONCE_BYTES)
        if len(content) < _AT_ONCE_BYTES:
            self.write_bytes(content)
            return
        beside, store = self.parent / f".{self.name}.{uuid4().hex}", self._root.store
        try:
            with asking(self):
                with store.open_output_stream(beside.key) as stream:
                    stream.write(content)
                    shutil.copyfileobj(file, stream, _PIECE_BYTES)
                store.copy_file(beside.key, self.key)
        finally:
            with suppress(OSError, CostlabError):  # a listing may show it, and nobody reads it
                beside.unlink(missing_ok=True)

    def stat(self) -> Status:
        """Size and time; raises FileNotFoundError."""
        if self._status is None:
            [info] = self._infos([self.key])
            if info.type != pa.fs.FileType.File:
                raise FileNotFoundError(2, "No such object", str(self))
            self._status = _status(info)
        return self._status

    def exists(self) -> bool:
        """Whether there is such an object, or one below."""
        [info] = self._infos([self.key])
        return bool(info.type != pa.fs.FileType.NotFound)

    def is_file(self) -> bool:
        """Whether there is such an object."""
        [info] = self._infos([self.key])
        return bool(info.type == pa.fs.FileType.File)

    def is_dir(self) -> bool:
        """Whether there is an object below."""
        return self.exists() and not self.is_file()

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing has to be made."""

    def iterdir(self) -> Iterator["BucketPath"]:
        """What lies in it."""
        return iter({self / path.relative_to(self).parts[0]: None for path in self._below("")})

    def rglob(self, pattern: str) -> Iterator["BucketPath"]:
        """The objects below whose name matches."""
        return (path for path in self._below("") if fnmatchcase(path.name, pattern))

    def glob(self, pattern: str) -> Iterator["BucketPath"]:
        """The objects below whose path matches, part by part; their sizes and times are known from then on."""
        parts = PurePosixPath(pattern).parts
        fixed = next(number for number, part in enumerate((*parts, "*")) if "*" in part or "[" in part)
        for path in self._below("/".join(parts[:fixed])):
            said = path.relative_to(self).parts
            if len(said) == len(parts) and all(map(fnmatchcase, said, parts)):
                yield path

    def unlink(self, *, missing_ok: bool = False) -> None:
        """The object is gone."""
        with asking(self):
            try:
                self._root.store.delete_file(self.key)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def _infos(self, keys: list[str] | pa.fs.FileSelector) -> list[pa.fs.FileInfo]:
        with asking(self):
            return list(self._root.store.get_file_info(keys))

    def _below(self, inside: str) -> Iterator["BucketPath"]:
        start = self / inside
        selector = pa.fs.FileSelector(start.key, recursive=True, allow_not_found=True)
        skipped = len(self.key) + 1
        for info in sorted(self._infos(selector), key=lambda info: info.path):
            if info.type == pa.fs.FileType.File:
                yield BucketPath(self._root, self._inside / info.path[skipped:], _status(info))


class _Patient(io.RawIOBase):
    """A file of which each piece that the store does not give is asked for again."""

    def __init__(self, path: BucketPath, file: pa.NativeFile) -> None:
        self._path = path
        self._file = file
        self._at = 0
        self._size = file.size()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        begin, left = self._at, max(self._size - self._at, 0)

        def piece() -> bytes:
            with asking(self._path):
                return bytes(self._file.read_at(left if size < 0 else min(size, left), begin))

        found = asked_again(piece)
        self._at += len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()


Place: TypeAlias = Path | BucketPath
"""Where a lake lies, and all that is in it."""


def located(where: str | Place) -> Place:
    """The place that a configuration or a person names. Raises ConfigError."""
    if isinstance(where, BucketPath):
        return where
    return BucketPath.at(where) if isinstance(where, str) and "://" in where else Path(where)


def workshop(place: Place) -> Path:
    """The folder of this machine in which rows wait until they are in the lake: the lake itself, or one of the user's.

    Nothing in it is needed again once a day is in the lake.
    """
    if isinstance(place, Path):
        return place
    home = os.environ.get("HOME")
    state = os.environ.get("XDG_STATE_HOME") or (Path(home) / ".local/state" if home else gettempdir())
    return Path(state) / "costlab" / sha256(str(place).encode()).hexdigest()[:16]


def found(folder: Place, pattern: str) -> list[Place]:
    """What matches below a folder, sorted."""
    inside: list[Place] = list(folder.glob(pattern))
    return sorted(inside, key=lambda path: path.parts)


def remove_tree(place: Place) -> None:
    """A folder is gone, with all that is in it."""
    if isinstance(place, Path):
        shutil.rmtree(place)
        return
    for path in list(place.rglob("*")):
        path.unlink(missing_ok=True)


def moved(file: Place, place: Place) -> None:
    """A file is in its place, and no longer where it was."""
    if isinstance(place, Path) and isinstance(file, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
        return
    assert isinstance(place, BucketPath)  # noqa: S101 - what is in a bucket goes nowhere
    with file.open("rb") as content:
        place.upload(content)
    file.unlink()


def readable_file(place: Place) -> Any:
    """What the Parquet library opens."""
    return place if isinstance(place, Path) else place.opened()


@dataclass(frozen=True)
class _Root:
    """A bucket, and the folder in it at which a lake lies."""

    base: str
    query: dict[str, str]
    store: pa.fs.FileSystem = field(compare=False)

    @classmethod
    def of(cls, address: str) -> "_Root":
        parts = urlsplit(address)
        if "@" in parts.netloc:
            raise ConfigError(
                "the address of the lake holds a password",
                "leave it out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
            )
        try:
            # Without the delay the smallest object is written in three requests.
            joined = "&" if parts.query else "?"
            store, base = pa.fs.FileSystem.from_uri(f"{address}{joined}allow_delayed_open=true")
        except OSError as error:  # it was asked for the bucket's region
            raise of_bucket(address.partition("?")[0], error) from error
        except pa.ArrowException as error:
            raise no_address("a lake", address, error) from error
        if parts.scheme != "s3" or "/" not in base.strip("/"):
            raise no_address("a lake", address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return cls(base.rstrip("/"), query, store)

    @cached_property
    def delta_options(self) -> dict[str, str]:
        scheme = self.query.get("scheme", "https")
        options = {
            "aws_conditional_put": "etag",
            "aws_allow_http": str(scheme == "http").lower(),
            # Of a store that is not Amazon's Delta Lake would look for keys in the environment alone, and at no profile.
            "aws_force_credential_load": "true",
        }
        if region := self.query.get("region") or self.store.region:
            options["aws_region"] = region
        if endpoint := self.query.get("endpoint_override"):
            options["aws_endpoint"] = endpoint if "://" in endpoint else f"{scheme}://{endpoint}"
        if self.query.get("force_virtual_addressing") == "true":
            options["aws_virtual_hosted_style_request"] = "true"
        return options


def _status(info: pa.fs.FileInfo) -> Status:
    return Status(info.size, (info.mtime or datetime.fromtimestamp(0, UTC)).timestamp())

"""Backups in an object store that speaks S3: an object is there whole or not at all, and puts may come twice.

There is no lock: two backups at once do no harm, as equal bytes have equal names, and what is younger than a day is not
deleted, which another one may be about to name in its manifest.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs

from costlab.domain.errors import ConfigError
from costlab.store.faults import asking, no_address
from costlab.store.vault import PIECE_BYTES

_YOUNG = timedelta(days=1)


class Bucket:
    """A place such as s3://bucket/costlab; credentials and region are looked for where Amazon's own tools look."""

    def __init__(self, address: str) -> None:
        """Raises ConfigError for an address that is none, or holds a secret."""
        if "@" in urlsplit(address).netloc:
            raise ConfigError(
                "the address of the backups holds a password",
                "leave it out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
            )
        self._address = address
        # Of another's store pyarrow would look for credentials, for minutes.
        if urlsplit(address).scheme != "s3":
            raise no_address("backups", address)
        # Without the delay the smallest object is an upload in parts, of three requests, and not every store answers the
        # last of them again when its answer was lost.
        address += f"{'&' if urlsplit(address).query else '?'}allow_delayed_open=true"
        try:
            self._store, self._root = pa.fs.FileSystem.from_uri(address)
        except (pa.ArrowException, OSError) as error:
            raise no_address("backups", address, error) from error
        if not self._root.strip("/"):  # s3:// alone
            raise no_address("backups", address)

    def __str__(self) -> str:
        """Its address."""
        return self._address

    def names(self, folder: str) -> list[str]:
        """What lies in a folder."""
        return sorted(self._found(folder))

    def loose(self, held: set[str]) -> list[str]:
        """The files that are not among those, and that nobody is about to name."""
        oldest = datetime.now(UTC) - _YOUNG
        return [
            name
            for name, info in sorted(self._found("files").items())
            if name not in held and info.mtime < oldest
        ]

    def size_bytes(self, name: str) -> int | None:
        """The object's size; None when there is none."""
        return self._sizes.get(name)

    def put(self, name: str, pieces: Iterator[bytes]) -> None:
        """Write an object; one that broke off is too small, and is written again by the next backup."""
        path = f"{self._root}/{name}"
        size_bytes = 0
        with asking(self._address):
            stream = self._store.open_output_stream(path)
            try:
                for piece in pieces:
                    size_bytes += len(piece)
                    stream.write(piece)
            except BaseException:
                # Closing is the only way to end an upload, and gives the half of it a name.
                with suppress(OSError):
                    stream.close()
                    self._store.delete_file(path)
                raise
            stream.close()
        self._sizes[name] = size_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """The object's bytes."""
        with (
            asking(self._address),
            self._store.open_input_stream(f"{self._root}/{name}") as stream,
        ):
            while piece := stream.read(PIECE_BYTES):
                yield piece

    def delete(self, name: str) -> None:
        """The object is gone."""
        with asking(self._address):
            self._store.delete_file(f"{self._root}/{name}")
        self._sizes.pop(name, None)

    def locked(self) -> AbstractContextManager[None]:
        """Nothing is locked."""
        return nullcontext()

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """Of all files, asked for once: a question an object would take minutes."""
        return {name: info.size for name, info in self._found("files").items()}

    def _found(self, folder: str) -> dict[str, pa.fs.FileInfo]:
        selector = pa.fs.FileSelector(f"{self._root}/{folder}", recursive=True, allow_not_found=True)
        with asking(self._address):
            infos = self._store.get_file_info(selector)
        start = len(self._root) + 1
        return {info.path[start:]: info for info in infos if info.type == pa.fs.FileType.File}

"""Fetched signals of a day on the disk, so that a run that broke off does not ask for them again.

One folder a signal, and in it a pair of Parquet files for each request: samples, and the labels of their series. A
signal counts as fetched once its `fetched.json` stands, which is written last; anything else is swept away. The spool
of a day is dropped when the day is in the lake, and swept away when nobody went on with it.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Lock, Thread
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from costlab.domain.errors import LakeError
from costlab.domain.time import HOUR_MS, Day
from costlab.store import durable
from costlab.store.faults import translated
from costlab.store.scratch import Scratch

FORMAT = 3
KEPT_MS = 7 * 24 * HOUR_MS  # a night looks back no further by itself: an older day is rather asked for anew
_FOLDER = "_fetched"
_MARK = "fetched.json"
_QUEUED = 3  # batches that wait for the writer: so much is in memory, however long the day
_ROWS = 2**20  # a row group: 1 M samples
_SAMPLES = pa.schema(
    [
        pa.field("at", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
_SERIES = pa.schema(
    [
        pa.field("labels", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
    ]
)
# Measured on a day of 18 M noisy samples. Values are split into bytes before they are compressed; a dictionary would
# only cost time. Times are stored as differences: where the next series begins, time falls back, and all 128
# differences of that block become 27 bits wide and the same. LZ4 takes that back at no cost: 4.7 bytes a sample, not 4.9.
_LAYOUT: dict[str, Any] = {
    "use_dictionary": False,
    "column_encoding": {"at": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"},
    "compression": {"at": "LZ4", "value": "ZSTD"},
    "compression_level": {"value": 1},
    "write_statistics": False,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Series of one request as they were fetched: map<string, string> and int64, their numbers of samples.

    A series may come several times, one piece of it after the other.
    """

    labels: pa.MapArray
    lengths: NDArray[np.int64]
    _file: Path

    def samples(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Epoch milliseconds and values of all samples, series by series, some at a time. Raises LakeError."""
        with _readable(self._file), pq.ParquetFile(self._file) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                yield rows.column("at").cast(pa.int64()).to_numpy(), rows.column("value").to_numpy()


def sweep(workshop: Path, now_ms: int) -> None:
    """Days that nobody went on with for a week are gone, those of former clusters too. Only for who holds the lake's lock."""
    for day in (workshop / _FOLDER).glob("*/*"):
        with suppress(OSError):  # what cannot be looked at is no reason to read nothing
            if now_ms - 1000 * max(path.stat().st_mtime for path in (day, *day.rglob("*"))) > KEPT_MS:
                _remove(day)


class Spool:
    """What was fetched of one day of one cluster."""

    def __init__(self, workshop: Path, cluster: str, day: Day) -> None:
        self._path = workshop / _FOLDER / cluster / str(day.date)

    def holds(self, signal: str, asked: str) -> bool:
        """Whether the signal was fetched whole by exactly this question."""
        return self._mark(signal).get("asked") == asked

    def remarks(self, signal: str) -> tuple[str, ...]:
        """What was remarked while a fetched signal was read, and its samples do not show."""
        return tuple(self._mark(signal).get("remarks", ()))

    def room(self, signal: str) -> "SignalRoom":
        """An empty room for the signal's parts; what was there of it goes. Raises LakeError."""
        folder = self._path / signal
        with translated(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return SignalRoom(folder)

    def read(self, signal: str) -> Iterator[Kept]:
        """The parts of a fetched signal, in the order in which they were asked for. Raises LakeError."""
        for name in self._mark(signal).get("parts", ()):
            samples, series = _files(self._path / signal, name)
            with _readable(series):
                rows = pq.read_table(series)
                yield Kept(rows.column("labels").combine_chunks(), rows.column("length").to_numpy(), samples)

    def sent(self, signal: str) -> dict[str, bytes]:
        """The files of a fetched signal by name, to be read from another spool of the day; none when it is not fetched.

        Raises LakeError.
        """
        folder = self._path / signal
        with translated(folder, "read"):
            parts = [file for name in self._mark(signal).get("parts", ()) for file in _files(folder, name)]
            return {file.name: file.read_bytes() for file in (*parts, *([folder / _MARK] if parts else []))}

    def landed(self, signal: str, files: Mapping[str, bytes]) -> None:
        """The signal is fetched, by who sent these files. Raises LakeError."""
        folder = self._path / signal
        with translated(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (folder / name).write_bytes(content)

    def scratch(self, samples: int) -> Scratch:
        """Room for samples in another order, gone with it. Raises LakeError."""
        with translated(self._path):
            self._path.mkdir(parents=True, exist_ok=True)
        return Scratch(self._path, samples)

    def drop(self) -> None:
        """Forget the day: it is in the lake, or has to be asked for again."""
        _remove(self._path)

    def _mark(self, signal: str) -> dict[str, Any]:
        try:
            mark = orjson.loads((self._path / signal / _MARK).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return mark if isinstance(mark, dict) and mark.get("format") == FORMAT else {}


class SignalRoom:
    """Takes the parts of one signal, from several threads, and makes them count in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._begun = 0
        self._parts: list[str] = []

    def part(self) -> "PartWriter":
        """Room for what one request brings."""
        with self._lock:
            name, self._begun = f"{self._begun:05}", self._begun + 1
        return PartWriter(self._folder, name, self._keep)

    def commit(self, asked: str, remarks: Sequence[str] = ()) -> None:
        """All of the signal is there: from now on it counts as fetched, also after a power cut. Raises LakeError.

        remarks: what was remarked while it was read. One of which nothing was found does not: asking again is cheap, and it may have been missing only then.
        """
        if not self._parts:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        mark = {"format": FORMAT, "asked": asked, "parts": sorted(self._parts), "remarks": list(remarks)}
        with translated(self._folder):
            for name in self._parts:
                for file in _files(self._folder, name):
                    durable.sync_file(file)
            durable.write_atomically(self._folder / _MARK, orjson.dumps(mark))

    def _keep(self, name: str) -> None:
        with self._lock:
            self._parts.append(name)


class PartWriter:
    """Writes the batches of one request in a thread of its own, while the next are read and decoded."""

    def __init__(self, folder: Path, name: str, kept: Callable[[str], None]) -> None:
        self._files = _files(folder, name)
        self._name = name
        self._kept = kept
        self._folder = folder
        self._queue: Queue[Any] = Queue(_QUEUED)
        self._fault: BaseException | None = None
        self._thread = Thread(target=self._write, name=f"spool {folder.name}", daemon=True)
        self._began = False
        self._ended = False

    def add(self, batch: Any) -> None:
        """Take a batch (labels, offsets, at_ms, values); waits while the writer is behind. Raises LakeError."""
        if not self._began:
            self._thread.start()
            self._began = True
        self._queue.put(batch)
        self._complain()

    def keep(self) -> None:
        """What was added stands once the signal is committed; a part without series leaves nothing. Raises LakeError."""
        if self._end():
            self._complain()
            self._kept(self._name)

    def drop(self) -> None:
        """What was added never was."""
        self._end()
        for file in self._files:
            file.unlink(missing_ok=True)

    def _end(self) -> bool:
        """Wait for the writer; whether it ever began."""
        if self._began and self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        return self._began

    def _complain(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _write(self) -> None:
        try:
            with translated(self._folder):
                self._write_batches()
        except BaseException as fault:  # noqa: BLE001 - raised again in the thread that adds
            self._fault = fault
            while not self._ended and self._next() is not None:
                pass

    def _next(self) -> Any:
        """The next batch, or None for the end, which comes once."""
        batch = self._queue.get()
        self._ended = batch is None
        return batch

    def _write_batches(self) -> None:
        samples, series = self._files
        with (
            pq.ParquetWriter(samples, _SAMPLES, **_LAYOUT) as values,
            pq.ParquetWriter(series, _SERIES, compression="ZSTD", write_statistics=False) as labels,
        ):
            while (batch := self._next()) is not None:
                columns = [batch.at_ms.view("datetime64[ms]"), batch.values]
                arrays = [
                    pa.array(column).cast(field.type) for column, field in zip(columns, _SAMPLES, strict=True)
                ]
                values.write_table(pa.Table.from_arrays(arrays, schema=_SAMPLES), row_group_size=_ROWS)
                lengths = pa.array(np.diff(batch.offsets))
                labels.write_table(pa.Table.from_arrays([batch.labels, lengths], schema=_SERIES))


def _remove(day: Path) -> None:
    """Remove a day's folder, and those above it that are then empty."""
    shutil.rmtree(day, ignore_errors=True)
    with suppress(OSError):  # another day's, or another cluster's, is still in there
        for folder in (day.parent, day.parent.parent):
            folder.rmdir()


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.samples.parquet", folder / f"{name}.series.parquet"


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Inside the block a file that cannot be read is named, and its signal no longer counts as fetched."""
    folder = file.parent
    try:
        with translated(folder, "read"):
            yield
    except (pa.ArrowInvalid, LakeError) as fault:
        (folder / _MARK).unlink(missing_ok=True)
        raise LakeError(
            f"{folder}: what was fetched of {folder.name} cannot be read: {str(fault).partition(chr(10))[0]}",
            "run the same command again: it will be fetched anew",
        ) from fault

"""Samples that are put down in one order and taken up in another, without being in memory."""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from costlab.store.faults import translated

_WIDTH = 8  # bytes of an instant, and of a value


class Scratch:
    """Room for `samples` samples on the disk, in a file without a name: whatever ends the run, nothing is left of it."""

    def __init__(self, folder: Path, samples: int) -> None:
        self._folder = folder
        self._samples = samples
        with translated(folder), TemporaryFile(dir=folder, buffering=0) as file:
            self._descriptor = os.dup(file.fileno())
        finalize(self, os.close, self._descriptor)

    def put(self, place: int, at_ms: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Put samples down from `place` on. Raises LakeError."""
        with translated(self._folder):
            for side, column in enumerate((at_ms, values)):
                _write_all(self._descriptor, column, (side * self._samples + place) * _WIDTH)

    def take(self, spans: Iterable[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The samples at places first:last of each span, one span after the other. Raises LakeError."""
        spans = list(spans)
        count = sum(last - first for first, last in spans)
        at_ms, values = np.empty(count, np.int64), np.empty(count, np.float64)
        with translated(self._folder, "read"):
            for side, column in enumerate((at_ms, values)):
                done = 0
                for first, last in spans:
                    part = column[done : done + last - first]
                    _read_all(self._descriptor, part, (side * self._samples + first) * _WIDTH)
                    done += last - first
        return at_ms, values


def _write_all(descriptor: int, column: NDArray[Any], offset: int) -> None:
    rest = np.ascontiguousarray(column).data.cast("B")
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _read_all(descriptor: int, column: NDArray[Any], offset: int) -> None:
    rest = column.data.cast("B")
    while rest:
        read = os.preadv(descriptor, [rest], offset)
        if not read:
            raise OSError(f"a scratch file ends {len(rest)} bytes too early")
        rest, offset = rest[read:], offset + read

"""The spool: what was fetched comes back bit for bit, and what was not fetched whole never counts."""

import errno
import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from costlab.core.arrays import Floats, Ints
from costlab.domain.errors import LakeError, LakeFull, SourceUnavailable
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Day, Window
from costlab.jobs.fetch import SpooledSource
from costlab.sources import Batch, Shape, Sink, SourceInfo
from costlab.store.spool import KEPT_MS, Spool, sweep

DAY = Day(date(2026, 11, 20))
WINDOW = DAY.window
STALE = np.array([0x7FF0_0000_0000_0002], np.uint64).view(np.float64)[0]


def batch(labels: Sequence[dict[str, str]], counts: Sequence[int], bits: Any) -> Batch:
    total = sum(counts)
    maps = pa.array([list(one.items()) for one in labels], pa.map_(pa.string(), pa.string()))
    at_ms = WINDOW.start_ms + np.arange(total, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Batch(maps, offsets, at_ms, np.resize(bits, total).view(np.float64))


def one_batch(pod: str = "a", samples: int = 5) -> Batch:
    return batch([{"__name__": "up", "pod": pod}], [samples], np.arange(1, samples + 1, dtype=np.float64))


def fetch(spool: Spool, signal: str, *batches: Batch, asked: str = "question") -> None:
    room = spool.room(signal)
    part = room.part()
    for added in batches:
        part.add(added)
    part.keep()
    room.commit(asked)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    hnp.arrays(np.uint64, st.integers(1, 20)),
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_batches_come_back_bit_for_bit(tmp_path: Path, bits: Any, shapes: list[list[int]]) -> None:
    spool = Spool(tmp_path, "prod", DAY)
    names = [
        [{"__name__": "up", "pod": f"{i}-{j}"} for j in range(len(counts))] for i, counts in enumerate(shapes)
    ]
    put = [batch(labels, counts, bits) for labels, counts in zip(names, shapes, strict=True)]
    fetch(spool, "cpu_seconds", *put)
    (kept,) = spool.read("cpu_seconds")
    assert kept.labels.to_pylist() == [list(one.items()) for labels in names for one in labels]
    assert kept.lengths.tolist() == [count for counts in shapes for count in counts]
    at_ms, values = (np.concatenate([np.empty(0), *side]) for side in zip(*kept.samples(), strict=True))
    assert at_ms.tolist() == [at for one in put for at in one.at_ms.tolist()]
    assert np.array_equal(values.view(np.uint64), np.concatenate([one.values for one in put]).view(np.uint64))


def test_parts_are_kept_or_dropped_as_a_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "prod", DAY)
    room = spool.room("memory_bytes")
    first, broken, empty = room.part(), room.part(), room.part()
    first.add(one_batch("a"))
    broken.add(one_batch("b"))
    broken.drop()
    first.keep()
    empty.keep()
    assert not spool.holds("memory_bytes", "question")
    room.commit("question")
    assert spool.holds("memory_bytes", "question")
    assert not spool.holds("memory_bytes", "another question")
    assert [kept.labels.to_pylist() for kept in spool.read("memory_bytes")] == [
        [[("__name__", "up"), ("pod", "a")]]
    ]
    assert files(tmp_path / "_fetched/prod/2026-11-20/memory_bytes") == [
        "00000.samples.parquet", "00000.series.parquet", "fetched.json",
    ]  # fmt: skip
    spool.drop()
    assert not (tmp_path / "_fetched/prod/2026-11-20").exists()


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "prod", DAY)
    part = spool.room("cpu_seconds").part()
    part.add(one_batch())
    assert not spool.holds("cpu_seconds", "question")
    part.drop()
    fetch(spool, "cpu_seconds", one_batch("b"))
    assert len(list(spool.read("cpu_seconds"))) == 1


def test_nothing_found_is_asked_for_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "prod", DAY)
    fetch(spool, "gpu_power")
    assert not spool.holds("gpu_power", "question")
    assert list(spool.read("gpu_power")) == []


def test_a_full_disk_is_told_to_the_reader_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(pq.ParquetWriter):  # type: ignore[misc]  # pyarrow ships no types
        def write_table(self, *_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool(tmp_path, "prod", DAY)
    room = spool.room("cpu_seconds")
    part = room.part()
    monkeypatch.setattr(pq, "ParquetWriter", Full)
    part.add(one_batch())
    with pytest.raises(LakeFull, match="no space left"):
        part.keep()
    part.drop()
    assert files(tmp_path) == []


def test_a_disk_that_is_full_when_the_file_is_closed_ends_in_the_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullAtTheEnd(pq.ParquetWriter):  # type: ignore[misc]  # pyarrow ships no types
        def close(self) -> None:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    part = Spool(tmp_path, "prod", DAY).room("cpu_seconds").part()
    monkeypatch.setattr(pq, "ParquetWriter", FullAtTheEnd)
    part.add(one_batch())
    with pytest.raises(LakeFull, match="no space left"):
        part.keep()
    part.drop()
    assert files(tmp_path) == []


def test_a_damaged_file_is_named_and_fetched_anew(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "prod", DAY)
    fetch(spool, "cpu_seconds", one_batch())
    file = next((tmp_path / "_fetched").rglob("*.samples.parquet"))
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(LakeError, match=r"what was fetched of cpu_seconds cannot be read") as fault:
        [list(kept.samples()) for kept in spool.read("cpu_seconds")]
    assert "fetched anew" in fault.value.hint
    assert not spool.holds("cpu_seconds", "question")


class AsTold:
    """Series of the exporter as they are, in their order."""

    def __init__(self, signal: Signal, labels: Sequence[Labels], lengths: Ints) -> None:
        self._signal, self._labels, self.sizes, self.members = signal, labels, lengths, np.arange(len(labels))

    def series(self, which: Ints, at_ms: Ints, values: Floats) -> tuple[Ints, Series]:
        offsets = np.concatenate([[0], np.cumsum(self.sizes[which])]).astype(np.int64)
        return which, Series(self._signal, tuple(self._labels[i] for i in which), offsets, at_ms, values)


class Flaky:
    """A stream of two pods a signal, which breaks off at one of its signals as long as it is told to."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.breaks_at: Signal | None = None
        self.read_signals: list[Signal] = []

    def asks(self, signal: Signal, window: Window) -> str:
        return f"{signal} {window}"

    def read(
        self,
        signals: Sequence[Signal],
        window: Window,
        sink_of: Callable[[Signal], Sink],
        done: Callable[[Signal, Sequence[str]], None],
    ) -> None:
        assert window == WINDOW
        for signal in signals:
            self.read_signals.append(signal)
            part = sink_of(signal).part()
            part.add(one_batch(signal.value))
            if signal is self.breaks_at:
                part.drop()
                raise SourceUnavailable("it broke off", "try again")
            part.keep()
            done(signal, [f"{signal} was read"])

    def shape(self, signal: Signal, labels: Sequence[Labels], lengths: Ints) -> Shape:
        return AsTold(signal, labels, lengths)

    def ahead_s(self) -> float:
        return 0.0

    def info(self) -> SourceInfo:
        return SourceInfo("flaky", "1", "direct")


def test_an_interrupted_day_goes_on_where_it_was(tmp_path: Path) -> None:
    stream, spool = Flaky(), Spool(tmp_path, "prod", DAY)
    stream.breaks_at = Signal.MEMORY_BYTES
    with pytest.raises(SourceUnavailable):
        SpooledSource(stream, spool).shelf(Signal.POD_INFO, WINDOW)
    before, stream.breaks_at = list(stream.read_signals), None
    stream.read_signals.clear()
    again = SpooledSource(stream, spool)
    found = {signal: again.shelf(signal, WINDOW).take(np.arange(1))[1] for signal in Signal}
    assert [*before[:-1], *stream.read_signals] == list(Signal)
    assert before[-1] == stream.read_signals[0] == Signal.MEMORY_BYTES
    assert [dict(one) for signal in Signal for one in found[signal].labels] == [
        {"__name__": "up", "pod": signal.value} for signal in Signal
    ]
    # What the run before this one remarked is said by this one, as if it had not broken off.
    assert sorted(again.warnings) == sorted(f"{signal} was read" for signal in Signal)
    again.settled()
    assert files(tmp_path) == []


def test_days_that_nobody_goes_on_with_are_swept_away(tmp_path: Path) -> None:
    old, going_on, other = (
        Spool(tmp_path, *where) for where in (("prod", DAY), ("prod", DAY.next), ("gone", DAY))
    )
    for spool in (old, going_on, other):
        for signal in ("cpu_seconds", "memory_bytes"):
            fetch(spool, signal, one_batch())
    now_s = 1_800_000_000
    for path in (tmp_path / "_fetched").rglob("*"):
        os.utime(path, (now_s, now_s))
    (mark,) = (tmp_path / "_fetched" / "prod" / str(DAY.next.date)).glob("cpu_seconds/fetched.json")
    os.utime(mark, (now_s + 60, now_s + 60))
    sweep(tmp_path, 1000 * now_s + KEPT_MS)
    assert old.holds("cpu_seconds", "question")
    sweep(tmp_path, 1000 * now_s + KEPT_MS + 1)
    assert [spool.holds("memory_bytes", "question") for spool in (old, going_on, other)] == [
        False,
        True,
        False,
    ]
    sweep(tmp_path, 1000 * now_s + KEPT_MS + 60_001)
    assert list(tmp_path.iterdir()) == []
    sweep(tmp_path, 1000 * now_s)


def test_what_nobody_will_ask_for_is_not_fetched(tmp_path: Path) -> None:
    stream = Flaky()
    SpooledSource(stream, Spool(tmp_path, "prod", DAY), unread={Signal.SENT_BYTES}).shelf(
        Signal.POD_INFO, WINDOW
    )
    assert stream.read_signals == [signal for signal in Signal if signal is not Signal.SENT_BYTES]

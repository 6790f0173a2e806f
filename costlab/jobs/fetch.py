"""A day out of a stream, by way of the spool: fetched once, also when a run breaks off, and read from there.

Its signals are shards: each can be fetched by itself, by whoever, and read from one spool in the end.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from costlab.config.settings import Cluster, Settings
from costlab.core.arrays import Ints
from costlab.domain.signals import Series, Signal
from costlab.domain.time import Day, Window
from costlab.jobs.facts import observed_span, unpriced_signals
from costlab.sources import Shape, Shelf, SourceInfo, Stream, label_sets
from costlab.sources.prometheus.catalogue import Catalogue
from costlab.sources.prometheus.source import PrometheusSource
from costlab.store.scratch import Scratch
from costlab.store.spool import Kept, SignalRoom, Spool


def spooled(
    settings: Settings, cluster: Cluster, day: Day, folder: Path, step: Callable[[str], None] = lambda _: None
) -> "SpooledSource":
    """A day out of the cluster's Prometheus, by way of a spool in this folder. Raises ConfigError."""
    stream = PrometheusSource(cluster.prometheus, catalogue=Catalogue(settings.accelerators))
    return SpooledSource(stream, Spool(folder, cluster.id, day), step, unread=unpriced_signals(settings))


@dataclass(frozen=True, slots=True)
class Shard:
    """A signal of a day as it was fetched: files of a spool, none where nothing was found."""

    signal: Signal
    files: Mapping[str, bytes]


def shards_of(settings: Settings) -> list[Signal]:
    """The signals of which a day is made."""
    unread = unpriced_signals(settings)
    return [signal for signal in Signal if signal not in unread]


def fetch_shard(settings: Settings, cluster: Cluster, day: Day, signal: Signal, folder: Path) -> Shard:
    """One signal of a day, by way of a spool in this folder. Raises ConfigError, SourceError and LakeError."""
    spooled(settings, cluster, day, folder).fetch([signal], observed_span(day, settings))
    return Shard(signal, Spool(folder, cluster.id, day).sent(signal))


def land(shards: Iterable[Shard], cluster: str, day: Day, folder: Path) -> None:
    """Put shards into the spool in this folder, of which `spooled` then reads them. Raises LakeError."""
    for shard in shards:
        if shard.files:
            Spool(folder, cluster, day).landed(shard.signal, shard.files)


class SpooledSource:
    """The signals of one day of a stream; the first question fetches them all, two at a time and the largest first.

    unread: signals that nobody will ask for.
    """

    def __init__(
        self, stream: Stream, spool: Spool, step: Callable[[str], None] = lambda _: None,
        *, unread: Collection[Signal] = (),
    ) -> None:  # fmt: skip
        self._stream = stream
        self._spool = spool
        self._step = step
        self._wanted = [signal for signal in Signal if signal not in unread]
        self._fetched: Window | None = None
        self._remarks: dict[str, None] = {}

    @property
    def warnings(self) -> list[str]:
        """Harmless remarks of what was fetched, each once; also of what a run before this one fetched."""
        return list(dict.fromkeys((*self._remarks, *self._stream.warnings)))

    def ahead_s(self) -> float:
        """How far the source's clock is ahead of this machine's; raises SourceError."""
        return self._stream.ahead_s()

    def shelf(self, signal: Signal, window: Window) -> Shelf:
        """All samples with window.start_ms <= t < window.end_ms; raises SourceError and LakeError."""
        if self._fetched != window:
            self.fetch(self._wanted, window)
            self._fetched = window
        kept = list(self._spool.read(signal))
        labels = [one for part in kept for one in label_sets(part.labels)]
        lengths = np.concatenate([np.empty(0, np.int64), *(part.lengths for part in kept)])
        some = np.flatnonzero(lengths)
        shape = self._stream.shape(signal, [labels[place] for place in some.tolist()], lengths[some])
        places = np.full(len(lengths), -1, np.int64)
        members = some[shape.members]
        places[members] = np.cumsum(lengths[members]) - lengths[members]
        scratch = self._spool.scratch(int(shape.sizes.sum()))
        for number, part in enumerate(kept):
            first = sum(len(other.lengths) for other in kept[:number])
            _put_in_order(part, places[first : first + len(part.lengths)], scratch)
        return _Sorted(shape, scratch)

    def info(self) -> SourceInfo:
        """What answers; raises SourceError."""
        return self._stream.info()

    def settled(self) -> None:
        """The day is in the lake: its spool goes."""
        self._spool.drop()

    def fetch(self, signals: Sequence[Signal], window: Window) -> None:
        """Put those of these signals into the spool that are not there yet. Raises SourceError and LakeError."""
        asked = {signal: self._stream.asks(signal, window) for signal in signals}
        missing = [signal for signal in signals if not self._spool.holds(signal, asked[signal])]
        for signal in asked.keys() - missing:
            self._remarks |= dict.fromkeys(self._spool.remarks(signal))
        rooms: dict[Signal, SignalRoom] = {}

        def room(signal: Signal) -> SignalRoom:
            self._step(f"fetch {signal}")
            rooms[signal] = self._spool.room(signal)
            return rooms[signal]

        def done(signal: Signal, remarks: Sequence[str]) -> None:
            self._remarks |= dict.fromkeys(remarks)
            rooms[signal].commit(asked[signal], remarks)

        self._stream.read(missing, window, room, done)


class _Sorted:
    """A signal whose samples are on the disk, in the order of its series."""

    def __init__(self, shape: Shape, scratch: Scratch) -> None:
        self._shape = shape
        self._scratch = scratch
        self._begins = np.cumsum(shape.sizes) - shape.sizes

    @property
    def sizes(self) -> Ints:
        return self._shape.sizes

    def take(self, which: Ints) -> tuple[Ints, Series]:
        begins = self._begins[which]
        ends = begins + self._shape.sizes[which]
        # What lies side by side is read at once.
        first = np.append(True, begins[1:] != ends[:-1])[: len(which)]
        last = np.append(first[1:], True)[: len(which)]
        spans = zip(begins[first].tolist(), ends[last].tolist(), strict=True)
        return self._shape.series(which, *self._scratch.take(spans))


def _put_in_order(kept: Kept, places: Ints, scratch: Scratch) -> None:
    """Put the samples of each series at its place; those of series with place -1 are left out."""
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept.lengths)])
    row = 0
    for at_ms, values in kept.samples():
        until = row + len(at_ms)
        for first, last, place in _runs(begins, places, row, until):
            scratch.put(place, at_ms[first - row : last - row], values[first - row : last - row])
        row = until


def _runs(begins: Ints, places: Ints, row: int, until: int) -> Iterator[tuple[int, int, int]]:
    """Which of the rows row:until go to which place: first, last, place; neighbours that stay so go together."""
    low, high = np.searchsorted(begins, row, "right") - 1, np.searchsorted(begins, until)
    first, last = np.maximum(begins[low:high], row), np.minimum(begins[low + 1 : high + 1], until)
    place = places[low:high] + first - begins[low:high]
    wanted = (places[low:high] >= 0) & (last > first)
    first, last, place = first[wanted], last[wanted], place[wanted]
    if not len(first):
        return
    new = np.append(True, (first[1:] != last[:-1]) | (place[1:] != place[:-1] + (last - first)[:-1]))
    ends = last[np.append(new[1:], True)]
    yield from zip(first[new].tolist(), ends.tolist(), place[new].tolist(), strict=True)

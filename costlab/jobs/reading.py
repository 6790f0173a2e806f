"""The signals of a day as they are needed: read from the source some series at a time, and let go when memory is short."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence

import numpy as np

from costlab.core.arrays import Ints
from costlab.core.kernels.samples import telling
from costlab.core.observe import ScrapeSteps
from costlab.domain.signals import Labels, Series, Signal, one_after_another
from costlab.domain.time import Window
from costlab.sources import Shelf, Source
from costlab.store.memory import give_back

# That are worked on at the same time: 16 bytes each, and some times that on the way.
BLOCK_SAMPLES = 300_000
MOST_SAMPLES = 1_000_000  # that are held to be looked at again
_SMALL = 100_000  # samples of a signal that is read again in no time, but often
_SHELVES = 12  # that stay open, on the disk: of usage and of GPUs, which are looked at several times

# Of these only the values matter, and how long each was told; nothing counts their samples.
_STEADY = frozenset(
    {
        Signal.POD_INFO,
        Signal.POD_OWNER,
        Signal.POD_PHASE,
        Signal.POD_SCHEDULED_TIME,
        Signal.POD_START_TIME,
        Signal.POD_COMPLETION_TIME,
        Signal.POD_LABELS,
        Signal.POD_CLAIMS,
        Signal.POD_OVERHEAD_CPU,
        Signal.POD_OVERHEAD_MEMORY,
        Signal.INIT_CONTAINER_REQUEST,
        Signal.CONTAINER_START_TIME,
        Signal.REPLICASET_OWNER,
        Signal.JOB_OWNER,
        Signal.NAMESPACE_LABELS,
    }
)


class Reading(Mapping[Signal, Series]):
    """All signals in a window but for those that stay `unread`; `step` is told of each that is read.

    counts: the samples of each signal that has some; complete once every signal was looked at.
    intervals_ms: the usual time between two samples of a series, replicas united, of each signal that shows one; as
        complete.
    """

    def __init__(
        self,
        source: Source,
        window: Window,
        step: Callable[[str], None],
        max_gap_ms: int,
        block_samples: int = BLOCK_SAMPLES,
        *,
        unread: Collection[Signal] = (),
    ) -> None:
        self.counts: dict[Signal, int] = {}
        self.intervals_ms: dict[Signal, int] = {}
        self.block_samples = block_samples
        self._source = source
        self._window = window
        self._step = step
        self._max_gap_ms = max_gap_ms
        self._unread = unread
        self._seen: set[Signal] = set()
        self._held: OrderedDict[Signal, Series] = OrderedDict()
        self._shelves: OrderedDict[Signal, Shelf] = OrderedDict()

    def __getitem__(self, signal: Signal) -> Series:
        """The signal's series, all at once; raises SourceError.

        Of what kube-state-metrics says of pods and of their owners, and of start times, samples that tell nothing new
        are left out: what was told, from when until when, is as it was.
        """
        if signal not in self._held:
            told = [self._telling(series) for _, series in self.blocks(signal)]
            self._held[signal] = one_after_another(signal, told)
            self._make_room(signal)
        self._held.move_to_end(signal)
        return self._held[signal]

    def blocks(self, signal: Signal) -> Iterator[tuple[Ints, Series]]:
        """The signal's series, whole ones, some at a time, and their places on its shelf; raises SourceError."""
        shelf = self.shelf(signal)
        count, steps = 0, ScrapeSteps(int(shelf.sizes.sum()))
        for which in in_blocks(shelf.sizes, self.block_samples):
            seen, series = shelf.take(which)
            if signal not in self._seen:
                count += series.sample_count
                steps.show(series.at_ms, series.offsets)
            yield seen, series
        if signal not in self._seen:
            self._seen.add(signal)
            if count:
                self.counts[signal] = count
            if interval_ms := steps.interval_ms():
                self.intervals_ms[signal] = interval_ms

    def together(
        self, wanted: Sequence[Signal], key_of: Callable[[Labels], Hashable], most_samples: int
    ) -> Iterator[dict[Signal, Series]]:
        """The series of some signals, those of a key together and some keys at a time; raises SourceError."""
        places: dict[Hashable, dict[Signal, list[int]]] = {}
        weight: dict[Hashable, int] = defaultdict(int)
        for signal in wanted:
            for seen, series in self.blocks(signal):
                sizes = np.diff(series.offsets).tolist()
                for place, labels, size in zip(seen.tolist(), series.labels, sizes, strict=True):
                    key = key_of(labels)
                    places.setdefault(key, {one: [] for one in wanted})[signal].append(place)
                    weight[key] += size
        keys = list(places)
        for block in in_blocks(np.array([weight[key] for key in keys], np.int64), most_samples):
            yield {
                signal: self.shelf(signal).take(
                    np.array(sorted(p for n in block.tolist() for p in places[keys[n]][signal]), np.int64)
                )[1]
                for signal in wanted
            }

    def shelf(self, signal: Signal) -> Shelf:
        """The signal's series, to be taken out some at a time; raises SourceError."""
        if signal not in self._shelves:
            give_back()
            self._step(f"read {signal}")
            self._shelves[signal] = self._source.shelf(signal, self._window)
            if len(self._shelves) > _SHELVES:
                self._shelves.popitem(last=False)
        self._shelves.move_to_end(signal)
        return self._shelves[signal]

    def read_rest(self) -> None:
        """Read what was not looked at yet, so that it counts too; raises SourceError."""
        for signal in Signal:
            if signal not in self._seen and signal not in self._unread:
                for _ in self.blocks(signal):
                    pass

    def __iter__(self) -> Iterator[Signal]:
        return iter(Signal)

    def __len__(self) -> int:
        return len(Signal)

    def _telling(self, series: Series) -> Series:
        if series.signal not in _STEADY:
            return series
        return series.keep(telling(series.at_ms, series.values, series.offsets, self._max_gap_ms))

    def _make_room(self, newest: Signal) -> None:
        """Let those go that were not looked at for longest, but for what is small and looked at again and again."""
        sizes = {signal: held.sample_count for signal, held in self._held.items()}
        for signal, size in sizes.items():
            if sum(sizes[other] for other in self._held) <= MOST_SAMPLES:
                return
            if signal is not newest and size > _SMALL:
                del self._held[signal]


def in_blocks(sizes: Ints, most: int) -> list[Ints]:
    """Places 0, 1, … in blocks of at most `most` samples each, or of one place that has more; at least one block."""
    ends = np.cumsum(sizes)
    cuts, first = [0], 0
    while first < len(sizes):
        before = ends[first - 1] if first else 0
        first = max(first + 1, int(np.searchsorted(ends, before + most, "right")))
        cuts.append(first)
    blocks = [np.arange(low, high) for low, high in zip(cuts[:-1], cuts[1:], strict=True)]
    return blocks or [np.arange(0)]

"""The signals of a day as they are needed: read from the source one at a time, and let go when memory is short."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping

from costlab.core.observe import scrape_interval_ms
from costlab.domain.signals import Series, Signal
from costlab.domain.time import Window
from costlab.sources import Source

# Of samples in memory, 16 bytes each: CPU and memory of 2,000 containers every 30 s, which are looked at side by side.
MOST_SAMPLES = 12_000_000
_SMALL = 100_000  # of samples: a signal that is read again in no time, but often


class Reading(Mapping[Signal, Series]):
    """All signals in a window but for those that stay `unread`; `step` is told of each that is read.

    counts: the samples of each signal that has some; complete once every signal was looked at.
    intervals_ms: the usual time between two samples of a series, replicas united, of each signal that shows one; as
        complete.
    """

    def __init__(
        self, source: Source, window: Window, step: Callable[[str], None], most_samples: int = MOST_SAMPLES,
        *, unread: Collection[Signal] = (),
    ) -> None:  # fmt: skip
        self.counts: dict[Signal, int] = {}
        self.intervals_ms: dict[Signal, int] = {}
        self._source = source
        self._window = window
        self._step = step
        self._most_samples = most_samples
        self._unread = unread
        self._seen: set[Signal] = set()
        self._held: OrderedDict[Signal, Series] = OrderedDict()

    def __getitem__(self, signal: Signal) -> Series:
        """The signal's series; raises SourceError."""
        if signal in self._held:
            self._held.move_to_end(signal)
            return self._held[signal]
        self._step(f"read {signal}")
        series = self._source.fetch(signal, self._window)
        self._seen.add(signal)
        if series.sample_count and signal not in self.counts:
            self.counts[signal] = series.sample_count
            if interval_ms := scrape_interval_ms(series.at_ms, series.offsets, 0):
                self.intervals_ms[signal] = interval_ms
        self._held[signal] = series
        self._make_room(signal)
        return series

    def read_rest(self) -> None:
        """Read what was not looked at yet, so that it counts too; raises SourceError."""
        for signal in Signal:
            if signal not in self._seen and signal not in self._unread:
                _ = self[signal]

    def __iter__(self) -> Iterator[Signal]:
        return iter(Signal)

    def __len__(self) -> int:
        return len(Signal)

    def _make_room(self, newest: Signal) -> None:
        """Let those go that were not looked at for longest, but for what is small and looked at again and again."""
        sizes = {signal: held.sample_count for signal, held in self._held.items()}
        for signal, size in sizes.items():
            if sum(sizes[other] for other in self._held) <= self._most_samples:
                return
            if signal is not newest and size > _SMALL:
                del self._held[signal]

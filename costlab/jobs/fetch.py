"""A day out of a stream, by way of the spool: fetched once, also when a run breaks off, and read from there."""

from collections.abc import Callable, Collection, Sequence

from costlab.domain.signals import Series, Signal
from costlab.domain.time import Window
from costlab.sources import Batch, RawSeries, SourceInfo, Stream
from costlab.store.spool import SignalRoom, Spool


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

    def fetch(self, signal: Signal, window: Window) -> Series:
        """All samples with window.start_ms <= t < window.end_ms; raises SourceError and LakeError."""
        if self._fetched != window:
            self._fetch_all(window)
        raw: list[RawSeries] = []
        for kept in self._spool.read(signal):
            raw += Batch(kept.labels, kept.offsets, kept.at_ms, kept.values).series()
        return self._stream.series(signal, raw)

    def info(self) -> SourceInfo:
        """What answers; raises SourceError."""
        return self._stream.info()

    def settled(self) -> None:
        """The day is in the lake: its spool goes."""
        self._spool.drop()

    def _fetch_all(self, window: Window) -> None:
        asked = {signal: self._stream.asks(signal, window) for signal in self._wanted}
        missing = [signal for signal in self._wanted if not self._spool.holds(signal, asked[signal])]
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
        self._fetched = window

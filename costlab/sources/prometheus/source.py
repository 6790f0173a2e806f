"""Signals out of a Prometheus: of every exporter that has a signal, the first metric with samples."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from hashlib import sha256
from threading import Lock

import orjson
import requests

from costlab.config.servers import Prometheus
from costlab.domain.errors import SourceError, SourceRefused
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.sources import Batch, Shelf, Sink, SourceInfo, Whole
from costlab.sources.prometheus.backend import Backend, enter
from costlab.sources.prometheus.canonical import Canonical, Ints, left_out, lengths_of
from costlab.sources.prometheus.catalogue import Catalogue, Metric, built_in
from costlab.sources.prometheus.gate import Gate
from costlab.sources.prometheus.planning import metrics_there, pieces, series_at_once
from costlab.sources.prometheus.selector import Matcher, Operator
from costlab.sources.prometheus.tasks import Reader, Task

_LOOKS_UP_S = 0.25
MOST_SKEW_S = 60  # beyond it, nobody knows whose midnight a day ended at


class PrometheusSource:
    """Reads raw samples by the engine that suits the server; `session` replaces the one made from the settings.

    One of them is for one day: what it remarks is that day's, and after an error it reads no more.
    catalogue: of the metrics that carry signals; by default the built-in one.
    Raises ConfigError when a file that the settings name cannot be used.
    """

    def __init__(
        self,
        settings: Prometheus,
        session: requests.Session | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        self._remarks: list[str] = []
        self._settings = settings
        self._catalogue = catalogue or built_in()
        self._session = session
        self._entered: Backend | None = None
        self._entering = Lock()
        self._unsound: dict[Signal, set[str]] = {}
        self._apart: dict[Signal, dict[str, set[str]]] = {}
        self._matchers = tuple(
            Matcher(label, Operator.EQUAL, value) for label, value in sorted(settings.matchers.items())
        )

    @property
    def warnings(self) -> list[str]:
        """Harmless remarks collected while reading: what was left out, and what else may tell replicas apart, too."""
        unsound = {metric for metrics in self._unsound.values() for metric in metrics}
        apart: dict[str, set[str]] = {}
        for of_signal in self._apart.values():
            apart = {**of_signal, **apart}  # of each label, what the signal tells that was read first
        return [
            *self._remarks,
            *(left_out(metric) for metric in sorted(unsound)),
            *(_taken_for_one(label, values) for label, values in apart.items()),
        ]

    def asks(self, signal: Signal, window: Window) -> str:
        """The question as a text: the address, the window and the selectors, exporter by exporter."""
        selectors = [
            [
                [str(metric.selector(self._matchers)) for metric in side]
                for side in (group.metrics, group.unless)
            ]
            for group in self._catalogue.groups(signal)
        ]
        asked = [self._settings.url, self._asker(), window.start_ms, window.end_ms, selectors]
        return orjson.dumps(asked).decode()

    def read(
        self,
        signals: Sequence[Signal],
        window: Window,
        sink_of: Callable[[Signal], Sink],
        done: Callable[[Signal, Sequence[str]], None],
    ) -> None:
        """Put all samples of the signals in the window into their sinks, as many at a time as may be in flight.

        Raises SourceError, and what sinks raise; never calls a part of what was asked for a whole.
        """
        if not signals:
            return
        backend = self._backend()
        gate = Gate(self._settings.max_in_flight)
        most_samples = backend.engine().most_samples
        there = metrics_there(backend.names_known, self._catalogue, window)
        metrics = [metric.name for signal in signals for metric in self._catalogue.metrics(signal)]
        known = (
            series_at_once(
                backend.client, metrics, self._matchers, window, time.monotonic() + self._settings.timeout
            )
            if most_samples is not None
            else {}
        )

        def read_one(signal: Signal) -> None:
            sink, deadline = sink_of(signal), time.monotonic() + self._settings.signal_timeout
            engine = backend.engine()
            reader = Reader(engine, gate, backend, self._settings.max_series)

            def samples(metric: Metric, into: Sink) -> Iterator[int]:
                parts = pieces(window, known.get(metric.name), most_samples)
                for part in parts if there(metric) else ():
                    yield reader.read(Task(metric.selector(self._matchers), part, deadline), into)

            def heard(metric: Metric) -> bool:
                if not there(metric):
                    return False
                try:
                    return reader.heard(Task(metric.selector(self._matchers), window, deadline))
                except SourceRefused:  # it does not count so, and reads in the lengths that suit it
                    return any(samples(metric, _Nowhere()))

            self._catalogue.carry(signal, lambda metric: sum(samples(metric, sink)) > 0, heard)
            done(signal, engine.remarks)

        largest_first = sorted(
            signals,
            key=lambda signal: -max(known.get(m.name, 0) for m in self._catalogue.metrics(signal)),
        )
        with ThreadPoolExecutor(self._settings.max_in_flight) as pool:
            try:
                _all_done([pool.submit(read_one, signal) for signal in largest_first])
            except BaseException:
                gate.close()
                pool.shutdown(wait=False, cancel_futures=True)
                backend.client.abort()
                raise

    def shape(self, signal: Signal, labels: Sequence[Labels], lengths: Ints) -> Canonical:
        """The signal that series of these labels carry."""
        carriers, replicas = self._catalogue.metrics(signal), self._settings.replica_labels
        shape = Canonical(signal, carriers, labels, lengths, replicas)
        # It may be asked for again, and then not all of it looked at: what was odd stays said.
        shape.unsound |= self._unsound.get(signal, set())
        shape.apart |= self._apart.get(signal, {})
        self._unsound[signal], self._apart[signal] = shape.unsound, shape.apart
        return shape

    def fetch(self, signal: Signal, window: Window) -> Series:
        """All samples with window.start_ms <= t < window.end_ms, in memory.

        Raises SourceUnavailable or SourceRefused; never gives a part of what was asked for.
        """
        found = _Memory()
        self.read([signal], window, lambda _: found, lambda _, remarks: self._note(remarks))
        raw = [series for batch in found.batches for series in batch.series()]
        return self.shape(signal, [series.labels for series in raw], lengths_of(raw)).whole(raw)

    def shelf(self, signal: Signal, window: Window) -> Shelf:
        """The same, on a shelf."""
        return Whole(self.fetch(signal, window))

    def ahead_s(self) -> float:
        """How far the server's clock was ahead of this machine's when it was entered; raises SourceError."""
        return self._backend().ahead_s

    def info(self) -> SourceInfo:
        """The product and version that answer, and how samples are read; raises SourceError."""
        return self._backend().info

    def settled(self) -> None:
        """Nothing is kept."""

    def _asker(self) -> str:
        """A hash of what else decides what is seen: tenants and other headers, the user, the engine; it shows no secret."""
        settings = self._settings
        headers = {name: value.get_secret_value() for name, value in sorted(settings.headers.items())}
        user = settings.basic_auth.username if settings.basic_auth else ""
        return sha256(orjson.dumps([headers, user, settings.engine.value])).hexdigest()

    def _backend(self) -> Backend:
        """The way in, tried out once; what fails here fails whatever day is asked for."""
        with self._entering:
            if self._entered is None:
                try:
                    self._entered = enter(self._settings, self._session)
                except SourceError as fault:
                    fault.every_day = True
                    raise
                if abs(self._entered.ahead_s) > MOST_SKEW_S:
                    # In minutes, so that the same day read again is told of in the same words.
                    ahead_min = self._entered.ahead_s / 60
                    self._note([f"the server's clock is {ahead_min:+.0f} min from ours: let NTP keep both"])
            return self._entered

    def _note(self, remarks: Iterable[str]) -> None:
        self._remarks.extend(remark for remark in dict.fromkeys(remarks) if remark not in self._remarks)


def _taken_for_one(label: str, values: set[str]) -> str:
    some = ", ".join(sorted(values)[:3]) + (", …" if len(values) > 3 else "")
    return (
        f"series that differ in {label} alone ({some}) are taken for one: if it tells replicas apart, add it to "
        "prometheus.replica_labels; if clusters, choose one with prometheus.matchers"
    )


def _all_done(futures: Sequence["Future[None]"]) -> None:
    """Wait for all; raises what the first raised that failed, as soon as it has."""
    finished: set[Future[None]] = set()
    while len(finished) < len(futures) and not any(future.exception() for future in finished):
        # A signal may reach any thread, but its handler runs in this one, and only when it looks up.
        finished, _ = wait(futures, timeout=_LOOKS_UP_S, return_when=FIRST_EXCEPTION)
    for future in futures:
        if future in finished:
            future.result()


class _Memory:
    """A sink that keeps everything; for what is small."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def part(self) -> "_MemoryPart":
        return _MemoryPart(self.batches)


class _MemoryPart:
    def __init__(self, kept: list[Batch]) -> None:
        self._kept = kept
        self._added: list[Batch] = []

    def add(self, batch: Batch) -> None:
        self._added.append(batch)

    def keep(self) -> None:
        self._kept += self._added

    def drop(self) -> None:
        self._added.clear()


class _Nowhere:
    """A sink, and its parts, for what is only asked whether it is there."""

    def part(self) -> "_Nowhere":
        return self

    def add(self, batch: Batch) -> None:
        pass

    def keep(self) -> None:
        pass

    def drop(self) -> None:
        pass

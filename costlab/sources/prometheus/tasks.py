"""A task is the samples of one selector in one window: read whole, split where the server says so, or a typed error."""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import NoReturn, Protocol

import pyarrow.compute as pc

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.domain.time import MINUTE_MS, Window
from costlab.sources import Batch, Sink
from costlab.sources.prometheus.answer import BrokenOff, MayPass, QueryTimedOut, QueryTooLarge, QueryTooLong
from costlab.sources.prometheus.engine import Engine
from costlab.sources.prometheus.gate import Gate
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

TRIES = 5
FLOOR_MS = 5 * MINUTE_MS
LONGEST_PAUSE_S = 60.0
# Labels that part a metric into many small pieces, in the order in which they are tried.
_SHARD_LABELS = (
    "namespace",
    "exported_namespace",
    "node",
    "Hostname",
    "hostname",
    "instance",
    "pod",
    "exported_pod",
)


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked for, and until when (on the reader's clock) all of it has to be there."""

    selector: Selector
    window: Window
    deadline: float


class Discovery(Protocol):
    """A small question to the server, by which a task can be split when its window cannot."""

    def label_values(self, label: str, selector: Selector, window: Window) -> Sequence[str]:
        """The values of a label over the selected series; raises SourceError."""
        ...


class Reader:
    """Reads tasks through an engine, patiently and kindly; one reader may be used by several threads.

    most_series: of one request; more of them is a mistake in the configuration, or in an exporter.
    """

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        discovery: Discovery,
        most_series: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._discovery = discovery
        self._most_series = most_series
        self._clock = clock
        self._sleep = sleep or gate.pause
        self._jitter = jitter
        self._refused_ms: dict[Selector, int] = {}

    def read(self, task: Task, sink: Sink) -> int:
        """Put the task's samples into the sink, each request's into a part of its own; how many there are.

        A query that was too large or too slow is never sent again: its window is halved down to 5 minutes, then its
        series are parted by a label. Raises SourceError, when no part of what was read may be used.
        """
        if self._refused_ms.get(task.selector, task.window.duration_ms + 1) <= task.window.duration_ms:
            return self._read_halves(task, sink)
        try:
            return self._patiently(task, sink)
        except (QueryTooLarge, QueryTimedOut) as fault:
            if task.window.duration_ms >= 2 * FLOOR_MS:
                # The windows beside it are as long: they need not be refused first.
                self._refused_ms[task.selector] = task.window.duration_ms
                return self._read_halves(task, sink)
            if isinstance(fault, QueryTooLong):
                raise  # fewer series would be as long
            return sum(self.read(replace(task, selector=part), sink) for part in self._parted(task, fault))

    def _read_halves(self, task: Task, sink: Sink) -> int:
        halves = task.window.split(-(-task.window.duration_ms // 2))
        return sum(self.read(replace(task, window=half), sink) for half in halves)

    def _patiently(self, task: Task, sink: Sink) -> int:
        """One query, repeated up to 5 times in all while its fault is one that may pass."""
        for attempt in count(1):
            try:
                with self._gate.entered():
                    self._in_time(task)
                    samples = self._once(task, sink)
                self._gate.answered()
            except (MayPass, BrokenOff) as fault:
                self._gate.busy()
                pause_s = self._pause_s(fault, attempt)
                if attempt == TRIES or self._clock() + pause_s >= task.deadline:
                    raise
                self._sleep(pause_s)
            else:
                return samples
        raise AssertionError  # the loop has no end

    def _once(self, task: Task, sink: Sink) -> int:
        part, series, samples = sink.part(), 0, 0
        try:
            for batch in self._engine.read(task.selector, task.window):
                self._gate.check()
                series, samples = series + len(batch.offsets) - 1, samples + len(batch.at_ms)
                if series > self._most_series:
                    self._refuse_so_many(task, batch)
                part.add(batch)
            part.keep()
        except BaseException:
            part.drop()
            raise
        return samples

    def _in_time(self, task: Task) -> None:
        if self._clock() >= task.deadline:
            raise SourceUnavailable(
                f"{task.selector} was not read in the time that one signal has",
                "raise prometheus.signal_timeout, or see whether the server is overloaded",
            )

    def _parted(self, task: Task, fault: SourceError) -> tuple[Selector, Selector]:
        """Two selectors that share the task's series out between them by the values of a label.

        The second takes all that the first does not, so nothing is lost if a value appears in between.
        """
        for label in _SHARD_LABELS:
            values = self._discovery.label_values(label, task.selector, task.window)
            if len(values) > 1:
                half = "|".join(re.escape(value) for value in sorted(values)[: len(values) // 2])
                return (
                    task.selector.narrowed(Matcher(label, Operator.MATCHES, half)),
                    task.selector.narrowed(Matcher(label, Operator.NOT_MATCHES, half)),
                )
        raise type(fault)(
            f"{fault.message}, even for {FLOOR_MS // MINUTE_MS} minutes of {task.selector}", fault.hint
        )

    def _refuse_so_many(self, task: Task, batch: Batch) -> NoReturn:
        """Raise the error that names the labels that make the series so many, judged by the last batch."""
        names = pc.unique(batch.labels.keys).to_pylist()
        kinds = {
            name: pc.count_distinct(pc.map_lookup(batch.labels, name, "first")).as_py() for name in names
        }
        top = sorted(kinds, key=lambda name: (-kinds[name], name))[:3]
        told = ", ".join(f"{name} ({kinds[name]:,} values in {len(batch.labels):,} series)" for name in top)
        raise SourceRefused(
            f"{task.selector} has more than {self._most_series:,} series: cardinality limit; top labels: {told}",
            "narrow it with prometheus.matchers, mend the exporter, or raise prometheus.max_series",
        )

    def _pause_s(self, fault: SourceError, attempt: int) -> float:
        """How long to wait after the n-th attempt: 0.5 s, 1 s, 2 s, ... give or take half, or as the server asks."""
        pause_s = 0.5 * 2.0 ** (attempt - 1) * (0.5 + self._jitter())
        asked_s = fault.after_s if isinstance(fault, MayPass) else 0.0
        return min(max(pause_s, asked_s), LONGEST_PAUSE_S)

"""A task is the samples of one selector in one window: read whole, split where the server says so, or a typed error."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import NoReturn, Protocol, TypeVar

import pyarrow.compute as pc

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.domain.time import MINUTE_MS, Window
from costlab.sources import Batch, Sink
from costlab.sources.prometheus.answer import (
    BrokenOff,
    GatewayTimedOut,
    MayPass,
    QueryTimedOut,
    QueryTooLarge,
    QueryTooLong,
)
from costlab.sources.prometheus.batches import label_digests
from costlab.sources.prometheus.engine import Engine
from costlab.sources.prometheus.gate import Gate
from costlab.sources.prometheus.patience import pause_s
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

TRIES = 5
FLOOR_MS = 5 * MINUTE_MS
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
# Faults that a proxy makes of answers that are too large, or come too late, and that bad luck makes of any.
_PERHAPS_TOO_LARGE = (BrokenOff, GatewayTimedOut)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked for, and until when (on the reader's clock) all of it has to be there."""

    selector: Selector
    window: Window
    deadline: float


class Discovery(Protocol):
    """A small question to the server, by which a task can be split when its window cannot."""

    def label_values(self, label: str, selector: Selector, window: Window, deadline: float) -> Sequence[str]:
        """The values of a label over the selected series, or over more, that its own matchers take; raises SourceError."""
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
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._discovery = discovery
        self._most_series = most_series
        self._clock = clock
        self._sleep = sleep or gate.pause
        self._jitter = jitter
        self._refused_ms: dict[Selector, int] = {}  # windows as long as that, or longer, were refused
        self._parts: dict[Selector, tuple[Selector, Selector]] = {}  # of those that were refused at the floor

    def read(self, task: Task, sink: Sink) -> int:
        """Put the task's samples into the sink, each request's into a part of its own; how many there are.

        A query that was too large or too slow is never sent again: its window is halved down to 5 minutes, then its
        series are parted by a label. Raises SourceError, when no part of what was read may be used.
        """
        return sum(self._answers(task, lambda part: self._once(part, sink)))

    def heard(self, task: Task) -> bool:
        """Whether the task has a sample; raises as `read`, and SourceRefused where only reading tells."""

        def asked(part: Task) -> bool:
            return self._engine.heard(part.selector, part.window, part.deadline)

        return any(self._answers(task, asked))

    def _answers(self, task: Task, ask: Callable[[Task], int]) -> Iterator[int]:
        """What was said to the task, or to each of the smaller ones that it was split into."""
        smaller = self._known_smaller(task)
        if smaller is None:
            try:
                answer = self._patiently(task, lambda: ask(task))
            except (QueryTooLarge, QueryTimedOut) as fault:
                smaller = self._smaller(task, fault)
            else:
                yield answer
                return
        for part in smaller:
            yield from self._answers(part, ask)

    def _known_smaller(self, task: Task) -> tuple[Task, ...] | None:
        """What to ask instead where another window showed that so much is refused; None where none did."""
        if _at_floor(task):
            selectors = self._parts.get(task.selector)
            return selectors and _of_each(task, selectors)
        longest_ms = self._refused_ms.get(task.selector)
        return None if longest_ms is None or task.window.duration_ms < longest_ms else _halves(task)

    def _smaller(self, task: Task, fault: SourceError) -> tuple[Task, ...]:
        """What to ask instead of what was refused; the windows beside it are as large, and need not be refused first."""
        if not _at_floor(task):
            # Of an odd number of milliseconds, one half is shorter by one.
            self._refused_ms[task.selector] = task.window.duration_ms - 1
            return _halves(task)
        if isinstance(fault, QueryTooLong):
            raise fault  # fewer series would be as long
        self._parts[task.selector] = self._parted(task, fault)
        return _of_each(task, self._parts[task.selector])

    def _patiently(self, task: Task, ask: Callable[[], _Answer]) -> _Answer:
        """One question, repeated up to 5 times in all while its fault is one that may pass.

        What is met twice, and may lie in the size of the answer, is taken for that where the window can be halved.
        """
        met: MayPass | None = None
        for attempt in count(1):
            try:
                with self._gate.entered(task.deadline - self._clock()):
                    answer = ask()
                self._gate.answered()
            except MayPass as fault:
                self._gate.busy()
                if attempt == TRIES:
                    raise
                left_s = task.deadline - self._clock()
                self._sleep(pause_s(fault, attempt, left_s, self._jitter(), "prometheus.signal_timeout"))
                if type(fault) is type(met) and isinstance(fault, _PERHAPS_TOO_LARGE) and not _at_floor(task):
                    raise QueryTooLarge(fault.message, fault.hint) from fault
                met = fault
            except SourceUnavailable as fault:
                if self._clock() < task.deadline:
                    raise
                raise _out_of_time(task, met or fault) from fault
            else:
                return answer
        raise AssertionError  # the loop has no end

    def _once(self, task: Task, sink: Sink) -> int:
        part, seen, samples = sink.part(), set[int](), 0
        try:
            for batch in self._engine.read(task.selector, task.window, task.deadline):
                self._gate.check()
                seen |= label_digests(batch.labels)
                samples += len(batch.at_ms)
                if len(seen) > self._most_series:
                    self._refuse_so_many(task, batch)
                part.add(batch)
            part.keep()
        except BaseException:
            part.drop()
            raise
        return samples

    def _parted(self, task: Task, fault: SourceError) -> tuple[Selector, Selector]:
        """Two selectors that share the task's series out between them by the values of a label.

        The second takes all that the first does not, so nothing is lost if a value appears in between.
        """
        for label in _SHARD_LABELS:
            values = self._patiently(task, partial(self._values, label, task))
            if len(values) > 1:
                half = "|".join(re.escape(value) for value in sorted(values)[: len(values) // 2])
                return (
                    task.selector.narrowed(Matcher(label, Operator.MATCHES, half)),
                    task.selector.narrowed(Matcher(label, Operator.NOT_MATCHES, half)),
                )
        raise type(fault)(
            f"{fault.message}, even for {FLOOR_MS // MINUTE_MS} minutes of {task.selector}", fault.hint
        )

    def _values(self, label: str, task: Task) -> Sequence[str]:
        return self._discovery.label_values(label, task.selector, task.window, task.deadline)

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


def _at_floor(task: Task) -> bool:
    return task.window.duration_ms < 2 * FLOOR_MS


def _halves(task: Task) -> tuple[Task, ...]:
    halves = task.window.split(-(-task.window.duration_ms // 2))
    return tuple(replace(task, window=half) for half in halves)


def _of_each(task: Task, selectors: Iterable[Selector]) -> tuple[Task, ...]:
    return tuple(replace(task, selector=selector) for selector in selectors)


def _out_of_time(task: Task, fault: SourceError) -> SourceUnavailable:
    return SourceUnavailable(
        f"{fault.message}: {task.selector} was not read in the time that one signal has",
        "raise prometheus.signal_timeout or prometheus.timeout, or see whether the server is overloaded",
    )

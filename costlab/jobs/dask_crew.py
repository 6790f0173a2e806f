"""A crew of workers that a dask scheduler knows: `dask://HOST:PORT`. Beside `dask_client.py` the only place that knows of dask.

Workers give back rows, suggestions and pages; only the driver, which holds the lake's lock, commits and writes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeAlias, TypeVar

from costlab.config.settings import Settings
from costlab.domain.errors import WorkerLost
from costlab.domain.signals import Signal
from costlab.domain.time import Day
from costlab.jobs.away import Blind, Fault, ReadyAway, Told, answered, done, versions
from costlab.jobs.crew import Coming, ComingDay, Lazy, Order, Question, Urgency, made_ready
from costlab.jobs.dask_client import connected, lost, no_worker, target_of
from costlab.jobs.fetch import Shard, fetch_shard, land, shards_of, spooled
from costlab.jobs.measure import Held, Ready, Step, refuse_open
from costlab.jobs.processors import keep_to
from costlab.sources import Source
from costlab.store.lake import Lake
from costlab.store.rows import RowFolder

# How long to wait for the scheduler, and for a first worker; then in the middle, when all workers are gone.
REACHED_WITHIN_S = 15.0
BACK_WITHIN_S = 120.0
_LOOKS_EVERY_S = 1.0
_STEP = 1_000_000  # of dask's priorities, between two urgencies: more than there are tasks


T = TypeVar("T")
Sources: TypeAlias = Callable[[Order, Path], Source]


def from_prometheus(order: Order, folder: Path) -> Source:
    """How a worker reads a day: out of the cluster's Prometheus, by way of a folder of its own."""
    return spooled(order.settings, order.cluster, order.day, folder)


@contextmanager
def dask_crew(
    address: str,
    *,
    sources: Sources = from_prometheus,
    say: Step = lambda _: None,
    step: Step = lambda _: None,
    patience_s: float = REACHED_WITHIN_S,
) -> Iterator["DaskCrew"]:
    """The workers of a scheduler, for a block; what is still being made at its end is cancelled.

    sources: of a module that workers have too. Raises ConfigError for an address that is none, without the extra `dask`,
    and for workers with another costlab or Python; CrewUnavailable when there is no scheduler, or no worker.
    """
    target = target_of(address)
    with connected(target, patience_s) as client:
        crew = DaskCrew(client, sources, say, step)
        try:
            say(f"dask: threads of workers at {target}: {crew.slots()}")
            yield crew
        finally:
            crew.drop()


@dataclass(slots=True)
class DaskCrew:
    """Sends days and questions to workers."""

    client: Any
    sources: Sources
    say: Step
    step: Step
    # Whether workers were found not to see the lake: then this process answers questions itself.
    blind: bool = False
    asked: "set[_Sent[Any]]" = field(default_factory=set)
    number: Iterator[int] = field(default_factory=count)
    threads: int = 0
    counted_s: float = float("-inf")

    def slots(self) -> int:
        """How many tasks the workers do at a time, as of a second ago at most. Raises CrewUnavailable."""
        if time.monotonic() - self.counted_s > _LOOKS_EVERY_S:
            try:
                self.threads = sum(self.client.nthreads().values())
            except (OSError, CancelledError) as fault:
                raise lost() from fault
            self.counted_s = time.monotonic()
        return self.threads

    def ahead(self) -> int:
        """Enough that every slot has a day to measure, while others wait to be committed, advised and reported."""
        return 3 * self.slots() + 2

    def measure(self, order: Order, lake: Lake) -> ComingDay:
        """A day that a worker measures; where there are more of them than days, all fetch its shards. Raises Busy when it is not over."""
        refuse_open(order.day, order.settings, order.cluster, order.now_ms)
        held, named = Held.of(lake, order.cluster.id, order.day), f"{order.cluster.id} {order.day}"
        shared = self.sources is from_prometheus and self.slots() > order.days

        def shards() -> list[_Sent[Shard]]:
            return [
                self.send(f"fetch {signal} of {named}", _fetched, order, signal, urgency=Urgency.MEASURING)
                for signal in (shards_of(order.settings) if shared else ())
            ]

        sent = self.send(
            f"measure {named}", _measured, order, held, self.sources, urgency=Urgency.MEASURING, parts=shards
        )
        return _Landing(sent, lake, order)

    def ask(
        self,
        question: Question[T],
        lake: Lake,
        settings: Settings,
        cluster: str,
        day: Day,
        *,
        urgency: Urgency = Urgency.OWN_DAY,
    ) -> Coming[T]:
        """The answer of a worker; of this process, where workers do not see the lake as it does."""
        if self.blind:
            return Lazy(lambda: question(lake, settings, cluster, day))
        what, mark = f"{question.__name__} {cluster} {day}", lake.mark(cluster, day)
        sent = self.send(what, answered, question, settings, cluster, day, mark, urgency=urgency)
        return _Answer(sent, self, lambda: question(lake, settings, cluster, day))

    def wait(self, coming: Sequence[Coming[object]]) -> None:
        """Return when something of it is done. Raises CrewUnavailable when scheduler or workers are gone for good."""
        import distributed  # noqa: PLC0415 - an extra, and heavy

        alone_since = time.monotonic()
        self.step(f"wait for {len(self.asked)} tasks of the workers")
        while not any(each.done() for each in coming):
            futures = [each.future for each in self.asked if not each.future.done()]
            try:
                with self.client.as_current():
                    distributed.wait(  # type: ignore[no-untyped-call]
                        futures, timeout=_LOOKS_EVERY_S, return_when="FIRST_COMPLETED"
                    )
            except TimeoutError:
                if self.slots():
                    alone_since = time.monotonic()
                elif time.monotonic() - alone_since > BACK_WITHIN_S:
                    raise no_worker() from None
            except CancelledError as fault:
                raise lost() from fault

    def drop(self) -> None:
        """Nobody asks for anything any more."""
        for each in tuple(self.asked):
            each.cancel()

    def tell_blind(self, why: str) -> None:
        """Say once that the workers do not see the lake."""
        if not self.blind:
            self.say(f"dask: workers only measure, the rest is made here: {why}")
        self.blind = True

    def send(
        self,
        what: str,
        task: Callable[..., T],
        *told: Any,
        urgency: Urgency,
        parts: "Callable[[], Sequence[_Sent[Any]]]" = tuple,
        once_more: bool = True,
    ) -> "_Sent[T]":
        """Give the workers a task; once_more: when workers died of it. Raises CrewUnavailable.

        parts: gives them tasks whose answers this one is told after all else; they go from worker to worker.
        """
        made_of, number = tuple(parts()), next(self.number)
        try:
            future = self.client.submit(
                _done, Told(task, told, versions()), *(part.future for part in made_of),
                key=f"costlab {what} {number} {id(self)}", pure=False, priority=urgency * _STEP - number,
            )  # fmt: skip
        except (OSError, CancelledError) as fault:
            raise lost() from fault
        again = partial(self.send, what, task, *told, urgency=urgency, parts=parts, once_more=False)
        sent: _Sent[T] = _Sent(future, what, self, again if once_more else None, made_of)
        self.asked.add(sent)
        return sent


@dataclass(frozen=True, slots=True, eq=False)
class _Sent(Generic[T]):
    """A task that workers have been given; again: gives it to them once more. parts: tasks that nobody else asked for."""

    future: Any
    what: str
    crew: DaskCrew
    again: "Callable[[], _Sent[T]] | None"
    parts: "tuple[_Sent[Any], ...]" = ()

    def done(self) -> bool:
        return bool(self.future.done())

    def result(self) -> T:
        """What the worker made, or its fault. Raises WorkerLost and CrewUnavailable beside."""
        from distributed.scheduler import KilledWorker  # noqa: PLC0415 - an extra, and heavy

        try:
            answer = self.future.result()
        except KilledWorker as fault:
            if self.again is None:
                raise WorkerLost(
                    f"{self.what}: every worker that tried it died",
                    "look at the workers' memory limits and logs: it may be too large for them",
                ) from fault
        except CancelledError as fault:
            raise lost() from fault
        else:
            if isinstance(answer, Fault):
                raise answer.fault
            made: T = answer
            return made
        finally:
            self.cancel()
        # The scheduler blames all that a dead worker was to do: once more, now that the guilty one may be gone.
        sent = self.again()
        self.crew.wait([sent])
        return sent.result()

    def cancel(self) -> None:
        self.crew.asked.discard(self)
        if not self.future.done():
            self.future.cancel()
        self.future.release()
        for part in self.parts:
            part.cancel()


@dataclass(frozen=True, slots=True)
class _Landing:
    """A day that comes from a worker, whose large tables become files of this machine."""

    sent: "_Sent[ReadyAway]"
    lake: Lake
    order: Order

    def done(self) -> bool:
        return self.sent.done()

    @contextmanager
    def result(self) -> Iterator[Ready]:
        ready = self.sent.result()
        with self.lake.observing(self.order.cluster.id, self.order.day) as rooms:
            yield ready.landed(rooms)

    def cancel(self) -> None:
        self.sent.cancel()


@dataclass(slots=True)
class _Answer(Generic[T]):
    """What a worker answers, or this process in its place."""

    sent: "_Sent[T | Blind]"
    crew: DaskCrew
    otherwise: Callable[[], T]
    answers: list[T] = field(default_factory=list)

    def done(self) -> bool:
        return bool(self.answers) or self.sent.done()

    def result(self) -> T:
        if not self.answers:
            answer = self.sent.result()
            if isinstance(answer, Blind):
                self.crew.tell_blind(answer.why)
                self.answers.append(self.otherwise())
            else:
                self.answers.append(answer)
        return self.answers[0]

    def cancel(self) -> None:
        self.sent.cancel()


# What workers do.


def _done(told: Told, *made: Any) -> Any:
    from distributed import get_worker  # noqa: PLC0415 - there, on a worker

    keep_to(get_worker().state.nthreads)
    return done(told, *made)


@contextmanager
def _folder() -> Iterator[Path]:
    from distributed import get_worker  # noqa: PLC0415 - there, on a worker

    with TemporaryDirectory(prefix="costlab-", dir=get_worker().local_directory) as name:
        yield Path(name)


def _fetched(order: Order, signal: Signal) -> Shard:
    with _folder() as folder:
        return fetch_shard(order.settings, order.cluster, order.day, signal, folder)


def _measured(order: Order, held: Held, sources: Sources, *shards: Shard) -> ReadyAway:
    with _folder() as folder:
        land(shards, order.cluster.id, order.day, folder)
        rooms = RowFolder(folder, order.cluster.id, order.day.date)
        source = sources(order, folder)
        with made_ready(order, held, source, rooms, lambda _: None) as ready:
            return ReadyAway.of(ready, rooms)

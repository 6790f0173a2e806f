"""Who does the work of a job: this process, or workers beside it; a job asks a crew, and knows of neither."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Protocol, TypeAlias, TypeVar

from costlab.config.settings import Cluster, Settings
from costlab.domain.time import Day
from costlab.jobs.measure import Held, Ready, Step, ready_day, refuse_open, settling
from costlab.sources import Source
from costlab.store.lake import Lake
from costlab.store.rows import RowFolder

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

# What is made of a day that the lake holds, and read from there alone; a function of a module, as it may travel.
Question: TypeAlias = Callable[[Lake, Settings, str, Day], T]


class Urgency(IntEnum):
    """What waits for something: the most urgent is made first, and of the same urgency what was asked for first.

    The advice of each day waits for that of the day before: while it is behind, workers may have nothing else to do in the end.
    """

    NOTHING = 0
    OWN_DAY = 1
    MEASURING = 2  # its own day, and all that is made of it
    LATER_DAYS = 3


@dataclass(frozen=True, slots=True)
class Order:
    """A day that is to be measured; now_ms: when the job began, force: why it may be worse than before.

    days: of how many that are due it is one; a crew that is larger may share it out.
    """

    settings: Settings
    cluster: Cluster
    day: Day
    now_ms: int
    force: str | None = None
    days: int = 1


class Coming(Protocol[T_co]):
    """Something that is being made, or will be once it is asked for."""

    def done(self) -> bool:
        """Whether asking for it takes no waiting for others."""
        ...

    def result(self) -> T_co:
        """The thing itself, made here and now if nobody else makes it. Raises the fault of making it."""
        ...

    def cancel(self) -> None:
        """Nobody will ask for it."""
        ...


ComingDay: TypeAlias = Coming[AbstractContextManager[Ready]]


class Answering(Protocol):
    """Answers questions about days that the lake holds."""

    def ahead(self) -> int:
        """How many days are worth having begun at a time."""
        ...

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
        """The answer to a question about a day that is in the lake."""
        ...

    def wait(self, coming: Sequence[Coming[object]]) -> None:
        """Return when something of it is done. Raises CrewUnavailable when nothing ever will be."""
        ...


class Crew(Answering, Protocol):
    """Measures days as well."""

    def measure(self, order: Order, lake: Lake) -> ComingDay:
        """A day that is ready to be committed, for a block that does so. Who asks holds the lake's lock."""
        ...


@dataclass(frozen=True, slots=True)
class Lazy(Generic[T_co]):
    """What is made here, and not before it is asked for."""

    make: Callable[[], T_co]

    def done(self) -> bool:
        """There is nobody to wait for."""
        return True

    def result(self) -> T_co:
        """It is made now."""
        return self.make()

    def cancel(self) -> None:
        """Nothing was begun."""


class Alone:
    """This process, one thing after the other."""

    def ahead(self) -> int:
        """One: what is begun is done at once."""
        return 1

    def ask(
        self,
        question: Question[T],
        lake: Lake,
        settings: Settings,
        cluster: str,
        day: Day,
        *,
        urgency: Urgency = Urgency.OWN_DAY,  # noqa: ARG002 - as of any crew
    ) -> Coming[T]:
        """The answer, by this process, once it is looked at."""
        return Lazy(lambda: question(lake, settings, cluster, day))

    def wait(self, coming: Sequence[Coming[object]]) -> None:
        """Everything is always done."""


@dataclass(frozen=True, slots=True)
class Here(Alone):
    """The same, with sources to measure days out of."""

    source_of: Callable[[Cluster, Day], Source]
    step: Step

    def measure(self, order: Order, lake: Lake) -> ComingDay:
        """A day out of its source."""
        return Lazy(lambda: self._measured(order, lake))

    @contextmanager
    def _measured(self, order: Order, lake: Lake) -> Iterator[Ready]:
        cluster, day = order.cluster, order.day
        refuse_open(day, order.settings, cluster, order.now_ms)
        held, source = Held.of(lake, cluster.id, day), self.source_of(cluster, day)
        with (
            lake.observing(cluster.id, day) as rooms,
            made_ready(order, held, source, rooms, self.step) as ready,
        ):
            yield ready


@contextmanager
def made_ready(order: Order, held: Held, source: Source, rooms: RowFolder, step: Step) -> Iterator[Ready]:
    """A day that is ready to be committed, by the process that calls; after the block its source may forget it.

    Raises Busy for a day that is not over by the source's clock, SourceError, WorseDay and ReconcileError.
    """
    settings, cluster, day = order.settings, order.cluster, order.day
    refuse_open(day, settings, cluster, order.now_ms, source.ahead_s())
    with settling(source, order.force):
        yield ready_day(source, held, settings, cluster.id, day, rooms, force=order.force, step=step)

"""Several days at a time, each step of them in its turn: a day may wait for others, and overtakes none of its cluster."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from costlab.domain.errors import CostlabError
from costlab.jobs.crew import Answering, Coming
from costlab.jobs.outcome import Outcome


class Stage(IntEnum):
    """How far a day has come in a job."""

    BEGUN = 0
    MEASURED = 1  # and in the lake
    ADVISED = 2
    QUOTAS = 3
    REPORTED = 4


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a day waits: for something to be made, and until all earlier days of its cluster have reached a stage."""

    coming: Coming[object]
    reached: Stage


Steps: TypeAlias = Generator[Pause, None, Outcome]


@dataclass(slots=True, eq=False)
class Turn:
    """A day of a cluster: what is to be done, how far it has come, and how it ended: an outcome or a fault."""

    cluster: str
    name: str
    steps_of: Callable[["Turn"], Steps]
    stage: Stage = Stage.BEGUN
    outcome: Outcome | None = None
    fault: CostlabError | None = None
    steps: Steps | None = None
    pause: Pause | None = None

    def go_on(self) -> bool:
        """Do what comes next; whether the day has ended with it."""
        self.steps = self.steps or self.steps_of(self)
        try:
            self.pause = next(self.steps)
        except StopIteration as end:
            self.outcome = end.value
            return True
        except CostlabError as fault:
            self.fault = fault
            return True
        return False

    def made(self) -> bool:
        """Whether what it waits for is made, be it for others that it waits still."""
        return self.pause is not None and self.pause.coming.done()

    def drop(self) -> None:
        """Leave it as it is."""
        if self.pause:
            self.pause.coming.cancel()
        if self.steps:
            self.steps.close()


@dataclass(slots=True)
class Turns:
    """Days in their turn, as many at a time as are worth it to the crew."""

    crew: Answering
    waiting: deque[Turn]
    begun: list[Turn] = field(default_factory=list)

    @classmethod
    def of(cls, crew: Answering, days: Iterable[Turn]) -> "Turns":
        """Of each cluster the oldest first."""
        return cls(crew, deque(days))

    def ended(self) -> Iterator[Turn]:
        """Every day that has ended, as soon as it has. Raises CrewUnavailable when the crew is lost."""
        while self.waiting or self.begun:
            if self.waiting and len(self.begun) < self.crew.ahead():
                turn = self.waiting.popleft()
                self.begun.append(turn)
                if turn.go_on():
                    yield self._over(turn)
                continue
            ready = next((turn for turn in self.begun if self._may_go_on(turn)), None)
            if ready is None:
                self.crew.wait(
                    [turn.pause.coming for turn in self.begun if turn.pause and self._at_turn(turn)]
                )
            elif ready.go_on():
                yield self._over(ready)

    def stop(self, after: Turn, which: Callable[[Turn], bool] = lambda _: True) -> list[Turn]:
        """Drop the days of its cluster that come after one, or `which` of them, also those that have begun: these, in order."""
        days = [turn for turn in (*self.begun, *self.waiting) if turn.cluster == after.cluster]
        later = [turn for turn in days if turn.name > after.name and which(turn)]
        for turn in later:
            turn.drop()
        self.begun = [turn for turn in self.begun if turn not in later]
        self.waiting = deque(turn for turn in self.waiting if turn not in later)
        return later

    def _over(self, turn: Turn) -> Turn:
        self.begun.remove(turn)
        return turn

    def _at_turn(self, turn: Turn) -> bool:
        """Whether nothing but what is being made keeps it waiting."""
        assert turn.pause is not None  # noqa: S101 - it has begun
        earlier = self.begun[: self.begun.index(turn)]
        return all(each.stage >= turn.pause.reached for each in earlier if each.cluster == turn.cluster)

    def _may_go_on(self, turn: Turn) -> bool:
        return self._at_turn(turn) and turn.pause is not None and turn.pause.coming.done()

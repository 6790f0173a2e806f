"""What travels between a driver and workers in other processes, and what workers do with it, whoever brings it to them."""

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from costlab import __version__
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, CostlabError, LakeError
from costlab.domain.time import Day
from costlab.jobs.crew import Question
from costlab.jobs.measure import Ready
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.place import Place
from costlab.store.rows import RowFolder, Rows, SentRows, StoredRows

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Told:
    """A task with all that it is told; not shown by what dask logs of a task, for settings are in it."""

    task: Callable[..., Any]
    told: tuple[Any, ...]
    versions: tuple[str, str]

    def __repr__(self) -> str:
        return f"<{self.task.__name__}>"


@dataclass(frozen=True, slots=True)
class Fault:
    """An expected error, on its way back as a value: dask would log it with a traceback."""

    fault: CostlabError


@dataclass(frozen=True, slots=True)
class Blind:
    """The worker does not see the lake that the driver writes."""

    why: str


@dataclass(frozen=True, slots=True)
class ReadyAway:
    """A day on its way: its rows are files as the lake stores them, with their hashes, for there is but one driver."""

    ready: Ready
    files: tuple[SentRows, ...]

    @classmethod
    def of(cls, ready: Ready, rooms: RowFolder) -> "ReadyAway":
        """As it leaves the machine. Raises LakeError."""
        tables = ready.priced.tables
        files = tuple(
            SentRows.of(_stored(rows, rooms, table), content_hash(rows)) for table, rows in tables.items()
        )
        return cls(Ready(replace(ready.priced, tables={}), replace(ready.facts, tables={})), files)

    def landed(self, rooms: RowFolder) -> Ready:
        """As it is committed, with its files in this machine's rooms. Raises LakeError."""
        stored = {sent.table: rooms.landed(sent) for sent in self.files}
        return replace(self.ready, priced=replace(self.ready.priced, tables=stored))


def _stored(rows: Rows, rooms: RowFolder, table: str) -> StoredRows:
    """Rows in a file. Raises LakeError."""
    if isinstance(rows, StoredRows):
        return rows
    on_disk = rooms(table)
    on_disk.add(rows)
    return on_disk.rows()


def done(told: Told, *made: Any) -> Any:
    """What a task made, out of what it was told and what others made for it; an expected error, theirs too, as a Fault."""
    for each in made:
        if isinstance(each, Fault):
            return each
    try:
        refuse_other(told.versions, versions(), "the worker that was asked")
        return told.task(*told.told, *made)
    except CostlabError as fault:
        return Fault(fault)


def answered(question: Question[T], settings: Settings, cluster: str, day: Day, mark: str) -> T | Blind:
    """The answer to a question about a day, or Blind where the lake is not the driver's, whose mark of the day is `mark`."""
    try:
        lake = _opened(settings.lake)
        seen = lake.mark(cluster, day)
    except (ConfigError, LakeError) as fault:
        return Blind(fault.message)
    if seen != mark:
        return Blind(f"what lies at {settings.lake} there is not this lake")
    return question(lake, settings, cluster, day)


@lru_cache(maxsize=4)
def _opened(where: Place) -> Lake:
    """A lake whose tables stay open from one question to the next; whether it is the driver's is asked of its mark each time."""
    return Lake.open(where)


def versions() -> tuple[str, str]:
    """Of costlab, and of Python."""
    return __version__, ".".join(platform.python_version_tuple()[:2])


def refuse_other(mine: tuple[str, str], theirs: tuple[str, str], who: str) -> None:
    """Raise ConfigError for another costlab or Python: bytes would differ, or not be understood."""
    if mine != theirs:
        raise ConfigError(
            f"{who} has costlab {theirs[0]} on Python {theirs[1]}, and the driver {mine[0]} on {mine[1]}",
            "run the same image everywhere",
        )

"""Errors that a person can act on, each with its exit code.

CostlabError              1  unexpected
├── ConfigError           2  usage or configuration
├── SourceError           3  the source failed, nothing was committed
│   ├── SourceUnavailable 3  not reachable, too slow, or it broke off
│   ├── SourceRefused     3  it answered, and said no
│   │   └── NoDay         3  it answered in full, and no day can be made of it
│   ├── WorseDay          3  it now knows less than the lake already holds
│   └── WorkerLost        3  every worker that measured the day died
├── PostError             5  a message could not be delivered: try again
│   └── UnsurePost        5  it was sent, and no answer came
├── Busy                  5  a lock is held: try again
├── CrewUnavailable       5  no workers to do the work: try again
├── LakeError             6  the lake is damaged, cannot be written, or is not one this version reads
│   └── LakeFull          5  no space left: as before, and the same run succeeds once there is space
└── ReconcileError        7  the money does not add up, nothing was committed
"""

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the process says to the shell; `docs/operate.md` lists them for operators."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    SOURCE_FAILED = 3
    INCOMPLETE = 4
    BUSY = 5
    LAKE_DAMAGED = 6
    NOT_RECONCILED = 7
    DOCTOR_FAILED = 8
    POLICY_HIT = 10
    INTERRUPTED = 130


class CostlabError(Exception):
    """A fault with a remedy: `message` names the thing and what is wrong, `hint` how to mend it."""

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """As it is copied and sent to another process, whatever its class takes to be made."""
        return _as_it_was, (type(self), self.args, self.__dict__)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the two lines of the command line, in the place of a traceback."""
        return [f"error: {self.message}", *([f"hint: {self.hint}"] if self.hint else [])]


def _as_it_was(kind: type[CostlabError], args: tuple[Any, ...], told: dict[str, Any]) -> CostlabError:
    fault = kind.__new__(kind, *args)
    fault.__dict__.update(told)
    return fault


class ConfigError(CostlabError):
    """The command line, the configuration or the price book is wrong."""

    exit_code = ExitCode.USAGE


class SourceError(CostlabError):
    """The metrics source gave no usable answer; nothing was committed.

    every_day: no other day can be had of it either, for nobody answers there, or not to us.
    """

    exit_code = ExitCode.SOURCE_FAILED
    every_day = False


class SourceUnavailable(SourceError):
    """The source could not be reached, took too long, or broke off in the middle."""


class SourceRefused(SourceError):
    """The source answered with an error, a partial answer, or something that is not Prometheus."""


class NoDay(SourceRefused):
    """The source gave all it has, and no day can be made of it."""


class WorseDay(SourceError):
    """The source now gives less for a day than the lake already holds."""


class WorkerLost(SourceError):
    """Workers die of a day, one after the other; nothing of it was committed."""


class CrewUnavailable(CostlabError):
    """The workers that should do the work cannot be reached now; the same command may succeed later."""

    exit_code = ExitCode.BUSY


class Busy(CostlabError):
    """Another run holds the lake; the same command may succeed later."""

    exit_code = ExitCode.BUSY


class PostError(CostlabError):
    """A message could not be delivered now; the same command may succeed later."""

    exit_code = ExitCode.BUSY


class UnsurePost(PostError):
    """A message was sent and nobody answered: whether it arrived is not known, so it is not sent again."""


class LakeError(CostlabError):
    """The lake is damaged, cannot be written, or belongs to another version."""

    exit_code = ExitCode.LAKE_DAMAGED


class LakeFull(LakeError):
    """The disk has no space for the day; the lake is sound, and as it was."""

    exit_code = ExitCode.BUSY


class ReconcileError(CostlabError):
    """Charges and node prices differ; nothing was committed."""

    exit_code = ExitCode.NOT_RECONCILED

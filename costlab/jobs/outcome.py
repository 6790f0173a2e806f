"""What a job says when it is done: one line for people, one code for the shell."""

from collections.abc import Sequence
from dataclasses import dataclass

from costlab.domain.errors import ExitCode

_NAMED = 7


@dataclass(frozen=True, slots=True)
class Outcome:
    """The job's last line, and the code that the process ends with."""

    line: str
    exit_code: ExitCode = ExitCode.DONE


def listed(names: Sequence[str]) -> str:
    """Names for a line: seven of them, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")

"""What a job says when it is done: one line for people, one code for the shell."""

from dataclasses import dataclass

from costlab.domain.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Outcome:
    """The job's last line, and the code that the process ends with."""

    line: str
    exit_code: ExitCode = ExitCode.DONE

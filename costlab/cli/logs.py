"""What a long job says on stderr: a line that changes on a terminal, log lines elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from rich.console import Console
from rich.text import Text

from costlab.cli.frame import Desk
from costlab.cli.lines import json_line
from costlab.render.names import visible

_LEVELS = {0: "info", 1: "debug"}


@dataclass(frozen=True, slots=True)
class Voice:
    """`say` keeps a line, `warn` and `fail` one that somebody should see, `step` tells what is being done right now."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    fail: Callable[[str], None]
    step: Callable[[str], None]


@contextmanager
def voice(desk: Desk) -> Iterator[Voice]:
    """How a job speaks while it lasts: on a terminal with a status line, elsewhere by log lines."""
    log = logger(desk)
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal or desk.json_logs:
        yield Voice(*(_visibly(tell) for tell in (log.info, log.warning, log.error, log.debug)))
        return
    with console.status("") as status:
        keep, show = (
            _visibly(lambda line: console.print(Text(line))),
            _visibly(lambda line: status.update(Text(line))),
        )
        yield Voice(keep, keep, keep, show)


def _visibly(tell: Callable[[str], object]) -> Callable[[str], None]:
    def told(line: str) -> None:
        tell(visible_line(line))

    return told


def logger(desk: Desk) -> structlog.typing.FilteringBoundLogger:
    """A logger on stderr: JSON a line (cli/lines.py), or plain lines, in colour only on a terminal."""
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    ending: list[structlog.typing.Processor] = (
        [_as_json] if desk.json_logs else [structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *ending,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(desk.verbosity, "debug")),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    made: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return made


def _as_json(_: object, __: str, told: structlog.typing.EventDict) -> str:
    del told["timestamp"]
    return json_line(told.pop("level"), told.pop("event"), **told)


def visible_line(line: str) -> str:
    """A line that cannot forge another: names from the cluster may hold control characters."""
    return " ".join(visible(word) for word in line.split(" ") if word)

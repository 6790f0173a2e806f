"""Around every command: where its settings come from, and the one place where faults become exit codes."""

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from costlab.cli.lines import json_line, wants_json
from costlab.domain.errors import CostlabError, ExitCode

if TYPE_CHECKING:  # read by pydantic and numpy, which `--help` does without
    from costlab.config.settings import Settings

_PACKAGE = Path(__file__).parents[1]

# Options that stand anywhere on the line, and whether a value follows them.
COMMON = {
    "--config": True,
    "--lake": True,
    "--log-format": True,
    "-v": False,
    "--verbose": False,
    "--debug": False,
}
# Signals that came: a library that was at work may have made another error of what their handler raised.
_stopped_by: list[int] = []


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with: the environment, the clock, and what was said in front of it."""

    environ: Mapping[str, str]
    now: datetime
    config: Path | None = None
    lake: str | None = None
    verbosity: int = 0
    json_logs: bool = False

    def settings(self) -> "Settings":
        """The configuration; raises ConfigError with all its faults."""
        from costlab.config.load import load

        return load(self.config, self.environ, lake=self.lake)


class Front(TyperGroup):
    """The command group that ends the process: with a code, and at most two lines on stderr."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]  # fewer names, same call
        """Run the command that `args` name, and exit."""
        given = hoisted(list(sys.argv[1:] if args is None else args))
        as_json = wants_json(given)
        try:
            code = super().main(given, **{**extra, "standalone_mode": False})
        except CostlabError as fault:
            told = traceback.format_exc() if wants_traceback(given) else None
            code = complain(fault.message, fault.hint, fault.exit_code, as_json=as_json, trace=told)
        except TyperException as fault:
            code = ExitCode.USAGE
            if message := fault.format_message():  # a bare `costlab config` has shown its help already
                complain(
                    message.replace(": Value error, ", ": "),  # as pydantic, by which typer reads, begins
                    "`costlab --help` lists the commands, `costlab COMMAND --help` its options",
                    code,
                    as_json=as_json,
                )
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        except SystemExit:
            if not _stopped_by:
                raise
            code = ExitCode.INTERRUPTED
        except Exception as fault:  # noqa: BLE001 - the outermost frame: typer has its own hook, which shows a traceback
            # A compiler that a signal stops, for one, raises a SystemError.
            debug = wants_traceback(given)
            code = ExitCode.INTERRUPTED if _stopped_by else unexpected(fault, debug=debug, as_json=as_json)
        if _stopped_by:
            code = 128 + _stopped_by[0]
        if code == ExitCode.INTERRUPTED or (as_json and _stopped_by):
            # A pod that is evicted ends by SIGTERM: in a log without a word of it the run would just break off.
            said = (
                "interrupted"
                if code == ExitCode.INTERRUPTED
                else f"ended by {signal.Signals(code - 128).name}"
            )
            last = json_line("error", said, **{"process.exit_code": int(code)})
            print(last if as_json else said, file=sys.stderr)  # noqa: T201 - the last words of the process
        sys.exit(int(code or ExitCode.DONE))

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read the options; `costlab --help | head` ends quietly."""
        with _ends_quietly():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; `costlab … | head` ends quietly."""
        with _ends_quietly():
            return super().invoke(ctx)


def hoisted(args: list[str]) -> list[str]:
    """The arguments with the common options in front, so that they may stand anywhere before `--`.

    >>> hoisted(["cost", "--lake", "x", "--by", "team", "-v"])
    ['--lake', 'x', '-v', 'cost', '--by', 'team']
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        name = word.partition("=")[0]
        if word == "--":
            return [*front, *rest, word, *words]
        if name in COMMON and (word == name or COMMON[name]):
            front.append(word)
            if COMMON[name] and word == name:
                value = next(words, None)
                if value is None:  # the command's name would be taken for it
                    return front
                front.append(value)
        elif word.startswith("-v") and set(word[1:]) == {"v"}:
            front.append(word)
        else:
            rest.append(word)
    return [*front, *rest]


def complain(
    message: str, hint: str, code: ExitCode, *, as_json: bool = False, trace: str | None = None
) -> ExitCode:
    """Say a fault and its remedy on stderr; the code, for the caller to end with."""
    lines = [f"error: {message}", *([f"hint: {hint}"] if hint else [])]
    text = "\n".join([*([trace.rstrip()] if trace else []), *(_printable(line) for line in lines)])
    if as_json:
        more = {"costlab.hint": hint or None, "process.exit_code": int(code), "error.stack_trace": trace}
        text = json_line("error", _printable(message), **more)
    print(text, file=sys.stderr)  # noqa: T201 - stderr is where it belongs
    return code


def unexpected(fault: Exception, *, debug: bool, as_json: bool = False) -> ExitCode:
    """Say that costlab itself is at fault; its words stay out, as they may hold a secret, unless `debug` asks for them."""
    if debug and not as_json:
        traceback.print_exception(fault)
        return ExitCode.UNEXPECTED
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return complain(
        f"unexpected {type(fault).__name__}{place}",
        "this is a fault of costlab: run it again with --debug and report what it says",
        ExitCode.UNEXPECTED,
        as_json=as_json,
        trace="".join(traceback.format_exception(fault)) if debug else None,
    )


def wants_traceback(args: Sequence[str]) -> bool:
    """Whether --debug or COSTLAB_DEBUG asks for everything."""
    return "--debug" in args or bool(os.environ.get("COSTLAB_DEBUG"))


def on_signals() -> None:
    """End on SIGINT and SIGTERM as on an error, so that locks are freed and half-written files removed."""

    def end(number: int, _: FrameType | None) -> None:
        _stopped_by.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a shell tells those that it starts with &
        signal.signal(signal.SIGINT, end)


def _printable(text: str) -> str:
    """Text without control characters other than the newlines of a list of faults."""
    return "".join(c if c == "\n" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@contextmanager
def _ends_quietly() -> Iterator[None]:
    """Whoever read our output has had enough: end, and do not complain."""
    try:
        try:
            yield
        except typer.Exit:  # help was shown; doctor has found a FAIL
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has nowhere to go; without this the interpreter complains at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.DONE) from None
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # rich, which draws help and tables, has seen to the buffer, and would end with 1.
        raise typer.Exit(ExitCode.DONE) from None

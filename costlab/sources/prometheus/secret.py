"""Secrets out of files and commands: one line each, fit for a header, and in no message."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

from costlab.domain.errors import ConfigError, SourceUnavailable

COMMAND_S = 30.0
_LARGEST = 65_536  # no token is longer


def secret_in(file: Path, setting: str) -> str:
    """The one line in a secret's file; raises ConfigError that does not show it."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "not text"
        raise ConfigError(
            f"{setting}: {file} cannot be read: {reason}", "name a file that this user may read"
        ) from None
    if not text:
        raise ConfigError(f"{setting}: {file} is empty", "put the secret into it, on one line")
    return sendable(text, setting)


def secret_of(command: Sequence[str], setting: str, limit_s: float = COMMAND_S) -> str:
    """The one line that a command prints; nothing of what it prints is shown.

    Raises ConfigError when it cannot be started or prints no secret, SourceUnavailable when it fails or is too slow.
    """
    try:
        # Without a terminal it cannot ask a person, who sleeps; in a group of its own all of it can be ended.
        process = subprocess.Popen(  # noqa: S603 - the configuration names the program, and no shell reads it
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "it holds a null character"
        raise ConfigError(
            f"{setting}: {command[0]} cannot be started: {reason}",
            "it is a list: the program, then its arguments; no shell reads it",
        ) from None
    with process, _ended_after(process, limit_s) as late:
        assert process.stdout is not None  # noqa: S101 - it is a pipe; mypy cannot know
        printed = process.stdout.read(_LARGEST + 1)
        if len(printed) > _LARGEST:
            _end(process)
        process.wait()
    if late:
        raise SourceUnavailable(
            f"{setting}: {command[0]} took longer than {limit_s:g} s", "run it by hand as this user"
        )
    if len(printed) > _LARGEST:
        raise ConfigError(
            f"{setting}: {command[0]} printed more than {_LARGEST} bytes", "it must print the token alone"
        )
    if process.returncode:
        raise SourceUnavailable(
            f"{setting}: {command[0]} ended with exit status {process.returncode}",
            "run it by hand as this user; what it prints is not shown here, for it may be a secret",
        )
    text = printed.decode("latin-1").strip()
    if not text:
        raise ConfigError(f"{setting}: {command[0]} printed nothing", "it must print the token")
    return sendable(text, setting)


def sendable(text: str, setting: str) -> str:
    """The text, if HTTP allows it in a header; else raises ConfigError that does not show it."""
    if not (text.isascii() and text.isprintable()):
        raise ConfigError(
            f"{setting} holds characters that cannot be sent", "one line of plain ASCII is needed"
        )
    return text


@contextmanager
def _ended_after(process: "subprocess.Popen[bytes]", limit_s: float) -> Iterator[list[bool]]:
    """Ends the command and all that it started when time is up, and on any error; the list then is not empty."""
    late: list[bool] = []

    def end() -> None:
        late.append(True)
        _end(process)

    timer = Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    except BaseException:
        _end(process)
        raise
    finally:
        timer.cancel()


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

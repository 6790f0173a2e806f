"""Turns what the disk, Delta Lake and DuckDB complain of into errors with a remedy."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import TypeVar

from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError

from costlab.domain.errors import Busy, ConfigError, CostlabError, LakeError, LakeFull

T = TypeVar("T")

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}
# Delta Lake passes the number on inside its text, written by Rust's Display or Debug.
_OS_ERROR = re.compile(r"os error (\d+)|Os \{ code: (\d+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


# What asking a bucket again does not mend: a code of S3's as pyarrow words it, or as it stands in the answer itself, and what
# Delta Lake makes of a status. What is said of a table's content has other words.
_REFUSED = re.compile(
    r"AWS Error (NO_SUCH_BUCKET|ACCESS_DENIED|INVALID_\w+|SIGNATURE_\w+|INCOMPLETE_SIGNATURE|UNRECOGNIZED_CLIENT\w*|MISSING_\w+"
    r"|REQUEST_EXPIRED|OPT_IN_REQUIRED|VALIDATION)|AWS Error UNKNOWN \(HTTP status (?:301|40[013])\)"
    r"|<Code>(NoSuchBucket|AccessDenied|Invalid\w+|SignatureDoesNotMatch|MissingSecurity\w+|ExpiredToken|RequestTimeTooSkewed)<"
    r"|Bucket '[^']*' not found|lacked the (?:necessary privileges|valid authentication)|status code: 40[13]\b"
    r"|[Cc]redentials?\b|getting (?:instance|security) |Unable to parse source url"
)
# What Delta Lake passes on of the store itself; all else that it complains of on a bucket is of the table.
_OF_STORE = re.compile(
    r"Generic S3 error|Generic \w+ error: Error performing|lacked the (?:necessary privileges|valid authentication)"
    r"|HTTP error|error sending request|Error after \d+ retries|status code: (?!404)\d{3}\b|<Code>(?!NoSuchKey)\w+<|Bucket '[^']*' not found"
)
# What pyarrow passes on of the store while rows are read, also from within a question; of an object that is not there, or is
# shorter than it was said to be, the lake is at fault.
_OF_READING = re.compile(r"AWS Error (?!NO_SUCH_KEY|RESOURCE_NOT_FOUND|UNKNOWN \(HTTP status 4(?:04|16)\)).*")
# What pyarrow makes of a refusal that is longer than what it asked for: an answer that broke off, and it does not ask again.
_BROKEN_OFF = "response stream"
_PAUSES_S = (0.1, 0.5, 2.0)
_SECRET = re.compile(r"(?i)<(AWSAccessKeyId|StringToSign\w*|CanonicalRequest\w*|SignatureProvided)>.*?</\1>")


def no_address(of: str, address: str, error: object = "") -> ConfigError:
    """The error of an address that is none, without what follows its ?: somebody may have written a key there."""
    shown = address.partition("?")[0]
    why = re.sub(re.escape(address) + "[^']*", shown, f": {error}") if error else ""
    return ConfigError(
        f"{shown} is no address of {of}{why}",
        "write s3://bucket/folder, with ?endpoint_override=HOST:PORT&scheme=https for a store of your own",
    )


@contextmanager
def asking(place: object) -> Iterator[None]:
    """Inside the block a bucket that refuses is a fault of the configuration, and one that does not answer is busy."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise of_bucket(place, error) from error


def of_bucket(place: object, error: Exception) -> CostlabError:
    """What a bucket complains of, in one line."""
    words = _SECRET.sub("", str(error))
    said = f"{place}: {_causes(words)[:400]}"
    if _REFUSED.search(words):
        return ConfigError(said, "see that the bucket is there, and that these credentials may use it")
    return Busy(said, "run the same command again: nothing is written or copied twice")


def of_reading(what: str, error: Exception) -> CostlabError | None:
    """What a bucket complains of while rows are read from it; None where it is the rows that are at fault."""
    found = _OF_READING.search(str(error))
    return of_bucket(f"{what} cannot be read", OSError(found[0])) if found else None


def asked_again(ask: Callable[[], T], *, though_asked: bool = True) -> T:
    """What is asked for; of a store that does not answer, it is asked for a few times.

    Where a refusal has more bytes than what was asked for, pyarrow takes it for a broken answer, and does not ask again
    itself. though_asked: also where it has asked ten times already, for seven seconds. Raises Busy when the store goes on.
    """
    for pause_s in _PAUSES_S:
        try:
            return ask()
        except Busy as fault:
            if not though_asked and _BROKEN_OFF not in fault.message:
                raise
        sleep(pause_s)
    return ask()


@contextmanager
def translated(path: object, doing: str = "written") -> Iterator[None]:
    """Inside the block errors of the disk and of Delta Lake become LakeError, LakeFull or Busy, naming `path`.

    LakeFull has exit code 5 and not 6: nothing is damaged, and the same command succeeds once there is space.
    """
    try:
        yield
    except CommitFailedError as error:
        raise written_meanwhile(path) from error
    except DeltaProtocolError as error:
        raise newer(path, _first_line(error)) from error
    except (OSError, DeltaError) as error:
        raise _said(path, doing, error) from error


def written_meanwhile(path: object) -> Busy:
    """The error of a commit that came after another run's."""
    return Busy(f"{path} was written by somebody else at the same time", "run the same command again")


def newer(path: object, what: str) -> LakeError:
    """The error of a lake that this version must not touch."""
    return LakeError(
        f"{path} was written by a newer costlab or by another program: {what}",
        "install that version of costlab, or name another lake with --lake",
    )


def full(path: object, needed_bytes: int | None = None) -> LakeFull:
    """The error of a disk without space."""
    room = "" if needed_bytes is None else f" for the {needed_bytes / 2**20:.1f} MiB that the rows may need"
    return LakeFull(
        f"no space left on the disk of {path}{room}; nothing was committed",
        "free some space, then run the same command again",
    )


def _said(path: object, doing: str, error: OSError | DeltaError) -> CostlabError:
    on_bucket = str(path).startswith("s3://") and not isinstance(error, FileNotFoundError)
    if on_bucket and (isinstance(error, OSError) or _OF_STORE.search(str(error))):
        return of_bucket(path, error)
    number = _number(error)
    if number in _NO_SPACE:
        return full(path)
    reason = _first_line(error) if number is None else os.strerror(number)
    hint = (
        f"let this user {'read' if doing == 'read' else 'write'} there, or name another folder with lake: or --lake"
        if number in _NO_RIGHT
        else "check the disk; costlab doctor --files says which days are damaged"
    )
    return LakeError(f"{path} cannot be {doing}: {reason}", hint)


def _number(error: OSError | DeltaError) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _OS_ERROR.search(str(error))
    return int(found[1] or found[2]) if found else None


def _causes(words: str) -> str:
    """What Delta Lake says in several lines, each the cause of the one before, without the store's own page."""
    lines = (
        _COLOUR.sub("", words)
        .partition("<?xml")[0]
        .replace("\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}", "")
        .splitlines()
    )
    return ": ".join(line.strip(" \t:") for line in lines if line.strip())


def _first_line(error: object) -> str:
    return _COLOUR.sub("", str(error)).strip().partition("\n")[0]

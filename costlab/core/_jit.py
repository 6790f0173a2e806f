"""The one place where numba is imported and its flags are decided."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any, ParamSpec, TypeVar

from costlab import __version__

P = ParamSpec("P")
R = TypeVar("R")


def _cache_folder() -> str:
    """A folder that can be written, keyed by version: numba does not notice edits in imported kernels.

    Without one `cache=True` raises at import, as in a container with a read-only root.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    for candidate in (home, Path(gettempdir()) / f"costlab-{os.getuid()}"):
        folder = candidate / "costlab" / f"numba-{__version__}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return ""


if "NUMBA_CACHE_DIR" not in os.environ and (_folder := _cache_folder()):
    os.environ["NUMBA_CACHE_DIR"] = _folder

from numba import njit  # noqa: E402 - reads NUMBA_CACHE_DIR when it is imported

_CACHE = "NUMBA_CACHE_DIR" in os.environ
_UNCOUNTED: dict[str, Any] = {"_nrt": False}  # without numba's run-time; its stubs do not know the flag


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop: without the GIL, cached on disk, and no fastmath, since NaN means 'not observed'."""
    compiled: Callable[P, R] = njit(nogil=True, cache=_CACHE, error_model="numpy")(function)
    return compiled


def bare_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """The same for a loop that makes no arrays: then none are counted, at 12 ns for each call of a small function."""
    compiled: Callable[P, R] = njit(nogil=True, cache=_CACHE, error_model="numpy", **_UNCOUNTED)(function)
    return compiled


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a piece of a loop into each kernel that calls it: a call with an array costs 20 ns, it is counted in and out."""
    inlined: Callable[P, R] = njit(nogil=True, inline="always", error_model="numpy")(function)
    return inlined

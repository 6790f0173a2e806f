"""What a long run does so that memory that it freed is not kept by the allocators, each for itself."""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8  # of glibc's mallopt
_ARENAS = 2


def keep_little() -> None:
    """Few heaps; to be called before threads begin."""
    with suppress(OSError, AttributeError):  # another C library has no arenas
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """What is free inside of the heaps goes back to the system."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

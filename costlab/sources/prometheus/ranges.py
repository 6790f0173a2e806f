"""A window as a range selector at an instant, which covers it in every version, whichever of a range's ends count."""

from dataclasses import dataclass

from costlab.domain.time import Window

_SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """The instants from `first_ms`, or just after it, to `last_ms`; whole_seconds: both are, and are asked for so."""

    first_ms: int
    last_ms: int
    whole_seconds: bool = False

    @property
    def length(self) -> str:
        """What stands in the brackets."""
        length_ms = self.last_ms - self.first_ms
        return f"{length_ms // _SECOND_MS}s" if self.whole_seconds else f"{length_ms}ms"

    @property
    def time(self) -> str:
        """The instant of the question, in seconds."""
        seconds, rest = divmod(self.last_ms, _SECOND_MS)
        return str(seconds) if self.whole_seconds else f"{seconds}.{rest:03d}"


def around(window: Window, *, whole_seconds: bool = False) -> Range:
    """Holds every instant of the window, and few beside it.

    A range selector of Prometheus 2 holds both of its ends, that of 3 only the later one. So it begins a millisecond, or
    a second, before the window: 3 gives exactly the window, 2 at most one instant more.
    """
    if not whole_seconds:
        return Range(window.start_ms - 1, window.end_ms - 1)
    first_s, last_s = window.start_ms // _SECOND_MS - 1, -(-window.end_ms // _SECOND_MS)
    return Range(first_s * _SECOND_MS, last_s * _SECOND_MS, whole_seconds=True)


def within(window: Window, *, whole_seconds: bool = False) -> Range | None:
    """Holds no instant beside the window, and lacks few of it; None where it would hold none."""
    first_ms, last_ms = window.start_ms, window.end_ms - 1
    if whole_seconds:
        first_ms, last_ms = -(-first_ms // _SECOND_MS) * _SECOND_MS, last_ms // _SECOND_MS * _SECOND_MS
    return Range(first_ms, last_ms, whole_seconds) if first_ms < last_ms else None

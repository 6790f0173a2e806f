"""How many requests one Prometheus gets at the same time: few, fewer when it is busy, none when we are ending."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import TIMEOUT_MAX, Condition

from costlab.domain.errors import SourceUnavailable

_RISE = 0.25  # of a place for each good answer: four of them undo what one refusal did to two places


class Gate:
    """At most `widest` requests in flight; additive increase, multiplicative decrease, never below one."""

    def __init__(self, widest: int) -> None:
        self._widest = float(widest)
        self._width = float(widest)
        self._inside = 0
        self._closed = False
        self._changed = Condition()

    @contextmanager
    def entered(self, longest_s: float = TIMEOUT_MAX) -> Iterator[None]:
        """A place, as soon as there is one; raises SourceUnavailable when there is none in time or the gate is closed."""
        with self._changed:
            free = longest_s > 0 and self._changed.wait_for(
                lambda: self._closed or self._inside < int(self._width), min(longest_s, TIMEOUT_MAX)
            )
            self.check()
            if not free:
                raise SourceUnavailable(
                    "no request could begin in time", "see whether the server is overloaded"
                )
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def check(self) -> None:
        """Raises SourceUnavailable once the gate is closed: long reads look here between two pieces."""
        if self._closed:
            raise SourceUnavailable("reading was ended", "see the error before it")

    def answered(self) -> None:
        """A request went well."""
        with self._changed:
            self._width = min(self._widest, self._width + _RISE)
            self._changed.notify_all()

    def busy(self) -> None:
        """The server, or the way to it, had too much to do."""
        with self._changed:
            self._width = max(1.0, self._width / 2)

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the gate is open."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """No request begins from now on, and those under way end at their next piece."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

"""The ways to read samples out of a Prometheus, as one: an engine turns a selector and a window into batches."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Protocol

from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.selector import Selector


class Engine(Protocol):
    """Reads raw samples; one engine may be used by several threads."""

    name: str
    """As the configuration and `runs` call it."""

    most_samples: int | None
    """How many samples one request should bring at most; None when the server streams, and needs no memory for them."""

    @property
    def remarks(self) -> Sequence[str]:
        """What the server said beside its answers so far, and what had to be left out; each once.

        The same however often a request was repeated, and into however many it was split.
        """
        ...

    def read(self, selector: Selector, window: Window, deadline: float = inf) -> Iterator[Batch]:
        """The series' samples with window.start_ms <= t < window.end_ms, by one request that is not repeated.

        deadline: on the client's clock, when all of it has to be there.
        Raises SourceError, and then everything that it gave has to be thrown away: MayPass where the same request may
        do, QueryTooLarge and QueryTimedOut where a shorter window or fewer series may.
        """
        ...

    def heard(self, selector: Selector, window: Window, deadline: float = inf) -> bool:
        """Whether `read` would give a sample, as cheaply as can be; raises as `read`, and SourceRefused if it cannot tell."""
        ...


def any_sample(batches: Iterator[Batch]) -> bool:
    """Whether there is one; no more is read than up to the first."""
    return any(len(batch.at_ms) for batch in batches)

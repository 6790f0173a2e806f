"""The synthetic cluster as workers read it: each process tells its story once."""

from functools import lru_cache
from pathlib import Path

from costlab.jobs.crew import Order
from costlab.sources import Source
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource

DAYS = 30


@lru_cache(maxsize=1)
def story() -> SyntheticCluster:
    """Thirty days."""
    return SyntheticCluster(days=DAYS)


def source(_: Order, __: Path) -> Source:
    """A day of it."""
    return SyntheticSource(story())

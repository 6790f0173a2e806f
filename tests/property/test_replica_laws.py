"""Two replicas of Prometheus that scrape one counter tell its rise, in whatever order their samples are stamped."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.core.observe import rates
from costlab.domain.signals import Signal
from costlab.sources import RawSeries
from costlab.sources.prometheus.canonical import canonical_series
from costlab.sources.prometheus.catalogue import built_in

STEP_MS = 1000
CPU = "container_cpu_usage_seconds_total"
FAR_MS = 1_000_000


@dataclass(frozen=True)
class Scrape:
    """What a replica read at an instant, and when it says that it was."""

    at_ms: int
    stamped_ms: int
    replica: int
    value: float
    risen: float


@st.composite
def scrapes(draw: st.DrawFn, *, reset: bool) -> list[Scrape]:
    """Scrapes of one counter in their true order, each stamped late by less than a scrape interval.

    A reset happens when the counter has just been read, so that what two replicas read is all that it rose by.
    """
    whens = []
    for replica in (0, 1):
        count = draw(st.integers(8, 14))
        steps = draw(st.lists(st.integers(STEP_MS, STEP_MS + 300), min_size=count, max_size=count))
        late = draw(st.lists(st.integers(0, STEP_MS - 1), min_size=count, max_size=count))
        start = draw(st.integers(0, STEP_MS))
        whens += [
            (int(at), int(at) + by, replica) for at, by in zip(start + np.cumsum(steps), late, strict=True)
        ]
    whens.sort()
    rises = draw(st.lists(st.integers(0, 9), min_size=len(whens), max_size=len(whens)))
    zero_at = draw(st.integers(6, len(whens) - 6)) if reset else -1
    value, risen, found = draw(st.sampled_from([1000.0, 1e6])), 0.0, []
    for i, ((at, stamped, replica), rise) in enumerate(zip(whens, rises, strict=True)):
        value = rise if i == zero_at else value + rise
        risen += rise
        found.append(Scrape(at, stamped, replica, float(value), risen))
    return found


def rise_told(read: list[Scrape]) -> float:
    """What costlab takes the counter to have risen by, from the two series of the replicas."""
    raw = []
    for replica in (0, 1):
        mine = sorted((s for s in read if s.replica == replica), key=lambda s: s.stamped_ms)
        labels = {"__name__": CPU, "pod": "p", "container": "c", "id": "/p", "replica": str(replica)}
        at_ms = np.array([s.stamped_ms for s in mine], np.int64)
        raw.append(RawSeries(labels, at_ms, np.array([s.value for s in mine])))
    told = canonical_series(Signal.CPU_SECONDS, built_in().metrics(Signal.CPU_SECONDS), raw, ("replica",))
    assert len(told) == 1
    rising = rates(told.at_ms, told.values, told.offsets, np.array([-1]), FAR_MS, 0)
    return float(np.sum(rising.values * (rising.end_ms - rising.start_ms)) / 1000)


def rise_seen(read: list[Scrape]) -> float:
    """What it truly rose by since the sample that is stamped first: what was read before that is not known."""
    first = min(read, key=lambda s: (s.stamped_ms, -s.value))
    return read[-1].risen - first.risen


@settings(deadline=None, max_examples=300)
@given(scrapes(reset=False))
def test_replicas_tell_the_rise_of_the_counter(read: list[Scrape]) -> None:
    np.testing.assert_allclose(rise_told(read), rise_seen(read), atol=1e-6)


@settings(deadline=None, max_examples=300)
@given(scrapes(reset=True))
def test_and_across_a_reset(read: list[Scrape]) -> None:
    np.testing.assert_allclose(rise_told(read), rise_seen(read), atol=1e-6)

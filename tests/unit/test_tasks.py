"""Reading tasks: whatever a server refuses, every sample comes once, no refused query is repeated, and no half stays."""

import re
from collections.abc import Iterator, Sequence
from threading import Event, Semaphore, Thread

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources import Batch
from costlab.sources.prometheus.answer import (
    BrokenOff,
    GatewayTimedOut,
    MayPass,
    QueryTimedOut,
    QueryTooLarge,
    QueryTooLong,
)
from costlab.sources.prometheus.engine import any_sample
from costlab.sources.prometheus.gate import Gate
from costlab.sources.prometheus.selector import Selector
from costlab.sources.prometheus.tasks import Reader, Task

UP = Selector("up")
DAY = Window(0, 24 * HOUR_MS)
Samples = dict[tuple[str, str], list[int]]


def labels_of(key: tuple[str, str]) -> dict[str, str]:
    return {"__name__": "up", "namespace": key[0], "pod": key[1]}


def batch(found: Samples) -> Batch:
    maps = pa.array([list(labels_of(key).items()) for key in found], pa.map_(pa.string(), pa.string()))
    offsets = np.concatenate([[0], np.cumsum([len(at) for at in found.values()])]).astype(np.int64)
    at_ms = np.array([at for instants in found.values() for at in instants], np.int64)
    return Batch(maps, offsets, at_ms, at_ms.astype(np.float64))


class Server:
    """An engine over samples in memory that refuses what is more than `most`, with batches of one series each."""

    name = "memory"
    most_samples: int | None = None

    def __init__(
        self, samples: Samples, most: float = np.inf, fault: type[SourceError] = QueryTooLarge
    ) -> None:
        self.samples, self.most, self.fault = samples, most, fault
        self.remarks: list[str] = []
        self.asked: list[tuple[str, Window]] = []
        self.breaks: list[SourceError] = []
        self.deadlines: set[float] = set()

    def read(self, selector: Selector, window: Window, deadline: float = np.inf) -> Iterator[Batch]:
        self.deadlines.add(deadline)
        self.asked.append((str(selector), window))
        found = self._found(selector, window)
        if sum(map(len, found.values())) > self.most:
            raise self.fault("too much", "less")
        for place, (key, instants) in enumerate(found.items()):
            if place == 1 and self.breaks:
                raise self.breaks.pop(0)
            yield batch({key: instants})

    def heard(self, selector: Selector, window: Window, deadline: float = np.inf) -> bool:
        return any_sample(self.read(selector, window, deadline))

    def label_values(self, label: str, selector: Selector, window: Window, deadline: float) -> Sequence[str]:
        self.deadlines.add(deadline)
        return sorted({labels_of(key).get(label, "") for key in self._found(selector, window)} - {""})

    def _found(self, selector: Selector, window: Window) -> Samples:
        found = {
            key: [at for at in instants if window.start_ms <= at < window.end_ms]
            for key, instants in self.samples.items()
            if all(matcher.holds(labels_of(key)) for matcher in selector.matchers)
        }
        return {key: instants for key, instants in found.items() if instants}


class Kept:
    """A sink that remembers what was kept, and that nothing stayed open."""

    def __init__(self) -> None:
        self.found: Samples = {}
        self.open = 0

    def part(self) -> "KeptPart":
        self.open += 1
        return KeptPart(self)


class KeptPart:
    def __init__(self, sink: Kept) -> None:
        self._sink, self._added = sink, list[Batch]()

    def add(self, added: Batch) -> None:
        self._added.append(added)

    def keep(self) -> None:
        self._sink.open -= 1
        for one in (series for added in self._added for series in added.series()):
            key = (one.labels["namespace"], one.labels["pod"])
            self._sink.found.setdefault(key, []).extend(one.at_ms.tolist())

    def drop(self) -> None:
        self._sink.open -= 1


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def read(
    server: Server, *, most_series: int = 1000, deadline: float = 1e9, window: Window = DAY
) -> tuple[Kept, Time]:
    clock, sink = Time(), Kept()
    reader = Reader(
        server, Gate(2), server, most_series, clock=lambda: clock.now, sleep=clock.sleep, jitter=lambda: 0.5
    )
    try:
        count = reader.read(Task(UP, window, deadline), sink)
        assert count == sum(map(len, sink.found.values()))
    finally:
        assert sink.open == 0
    return sink, clock


hours = st.lists(
    st.integers(0, 24 * 60 - 1).map(lambda m: m * MINUTE_MS), min_size=1, max_size=60, unique=True
)
worlds = st.dictionaries(
    st.tuples(st.sampled_from("abc.|"), st.sampled_from("xyz*")), hours.map(sorted), max_size=8
)


@given(worlds, st.integers(5, 40), st.sampled_from([QueryTooLarge, QueryTimedOut]))
def test_every_sample_comes_once_and_no_refused_query_is_sent_again(
    samples: Samples, most: int, fault: type[SourceError]
) -> None:
    server = Server(samples, most, fault)
    sink, _ = read(server)
    assert {key: sorted(at) for key, at in sink.found.items()} == samples
    assert len(server.asked) == len(set(server.asked))
    assert server.deadlines == {1e9}


def test_a_length_that_was_refused_is_not_tried_on_the_next_window() -> None:
    samples = {("a", "x"): list(range(0, DAY.end_ms, MINUTE_MS))}
    server = Server(samples, most=400)
    read(server)
    # A day and the first of its halves are refused; the other half is split unasked: 1,440 minutes, 12 h, 6 h.
    assert [window.duration_ms // HOUR_MS for _, window in server.asked] == [24, 12, 6, 6, 6, 6]


def test_below_the_floor_series_are_parted_until_no_label_parts_them() -> None:
    samples = {(namespace, pod): [0, 1] for namespace in "ab" for pod in "xyz"}
    server = Server(samples, most=4)
    sink, _ = read(server, window=Window(0, 5 * MINUTE_MS))
    assert sink.found == samples
    assert 'up{namespace=~"a",pod=~"x"}' in {selector for selector, _ in server.asked}
    with pytest.raises(
        QueryTooLarge, match=re.escape('too much, even for 5 minutes of up{namespace=~"a",pod=~"x"}')
    ):
        read(Server(samples, most=1), window=Window(0, 5 * MINUTE_MS))


def test_what_is_refused_at_the_floor_is_parted_at_once_in_the_next_window() -> None:
    samples = {(namespace, "x"): list(range(0, HOUR_MS, MINUTE_MS)) for namespace in "ab"}
    server = Server(samples, most=9)
    sink, _ = read(server, window=Window(0, HOUR_MS))
    assert {key: sorted(at) for key, at in sink.found.items()} == samples
    floor = [selector for selector, window in server.asked if window.duration_ms < 10 * MINUTE_MS]
    assert floor.count("up{}") == 1
    assert len(floor) == 1 + 2 * 8  # of 7.5 minutes, by namespace


def test_halves_that_differ_by_a_millisecond_are_of_one_length() -> None:
    server = Server({("a", "x"): list(range(0, DAY.end_ms, MINUTE_MS))}, most=400)
    read(server, window=Window(0, DAY.end_ms + 1))
    assert len(server.asked) == 6


@pytest.mark.parametrize("fault", [QueryTooLarge, QueryTimedOut])
@pytest.mark.parametrize("at_ms", [[], [DAY.end_ms - 1]])
def test_whether_there_is_a_sample_is_told_from_any_piece(fault: type[SourceError], at_ms: list[int]) -> None:
    server = Server({("a", "x"): at_ms, ("b", "y"): at_ms}, most=1, fault=fault)
    reader = Reader(server, Gate(2), server, 1000)
    assert reader.heard(Task(UP, DAY, np.inf)) == bool(at_ms)


def test_a_length_that_is_refused_even_at_the_floor_is_not_tried_with_fewer_series() -> None:
    server = Server({("a", "x"): [0, 1], ("b", "y"): [0, 1]}, most=1, fault=QueryTooLong)
    with pytest.raises(QueryTooLong):
        read(server, window=Window(0, 5 * MINUTE_MS))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "faults",
    [
        [MayPass("busy", ""), MayPass("busy", "")],
        [BrokenOff("broke off", ""), GatewayTimedOut("504", "")],
    ],
    ids=["may pass", "broken off, then late"],
)
def test_what_broke_off_is_thrown_away_and_read_again(faults: list[SourceError]) -> None:
    samples = {("a", "x"): [1], ("a", "y"): [2]}
    server = Server(samples)
    server.breaks = faults
    sink, clock = read(server)
    assert sink.found == samples
    assert clock.slept == [0.5, 1.0]
    assert set(server.asked) == {("up{}", DAY)}


@pytest.mark.parametrize("fault", [BrokenOff, GatewayTimedOut])
def test_an_answer_that_is_never_whole_is_asked_for_in_halves_after_the_second_time(
    fault: type[SourceError],
) -> None:
    samples = {("a", "x"): list(range(0, DAY.end_ms, MINUTE_MS))}
    server = Server(samples, most=800, fault=fault)
    sink, clock = read(server)
    assert sink.found == samples
    assert [window.duration_ms // HOUR_MS for _, window in server.asked] == [24, 24, 12, 12]
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize("fault", [BrokenOff, GatewayTimedOut])
def test_at_the_floor_it_is_asked_for_five_times(fault: type[SourceError]) -> None:
    server = Server({("a", "x"): [1], ("b", "y"): [2]}, most=0, fault=fault)
    with pytest.raises(fault, match="too much"):
        read(server, window=Window(0, 5 * MINUTE_MS))
    assert server.asked == 5 * [("up{}", Window(0, 5 * MINUTE_MS))]


def test_five_times_is_enough() -> None:
    server = Server({("a", "x"): [1], ("a", "y"): [2]})
    server.breaks = [MayPass(f"busy {i}", "wait") for i in range(9)]
    with pytest.raises(MayPass, match="busy 4"):
        read(server)
    assert len(server.asked) == 5


def test_it_waits_as_long_as_the_server_asks_but_not_beyond_the_deadline() -> None:
    server = Server({("a", "x"): [1], ("a", "y"): [2]})
    server.breaks = [MayPass("busy", "", after_s=20.0)]
    assert read(server)[1].slept == [20.0]
    server.breaks = [MayPass("busy", "", after_s=2000.0), MayPass("busy", "", after_s=2000.0)]
    assert read(server)[1].slept == [2000.0, 2000.0]
    server.breaks, server.asked = [GatewayTimedOut("busy", "", after_s=2000.0)], []
    with pytest.raises(MayPass, match="busy; it asks to wait 2,000 s, 1,800 s are left") as fault:
        read(server, deadline=1800.0)
    assert "prometheus.signal_timeout" in fault.value.hint
    assert len(server.asked) == 1


def test_the_deadline_is_for_all_requests_of_a_task() -> None:
    with pytest.raises(SourceUnavailable, match="not read in the time that one signal has"):
        read(Server({("a", "x"): [1]}), deadline=0.0)


def test_what_cost_the_time_is_said_when_it_is_up() -> None:
    class Slow(Server):
        def read(self, selector: Selector, window: Window, deadline: float = np.inf) -> Iterator[Batch]:
            if self.asked:
                clock.now = deadline
                raise SourceUnavailable("did not answer within 0.1 s", "wait")
            yield from super().read(selector, window, deadline)

    server, clock = Slow({("a", "x"): [1], ("b", "y"): [2]}), Time()
    server.breaks = [BrokenOff("the answer ends in the middle", "")]
    reader = Reader(server, Gate(2), server, 1000, clock=lambda: clock.now, sleep=clock.sleep)
    with pytest.raises(
        SourceUnavailable, match=r"^the answer ends in the middle: up\{\} was not read in the time"
    ):
        reader.read(Task(UP, DAY, 5.0), Kept())


def test_too_many_series_name_the_labels_that_make_them() -> None:
    class Wide(Server):
        def read(self, selector: Selector, window: Window, deadline: float = np.inf) -> Iterator[Batch]:  # noqa: ARG002 - one answer for all
            yield batch({("a", f"pod-{i}"): [i] for i in range(50)})
            yield batch({("a", f"pod-{i}"): [i] for i in range(50, 120)})

    with pytest.raises(
        SourceRefused, match=r"more than 100 series: .*pod \(70 values in 70 series\)"
    ) as refused:
        read(Wide({}), most_series=100)
    assert "prometheus.max_series" in refused.value.hint


def test_a_series_that_comes_in_pieces_counts_once() -> None:
    class Piecewise(Server):
        def read(self, selector: Selector, window: Window, deadline: float = np.inf) -> Iterator[Batch]:  # noqa: ARG002 - one answer for all
            for minute in range(30):
                found = batch({("a", f"pod-{i}"): [minute] for i in range(5)})
                yield found
                yield Batch(found.labels.slice(2), np.arange(4), found.at_ms[2:], found.values[2:])

    assert len(read(Piecewise({}), most_series=5)[0].found) == 5
    with pytest.raises(SourceRefused, match="more than 4 series"):
        read(Piecewise({}), most_series=4)


def test_a_place_that_is_not_free_in_time_is_not_waited_for() -> None:
    gate = Gate(1)
    with gate.entered(), pytest.raises(SourceUnavailable, match="in time"), gate.entered(0.01):
        pass
    with gate.entered(0.01):
        pass


def test_a_busy_server_gets_one_request_at_a_time_and_then_more_again() -> None:
    gate = Gate(4)

    assert places(gate) == 4
    gate.busy()
    assert places(gate) == 2
    gate.busy()
    gate.busy()
    assert places(gate) == 1
    for _ in range(3):
        gate.answered()
    assert places(gate) == 1
    for _ in range(40):
        gate.answered()
    assert places(gate) == 4
    gate.close()
    with pytest.raises(SourceUnavailable, match="ended"), gate.entered():
        pass


def places(gate: Gate) -> int:
    """How many find a place at once: each enters in a thread of its own and stays until all are counted."""
    inside, leave = Semaphore(0), Event()

    def stay() -> None:
        with gate.entered():
            inside.release()
            leave.wait()

    threads = [Thread(target=stay) for _ in range(6)]
    for thread in threads:
        thread.start()
    count = 0
    while inside.acquire(timeout=0.1):
        count += 1
    leave.set()
    for thread in threads:
        thread.join()
    return count

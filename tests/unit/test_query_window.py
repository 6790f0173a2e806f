"""The query engine's window: every sample of it comes once, whichever ends a version counts to a range."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.time import Window
from costlab.sources.prometheus.answer import Answer, Server
from costlab.sources.prometheus.http import Call
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.selector import Selector

START_MS = 1_795_132_800_000


class Memory:
    """Answers a range selector as Prometheus does: version 2 holds both ends of a range, 3 only the later one."""

    def __init__(self, samples: dict[str, list[int]], version: int) -> None:
        self._samples, self._version = samples, version
        self.whole = False

    @contextmanager
    def receive(self, call: Call, deadline: float) -> Iterator[Any]:
        del deadline
        body = json.dumps(
            {"status": "success", "data": {"resultType": "matrix", "result": self._result(call.data)}},
            separators=(",", ":"),
        ).encode()
        yield SimpleNamespace(whole=lambda _: body, server=Server("memory"))

    def ask_once(self, call: Call, deadline: float) -> Answer:
        """Answers the count of series that have samples in the range."""
        del deadline
        form: Any = call.data
        ranged = re.fullmatch(r"count\(last_over_time\((.*)\)\)", form["query"])
        assert ranged
        having = sum(bool(series["values"]) for series in self._result({**form, "query": ranged[1]}))
        counts = [{"metric": {}, "value": [1, str(having)]}] if having else []
        return Answer({"resultType": "vector", "result": counts}, (), Server("memory"))

    @staticmethod
    def server_timeout(deadline: float) -> str:
        del deadline
        return "9.000"

    def _result(self, form: Any) -> list[Any]:
        (length, unit) = re.fullmatch(r"up\{\}\[(\d+)(ms|s)\]", form["query"]).groups()  # type: ignore[union-attr]
        length_ms = int(length) * (1 if unit == "ms" else 1000)
        at_ms = round(float(form["time"]) * 1000)
        self.whole = unit == "s" and "." not in form["time"]
        first_ms = at_ms - length_ms + (self._version > 2)
        return [
            {"metric": {"pod": pod}, "values": [[at / 1000, str(at)] for at in instants if first_ms <= at <= at_ms]}
            for pod, instants in self._samples.items()
        ]  # fmt: skip


# A sample in about every other millisecond: many lie at the very edges of windows.
instants = st.integers(0, 2**120 - 1).map(lambda bits: [START_MS + at for at in range(120) if bits >> at & 1])


@given(
    st.dictionaries(st.sampled_from("abc"), instants),
    st.integers(START_MS - 10, START_MS + 120),
    st.integers(0, 130),
    st.sampled_from([2, 3]),
)
def test_every_sample_of_the_window_comes_once_from_either_version(
    samples: dict[str, list[int]], start_ms: int, length_ms: int, version: int
) -> None:
    window, memory = Window(start_ms, start_ms + length_ms), Memory(samples, version)
    assert read(QueryEngine(as_client(memory)), window) == inside(samples, window)
    assert not memory.whole


@given(
    st.dictionaries(st.sampled_from("abc"), instants.map(lambda at_ms: [START_MS + 40 * (at - START_MS) for at in at_ms])),
    st.integers(START_MS - 10, START_MS + 4800),
    st.integers(1, 5000),
    st.sampled_from([2, 3]),
)  # fmt: skip
def test_it_does_as_well_where_only_whole_seconds_are_answered(
    samples: dict[str, list[int]], start_ms: int, length_ms: int, version: int
) -> None:
    window, memory = Window(start_ms, start_ms + length_ms), Memory(samples, version)
    assert read(QueryEngine(as_client(memory), whole_seconds=True), window) == inside(samples, window)
    assert memory.whole


few = st.lists(st.integers(0, 5000), max_size=3).map(lambda some: sorted({START_MS + at for at in some}))


@given(
    st.dictionaries(st.sampled_from("abc"), few),
    st.data(),
    st.sampled_from([2, 3]),
    st.booleans(),
)
def test_a_sample_is_heard_just_where_there_is_one(
    samples: dict[str, list[int]], data: st.DataObject, version: int, whole_seconds: bool
) -> None:
    edges = [START_MS, START_MS + 5000, *(at for some in samples.values() for at in some)]
    edge = st.builds(lambda at, by: at + by, st.sampled_from(edges), st.integers(-2, 2))
    start_ms, end_ms = sorted((data.draw(edge), data.draw(edge)))
    window = Window(start_ms, end_ms)
    engine = QueryEngine(as_client(Memory(samples, version)), whole_seconds=whole_seconds)
    assert engine.heard(Selector("up"), window) == bool(inside(samples, window))


def as_client(memory: Memory) -> Any:
    return memory


def read(engine: QueryEngine, window: Window) -> dict[str, list[int]]:
    found = {}
    for batch in engine.read(Selector("up"), window):
        for series in batch.series():
            assert series.values.tolist() == series.at_ms.tolist()
            found[series.labels["pod"]] = series.at_ms.tolist()
    return found


def inside(samples: dict[str, list[int]], window: Window) -> dict[str, list[int]]:
    held = {
        pod: [at for at in all_ms if window.start_ms <= at < window.end_ms] for pod, all_ms in samples.items()
    }
    return {pod: at_ms for pod, at_ms in held.items() if at_ms}

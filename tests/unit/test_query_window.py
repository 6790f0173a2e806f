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
from costlab.sources.prometheus.answer import Server
from costlab.sources.prometheus.http import Call
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.selector import Selector

START_MS = 1_795_132_800_000


class Memory:
    """Answers a range selector as Prometheus does: version 2 holds both ends of a range, 3 only the later one."""

    timeout_s = 10.0

    def __init__(self, samples: dict[str, list[int]], version: int) -> None:
        self._samples, self._version = samples, version
        self.whole = False

    @contextmanager
    def receive(self, call: Call) -> Iterator[Any]:
        form: Any = call.data
        (length, unit) = re.fullmatch(r"up\{\}\[(\d+)(ms|s)\]", form["query"]).groups()  # type: ignore[union-attr]
        length_ms = int(length) * (1 if unit == "ms" else 1000)
        at_ms = round(float(form["time"]) * 1000)
        self.whole = unit == "s" and "." not in form["time"]
        first_ms = at_ms - length_ms + (self._version > 2)
        result = [
            {"metric": {"pod": pod}, "values": [[at / 1000, str(at)] for at in instants if first_ms <= at <= at_ms]}
            for pod, instants in self._samples.items()
        ]  # fmt: skip
        document = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        body = json.dumps(document, separators=(",", ":")).encode()
        yield SimpleNamespace(whole=lambda _: body, server=Server("memory"))


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

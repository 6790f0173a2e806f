"""Reading in pieces: whatever the server's limits and its reading of a range, every sample comes once."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.domain.errors import SourceError, SourceRefused, SourceUnavailable
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources.prometheus.answer import Answer, QueryTimedOut, QueryTooLarge, Server
from costlab.sources.prometheus.raw import parse_matrix, read_raw

START_MS = 1_795_132_800_000


class Memory:
    """Answers a range selector as Prometheus does: version 2 holds both ends of a range, 3 only the later."""

    def __init__(
        self,
        samples: dict[str, list[int]],
        version: int,
        most: float = math.inf,
        fault: type[SourceError] = QueryTooLarge,
    ):
        self._samples, self._version, self._most, self._fault = samples, version, most, fault
        self.asked: list[tuple[int, int]] = []

    def query(self, promql: str, at_ms: int) -> Answer:
        length_ms = int(promql.removeprefix("up{}[").removesuffix("ms]"))
        self.asked.append((at_ms, length_ms))
        first = at_ms - length_ms + (self._version > 2)
        result = [
            {"metric": {"__name__": "up", "pod": pod}, "values": [[at / 1000, repr(float(at))] for at in instants if first <= at <= at_ms]}
            for pod, instants in self._samples.items()
        ]  # fmt: skip
        if sum(len(series["values"]) for series in result) > self._most:
            raise self._fault("too many samples", "less")
        found = [series for series in result if series["values"]]
        return Answer({"resultType": "matrix", "result": found}, (), Server("memory"))


def read(memory: Memory, window: Window, piece_ms: int, in_flight: int = 2) -> dict[str, list[int]]:
    raw, _ = read_raw(memory, "up{}", window, in_flight, piece_ms)  # type: ignore[arg-type]  # only query is used
    found: dict[str, list[int]] = {}
    for series in raw:
        assert series.values.tolist() == series.at_ms.tolist()
        assert len(series.at_ms)
        found.setdefault(series.labels["pod"], []).extend(series.at_ms.tolist())
    return found


# A sample in about every other millisecond: many lie at the very edges of windows and pieces.
instants = st.integers(0, 2**120 - 1).map(lambda bits: [START_MS + at for at in range(120) if bits >> at & 1])


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), instants),
    st.integers(START_MS - 10, START_MS + 120),
    st.integers(0, 130),
    st.integers(10, 130),
    st.sampled_from([2, 3]),
)
def test_every_sample_of_the_window_comes_once_from_either_version(
    samples: dict[str, list[int]], start_ms: int, length_ms: int, piece_ms: int, version: int
) -> None:
    window = Window(start_ms, start_ms + length_ms)
    inside = {
        pod: [at for at in held if window.start_ms <= at < window.end_ms] for pod, held in samples.items()
    }
    assert read(Memory(samples, version), window, piece_ms) == {
        pod: held for pod, held in inside.items() if held
    }


@pytest.mark.parametrize("fault", [QueryTooLarge, QueryTimedOut])
@pytest.mark.parametrize("version", [2, 3])
def test_halving_changes_nothing(version: int, fault: type[SourceError]) -> None:
    window = Window(START_MS + 13, START_MS + 13 + 5 * HOUR_MS)
    every_15_s = list(range(START_MS, window.end_ms, 15_000))
    samples = {"a": every_15_s, "b": every_15_s[40:300]}
    limited = Memory(samples, version, most=100, fault=fault)
    assert read(limited, window, 2 * HOUR_MS) == read(Memory(samples, version), window, 2 * HOUR_MS)
    assert min(length_ms for _, length_ms in limited.asked) >= 5 * MINUTE_MS
    assert len(set(limited.asked)) == len(limited.asked), "no query is sent twice"


@pytest.mark.parametrize(
    ("fault", "kind"), [(QueryTooLarge, SourceRefused), (QueryTimedOut, SourceUnavailable)]
)
def test_halving_ends_at_five_minutes(fault: type[SourceError], kind: type[SourceError]) -> None:
    memory = Memory({"a": list(range(START_MS, START_MS + HOUR_MS, 1000))}, 2, most=10, fault=fault)
    with pytest.raises(kind, match="too many samples"):
        read(memory, Window(START_MS, START_MS + HOUR_MS), HOUR_MS, in_flight=1)
    assert [length_ms // 1000 for _, length_ms in memory.asked] == [3600, 1800, 900, 450]


def test_no_time_asks_nothing() -> None:
    memory = Memory({"a": [START_MS]}, 2)
    assert read(memory, Window(START_MS, START_MS), HOUR_MS) == {}
    assert memory.asked == []


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4_102_444_800_000), unique=True, min_size=1).map(sorted),
    st.floats(),
)
def test_milliseconds_and_doubles_come_back_exactly(at_ms: list[int], value: float) -> None:
    text = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))
    values = [[float(f"{at // 1000}.{at % 1000:03d}"), text] for at in at_ms]
    body = json.dumps(
        {
            "status": "success",
            "data": {"resultType": "matrix", "result": [{"metric": {"pod": "p"}, "values": values}]},
        }
    )
    (series,) = parse_matrix(body.encode())
    assert series.at_ms.tolist() == at_ms
    np.testing.assert_array_equal(series.values, np.full(len(at_ms), value))


@settings(deadline=None)
@given(
    st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=4),
    st.sampled_from([(",", ":"), (", ", " : ")]),
)
def test_labels_come_back_whatever_is_in_them(labels: dict[str, str], separators: tuple[str, str]) -> None:
    document = {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": labels, "values": [[1, "1"]]}]},
    }
    (series,) = parse_matrix(json.dumps(document, separators=separators).encode())
    assert series.labels == labels


def test_a_native_histogram_has_no_samples_for_us() -> None:
    series = {"metric": {"__name__": "h"}, "histograms": [[1, {"count": "1", "sum": "1"}]]}
    document = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    assert [len(found.at_ms) for found in parse_matrix(json.dumps(document).encode())] == [0]

"""Reading JSON answers, labels and all, against orjson and NumPy; all in one run, best of five."""

import json
import time
from collections.abc import Callable, Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

from costlab.core.matrix import room_for, scan_matrix
from costlab.sources.prometheus.answer import Server, collector_paused
from costlab.sources.prometheus.export_lines import read_lines
from costlab.sources.prometheus.matrix import read_matrix

SERIES, SAMPLES = 2500, 240  # two hours at 30 s
SERVER = Server("the server")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def seconds(work: Callable[[], object]) -> float:
    """The best of five runs; the first, which compiles, does not count."""
    work()
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def workloads() -> Iterator[tuple[str, Floats]]:
    """What exporters count, float64 (SERIES, SAMPLES)."""
    random = np.random.default_rng(7)
    shape = SERIES, SAMPLES
    yield "CPU seconds", random.gamma(2, 10, shape).cumsum(axis=1).round(9)
    yield "memory bytes", np.round(random.gamma(2, 1e9, shape))
    yield "GPU percent", np.round(random.uniform(0, 100, shape))
    yield "17 digits", random.random(shape)
    yield "wide range", np.exp(random.uniform(-70, 70, shape))


def series(values: Floats) -> Iterator[tuple[str, list[int], list[str]]]:
    """Labels, instants and values as cAdvisor's series have them: about 600 bytes of labels, times that jitter."""
    random = np.random.default_rng(8)
    for number, row in enumerate(values):
        labels = {f"label_{place}": "x" * 30 for place in range(13)} | {"pod": f"pod-{number}"}
        at_ms = 1_795_132_800_000 + np.arange(SAMPLES) * 30_000 + random.integers(-4000, 4000, SAMPLES)
        yield (
            json.dumps(labels, separators=(",", ":")),
            at_ms.tolist(),
            [np.format_float_positional(value, trim="-") for value in row.tolist()],
        )


def matrix(values: Floats) -> bytes:
    """The answer to a range vector."""
    result = ",".join(
        f'{{"metric":{labels},"values":['
        + ",".join(f'[{at // 1000}.{at % 1000:03d},"{text}"]' for at, text in zip(at_ms, texts, strict=True))
        + "]}"
        for labels, at_ms, texts in series(values)
    )
    return f'{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}'.encode()


def export(values: Floats) -> bytes:
    """The lines of an export."""
    return "".join(
        f'{{"metric":{labels},"values":[{",".join(texts)}],"timestamps":[{",".join(map(str, at_ms))}]}}\n'
        for labels, at_ms, texts in series(values)
    ).encode()


def peer_matrix(body: bytes) -> tuple[Ints, Floats]:
    """The same by orjson and NumPy."""
    with collector_paused():
        found = [pair for entry in orjson.loads(body)["data"]["result"] for pair in entry["values"]]
        times, texts = zip(*found, strict=True)
        at_ms = np.rint(np.array(times) * 1000).astype(np.int64)
        return at_ms, np.fromiter(map(float, texts), np.float64, len(texts))


def peer_lines(text: bytes) -> tuple[Ints, Floats]:
    """The same by orjson and NumPy."""
    found = [orjson.loads(line) for line in text.splitlines()]
    return (
        np.concatenate([np.array(entry["timestamps"], np.int64) for entry in found]),
        np.concatenate([np.array(entry["values"], np.float64) for entry in found]),
    )


def odd_share(body: bytes) -> float:
    """The share of values that the loop leaves to Python."""
    begin = body.index(b"[{") + 1
    room = room_for(len(body), 7)
    text = np.frombuffer(memoryview(body).toreadonly(), np.uint8)
    _, _, samples, odd = scan_matrix(text, begin, *room)
    return odd / samples


def main() -> None:
    """Print the figures."""
    count = SERIES * SAMPLES
    for name, values in workloads():
        body, text = matrix(values), export(values)
        at_ms, found = peer_matrix(body)
        batch, lines = read_matrix(body, SERVER).batch, read_lines(text, SERVER)
        for read in (batch, lines):
            np.testing.assert_array_equal(read.at_ms, at_ms)
            np.testing.assert_array_equal(read.values, found)
        pairs = {
            "matrix": (seconds(lambda: read_matrix(body, SERVER)), seconds(lambda: peer_matrix(body))),  # noqa: B023 - called at once
            "export": (seconds(lambda: read_lines(text, SERVER)), seconds(lambda: peer_lines(text))),  # noqa: B023 - the same
        }
        for form, (ours, theirs) in pairs.items():
            print(
                f"{name:12} {form}  ours {count / ours / 1e6:6.1f} M samples/s   "
                f"orjson {count / theirs / 1e6:5.1f} M samples/s   ratio {theirs / ours:5.1f}"
            )
        print(f"{name:12} left to Python: {odd_share(body):.2%} of the values")


if __name__ == "__main__":
    main()

"""Decoding remote read's frames, against a decoder of chunks that trusts every byte, plain Python, and a mere copy.

Ours compares checksums, holds every length against its bounds and reads labels; all in one run, best of nine.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from costlab.core import chunks, frames
from costlab.core._jit import bare_kernel
from costlab.core.remote import MARGIN, LeftOut, cut, find
from costlab.domain.time import Window

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where frames are written, in plain Python

from plain_wire import bits_of, chunk_samples, chunked_series, frame, xor_chunk

SERIES, SAMPLES, A_CHUNK, TIMES = (
    60,
    2880,
    120,
    5,
)  # a day at 30 s, decoded as if there were five times as many
START_MS = 1_795_132_800_000
DAY = Window(START_MS, START_MS + 86_400_000)
EDGES = DAY.start_ms, DAY.end_ms

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_WIDTHS = (0, 14, 17, 20, 64)


def seconds(work: Callable[[], object]) -> float:
    """The best of nine runs; the first, which compiles, does not count."""
    work()
    best = float("inf")
    for _ in range(9):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def workloads() -> Iterator[tuple[str, Ints, Floats]]:
    """What exporters count: scrape times and values, each (SERIES, SAMPLES)."""
    random = np.random.default_rng(7)
    shape = SERIES, SAMPLES
    aligned = START_MS + np.arange(SAMPLES) * 30_000 + random.integers(0, 25_000, (SERIES, 1))
    aligned = np.broadcast_to(aligned, shape)
    jittered = aligned + random.integers(0, 4000, shape)
    yield "CPU seconds", jittered, random.gamma(2, 10, shape).cumsum(axis=1).round(9)
    pages = random.integers(-200, 201, shape) * (random.random(shape) < 0.7)
    yield "memory bytes", jittered, 2.0**30 + 4096.0 * pages.cumsum(axis=1)
    yield "GPU percent", aligned, np.round(random.normal(70, 4, shape))
    yield "a constant", aligned, np.ones(shape)


def stream(at_ms: Ints, values: Floats) -> bytes:
    """A frame for each series, with about 600 bytes of labels, as cAdvisor has them."""
    payloads = []
    for times, row in zip(at_ms.tolist(), values.tolist(), strict=True):
        samples = [(at, bits_of(value)) for at, value in zip(times, row, strict=True)]
        payloads.append([xor_chunk(samples[low : low + A_CHUNK]) for low in range(0, SAMPLES, A_CHUNK)])
    labels = {"__name__": "metric"} | {f"label_{place:02d}": "x" * 30 for place in range(13)}
    return b"".join(
        frame(chunked_series(labels | {"pod": f"pod-{again}-{number}"}, payload))
        for again in range(TIMES)
        for number, payload in enumerate(payloads)
    )


def decode_all(data: Bytes, size: int) -> int:
    """As the engine does it, a MiB at a time; how many samples there were."""
    begin = samples = 0
    while begin < size:
        spans, begin = cut(data, begin, min(begin + 2**20, size))
        found = find(data, spans, LeftOut.of({}))
        samples += sum(len(columns.at_ms) for columns in found.columns(DAY))
    return samples


@bare_kernel
def trusting(data: Bytes, starts: Ints, at_ms: Words, values: Words) -> int:  # noqa: C901 - a kernel stands in one place
    """The samples of chunks of two samples or more, each byte of which is believed, one field of bits after the other."""
    count = 0
    for i in range(len(starts)):
        number = np.int64(_bits(data, starts[i] * 8, 16))
        zigzag, place = _number(data, starts[i] + 2)
        now, step = zigzag >> _ONE ^ (_ZERO - (zigzag & _ONE)), _ZERO
        value = _bits(data, place * 8, 64)
        place += 8
        bit, length, trailing = place * 8, 64, 0
        for sample in range(number):
            if sample == 1:
                step, place = _number(data, place)
                bit = place * 8
            if sample > 1:
                kind = 0
                while kind < 4 and _bits(data, bit, 1):
                    kind, bit = kind + 1, bit + 1
                bit += kind < 4
                width = _WIDTHS[kind]
                if width:
                    change = _bits(data, bit, width)
                    step += change
                    if width < 64 and change > _ONE << np.uint64(width - 1):
                        step -= _ONE << np.uint64(width)
                    bit += width
            if sample > 0:
                now += step
                bit += 1
                if _bits(data, bit - 1, 1):
                    bit += 1
                    if _bits(data, bit - 1, 1):
                        leading = int(np.int64(_bits(data, bit, 5)))
                        length = int(np.int64(_bits(data, bit + 5, 6)))
                        length = 64 if length == 0 else length
                        trailing = 64 - leading - length
                        bit += 11
                    value ^= _bits(data, bit, length) << np.uint64(trailing)
                    bit += length
            at_ms[count], values[count] = now, value
            count += 1
    return count


@bare_kernel
def _bits(data: Bytes, bit: int, width: int) -> np.uint64:
    at, into = bit >> 3, np.uint64(bit & 7)
    word = _ZERO
    for place in range(at, at + 8):
        word = word << np.uint64(8) | np.uint64(data[place])
    return (word << into | np.uint64(data[at + 8]) >> (np.uint64(8) - into)) >> np.uint64(64 - width)


@bare_kernel
def _number(data: Bytes, at: int) -> tuple[np.uint64, int]:
    found, shift = _ZERO, np.uint64(0)
    while data[at] > 127:
        found |= np.uint64(data[at] & 127) << shift
        at, shift = at + 1, shift + np.uint64(7)
    return found | np.uint64(data[at]) << shift, at + 1


def main() -> None:
    """Print the figures."""
    for name, at_ms, floats in workloads():
        body = stream(at_ms, floats)
        data = np.frombuffer(bytearray(body + bytes(MARGIN)), np.uint8)
        size, count = len(body), TIMES * floats.size
        items = find(data, cut(data, 0, size)[0], LeftOut.of({})).items
        starts, (begin, end) = items[:, 0].copy(), items[0, :2].tolist()
        times, bits = np.empty(count, np.uint64), np.empty(count, np.uint64)
        kept = np.empty(len(items), np.int64)
        np.testing.assert_equal((decode_all(data, size), trusting(data, starts, times, bits)), (count, count))
        np.testing.assert_array_equal(times.view(np.int64)[: floats.size].reshape(at_ms.shape), at_ms)
        np.testing.assert_array_equal(bits.view(np.float64)[-floats.size :].reshape(at_ms.shape), floats)
        took = {
            "all of it": seconds(lambda: decode_all(data, size)),  # noqa: B023 - called at once
            "chunks": seconds(lambda: chunks.decode(data, items, *EDGES, times, bits, kept)),  # noqa: B023 - the same
            "trusting": seconds(lambda: trusting(data, starts, times, bits)),  # noqa: B023 - the same
            "plain": seconds(lambda: chunk_samples(body[begin:end])) * len(items),  # noqa: B023 - the same
            "checksums": seconds(lambda: frames.crc32c(data, 0, size)),  # noqa: B023 - the same
            "copying": seconds(data.copy),
        }
        print(
            f"{name:13}{size / count:5.2f} bytes/sample"
            f"   all of it {count / took['all of it'] / 1e6:6.1f} M samples/s, its chunks {count / took['chunks'] / 1e6:6.1f}"
            f"   trusting, chunks alone {count / took['trusting'] / 1e6:6.1f}, ratio {took['trusting'] / took['chunks']:4.1f}"
            f"   plain Python {count / took['plain'] / 1e6:5.2f}, ratio {took['plain'] / took['chunks']:5.0f}"
            f"   checksums {size / took['checksums'] / 1e9:4.1f} GB/s, copying {size / took['copying'] / 1e9:4.1f}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()

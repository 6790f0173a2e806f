"""What a real Prometheus sent, read as its query API told it; and never a crash when some of it is missing or wrong.

COSTLAB_GOLDEN=renew asks a Prometheus anew.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hostile_wire import hold, unpacked
from plain_wire import Sample, bits_of
from real_frames import renew

from costlab.core.remote import MARGIN, LeftOut, Malformed, Texts, cut, find, result
from costlab.domain.time import Window

FOLDER = Path(__file__).with_name("remote_read")
STALE = 0x7FF0_0000_0000_0002
NONE = LeftOut.of({})
ALWAYS = Window(0, 2**62)
Rows = dict[tuple[tuple[str, str], ...], list[Sample]]


def told(name: str) -> list[bytes]:
    return [bytes.fromhex(line) for line in (FOLDER / f"{name}.hex").read_text().splitlines()]


def padded(data: bytes) -> np.ndarray:
    return np.frombuffer(bytearray(data + bytes(MARGIN)), np.uint8)


def strings(texts: Texts) -> list[str]:
    ends = texts.ends.tolist()
    return [texts.text[low:high].tobytes().decode() for low, high in zip(ends, ends[1:], strict=False)]


def rows(data: np.ndarray, spans: np.ndarray, *, chunked: bool, window: Window) -> Rows:
    found: Rows = {}
    for part in find(data, spans, NONE, chunked=chunked).columns(window):
        names, values = strings(part.names), strings(part.values)
        for place in range(len(part.pairs) - 1):
            pairs = range(part.pairs[place], part.pairs[place + 1])
            at = slice(part.offsets[place], part.offsets[place + 1])
            samples = zip(part.at_ms[at].tolist(), part.samples[at].view(np.uint64).tolist(), strict=True)
            found[tuple((names[pair], values[pair]) for pair in pairs)] = list(samples)
    return found


def streamed(stream: bytes, window: Window, *, checked: bool = True) -> Rows:
    """The rows of all frames; raises EOFError where the stream does not end with a frame."""
    data, begin, found = padded(stream), 0, Rows()
    while begin < len(stream):
        spans, after = cut(data, begin, len(stream), checked=checked)
        if not len(spans):
            raise EOFError
        found |= rows(data, spans, chunked=True, window=window)
        begin = after
    return found


@pytest.fixture(scope="module", autouse=True)
def renewed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        renew(request.getfixturevalue("prometheus_folder"), tmp_path_factory.mktemp("golden"), FOLDER)


@pytest.mark.parametrize("place", [0, 1], ids=["a block", "the head"])
def test_chunks_and_samples_are_what_the_query_api_says(place: int) -> None:
    document = json.loads((FOLDER / "values.json").read_text())
    window = Window(document["windows"][place][0], document["windows"][place][1] + 1)
    chunks = streamed(told("chunks")[place], window)
    message = padded(unpacked(told("samples")[place]))[:-MARGIN].copy()
    # A server that unpacks its chunks leaves out values of zero, and so writes 0 for -0.
    plus = {bits_of(-0.0): 0}
    assert rows(message, result(message), chunked=False, window=window) == {
        labels: [(at, plus.get(bits, bits)) for at, bits in samples] for labels, samples in chunks.items()
    }
    wanted = {
        tuple(sorted(series["metric"].items())): [(round(at * 1000), bits_of(float(text))) for at, text in series["values"]]
        for series in document["values"][place]
    }  # fmt: skip
    quiet = {
        0x7FF8_0000_0000_0001: bits_of(float("nan"))
    }  # a NaN of Prometheus's own, which JSON has no room for
    assert {
        tuple(sorted(labels)): [(at, quiet.get(bits, bits)) for at, bits in samples if bits != STALE]
        for labels, samples in chunks.items()
    } == wanted


def test_the_golden_answers_hold_what_they_are_there_for() -> None:
    block, head = told("chunks")
    odd = streamed(block, ALWAYS)[("__name__", "golden_odd"), ("pod", "pöd")]
    assert {len(samples) for samples in streamed(block, ALWAYS).values()} == {1, 2, 13}
    assert {bits_of(float("inf")), bits_of(float("-inf")), bits_of(-0.0), 1} <= {bits for _, bits in odd}
    passing = next(
        samples for labels, samples in streamed(head, ALWAYS).items() if labels[0][1] == "golden_passing"
    )
    assert passing[-1][1] == STALE
    data = padded(head)
    spans, _ = cut(data, 0, len(head))
    assert find(data, spans, NONE).histograms


@pytest.mark.parametrize("place", [0, 1], ids=["a block", "the head"])
def test_a_stream_that_was_cut_anywhere_gives_whole_series_and_an_end_that_is_seen(place: int) -> None:
    stream = told("chunks")[place]
    whole = streamed(stream, ALWAYS)
    ends = 0
    for length in range(1, len(stream)):
        try:
            found = streamed(stream[:length], ALWAYS)
        except EOFError:
            continue
        ends += 1
        assert found.items() < whole.items() or found.keys() == whole.keys()
    assert ends in {len(whole) - 1, len(whole)}


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
@pytest.mark.parametrize("place", [0, 1], ids=["a block", "the head"])
def test_a_byte_that_was_changed_anywhere_is_seen(place: int, mask: int) -> None:
    stream = told("chunks")[place]
    for wrong in range(len(stream)):
        changed = bytearray(stream)
        changed[wrong] ^= mask
        with pytest.raises((Malformed, EOFError)):
            streamed(bytes(changed), ALWAYS)


@pytest.mark.parametrize("name", ["chunks", "samples"])
@pytest.mark.parametrize("place", [0, 1], ids=["a block", "the head"])
def test_without_checksums_a_change_or_a_cut_is_an_error_or_other_samples(place: int, name: str) -> None:
    chunked = name == "chunks"
    whole = told(name)[place] if chunked else unpacked(told(name)[place])
    errors = 0
    for wrong in range(len(whole)):
        changes = [
            bytes([whole[wrong] ^ mask]) + whole[wrong + 1 :] for mask in (0x01, 0x02, 0x10, 0x80, 0xFF)
        ]
        for changed in (whole[:wrong] + rest for rest in (*changes, b"")):
            data = padded(changed)
            try:
                spans = cut(data, 0, len(changed), checked=False)[0] if chunked else result(data[:-MARGIN])
                hold(data, spans, len(changed), chunked=chunked)
            except Malformed:
                errors += 1
    assert errors > len(whole)

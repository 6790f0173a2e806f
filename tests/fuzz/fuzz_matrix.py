"""Fuzzes the reading of JSON answers. Whatever the bytes, nothing but the truth or a typed error comes of it.

The loops run as plain Python, so that the fuzzer sees their branches, and a read beyond the text is an IndexError.
usage: python tests/fuzz/fuzz_matrix.py CORPUS [-max_total_time=SECONDS …]     the folder CORPUS gets the seeds
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris

with atheris.instrument_imports(include=["costlab.core.matrix", "costlab.sources.prometheus"]):
    from costlab.domain.errors import SourceError
    from costlab.sources import Batch
    from costlab.sources.prometheus.answer import Server, read_answer
    from costlab.sources.prometheus.export_lines import read_lines
    from costlab.sources.prometheus.matrix import read_matrix, series_of

SERVER = Server("the server")
HEAD, TAIL = b'{"status":"success","data":{"resultType":"matrix","result":[', b"]}}"
SERIES = b'{"metric":{"__name__":"up","a":"\\"b"},"values":[[1.5,"1"],[2,"-0.25e1"],[3.001,"NaN"]]}'
LINE = b'{"metric":{"__name__":"up"},"values":[1,-2.5,null,1e300],"timestamps":[1,2,2,3]}\n'
SEEDS = {
    b"w": [HEAD + SERIES + b"," + SERIES + b'],"more":1},"infos":["x"],"warnings":[]}', HEAD + TAIL],
    b"s": [SERIES, SERIES + b"," + SERIES, SERIES.replace(b"values", b"histograms")],
    b"l": [LINE, LINE * 2, LINE + b'remoteAddr: "a"; requestURI: /x; timeout exceeded\n', b'{"isPartial":true}\n'],
    b"n": [b"0.1", b"-12345.678901234567890123e-5", b"9007199254740993", b"2.2250738585072011e-308"],
}  # fmt: skip


def whole_answer(text: bytes) -> None:
    """The loop and the general parser come to the same end."""
    assert outcome(lambda: quickly(text)) == outcome(lambda: strictly(text))


def some_series(text: bytes) -> None:
    """The same, with the bytes in the place of the series."""
    whole_answer(HEAD + text + TAIL)


def lines(text: bytes) -> None:
    """Instants rise, whatever they were."""
    text += b"" if text.endswith(b"\n") or not text else b"\n"
    try:
        batch = read_lines(text, SERVER)
    except SourceError:
        return
    for series in batch.series():
        assert (series.at_ms[1:] > series.at_ms[:-1]).all()


def number(text: bytes) -> None:
    """A number is what Python takes it for, to the last bit."""
    some_series(b'{"metric":{},"values":[[1,"%b"]]}' % text)


def quickly(body: bytes) -> list[Any]:
    """What the loop reads, or the general parser in its place."""
    batch: Batch = read_matrix(body, SERVER).batch
    series = zip(batch.labels.to_pylist(), batch.offsets[:-1], batch.offsets[1:], strict=True)
    return [
        (dict(pairs), batch.at_ms[first:end].tolist(), batch.values[first:end].tobytes())
        for pairs, first, end in series
    ]


def strictly(body: bytes) -> list[Any]:
    """What the general parser reads."""
    found = series_of(read_answer(body, SERVER))
    return [(series.labels, series.at_ms.tolist(), series.values.tobytes()) for series in found]


def outcome(read: Callable[[], list[Any]]) -> Any:
    """The samples, or the kind of error."""
    try:
        return read()
    except SourceError as fault:
        return type(fault)


KINDS = {b"w": whole_answer, b"s": some_series, b"l": lines, b"n": number}


def one_input(data: bytes) -> None:
    """The first byte says what the others are."""
    if read := KINDS.get(data[:1]):
        read(data[1:])


def main() -> None:
    """Put the seeds into the corpus; the command line goes to libFuzzer."""
    corpus = Path(sys.argv[1])
    if not corpus.is_file():  # one of its findings, to be looked at again
        corpus.mkdir(parents=True, exist_ok=True)
        for kind, texts in SEEDS.items():
            for place, text in enumerate(texts):
                (corpus / f"{kind.decode()}{place}").write_bytes(kind + text)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Fuzzes the decoding of remote read: frames, messages, chunks, and the transfer coding below them.

The loops run as plain Python, so that the fuzzer sees their branches, and an index outside of an array is an error.
usage: python tests/fuzz/fuzz_chunks.py CORPUS [-max_total_time=SECONDS …]     the folder CORPUS gets the seeds
"""

import os
import sys
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
with atheris.instrument_imports(include=["costlab.core"]):
    from hostile_wire import check, seeds


def main() -> None:
    """Put the seeds into the corpus; the command line goes to libFuzzer."""
    corpus = Path(sys.argv[1])
    if not corpus.is_file():  # one of its findings, to be looked at again
        corpus.mkdir(parents=True, exist_ok=True)
        for place, seed in enumerate(seeds()):
            (corpus / f"seed-{place:02d}").write_bytes(seed)
    atheris.Setup([*sys.argv, "-max_len=4096"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

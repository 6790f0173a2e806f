"""The tests themselves: what they print last is how they ended."""

import subprocess
import sys

from checkout import ROOT


def test_nothing_is_printed_after_the_last_line_of_pytest() -> None:
    some = "tests/unit/test_warehouse.py::test_hashes_do_not_see_chunks"  # Hypothesis, beside DuckDB
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", some], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "1 passed" in done.stdout.splitlines()[-1]

"""The tests themselves: what they print last is how they ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT


def test_nothing_is_printed_after_the_last_line_of_pytest() -> None:
    some = "tests/unit/test_warehouse.py::test_hashes_do_not_see_chunks"  # Hypothesis, beside DuckDB
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", some], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "1 passed" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("ci", "ends", "said"), [("true", 1, "1 error"), ("", 0, "1 skipped")])
def test_without_a_browser_the_report_is_not_tested_and_in_ci_that_fails(
    tmp_path: Path, ci: str, ends: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/integration/test_report_browser.py", "-k", "policy and ordinary"],
        cwd=ROOT, env={**os.environ, "PATH": str(tmp_path), "CI": ci}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, said in done.stdout.splitlines()[-1]) == (ends, True), done.stdout
    assert "scripts/chromium" in done.stdout

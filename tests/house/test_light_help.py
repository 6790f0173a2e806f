"""Help and version are quick: nothing heavy is imported for them."""

import subprocess
import sys

import pytest

HEAVY = {
    "pandas",
    "pyarrow",
    "numba",
    "duckdb",
    "matplotlib",
    "deltalake",
    "numpy",
    "requests",
    "yaml",
}
COMMANDS = [
    "init",
    "doctor",
    "demo",
    "config",
    "nightly",
    "extract",
    "compute",
    "report",
    "cost",
    "sql",
    "queries",
    "tables",
]
SCRIPT = """
import sys
from costlab.__main__ import main
sys.argv = ["costlab", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print("ended", end.code, *sorted(sys.modules))
"""


@pytest.mark.parametrize(
    "args", [["--help"], ["-h"], ["--version"], ["version"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_and_version_import_nothing_heavy(args: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *args], capture_output=True, text=True, check=True)
    ended, code, *modules = done.stdout.splitlines()[-1].split()
    assert (ended, code, done.stderr) == ("ended", "0", "")
    assert sorted(HEAVY & set(modules)) == []

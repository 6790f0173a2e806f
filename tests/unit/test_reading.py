"""All reads of a process share a DuckDB: a fork that has none of its threads begins one of its own."""

import subprocess
import sys
from pathlib import Path

from small_lake import DAY, findings

from costlab.store.lake import Lake

FORKS = """
import os, sys
from pathlib import Path
from costlab.store.reading import read_files

def rows():
    return read_files("findings", [Path(sys.argv[1])]).num_rows

before = rows()
if not (child := os.fork()):
    sys.exit(rows() - before)
assert os.waitpid(child, 0)[1] == 0
assert rows() == before == 2
"""


def written(folder: Path) -> Path:
    lake = Lake.create(folder / "lake")
    lake.write("findings", "prod", DAY, findings("a", "b"))
    (file,) = lake.filed("findings", "prod", DAY).files
    assert isinstance(file, Path)
    return file


def test_a_fork_reads_as_well_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, written(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""Every fuzzer, for some seconds; by hand they run as long as one likes."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

FUZZERS = sorted(Path(__file__).parent.glob("fuzz_*.py"))
SECONDS = 5

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64") or sys.version_info >= (3, 14),
    reason="atheris is built for Linux on x86_64 only, and up to Python 3.13",
)


@pytest.mark.parametrize("fuzzer", FUZZERS, ids=lambda path: path.stem)
def test_nothing_is_found_in_a_short_time(fuzzer: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        fuzzer,
        tmp_path / "corpus",
        f"-max_total_time={SECONDS}",
        f"-artifact_prefix={tmp_path}/",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "Done " in ended.stderr

"""The files of the checkout, as the house's rules see them."""

import functools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def files(*under: str) -> tuple[Path, ...]:
    """What is in git, as paths relative to the root, sorted; what is deleted is left out."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: the rules are about what is in git", allow_module_level=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *under],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = sorted({Path(name) for name in listed.split("\0") if name})
    return tuple(path for path in found if (ROOT / path).is_file())


def pages() -> dict[Path, str]:
    """The prose: every Markdown page by its path, without the sample reports."""
    return {
        path: (ROOT / path).read_text()
        for path in files()
        if path.suffix == ".md" and path.parts[0] != "reports"
    }

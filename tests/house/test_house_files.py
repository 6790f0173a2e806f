"""What is in git could be anyone's: no trace of a machine, scripts that run, locks that any mirror serves."""

import os
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from checkout import ROOT, files
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SCRIPTS = [path for path in files("scripts", ".ci") if path.suffix != ".py"]
LOCKS = [path for path in files() if path.suffix == ".lock"]
PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.+!]+)(?P<marker> ; [^\\\n]+?)? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64} \\\n)*    --hash=sha256:[0-9a-f]{64}\n)"
)


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(r"(?<![\w.|])/(?:work|farm|root|home/\w+)/", id="a path of one machine"),
        pytest.param(
            r"pypi\.|pythonhosted\.|artifactor[y]|devp[i]|--(?:extra-)?index-url", id="a package registry"
        ),
        pytest.param(r"(?i:\bissues?\s+#\d)", id="an issue's number"),
        pytest.param(r"\b(?:T[O]DO|FIX[M]E|XX[X])\b", id="work that is left"),
        pytest.param(r"^(?:<{7}|>{7}) ", id="a merge's marks"),
    ],
)
def test_no_file_has(unwanted: str) -> None:
    seen = [
        f"{path}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1)
        if re.search(unwanted, line)
    ]
    assert seen == []


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_is_short_and_runs(script: Path) -> None:
    lines = (ROOT / script).read_text().splitlines()
    assert lines[0] == "#!/bin/sh"
    assert len(lines) <= 40
    assert any(line.startswith("set -eu") for line in lines)
    assert os.access(ROOT / script, os.X_OK)
    parsed = subprocess.run(["sh", "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert (parsed.returncode, parsed.stderr) == (0, "")


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_lock_is_pins_with_hashes_and_nothing_else(lock: Path) -> None:
    text = (ROOT / lock).read_text()
    pins = list(PINNED.finditer(text))
    assert pins
    assert "".join(pin[0] for pin in pins) == text


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    asked = {
        "requirements.lock": [*project["project"]["dependencies"], *groups["build"]],
        "requirements-extras.lock": [
            *project["project"]["dependencies"],
            *groups["build"],
            *chain(*project["project"]["optional-dependencies"].values()),
        ],
        "requirements-dev.lock": [*project["project"]["dependencies"], *texts(groups["dev"])],
        "requirements-airflow.lock": groups["airflow"],
        "requirements-mkdocs.lock": groups["mkdocs"],
        "requirements-seaweedfs.lock": groups["seaweedfs"],
        "requirements-sqlfluff.lock": groups["sqlfluff"],
    }
    assert asked.keys() == {str(lock) for lock in LOCKS}
    for lock, wanted in asked.items():
        pinned = pins(lock)
        for requirement in map(Requirement, wanted):
            versions = pinned.get(canonicalize_name(requirement.name), set())
            assert versions, f"{lock} has no {requirement.name}: scripts/lock renews it"
            assert all(requirement.specifier.contains(version) for version in versions), (lock, requirement)
    # What is tested is what is installed.
    for larger, lock in (
        ("requirements-dev.lock", "requirements-extras.lock"),
        ("requirements-extras.lock", "requirements.lock"),
    ):
        assert {name: pins(larger)[name] for name in pins(lock)} == pins(lock)


def pins(lock: str) -> dict[str, set[str]]:
    """By package: its versions; there are several where Pythons need different ones."""
    found: dict[str, set[str]] = {}
    for pin in PINNED.finditer((ROOT / lock).read_text()):
        found.setdefault(pin["name"], set()).add(pin["version"])
    return found


def texts(group: list[str | dict[str, str]]) -> list[str]:
    return [entry for entry in group if isinstance(entry, str)]

"""What is installed from the wheel is what is in git, and finds its queries and templates."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT, files

SHIPPED = ("costlab", "queries", "reports/templates", "deploy")
ASK = """
import sys
from costlab import shipped
for name in sys.argv[1:]:
    folder = shipped.folder(name)
    print(*sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"), sep="\\n")
    print(folder)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend of the lock; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_what_is_in_git(wheel: Path) -> None:
    inside = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if not name.partition("/")[0].endswith(".dist-info")
    }
    assert inside == {
        str(path if path.parts[0] == "costlab" else "costlab" / path) for path in files(*SHIPPED)
    }


def test_an_installed_costlab_finds_what_ships_with_it(wheel: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", fresh, cwd=tmp_path)
    python = fresh / "bin/python"
    pip = ("-m", "pip", "--disable-pip-version-check", "--python", python, "install")
    run(sys.executable, *pip, "--no-deps", "--no-index", "--quiet", wheel, cwd=tmp_path)
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    for folder in SHIPPED[1:]:
        *found, where = run(python, "-c", ASK, folder, cwd=tmp_path).splitlines()
        assert Path(where) == site / "costlab" / folder
        assert found == sorted(str(path.relative_to(folder)) for path in files(folder))
    # The libraries come from the environment of the tests, costlab does not: what comes first wins.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    assert "costlab" in run(fresh / "bin/costlab", "--version", cwd=tmp_path)
    assert "kind: CronJob" in run(fresh / "bin/costlab", "deploy", "cronjob", cwd=tmp_path)
    assert "headline" in run(fresh / "bin/costlab", "queries", "-o", "csv", cwd=tmp_path)

"""scripts/prometheus finds the binaries on the PATH, and says what to do where it cannot get them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from loopback import CHECKOUT


def run(checkout: Path, path: Path) -> subprocess.CompletedProcess[str]:
    script = checkout / "scripts" / "prometheus"
    return subprocess.run([str(script)], env={"PATH": str(path)}, capture_output=True, text=True, check=False)


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Path, Path]:
    """A checkout with nothing but the script, and a PATH with nothing but what every system has."""
    checkout, path = tmp_path / "check out", tmp_path / "bin"
    (checkout / "scripts").mkdir(parents=True)
    for script in ("unpack", "prometheus"):
        shutil.copy(CHECKOUT / "scripts" / script, checkout / "scripts")
    path.mkdir()
    for tool in ("sh", "dirname", "mkdir", "mktemp", "rm", "mv"):
        (path / tool).symlink_to(shutil.which(tool) or "")
    return checkout, path


def executable(file: Path, text: str = "#!/bin/sh\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def test_the_path_comes_first(bare: tuple[Path, Path]) -> None:
    checkout, path = bare
    for name in ("prometheus", "promtool"):
        executable(path / name)
        executable(checkout / ".tools" / "prometheus" / "usr" / "bin" / name)
    assert run(checkout, path).stdout == f"{path}\n"
    (path / "promtool").unlink()
    assert run(checkout, path).stdout == f"{checkout}/.tools/prometheus/usr/bin\n"


def test_without_a_package_manager_it_says_where_to_get_them(bare: tuple[Path, Path]) -> None:
    checkout, path = bare
    ended = run(checkout, path)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "not on the PATH" in ended.stderr
    assert "https://prometheus.io/download/" in ended.stderr


def test_a_package_is_unpacked_once_and_a_list_is_fetched_only_when_needed(bare: tuple[Path, Path]) -> None:
    checkout, path = bare
    calls = checkout / "calls"
    executable(
        path / "apt-get",
        f"""#!/bin/sh
echo "$*" >> "{calls}"
case "$*" in
    *update) : > "{checkout}/listed" ;;
    *download*) [ -e "{checkout}/listed" ] && : > prometheus_1_amd64.deb ;;
esac
""",
    )
    executable(
        path / "dpkg",
        """#!/bin/sh
mkdir -p "$3/usr/bin"
printf '#!/bin/sh\n' > "$3/usr/bin/prometheus"
printf '#!/bin/sh\n' > "$3/usr/bin/promtool"
/bin/chmod +x "$3/usr/bin/prometheus" "$3/usr/bin/promtool"
""",
    )
    first = run(checkout, path)
    assert (first.returncode, first.stdout) == (0, f"{checkout}/.tools/prometheus/usr/bin\n"), first.stderr
    assert [line.split()[-1] for line in calls.read_text().splitlines()] == [
        "prometheus",
        "update",
        "prometheus",
    ]
    assert run(checkout, path).stdout == first.stdout
    assert len(calls.read_text().splitlines()) == 3
    assert [entry.name for entry in (checkout / ".tools").iterdir()] == ["prometheus"]

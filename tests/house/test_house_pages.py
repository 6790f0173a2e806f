"""The prose says what is there: tables, commands, metrics, exit codes, paths."""

import re
import runpy
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
import typer.main
from checkout import ROOT, files, pages

from costlab.cli.app import app
from costlab.config.accelerator import builtin, in_effect
from costlab.config.load import load
from costlab.domain.errors import ExitCode
from costlab.domain.signals import Signal
from costlab.domain.tables import TABLES
from costlab.domain.units import UNITS
from costlab.sources.prometheus.catalogue import built_in

COMMANDS = sorted(
    {
        (line, str(path))
        for path, text in pages().items()
        for line in re.findall(r"^ {4}(costlab .+)$|`(costlab [^`]+)`", text, re.MULTILINE)
        for line in line
        if line
    }
)


@pytest.mark.parametrize("name", ["tables", "queries", "exporters"])
def test_a_page_that_is_made_from_the_code_is_as_the_code_makes_it(name: str) -> None:
    made = runpy.run_path(str(ROOT / f"scripts/{name}_page.py"))["page"]()
    assert (ROOT / f"docs/{name}.md").read_text() == made, "scripts/docs writes it"


def test_the_entries_that_the_page_of_exporters_shows_are_taken(tmp_path: Path) -> None:
    (shown,) = re.findall(
        r"```yaml\n(accelerators:.*?)```", (ROOT / "docs/exporters.md").read_text(), re.DOTALL
    )
    (tmp_path / "costlab.yaml").write_text(shown)
    entries = {entry.name: entry for entry in in_effect(load(tmp_path / "costlab.yaml", {}).accelerators)}
    assert entries["plain"].unit(Signal.GPU_MEMORY_USED) == UNITS["bytes"]
    assert entries["amd"].names(Signal.GPU_UTILIZATION) == ("amd_gpu_gfx_activity",)
    assert entries["tpu"].names(Signal.GPU_MEMORY_USED) == ()
    assert entries["npu"].names(Signal.GPU_POWER) == ("npu_power_watts",)


def test_the_configuration_that_a_how_to_shows_is_taken(tmp_path: Path) -> None:
    shown = [
        block
        for path, text in pages().items()
        if path.is_relative_to("docs/how-to")
        for block in re.findall(r"```yaml\n((?:lake|accelerators):.*?)```", text, re.DOTALL)
    ]
    assert len(shown) >= 2
    for block in shown:
        (tmp_path / "costlab.yaml").write_text(block)
        load(tmp_path / "costlab.yaml", {})


@pytest.mark.parametrize(("line", "page"), COMMANDS)
def test_a_command_that_a_page_shows_is_understood(line: str, page: str) -> None:
    del page  # names the test
    command: Any = typer.main.get_command(app)
    front = command
    words = shlex.split(line.replace("\n", " "), comments=True)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert command is not front or words[0].startswith("-"), f"there is no command {words[0]}"
    if words and "--help" not in words:  # without words only its name is meant
        command.make_context(command.name, words)


def test_metrics_are_called_as_the_catalogue_calls_them() -> None:
    known = {metric.name for signal in Signal for metric in built_in().metrics(signal)}
    known |= {signal.value for signal in Signal}
    known |= {name for entry in builtin() for names in entry.labels.values() for name in names}
    ours = {*TABLES, *Signal} | {column.name for table in TABLES.values() for column in table.columns}
    said = {
        (name, str(path))
        for path, text in pages().items()
        for name in re.findall(r"\b(?:kube|container|DCGM|dcgm)_\w+", text)
    }
    assert {name for name, _ in said} & known, "some page names a metric"
    assert {(name, path) for name, path in said if name not in known | ours} == set()


def test_every_exit_code_is_explained_to_operators() -> None:
    page = (ROOT / "docs/operate.md").read_text()
    explained = {int(code) for code in re.findall(r"^\| (\d+) \| \S", page, re.MULTILINE)}
    code = "\n".join((ROOT / path).read_text() for path in files("costlab") if path.suffix == ".py")
    # A code that nothing ends with yet is not promised either.
    assert explained == {known.value for known in ExitCode if re.search(rf"ExitCode\.{known.name}\b", code)}


def test_paths_that_pages_name_are_there() -> None:
    named = {
        (str(path), name)
        for path, text in pages().items()
        for name in re.findall(r"`([\w./-]+)`", text)
        if re.search(r"\.(?:py|md|sql|lock|toml|png)$|^(?:costlab|docs|queries|scripts|tests)/", name)
    }
    there = {str(path) for path in files()}
    there |= {str(folder) for path in files() for folder in path.parents}
    assert len(named) > 20
    missing = {
        (page, name)
        for page, name in named
        if not {str(folder / name.rstrip("/")) for folder in (Path(), Path("costlab"), Path(page).parent)}
        & there
    }
    assert missing == set()


def test_every_version_says_whether_numbers_changed() -> None:
    _, *versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions
    for version in versions:
        assert re.search(r"^### Numbers changed\n\n- \w", version, re.MULTILINE), version.partition("\n")[0]


def test_every_fault_names_tests_that_are_there() -> None:
    rows = [line for line in (ROOT / "docs" / "faults.md").read_text().splitlines() if line.startswith("| ")][
        1:
    ]
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert len(rows) > 30
    faults = [row.split(" | ")[0] for row in rows]
    assert len(set(faults)) == len(faults)
    for row in rows:
        codes = re.findall(r"\d+", row.split(" | ")[2])
        assert set(map(int, codes)) <= {*ExitCode, 128 + signal.SIGTERM}, row
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= there, row

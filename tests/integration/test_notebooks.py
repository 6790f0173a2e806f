"""The notebooks as people run them: each pair in step, without outputs, and run from top to bottom on the demo's lake."""

import importlib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
jupytext: Any = importlib.import_module("jupytext")  # ships no types
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_script_and_its_notebook_say_the_same_and_keep_no_output(script: Path) -> None:
    pair = nbformat.read(script.with_suffix(".ipynb"), as_version=4)  # type: ignore[no-untyped-call]
    assert [(c.cell_type, c.source) for c in pair.cells] == [
        (c.cell_type, c.source) for c in jupytext.read(script).cells
    ], f"jupytext --sync {script.relative_to(ROOT)}"
    assert all(not c.get("outputs") and c.get("execution_count") is None for c in pair.cells)
    nbformat.validate(pair)


def test_each_is_listed() -> None:
    listed = (ROOT / "notebooks/README.md").read_text()
    assert [script.stem for script in NOTEBOOKS if f"`{script.stem}`" not in listed] == []


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(script: Path, demo_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo_cache))
    monkeypatch.setenv("IPYTHONDIR", str(demo_cache / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    done = NotebookClient(
        jupytext.read(script),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": ROOT / "notebooks"}},
    ).execute()
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [
        output.text for output in outputs if output.get("name") == "stderr" and "error" in output.text
    ]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == sum(cell.source.count("lab.plot.") for cell in done.cells)

"""The rules of the code that no linter holds."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from checkout import ROOT, files

from costlab.config.load import load
from costlab.domain.errors import ConfigError
from costlab.domain.tables import TABLES, Column, TableSpec, Type

MODULES = [path for path in files("costlab") if path.suffix == ".py"]


@cache
def parsed(path: Path) -> ast.Module:
    """Only when a test asks: every process of a session collects this file, and one of them runs it."""
    return ast.parse((ROOT / path).read_text())


KERNELS = [
    (path.stem, node.name)
    for path in MODULES
    if path.parent == Path("costlab/core/kernels")
    for node in parsed(path).body
    if isinstance(node, ast.FunctionDef) and node.decorator_list and node.name[0] != "_"  # part of another
]
REMARK = re.compile(r'\s*(?:#|--|""")\s*\S')
NOQA = re.compile(r"(?:#|--) noqa(?:: ?(?P<code>\w+)(?P<reason> - \w.+)?)?")


def test_imports_go_down_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_numba_is_imported_in_one_file() -> None:
    importers = {path.name for path in MODULES if "numba" in imported(parsed(path))}
    assert importers == {"_jit.py"}


def imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


VARIABLES = sorted(
    {
        name
        for path in files("scripts", "tests", "benchmarks")
        if path.suffix in {"", ".py"}
        for name in re.findall(r"\bCOSTLAB(?:_[A-Z]+)+\b", (ROOT / path).read_text())
    }
)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_the_tests_does_not_stop_the_command(name: str) -> None:
    """Whoever runs the tests with it set runs costlab with it as well; what it says of the value is its own matter."""
    try:
        load(None, {name: "x"}, folder=ROOT)
    except ConfigError as fault:
        assert "is no setting" not in fault.message  # noqa: PT017 - most of them raise nothing


@pytest.mark.parametrize(("module", "name"), KERNELS)
def test_a_kernel_is_held_against_its_twin_and_explained(module: str, name: str) -> None:
    kernels, reference = (import_module(f"costlab.core.{each}.{module}") for each in ("kernels", "reference"))
    loop = getattr(kernels, name)
    plain = getattr(loop, "py_func", loop)  # numba's
    assert inspect.signature(plain) == inspect.signature(getattr(reference, name))
    laws = "".join(path.read_text() for path in (ROOT / "tests/property").glob("test_kernels_*.py"))
    assert f"kernels.{name}(" in laws
    assert f"reference.{name}(" in laws
    assert f"`{name}`" in (ROOT / "docs/methods.md").read_text()


def test_what_is_public_says_what_it_is() -> None:
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path in MODULES
        for node in public(parsed(path))
        if not ast.get_docstring(node)
    ]
    assert silent == []


def public(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_column_says_what_it_holds(table: TableSpec) -> None:
    names = table.column_names
    assert len(set(names)) == len(names)
    assert set(table.sort) <= set(names)
    assert [column.name for column in table.columns if not explained(column)] == []


def explained(column: Column) -> bool:
    measured = column.type in {Type.FLOAT, Type.FLOAT32, Type.MONEY}
    return column.doc.endswith(".") and (column.unit != "" or not measured)


def test_what_a_linter_overlooks_has_its_reason() -> None:
    read = [path for path in files() if path.suffix in {".py", ".sql"}]
    assert [where for path in read for where in unexplained(path)] == []


def unexplained(path: Path) -> Iterator[str]:
    """Places without a reason beside them, just above them, or beside another of the same code in the file."""
    text = (ROOT / path).read_text()
    lines = text.splitlines()
    told = {found["code"] for found in NOQA.finditer(text) if found["reason"]}
    for number, line in enumerate(lines):
        above = any(REMARK.match(before) for before in lines[max(0, number - 2) : number])
        if (found := NOQA.search(line)) and not (found["code"] and (above or found["code"] in told)):
            yield f"{path}:{number + 1}"


def test_a_rule_that_is_switched_off_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    ruff = text[text.index("[tool.ruff.lint]") : text.index("[tool.pytest")]
    unexplained = [
        line
        for line in ruff.splitlines()
        if re.search(r'"[A-Z]{1,4}\d*"', line.partition("#")[0].partition("select =")[0])
        and not re.search(r"# \w+.{5}", line)
    ]
    assert unexplained == []
    sql = text[text.index("[tool.sqlfluff.core]") :]
    excluded = re.findall(r"\w+", sql.partition('exclude_rules = "')[2].partition('"')[0])
    assert excluded
    assert [rule for rule in excluded if not re.search(rf"^# .*\b{rule}\b.*: ", sql, re.MULTILINE)] == []

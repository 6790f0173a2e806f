"""Print an answer, or write it to a file: the only module that puts data on stdout."""

import math
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from costlab.cli.fitting import GAP, Column, fitted, width_of
from costlab.cli.formats import Answer, is_number, written
from costlab.cli.options import Format
from costlab.domain.errors import ConfigError
from costlab.render import figures
from costlab.render.envelope import unique
from costlab.render.names import visible
from costlab.store.durable import write_atomically

_ENDLESS = 100_000  # columns: off a terminal nothing is cut or folded
_NOT_TO_LOOK_AT = {Format.PARQUET: "Parquet", Format.XLSX: "a workbook"}
_SUFFIXES = {**{f".{form}": form for form in Format}, ".yml": Format.YAML, ".txt": Format.TABLE}


def show(answer: Answer, output: Format | None, out: Path | None) -> None:
    """Print the answer, or write it to `out` whole; raises ConfigError when that cannot be written."""
    form = form_of(output, out)
    if form is Format.TABLE and out is None and sys.stdout.isatty():
        _print(answer, Console(highlight=False))
        return
    content = _drawn(answer) if form is Format.TABLE else written(answer, form)
    if out is not None:
        _save(content, out)
        return
    if form in _NOT_TO_LOOK_AT and sys.stdout.isatty():
        raise ConfigError(
            f"{_NOT_TO_LOOK_AT[form]} is nothing to look at", "name a file with --out, or pipe it"
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def form_of(output: Format | None, out: Path | None) -> Format:
    """The format that was asked for: by name, else by the file's suffix, else a table."""
    return output or (_SUFFIXES.get(out.suffix, Format.TABLE) if out else Format.TABLE)


def _save(content: bytes, out: Path) -> None:
    try:
        write_atomically(out, content)
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}",
            "name another file with --out; its folder must exist",
        ) from error


def _drawn(answer: Answer) -> bytes:
    """The table as plain text of any width."""
    paper = StringIO()
    console = Console(file=paper, width=_ENDLESS, color_system=None, highlight=False)
    console.print(_table(answer, _columns(answer), folds=False))
    lines = [line.rstrip() for line in paper.getvalue().splitlines()]
    return "".join(f"{line}\n" for line in lines if line).encode()


def _print(answer: Answer, console: Console) -> None:
    """The table as far as the terminal has room for it, and what it has no room for by name; of one row, line by line."""
    columns = _columns(answer)
    needed = width_of(columns)
    if answer.rows.num_rows == 1 and needed > console.width:
        record = [
            Column("", [column.heading for column in columns]),
            Column("", [column.cells[0] for column in columns]),
        ]
        console.print(_table(answer, record, folds=True, heads=False))
        return
    fit = fitted(columns, console.width, total=answer.total)
    for line in _of_all(fit.same):
        console.print(Text(f" {line}", style="dim"))
    console.print(_table(answer, fit.shown, folds=True))
    if fit.hidden:
        where = f"a terminal of {needed} columns, a pipe into less -S, or -o csv shows them"
        console.print(Text(f" no room for {', '.join(fit.hidden)}: {where}", style="dim"))


def _of_all(same: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Lines of what holds for every row."""
    if told := [f"{heading}: {value}" for heading, value in same if value != figures.NONE]:
        yield ", ".join(told)
    if empty := [heading for heading, value in same if value == figures.NONE]:
        yield f"nothing in {', '.join(empty)}"


def _table(answer: Answer, columns: Sequence[Column], *, folds: bool, heads: bool = True) -> Table:
    """Numbers on the right; folds: headings and sentences are, at words, and nothing else is, where there is any room."""
    padding = (0, GAP - 1, 0, 0) if folds else (0, 1)
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, show_header=heads)
    for column in columns:
        drawn.add_column(
            Text(column.heading),
            justify="right" if column.number else "left",
            overflow="fold",
            no_wrap=not folds,
            min_width=column.needs,
            max_width=None if column.sentence or not folds else column.needs,
        )
    for place, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        before_total = answer.total and place == answer.rows.num_rows - 2
        drawn.add_row(*(Text(text) for text in row), end_section=before_total)
    return drawn


def _columns(answer: Answer) -> list[Column]:
    """The columns as printed; a bill is rounded, so that its printed parts give its printed total."""
    return [
        Column(
            visible(name.replace("_", " ") if answer.total else name),
            _rounded(column) if answer.total else [_cell(value) for value in column.to_pylist()],
            is_number(column.type),
            pa.types.is_decimal(column.type),
        )
        for name, column in zip(unique(answer.rows.column_names), answer.rows.columns, strict=True)
    ]


def _rounded(column: pa.ChunkedArray) -> list[str]:
    """The cells of a bill's column, its total last."""
    *parts, total = column.to_pylist()
    if pa.types.is_decimal(column.type) and total is not None:
        # To the hundredth, as in the report's reconciliation: the same sum is never a whole unit apart there.
        cells, last = figures.column(parts, total=total, to=figures.CENT)
        return [*cells, last]
    if pa.types.is_floating(column.type):
        return [figures.quantity(value) for value in (*parts, total)]
    return [_cell(value) for value in (*parts, total)]


def _cell(value: Any) -> str:
    if value is None:
        return figures.NONE
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Decimal):
        return f"{value:,f}"
    if isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        return visible(", ".join(f"{key}={inner}" for key, inner in value)) if value else ""
    return visible(value) if isinstance(value, str) and value else str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "unobserved"
    return f"{value:,.3f}" if abs(value) >= 0.1 or not value else f"{value:.3g}"

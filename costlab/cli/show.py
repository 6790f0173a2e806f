"""Print an answer, or write it to a file: the only module that puts data on stdout."""

import math
import sys
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

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
        Console(highlight=False).print(_table(answer, folds=True))
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
    Console(file=paper, width=_ENDLESS, color_system=None, highlight=False).print(_table(answer, folds=False))
    lines = [line.rstrip() for line in paper.getvalue().splitlines()]
    return "".join(f"{line}\n" for line in lines if line).encode()


def _table(answer: Answer, *, folds: bool) -> Table:
    """Numbers on the right and never folded; a bill is rounded, so that its printed parts give its printed total."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = []
    for name, column in zip(unique(answer.rows.column_names), answer.rows.columns, strict=True):
        number = is_number(column.type)
        cells = _rounded(column) if answer.total else [_cell(value) for value in column.to_pylist()]
        drawn.add_column(
            Text(visible(name.replace("_", " ") if answer.total else name)),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=not folds,
            min_width=max(map(len, cells), default=0) if number else None,
        )
        columns.append(cells)
    for place, row in enumerate(zip(*columns, strict=True)):
        before_total = answer.total and place == answer.rows.num_rows - 2
        drawn.add_row(*(Text(text) for text in row), end_section=before_total)
    return drawn


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

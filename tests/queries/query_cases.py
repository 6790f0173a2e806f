"""Reads the rows of a query's case: CSV files with only the columns that matter; the rest is filled in."""

import csv
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from costlab.domain.tables import TABLES, Column, Type
from costlab.store.schema import arrow_schema

_EMPTY: dict[Type, Any] = {
    Type.TEXT: "",
    Type.INTEGER: 0,
    Type.FLOAT: 0.0,
    Type.FLOAT32: 0.0,
    Type.INSTANT: datetime(2026, 11, 22, tzinfo=UTC),
    Type.DATE: date(2026, 11, 22),
    Type.MONEY: Decimal(0),
    Type.MAP: [],
    Type.TEXTS: [],
    Type.INTEGERS: [],
    Type.FLOATS: [],
}

_READ: dict[Type, Callable[[str], Any]] = {
    Type.INTEGER: int,
    Type.FLOAT: float,
    Type.FLOAT32: float,
    Type.MONEY: Decimal,
    Type.DATE: date.fromisoformat,
    Type.INSTANT: lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    Type.MAP: lambda text: [tuple(pair.split("=", 1)) for pair in text.split(";")],
    Type.TEXTS: lambda text: text.split(";"),
    Type.INTEGERS: lambda text: [int(number) for number in text.split(";")],
    Type.FLOATS: lambda text: [float(number) for number in text.split(";")],
}


def tables(folder: Path) -> dict[str, pa.Table]:
    """Every table of the lake: from `<table>.csv` where the case has one, else empty."""
    return {name: _table(name, folder / f"{name}.csv") for name in TABLES}


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file; none when there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file, strict=True))


def same(expected: str, value: Any) -> bool:
    """Whether a result's value is what the case's file says; an empty text is a null, or empty."""
    if value is None or expected == "":
        return expected == "" and (value is None or value == "")
    if isinstance(value, Decimal):
        return Decimal(expected) == value
    if isinstance(value, float):
        return expected == "NaN" if math.isnan(value) else abs(float(expected) - value) <= 1e-9
    return expected == str(value)


def _table(name: str, path: Path) -> pa.Table:
    given = rows(path)
    columns = {column.name: column for column in TABLES[name].columns}
    unknown = {key for row in given for key in row} - set(columns)
    if unknown:
        raise ValueError(f"{path} has columns that {name} has not: {sorted(unknown)}")
    filled = [{key: _value(column, row.get(key)) for key, column in columns.items()} for row in given]
    return pa.Table.from_pylist(filled, schema=arrow_schema(name))


def _value(column: Column, text: str | None) -> Any:
    if text is None and column.name == "cluster":
        return "c"
    if text is None or text == "":
        return None if column.null else _EMPTY[column.type]
    return _READ.get(column.type, str)(text)

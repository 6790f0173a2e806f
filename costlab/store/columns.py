"""The columns that a table is declared to have, against those that it was written with: an older costlab wrote fewer."""

from collections.abc import Iterable

import pyarrow as pa
from deltalake import DeltaTable, Field, Schema

from costlab.domain.errors import LakeError
from costlab.domain.tables import PARTITION, TABLES, Column, Type
from costlab.store.faults import newer
from costlab.store.place import Place
from costlab.store.schema import ARROW, arrow_schema

# Said of a column that a table was given, in its schema. A property of the table would do, but setting one keeps Python
# from all else while a bucket answers.
_UNFILLED = "costlab.unfilled"
FILLED = {_UNFILLED: "false"}
_FLOATS = (Type.FLOAT, Type.FLOAT32)


def lacking(folder: Place, name: str, table: DeltaTable) -> frozenset[str]:
    """The declared columns that some file of the table may lack; none, unless an older costlab wrote it.

    Raises LakeError for unknown columns, which are a newer one's, and for columns of another type.
    """
    declared = {field.name: str(field.type) for field in _declared(name)}
    stored = {field.name: str(field.type) for field in table.schema().fields}
    unknown = sorted(stored.keys() - declared.keys())
    if unknown:
        raise newer(folder, f"it has the unknown columns {', '.join(unknown)}")
    wrong = sorted(
        column
        for column, kind in declared.items()
        if stored.get(column, None if column in PARTITION else kind) != kind
    )
    if wrong:
        raise LakeError(
            f"{folder} is no table {name}: the columns {', '.join(wrong)} are missing or of another type",
            "measure the days again into a new lake: costlab nightly --since with another --lake",
        )
    unfilled = [field.name for field in table.schema().fields if field.metadata.get(_UNFILLED) == "true"]
    return frozenset(declared.keys() - stored.keys()).union(unfilled)


def fields_lacking(name: str, table: DeltaTable) -> list[Field]:
    """The declared columns that the table itself lacks; nullable, and marked, for its files hold nothing of them yet."""
    stored = {field.name for field in table.schema().fields}
    return [
        Field(field.name, field.type, nullable=True, metadata={_UNFILLED: "true"})
        for field in _declared(name)
        if field.name not in stored
    ]


def refuse_older(folder: Place, lacks: Iterable[str]) -> None:
    """Raise LakeError when there are any: what is written has every column."""
    if lacks:
        raise LakeError(
            f"an older costlab wrote {folder}: it lacks {', '.join(sorted(lacks))}",
            "bring the lake to this version: costlab backup PLACE, then costlab migrate",
        )


def refuse_unfillable(lacks: dict[str, frozenset[str]]) -> None:
    """Raise LakeError for columns, by table, that are never null and cannot be NaN: nothing can stand for what they lack."""
    barred = [
        f"{table}.{column.name}"
        for table, names in lacks.items()
        for column in TABLES[table].columns
        if column.name in names and not column.null and column.type not in _FLOATS
    ]
    if barred:
        raise LakeError(
            f"the lake cannot be brought to this version: {', '.join(barred)} cannot be unknown, and it lacks them",
            "measure the days again into a new lake: costlab nightly --since with another --lake; the old one stays as it is",
        )


def unknown(column: Column, count: int) -> pa.Array:
    """What stands for a column that rows were written without: NaN where it is a float, else null."""
    kind = ARROW[column.type]
    value = pa.scalar(float("nan") if column.type in _FLOATS else None, kind)
    return pa.repeat(value, count) if value.is_valid else pa.nulls(count, kind)


def with_unknown(table: str, rows: pa.Table, columns: Iterable[str]) -> pa.Table:
    """The rows with what stands for those of the columns that they lack, last."""
    wanted = set(columns) - set(rows.column_names)
    for column in TABLES[table].columns:
        if column.name in wanted:
            rows = rows.append_column(column.name, unknown(column, rows.num_rows))
    return rows


def _declared(name: str) -> list[Field]:
    return list(Schema.from_arrow(arrow_schema(name)).fields)

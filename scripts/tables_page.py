"""Prints docs/tables.md from costlab/domain/tables.py; `scripts/docs` writes it."""

from collections.abc import Iterator

from costlab.domain.tables import PARTITION, TABLES, Column, TableSpec

INTRODUCTION = """\
# The lake's tables

Made from `costlab/domain/tables.py` by `scripts/docs`; a test keeps the two equal.

One folder a table, one partition a cluster and day: Delta Lake, plain Parquet inside. `costlab sql` and
`costlab.open()` show each as a view of the complete days, with these names.

- **null** means that a value does not apply; the column says when. Where nothing is said, a column is never null.
- **NaN** means that a value was not observed. The two are not the same, and neither is 0.
- Of days that an older costlab wrote `runs.unrecorded` names columns that were not recorded: there null and NaN say no more.
- Instants are UTC, intervals half-open: the start belongs to them, the end does not.
- GiB is 2^30 bytes. Money is `decimal(18, 6)` in the row's or the lake's currency, and adds up exactly.
"""


def page() -> str:
    """The page as Markdown, tables in the order of the registry."""
    return "\n".join([INTRODUCTION, *_contents(), "", *_partition_columns(), *_sections()])


def _contents() -> Iterator[str]:
    yield "| table | one row is |"
    yield "|---|---|"
    for table in TABLES.values():
        yield f"| [{table.name}](#{table.name}) | {_cell(table.grain)} |"


def _partition_columns() -> Iterator[str]:
    first = next(iter(TABLES.values()))
    yield "Every table begins with these two, which name the partition:\n"
    yield from _rows([column for column in first.columns if column.name in PARTITION])


def _sections() -> Iterator[str]:
    for table in TABLES.values():
        yield f"\n## {table.name}\n"
        yield f"One row is {table.grain}.{_order(table)}\n"
        yield from _rows([column for column in table.columns if column.name not in PARTITION])
    yield ""


def _order(table: TableSpec) -> str:
    return f" Stored in the order of {', '.join(f'`{name}`' for name in table.sort)}." if table.sort else ""


def _rows(columns: list[Column]) -> Iterator[str]:
    yield "| column | type | unit | meaning | null means |"
    yield "|---|---|---|---|---|"
    for column in columns:
        cells = (f"`{column.name}`", f"`{column.type}`", column.unit, column.doc, column.null)
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |".replace("  ", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")

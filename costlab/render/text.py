"""The report and statements as Markdown, and the report's tables as CSV."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from costlab.render.context import Cell, Report, Section, Table, Tile
from costlab.render.names import cell, markdown
from costlab.render.statement import Page

_TO_QUOTE = re.compile('[",\r\n]')


def report_markdown(report: Report) -> bytes:
    """The page in Markdown, UTF-8: the same words and figures, without charts."""
    lines = [f"# {markdown(report.headline)}", ""]
    lines += [f"- **{notice.level}**: {markdown(notice.text)}" for notice in report.notices]
    lines += [""] if report.notices else []
    lines += [_tile(tile) for tile in report.tiles]
    for section in report.sections:
        lines += _section(section)
    lines += ["", f"## {markdown(report.daily.title)}", "", markdown(report.daily.summary), ""]
    lines += _table(report.daily.table)
    lines += ["", "## How this was measured", ""]
    lines += [f"- {markdown(name)}: {markdown(value)}" for name, value in report.provenance]
    return ("\n".join(lines) + "\n").encode()


def statement_markdown(page: Page) -> bytes:
    """A showback statement in Markdown, UTF-8: the same words and figures."""
    lines = [f"# Showback statement: {markdown(page.team)}, {markdown(page.period)}", ""]
    lines += [f"- {markdown(name)}: {markdown(value)}" for name, value in page.facts]
    lines += [f"- **{notice.level}**: {markdown(notice.text)}" for notice in page.notices]
    lines += [""]
    lines += [_tile(tile) for tile in page.tiles]
    for section in page.sections:
        lines += _section(section)
    lines += ["", "## How these figures are made", "", *(f"- {markdown(note)}" for note in page.notes)]
    return ("\n".join(lines) + "\n").encode()


def rows_csv(names: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows as CSV, UTF-8, exact: money with its six digits, floats so that they read back the same.

    Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers are left alone. An empty
    cell is a null, NaN is not observed.
    """
    lines = [",".join(names), *(",".join(csv_cell(row[name]) for name in names) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def csv_cell(value: Any) -> str:
    """A value as `rows_csv` writes it, quoted where needed."""
    return _quoted(_value(value))


def _tile(tile: Tile) -> str:
    return f"- {markdown(tile.label)}: **{markdown(tile.value)}** ({markdown(tile.note)})"


def _section(section: Section) -> list[str]:
    lines = ["", f"## {markdown(section.title)}", ""]
    if section.lead:
        lines += [markdown(section.lead), ""]
    return lines + (_table(section.table) if section.table.rows else [markdown(section.empty)])


def _table(table: Table) -> list[str]:
    rows = (*table.rows, *table.rest)
    told = [i for i in range(len(table.columns)) if any(row[i].text for row in rows)]  # sparks cannot be told
    columns = [table.columns[i] for i in told]
    heads = [f"{column.title}, {column.unit}" if column.unit else column.title for column in columns]
    lines = [_line(map(markdown, heads)), _line("---:" if column.numeric else "---" for column in columns)]
    lines += [_line(_text(row[i]) for i in told) for row in rows]
    if table.total:
        lines.append(_line(f"**{_text(table.total[i])}**" if table.total[i].text else "" for i in told))
    return lines


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(content: Cell) -> str:
    note = f" ({markdown(content.note)})" if content.note else ""
    return markdown(content.text) + note


def _quoted(text: str) -> str:
    """Quoted where needed; the csv module, told to end lines by a newline, leaves carriage returns bare."""
    return '"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return "NaN" if value != value else repr(value)  # noqa: PLR0124 - NaN, which alone differs from itself
    return cell(value) if isinstance(value, str) else str(value)

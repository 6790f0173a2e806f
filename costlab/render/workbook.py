"""Rows as a workbook for Excel and its kin: dates are dates, money is a number, names are never formulas."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import orjson
import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from costlab.domain.errors import ConfigError
from costlab.render.envelope import plain, unique
from costlab.render.figures import WHOLE, smallest

MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384  # of a sheet, its head among them
EXACT_DIGITS = 15  # that a spreadsheet keeps of a number
_LARGEST = 9.99999999999999e307  # number of a cell
_LONGEST_TEXT = 32_767  # in the units of UTF-16 that a cell may hold
_FIRST_DATE = date(1900, 3, 1)  # before it Excel counts a day that never was
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NOT_IN_XML = re.compile("[\ufffe\uffff]")
_SIGNS = {"USD": "[$$-409]", "EUR": "[$€-2]\N{NO-BREAK SPACE}", "GBP": "[$£-809]", "JPY": "[$¥-411]"}
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 - the same in every workbook, so that the same rows give the same bytes
_NOTES = (
    ("empty cell", "null: not known, or not applicable; it is no zero"),
    ("NaN", "not observed"),
    (
        "money",
        f"exact, to the sixth decimal; what has more than {EXACT_DIGITS} digits, a spreadsheet would round: it is text",
    ),
    ("text", "as it is, also where it looks like a formula; none is ever worked out"),
)


@dataclass(frozen=True, slots=True)
class _Formats:
    """How cells of each kind are shown."""

    total: dict[str, Any]
    head: Format
    number_head: Format
    text: Format
    money: Format
    whole: Format
    quantity: Format
    ratio: Format
    date: Format
    instant: Format


def workbook(
    rows: pa.Table, about: Sequence[tuple[str, Any]], *, currency: str | None, total: bool = False
) -> bytes:
    """The rows on a sheet with a frozen head, and what they are `about` on a second one, as XLSX.

    Dates and instants (in UTC) are dates, money is a number with the currency's format, names are text. The unit of money
    stands in its head; other columns have theirs in their name. total: the last row is the sum of the others.
    The same rows give the same bytes. Raises ConfigError when there are more than a sheet can hold.
    """
    if rows.num_rows >= MOST_ROWS or rows.num_columns > MOST_COLUMNS:
        raise ConfigError(
            f"{rows.num_rows:,} rows of {rows.num_columns:,} columns are more than a sheet of a workbook holds",
            "narrow the question, or take -o csv or -o parquet",
        )
    file = BytesIO()
    with Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"created": _MADE, "comments": "written by costlab"})
        told = _rows_sheet(book.add_worksheet("Rows"), rows, currency, _formats(book, currency), total=total)
        notes = [(name, text) for name, text in _NOTES if name != "money" or told]
        _about_sheet(book.add_worksheet("About"), [*about, *notes], _formats(book, currency))
    return file.getvalue()


def _rows_sheet(
    sheet: Worksheet, rows: pa.Table, currency: str | None, formats: _Formats, *, total: bool
) -> bool:
    """Whether there is money among them."""
    names = unique(rows.column_names)
    kinds = rows.schema.types
    last_plain = rows.num_rows - total
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        head, values = _head(name, kind, currency), rows.column(place).to_pylist()
        shown = _format(name, kind, formats)
        sheet.set_column(place, place, _width(head, values, kind), shown)
        _write_text(sheet, 0, place, head, formats.number_head if _on_the_right(kind) else formats.head)
        dated = name == "date" and pa.types.is_string(kind)  # how the key of an answer has it
        for line, value in enumerate(values, 1):
            cell = date.fromisoformat(value) if dated and value and _ISO_DATE.fullmatch(value) else value
            _write(sheet, line, place, cell, formats.date if dated and cell is not value else shown, formats)
    sheet.freeze_panes(1, 0)
    if names and last_plain:
        sheet.autofilter(0, 0, last_plain, len(names) - 1)
    if total:
        sheet.conditional_format(last_plain + 1, 0, last_plain + 1, len(names) - 1, formats.total)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    return any(pa.types.is_decimal(kind) and kind.scale for kind in kinds)


def _about_sheet(sheet: Worksheet, about: Sequence[tuple[str, Any]], formats: _Formats) -> None:
    sheet.set_column(0, 0, 18, formats.text)
    sheet.set_column(1, 1, 90, formats.text)
    for line, (name, value) in enumerate(about):
        _write_text(sheet, line, 0, name, formats.head)
        shown = formats.date if isinstance(value, date) else formats.text
        _write(sheet, line, 1, value, shown, formats)


def _write(sheet: Worksheet, line: int, place: int, value: Any, shown: Format, formats: _Formats) -> None:
    """One cell of the kind that its value is; what a spreadsheet could not hold exactly is text."""
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, place, value, shown)
    elif (isinstance(value, int | Decimal) and _kept(value)) or (
        isinstance(value, float) and abs(value) <= _LARGEST
    ):
        sheet.write_number(line, place, value, shown)
    elif isinstance(value, float):
        _write_text(sheet, line, place, "NaN" if math.isnan(value) else str(value), formats.text)
    elif isinstance(value, date) and (moment := _moment(value)):
        sheet.write_datetime(line, place, moment, shown)
    else:
        known = plain(value)
        text = known if isinstance(known, str) else orjson.dumps(known).decode()
        _write_text(sheet, line, place, text, formats.text)


def _write_text(sheet: Worksheet, line: int, place: int, text: str, shown: Format) -> None:
    """Text, never a formula or a link, whatever it begins with."""
    shortened = _NOT_IN_XML.sub("\ufffd", text)
    if len(shortened.encode("utf-16-le")) // 2 > _LONGEST_TEXT:
        shortened = (
            shortened.encode("utf-16-le")[: 2 * (_LONGEST_TEXT - 1)].decode("utf-16-le", "ignore") + "…"
        )
    if shortened:
        sheet.write_string(line, place, shortened, shown)


def _kept(value: int | Decimal) -> bool:
    """Whether a spreadsheet keeps all of its digits."""
    _, digits, _ = Decimal(value).normalize().as_tuple()
    return len(digits) <= EXACT_DIGITS


def _moment(value: date) -> date | None:
    """A date, or an instant by the clock of UTC; None for one before Excel's time."""
    at = value.date() if isinstance(value, datetime) else value
    if at < _FIRST_DATE:
        return None
    if not isinstance(value, datetime):
        return value
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None)


def _head(name: str, kind: pa.DataType, currency: str | None) -> str:
    if pa.types.is_timestamp(kind):
        return f"{name} (UTC)"
    return f"{name} ({currency})" if currency and pa.types.is_decimal(kind) and kind.scale else name


def _format(name: str, kind: pa.DataType, formats: _Formats) -> Format:
    if pa.types.is_decimal(kind):
        return formats.money if kind.scale else formats.whole
    if pa.types.is_integer(kind):
        return formats.whole
    if pa.types.is_floating(kind):
        return formats.ratio if name.endswith(("ratio", "share", "coverage")) else formats.quantity
    if pa.types.is_date(kind):
        return formats.date
    return formats.instant if pa.types.is_timestamp(kind) else formats.text


def _on_the_right(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _width(head: str, values: Sequence[Any], kind: pa.DataType) -> float:
    """Characters that the column is wide: its longest cell, within reason; numbers are shown rounded."""
    longest = 14 if _on_the_right(kind) else 19 if pa.types.is_timestamp(kind) else 10
    if pa.types.is_string(kind):
        longest = max((len(value) for value in values if value), default=0)
    return min(60, max(len(head) + 3, longest + 2))


def _formats(book: Any, currency: str | None) -> _Formats:
    money = "#,##0" if smallest(currency or "") == WHOLE else "#,##0.00"
    if currency in _SIGNS:
        money = f"{_SIGNS[currency]}{money}"
    elif currency and re.fullmatch("[A-Z]{3}", currency):
        money = f"{money}\N{NO-BREAK SPACE}[${currency}]"

    def made(number: str = "", **more: Any) -> Format:
        found: Format = book.add_format(
            {"valign": "top", **({"num_format": number} if number else {}), **more}
        )
        return found

    return _Formats(
        total={"type": "formula", "criteria": "=TRUE", "format": book.add_format({"bold": True, "top": 1})},
        head=made(bold=True, bottom=1, quote_prefix=True),
        number_head=made(bold=True, bottom=1, quote_prefix=True, align="right"),
        text=made(quote_prefix=True),
        money=made(money if currency else "#,##0.00####"),
        whole=made("#,##0"),
        quantity=made("#,##0.00"),
        ratio=made("0.0%"),
        date=made("yyyy-mm-dd", align="left"),
        instant=made("yyyy-mm-dd hh:mm:ss", align="left"),
    )

"""An answer as bytes in each format that a program may want; tables for people are in `show`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from costlab.cli.options import Format
from costlab.domain.dates import Dates
from costlab.jobs.cost import Quality
from costlab.render.columns import plain_rows
from costlab.render.envelope import envelope, json_bytes, plain, unique
from costlab.render.names import cell, markdown

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows with what they are about: `schema` names their shape and its version, such as costlab.cost/1.

    total: the last row is the sum of the others. beside: further parts of the envelope, for JSON and YAML alone.
    """

    schema: str
    rows: pa.Table
    window: Dates | None = None
    currency: str | None = None
    quality: Quality | None = None
    total: bool = False
    beside: Row = field(default_factory=dict)


def written(answer: Answer, form: Format) -> bytes:
    """The answer in a format for programs; raises KeyError for `table`."""
    return _WRITERS[form](answer)


def _envelope(answer: Answer) -> Row:
    quality = answer.quality
    told = (quality.complete_days, quality.days, quality.coverage) if quality else None
    rows = plain_rows(answer.rows)
    return envelope(answer.schema, answer.window, answer.currency, told, rows=rows, **answer.beside)


def _json(answer: Answer) -> bytes:
    return json_bytes(_envelope(answer))


def _json_lines(answer: Answer) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in plain_rows(answer.rows))


class _Dumper(yaml.SafeDumper):
    """Writes text that holds unprintable characters in double quotes: a bare next-line sign reads back as a space."""


def _quoted_where_needed(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _quoted_where_needed)


def _yaml(answer: Answer) -> bytes:
    text: str = yaml.dump(
        _envelope(answer), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text.encode()


def _csv(answer: Answer) -> bytes:
    """UTF-8, exact; text that a spreadsheet takes for a formula gets an apostrophe. Empty is null, NaN not observed."""
    names = unique(answer.rows.column_names)
    rows = answer.rows.rename_columns(names).to_pylist()
    lines = [_joined(map(cell, names)), *(_joined(_csv_value(row[name]) for name in names) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _joined(values: Iterable[str]) -> str:
    return ",".join(
        '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '",\r\n') else text
        for text in values
    )


def _csv_value(value: Any) -> str:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value)
    known = plain(value)
    if isinstance(value, (Decimal, date, int)):
        return str(known)
    if isinstance(known, (dict, list)):
        return orjson.dumps(known).decode()
    return "" if known is None else cell(str(known))


def _markdown(answer: Answer) -> bytes:
    names = unique(answer.rows.column_names)
    rows = answer.rows.rename_columns(names).to_pylist()
    rules = ["---:" if is_number(kind) else "---" for kind in answer.rows.schema.types]
    lines = [
        [markdown(name) for name in names],
        rules,
        *([_markdown_value(row[name]) for name in names] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).encode()


def _markdown_value(value: Any) -> str:
    text = _csv_value(value) if isinstance(value, float) else plain(value)
    return "" if text is None else markdown(str(text))


def _parquet(answer: Answer) -> bytes:
    file = BytesIO()
    pq.write_table(answer.rows.rename_columns(unique(answer.rows.column_names)), file)
    return file.getvalue()


def _xlsx(answer: Answer) -> bytes:
    from costlab.render.workbook import workbook

    told = {name: value for name, value in _envelope(answer).items() if name != "rows"}
    window, quality = answer.window, told.pop("quality")
    about = [
        ("schema", told.pop("schema")),
        *([("first day", window.start), ("last day", window.end - timedelta(days=1))] if window else []),
        ("currency", answer.currency),
        *((quality or {}).items()),
        *((name, value) for name, value in told.items() if name not in ("window", "currency")),
    ]
    return workbook(answer.rows, about, currency=answer.currency, total=answer.total)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column is lined up on the right."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in kinds)


_WRITERS = {
    Format.JSON: _json,
    Format.JSONL: _json_lines,
    Format.CSV: _csv,
    Format.MD: _markdown,
    Format.YAML: _yaml,
    Format.PARQUET: _parquet,
    Format.XLSX: _xlsx,
}

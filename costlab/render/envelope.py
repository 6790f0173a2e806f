"""Rows as JSON says them, in the one envelope that every answer comes in."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from costlab.domain.dates import Dates

Row = dict[str, Any]


def envelope(
    schema: str,
    window: Dates | None,
    currency: str | None,
    quality: tuple[int, int, float | None] | None,
    **parts: Any,
) -> Row:
    """An answer for JSON and YAML. quality: complete days, days, coverage; parts: `rows`, and what stands beside them."""
    complete, days, coverage = quality or (0, 0, None)
    return {
        "schema": schema,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()} if window else None,
        "currency": currency,
        "quality": {"complete_days": complete, "days": days, "coverage": plain(coverage)}
        if quality
        else None,
        **{name: plain(value) for name, value in parts.items()},
    }


def json_bytes(answer: Mapping[str, Any]) -> bytes:
    """Indented, UTF-8, with a newline at the end."""
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that were there before: SQL may give two columns one name."""
    found: list[str] = []
    for name in names:
        number, fresh = 2, name
        while fresh in found:
            fresh, number = f"{name}_{number}", number + 1
        found.append(fresh)
    return found


def plain(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    """A value as JSON can say it."""
    if value is None or isinstance(value, (str, int)):  # most of all; a bool is an int
        return value
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 and abs(value) < 2**63 else f"{value:f}"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        pairs = value and all(isinstance(item, tuple) for item in value)  # how Arrow gives a map
        return {str(key): plain(inner) for key, inner in value} if pairs else [plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else str(value)

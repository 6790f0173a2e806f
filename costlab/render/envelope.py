"""Rows as JSON says them, in the one envelope that every answer comes in."""

import math
from collections.abc import Callable, Mapping, Sequence
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


def plain(value: Any) -> Any:
    """A value as JSON can say it."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    say = _SAID.get(kind)
    if say is None:  # a kind of one of them, such as an enumeration's; or none that JSON knows
        say = next((say for base, say in _SAID.items() if isinstance(value, base)), str)
    return say(value)


def _same(value: Any) -> Any:
    return value


def _decimal(value: Decimal) -> str | int:
    said = f"{value:f}"
    whole = "." not in said and value.as_tuple().exponent == 0 and abs(value) < 2**63
    return int(value) if whole else said


def _float(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _instant(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _mapping(value: dict[Any, Any]) -> Row:
    return {str(key): inner if type(inner) in _AS_IT_IS else plain(inner) for key, inner in value.items()}


def _list(value: list[Any]) -> Any:
    if value and all(isinstance(item, tuple) for item in value):  # how Arrow gives a map
        return _mapping(dict(value))
    return [plain(item) for item in value]


# Most values are one of these.
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_SAID: dict[type, Callable[[Any], Any]] = {
    str: _same,
    int: _same,
    Decimal: _decimal,
    float: _float,
    datetime: _instant,
    timedelta: timedelta.total_seconds,
    dict: _mapping,
    list: _list,
    bytes: bytes.hex,
}

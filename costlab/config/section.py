"""What every part of the configuration is made of: frozen sections, prices, durations."""

import re
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from costlab.domain.units import format_bytes, format_cores, parse_quantity

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_MOST = 10**15  # cores or bytes
BUCKET = "s3://"
_SECRET = re.compile(r"[?&][^=&]*(secret|key|token|password)[^=&]*=", re.IGNORECASE)
DAY_MS = _UNITS_MS["d"]  # as a length; a calendar day is `domain.time.Day`
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")


class Section(BaseModel):
    """A part of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse_duration(text: object) -> int:
    """Milliseconds of a duration such as 60s, 5m, 1h or 14d; raises ValueError for anything else.

    >>> parse_duration("5m")
    300000
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise PydanticCustomError("duration", "must be a duration such as 60s, 5m, 1h or 14d")
    return int(match[1]) * _UNITS_MS[match[2]]


def format_duration(duration_ms: int) -> str:
    """A duration in the largest unit that needs no fraction.

    >>> format_duration(300_000)
    '5m'
    """
    unit = next(unit for unit, length_ms in _UNITS_MS.items() if duration_ms % length_ms == 0)
    return f"{duration_ms // _UNITS_MS[unit]}{unit}"


def parse_cores(text: object) -> float:
    """Cores of a Kubernetes quantity such as 10m or 2, in whole millicores; raises ValueError for anything else.

    >>> parse_cores("10m")
    0.01
    """
    cores = _parsed(text)
    if cores is None or cores * 1000 % 1:
        raise PydanticCustomError("quantity", "must be whole millicores such as 10m or 2")
    return float(cores)


def parse_size(text: object) -> int:
    """Bytes of a Kubernetes quantity such as 100Mi; raises ValueError for anything else.

    >>> parse_size("1Mi")
    1048576
    """
    size_bytes = _parsed(text)
    if size_bytes is None or size_bytes % 1:
        raise PydanticCustomError("quantity", "must be whole bytes such as 100Mi or 1G")
    return int(size_bytes)


def _parsed(text: object) -> Fraction | None:
    """The quantity above 0 that a text is; None when it is none, or more than any machine has."""
    try:
        quantity = parse_quantity(str(text)) if isinstance(text, str | int | float) else None
    except ValueError:
        return None
    return quantity if quantity and 0 < quantity <= _MOST else None


def dated(written: object) -> object:
    """What may be a date; raises PydanticCustomError for a number, which would be seconds since 1970: 0 muted nobody."""
    try:
        if isinstance(written, str):
            return date.fromisoformat(written)
    except ValueError:
        written = None
    if not isinstance(written, date):
        raise PydanticCustomError("date_type", "must be a date such as 2026-11-22")
    return written


def said(text: str) -> str:
    """The text; raises PydanticCustomError for one of blanks."""
    if not text.strip():
        raise PydanticCustomError("said", "must say something")
    return text


def joined(folder: Path, where: str) -> str:
    """A path relative to a folder; an address is what it is, also one that is refused later."""
    return where if "://" in where else str(folder / where)


def place(where: object, info: ValidationInfo) -> Path | str:
    """A folder, or the address of one in a bucket. Raises PydanticCustomError."""
    if isinstance(where, str) and "://" in where:
        if not where.startswith(BUCKET) or "@" in where.partition("?")[0] or _SECRET.search(where):
            raise PydanticCustomError("place", "must be a path, or s3://bucket/folder without a password")
        return where
    if not isinstance(where, (str, Path)):
        raise PydanticCustomError("place", "must be a path")
    return anchored(Path(where), info)


def anchored(path: Path, info: ValidationInfo) -> Path:
    """A relative path is relative to the folder of the file that names it, wherever the command is run."""
    return info.context["folder"] / path if info.context else path


# Strict numbers: YAML's "2.5" in quotes and its yes and no are mistakes, not prices.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Price = Annotated[Number, Field(ge=0, le=1_000_000)]
Ratio = Annotated[Number, Field(ge=0, le=1)]
# Bounded, as prices are: what reads it has 64 bits.
Count = Annotated[int, Field(strict=True, le=1_000_000_000)]
Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]
Cores = Annotated[
    float,
    BeforeValidator(parse_cores),
    PlainSerializer(format_cores, return_type=str),
    WithJsonSchema({"type": ["string", "number"]}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_bytes, return_type=str),
    WithJsonSchema({"type": ["string", "number"]}),
]
CalendarDate = Annotated[date, BeforeValidator(dated)]
Reason = Annotated[str, Field(min_length=1), AfterValidator(said)]  # for people, who see it where it counts
Where = Annotated[Path, AfterValidator(anchored)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]  # of the environment
WhereLake = Annotated[Path | str, PlainValidator(place, json_schema_input_type=str)]

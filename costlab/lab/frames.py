"""Rows as the frames that people work with."""

from enum import StrEnum
from typing import Any

import pandas as pd
import pyarrow as pa

from costlab.config.faults import meant
from costlab.domain.errors import ConfigError


class Frame(StrEnum):
    """What an answer is handed over as."""

    PANDAS = "pandas"  # money as float64
    ARROW = "arrow"
    POLARS = "polars"


def framed(rows: pa.Table, to: Frame | str) -> Any:
    """The rows as one of them; raises ConfigError for an unknown one, and for polars where it is not installed."""
    if to not in set(Frame):
        raise ConfigError(
            f"to={to!r} is no frame{meant(str(to), map(str, Frame))}", f"one of {', '.join(Frame)}"
        )
    if to == Frame.ARROW:
        return rows
    if to == Frame.POLARS:
        return _polars(rows)
    frame: pd.DataFrame = rows.to_pandas()
    for field in rows.schema:
        if pa.types.is_decimal(field.type):
            frame[field.name] = frame[field.name].astype("float64")
    return frame


def _polars(rows: pa.Table) -> Any:
    try:
        import polars as pl  # noqa: PLC0415 - nothing else needs it
    except ImportError:
        raise ConfigError("polars is not installed here", "pip install polars, or ask for pandas") from None
    return pl.from_arrow(rows)

"""How the columns of the lake are encoded, whoever writes them."""

from typing import Literal

from costlab.domain.tables import Column, Type

LEVEL = 3  # of ZSTD
ENCODING: dict[Type, Literal["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]] = {
    Type.INTEGER: "DELTA_BINARY_PACKED",
    Type.INSTANT: "DELTA_BINARY_PACKED",
    Type.FLOAT: "BYTE_STREAM_SPLIT",
    Type.FLOAT32: "BYTE_STREAM_SPLIT",
}


def without_statistics(column: Column) -> bool:
    """Whether no minimum and maximum are kept: of floats they leave NaN out, and DuckDB 2.0 concludes that there is none.

    Then `where isnan(x)` would find nothing.
    """
    return column.type in (Type.FLOAT, Type.FLOAT32)

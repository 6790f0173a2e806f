"""What a Delta log says of the rows of a file, as the file's own end tells it."""

from decimal import Decimal
from typing import Any

import orjson
import pyarrow.parquet as pq

from costlab.store.place import Place, readable_file


def statistics(file: Place) -> str:
    """JSON: the number of rows, and minimum, maximum and nulls of each plain column of which the file tells them.

    Not of money: JSON has no decimals, and a rounded bound would let others pass over rows.
    """
    metadata = pq.read_metadata(readable_file(file))
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            name, told = column.path_in_schema, column.statistics
            nested = metadata.schema.column(number).max_repetition_level
            if told is not None and told.has_min_max and not nested and not isinstance(told.min, Decimal):
                least[name] = min(least.get(name, told.min), told.min)
                most[name] = max(most.get(name, told.max), told.max)
                nulls[name] = nulls.get(name, 0) + told.null_count
    said = {"numRecords": metadata.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}
    return orjson.dumps(said, option=orjson.OPT_UTC_Z).decode()

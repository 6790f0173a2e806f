"""What a Delta log says of the rows of a file, as the file's own end tells it."""

from decimal import Decimal
from typing import Any

import orjson
import pyarrow.parquet as pq

from costlab.store.place import Place, readable_file


def statistics(file: Place) -> str:
    """JSON: the number of rows, and minimum, maximum and nulls of each plain column of which every row group tells them.

    Not of money: JSON has no decimals, and a rounded bound would let others pass over rows.
    """
    metadata = pq.read_metadata(readable_file(file))
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    untold: set[str] = set()
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            name, told = column.path_in_schema, column.statistics
            plain = not metadata.schema.column(number).max_repetition_level
            if told is None or not told.has_null_count or not plain:
                untold.add(name)
                continue
            nulls[name] = nulls.get(name, 0) + told.null_count
            if told.null_count == column.num_values:
                continue  # which bounds nothing
            if not told.has_min_max or isinstance(told.min, Decimal):
                untold.add(name)
                continue
            least[name] = min(least.get(name, told.min), told.min)
            most[name] = max(most.get(name, told.max), told.max)
    for side in (least, most, nulls):
        for name in untold & side.keys():
            del side[name]
    said = {"numRecords": metadata.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}
    return orjson.dumps(said, option=orjson.OPT_UTC_Z).decode()

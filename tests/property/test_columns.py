"""Tables column by column say what they say row by row, whatever is in them."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from costlab.render.columns import plain_rows, table_csv
from costlab.render.envelope import plain
from costlab.render.text import rows_csv

COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "name": (pa.string(), st.text(alphabet='aZ0=+-@＝,"\n\r\t é/.(', max_size=6)),
    "cost": (pa.decimal128(18, 6), st.decimals(-(10**11), 10**11, places=6)),
    "least": (pa.decimal128(38, 12), st.decimals(-1, 1, places=12)),
    "hours": (pa.float64(), st.floats() | st.integers(-(10**17), 10**17).map(float) | st.floats(1e-6, 1e18)),
    "seen": (pa.float32(), st.floats(width=32)),
    "pods": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "complete": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates()),
    "at": (pa.timestamp("us", "UTC"), st.datetimes().map(lambda at: at.replace(tzinfo=None))),
    "labels": (pa.map_(pa.string(), pa.string()), st.dictionaries(st.text(max_size=2), st.text(max_size=2)).map(lambda told: list(told.items()))),
    "quotas": (pa.list_(pa.string()), st.lists(st.text(max_size=2), max_size=2)),
}  # fmt: skip

tables = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}), max_size=4
).map(
    lambda rows: pa.Table.from_pylist(rows, schema=pa.schema({n: kind for n, (kind, _) in COLUMNS.items()}))
)
edges = [0.0, -0.0, float("nan"), float("-inf"), 1e-4, 9.99e-5, 1e9, 999999999.5, 1e16, 5e-324, 48.0]


@given(tables)
@example(
    pa.table({"hours": edges, "cost": pa.array([Decimal("0.000000")] * len(edges), pa.decimal128(18, 6))})
)
def test_columns_say_what_rows_say(table: pa.Table) -> None:
    rows = table.to_pylist()
    assert plain_rows(table) == [plain(row) for row in rows]
    assert table_csv(table) == rows_csv(table.column_names, rows)

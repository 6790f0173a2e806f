"""The lake's charges in the FinOps Open Cost and Usage Specification (FOCUS). docs/focus.md."""

from datetime import timedelta
from itertools import chain

import pyarrow as pa

from costlab.domain.dates import Dates
from costlab.store.warehouse import Warehouse

VERSION = "1.3"


def focus_rows(
    warehouse: Warehouse, window: Dates, cluster: str | None, timezone: str, provider: str
) -> pa.RecordBatchReader:
    """The window's charges as rows of FOCUS' Cost and Usage, in a total order; a day at a time is in memory.

    timezone: the lake's, in which its days begin. provider: the name of who provides the nodes, and bills them.
    """

    def day(number: int) -> pa.RecordBatchReader:
        start = window.start + timedelta(number)
        return warehouse.stream(
            "focus",
            start=start,
            until=start + timedelta(1),
            cluster=cluster,
            timezone=timezone,
            provider=provider,
        )

    first = day(0)
    return pa.RecordBatchReader.from_batches(
        first.schema, chain(first, chain.from_iterable(day(number) for number in range(1, len(window))))
    )


def unpriced(warehouse: Warehouse, window: Dates, cluster: str | None) -> int:
    """How many charges the export leaves out for want of a price: FOCUS has no cost that is not known."""
    [row] = warehouse.sql(
        """
        select count(*) as charges
        from charges
        where cost is null
            and billed_quantity > 0
            and date >= $start
            and date < $end
            and ($cluster is null or cluster = $cluster)
        """,
        {"start": window.start, "end": window.end, "cluster": cluster},
    ).to_pylist()
    count: int = row["charges"]
    return count

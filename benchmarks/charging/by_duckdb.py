"""The peer in SQL: DuckDB, which reads the files itself and uses every processor."""

import duckdb

from charging.peer import CELL_MS, CELLS, UNITS, Given, Sums, tell

_DEMAND = """
create or replace temp table demand as
with stretches as (
    select
        container_key as key,
        epoch_ms(ts) - {zero} as since,
        since + cast(round(dt_s * 1000.0) as bigint) as until,
        cast({column} as double) / {unit} as level
    from read_parquet({usage})
    where not isnan({column})
),
parts as (
    select key, level, since, until, unnest(range(since // {cell}, (until - 1) // {cell} + 1)) as cell from stretches
),
seen as (
    select
        key, cell,
        sum((least(until, (cell + 1) * {cell}) - greatest(since, cell * {cell})) / 1000.0) as seen_s,
        sum(level * (least(until, (cell + 1) * {cell}) - greatest(since, cell * {cell})) / 1000.0) as work
    from parts
    group by key, cell
),
lives as (
    select
        container_key as key, node, coalesce({resource}_request, 0) / {unit} as request,
        epoch_ms("start") - {zero} as since, epoch_ms("end") - {zero} as until
    from read_parquet({containers})
),
there as (
    select *, unnest(range(since // {cell}, (until - 1) // {cell} + 1)) as cell from lives
),
asked as (
    select
        key, node, cell, request,
        (least(until, (cell + 1) * {cell}) - greatest(since, cell * {cell})) / 1000.0 as there_s
    from there
)
select
    node, key, cell,
    work / seen_s * there_s as use,
    greatest(request * there_s, coalesce(work / seen_s * there_s, 0)) as demand
from asked left join seen using (key, cell)
"""
_CHARGES = """
create or replace temp table {resource}_charges as
with nodes as (
    select
        node, {resource}_capacity / {unit} * 60 as room, {resource}_allocatable / {unit} * 60 as free,
        {resource}_price / 3600 as price
    from read_parquet({nodes})
),
totals as (select node, cell, sum(demand) as total from demand group by node, cell),
billed as (
    select node, key, use, price, demand * least(1, room / total) as billed
    from demand join totals using (node, cell) join nodes using (node)
    where demand > 0
),
rests as (
    select node, price, room, coalesce(total, 0) as total, greatest(0, free - coalesce(total, 0)) as idle
    from nodes cross join range({cells}) as cells (cell) left join totals using (node, cell)
)
select
    'workload' as kind, node, key,
    sum(price * least(billed, use)) filter (use is not null) as used,
    sum(price * (billed - least(billed, use))) filter (use is not null) as unused,
    sum(price * billed) filter (use is null) as unobserved
from billed group by node, key
union all
select 'idle', node, null, sum(price * idle), null, null from rests group by node
union all
select 'system', node, null, sum(price * (room - least(total, room) - idle)), null, null from rests group by node
"""
_SUMS = """
select
    sum(used) filter (kind = 'workload'), sum(unused), sum(unobserved),
    sum(used) filter (kind = 'idle'), sum(used) filter (kind = 'system')
from {resource}_charges
"""

_OUT = """
copy (select 'cpu' as resource, * from cpu_charges union all select 'memory', * from memory_charges)
to '{out}' (format parquet, compression zstd)
"""


def charge(given: Given) -> Sums:
    """Charges of both resources into one file."""
    connection, sums = duckdb.connect(), {}
    connection.execute("set TimeZone = 'UTC'")
    files = {
        "usage": given.files("container_usage"),
        "containers": given.files("containers"),
        "nodes": given.files("nodes"),
    }
    for resource, (column, unit) in UNITS.items():
        words = {"resource": resource, "column": column, "unit": unit, "zero": given.zero_ms, **files}
        for statement in (_DEMAND, _CHARGES):
            connection.execute(statement.format(**words, cell=CELL_MS, cells=CELLS))
        found = connection.sql(_SUMS.format(**words)).fetchall()[0]
        for part, amount in zip(("used", "unused", "unobserved", "idle", "system"), found, strict=True):
            sums[f"{resource} {part}"] = amount
    connection.execute(_OUT.format(out=given.out))
    return sums


if __name__ == "__main__":
    tell(charge)

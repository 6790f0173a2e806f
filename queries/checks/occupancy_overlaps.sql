/* Containers and nodes that are counted twice: rows of the same one that overlap in time.
grain: a guilty row, the later of two; what names its table
inputs: containers, nodes
params: none
units: instants in UTC
*/
with spans as (
    select
        'containers' as what,
        cluster,
        date,
        cast(container_key as text) as key,
        start,
        "end"
    from containers
    union all
    select
        'nodes',
        cluster,
        date,
        node,
        start,
        "end"
    from nodes
),

marked as (
    select
        what,
        cluster,
        date,
        key,
        start,
        max("end") over (
            partition by what, cluster, date, key
            order by start, "end"
            rows between unbounded preceding and 1 preceding
        ) as taken_until
    from spans
)

select
    what,
    cluster,
    date,
    key,
    start,
    taken_until
from marked
where start < taken_until
order by what, cluster, date, key, start

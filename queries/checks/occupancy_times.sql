/* Containers and nodes whose time ends before it begins, or lies outside their day.
grain: a guilty row; what names its table
inputs: containers, nodes
params: none
units: instants in UTC
A day of the lake's zone begins at most 14 hours before and ends at most 13 hours after the same day in UTC.
*/
with spans as (
    select
        'containers' as what,
        cluster,
        date,
        concat_ws('/', namespace, pod, container) as subject,
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
)

select
    what,
    cluster,
    date,
    subject,
    start,
    "end"
from spans
where "end" <= start
    or "end" - start > interval 25 hour
    or start < date - interval 14 hour
    or "end" > date + interval 37 hour
order by what, cluster, date, subject, start

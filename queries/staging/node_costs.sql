/* What each node cost on each day, a row per resource.
grain: cluster, date, node, resource
inputs: nodes
params: none
units: total_cost in currency, null when any part of the day has no price or no capacity;
       capacity_hours in core_hour, gib_hour or gpu_hour
*/
with lives as (
    select
        cluster,
        date,
        node,
        epoch("end" - start) / 3600.0 as hours,
        cpu_capacity,
        memory_capacity / 1073741824.0 as memory_capacity_gib, -- 2^30
        gpu_capacity,
        cpu_cost,
        memory_cost,
        gpu_cost
    from nodes
),

long as (
    select cluster, date, node, 'cpu' as resource, cpu_capacity * hours as hours, cpu_cost as cost
    from lives
    union all
    select cluster, date, node, 'memory', memory_capacity_gib * hours, memory_cost
    from lives
    union all
    select cluster, date, node, 'gpu', gpu_capacity * hours, gpu_cost
    from lives
)

select
    cluster,
    date,
    node,
    resource,
    round(sum(hours), 9) as capacity_hours,
    cast(if(count(*) = count(cost), sum(cost), null) as decimal(18, 6)) as total_cost
from long
group by cluster, date, node, resource
order by cluster, date, node, resource

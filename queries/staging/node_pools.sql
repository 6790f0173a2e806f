/* The pool of each node on each day: nodes of a pool have the same capacity, model, price and capacity type.
grain: cluster, date, node
inputs: nodes
params: none
units: allocatable in cores, GiB and physical GPUs, 0 where there is none; price in currency per hour of one node, null
when not known; hours of its life on the day
A node that changed on the day is in the pool of what it was last.
*/
with lives as (
    select
        cluster,
        date,
        node,
        sum(epoch("end" - start)) / 3600 as hours,
        arg_max(
            struct_pack(
                cpu_capacity,
                memory_capacity,
                gpu_capacity,
                cpu_allocatable,
                memory_allocatable,
                gpu_allocatable,
                gpu_model,
                capacity_type,
                cpu_price,
                memory_price,
                gpu_price
            ),
            start
        ) as latest
    from nodes
    group by cluster, date, node
)

select
    cluster,
    date,
    node,
    hours,
    md5(
        concat_ws(
            '/',
            coalesce(cast(latest.cpu_capacity as varchar), '-'),
            coalesce(cast(latest.memory_capacity as varchar), '-'),
            coalesce(cast(latest.gpu_capacity as varchar), '-'),
            coalesce(latest.gpu_model, '-'),
            coalesce(latest.capacity_type, '-'),
            coalesce(cast(latest.cpu_price as varchar), '-'),
            coalesce(cast(latest.memory_price as varchar), '-'),
            coalesce(cast(latest.gpu_price as varchar), '-')
        )
    ) as pool,
    coalesce(latest.cpu_allocatable, 0) as cpu_allocatable,
    coalesce(latest.memory_allocatable, 0) / 1073741824 as memory_allocatable,
    coalesce(latest.gpu_allocatable, 0) as gpu_allocatable,
    latest.cpu_capacity * latest.cpu_price
    + latest.memory_capacity / 1073741824 * latest.memory_price
    + coalesce(latest.gpu_capacity * latest.gpu_price, 0) as price
from lives
order by cluster, date, node

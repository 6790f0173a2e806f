/* The pools of equal nodes within some days: what one of their nodes has and costs, and what stood idle on all of them.
grain: pool
inputs: node_pools, charges, runs
params: cluster, day, days
units: allocatable and price of one node as in node_pools, averaged; *_idle_hours in core_hour, gib_hour and gpu_hour;
node_hours of all its nodes; days measured
*/
with measured as (
    select date
    from runs
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
),

idle as (
    select
        node_pools.pool,
        sum(charges.billed_quantity) filter (where charges.resource = 'cpu') as cpu_idle_hours,
        sum(charges.billed_quantity) filter (where charges.resource = 'memory') as memory_idle_hours,
        sum(charges.billed_quantity) filter (where charges.resource = 'gpu') as gpu_idle_hours
    from charges
    inner join node_pools
        on charges.cluster = node_pools.cluster
        and charges.date = node_pools.date
        and charges.node = node_pools.node
    semi join measured on charges.date = measured.date
    where charges.cluster = $cluster
        and charges.kind = 'idle'
    group by node_pools.pool
),

pools as (
    select
        pool,
        sum(hours) as node_hours,
        avg(cpu_allocatable) as cpu_allocatable,
        avg(memory_allocatable) as memory_allocatable,
        avg(gpu_allocatable) as gpu_allocatable,
        avg(price) as price
    from node_pools
    semi join measured on node_pools.date = measured.date
    where cluster = $cluster
    group by pool
)

select
    pools.pool,
    pools.node_hours,
    (select count(*) from measured) as days,
    pools.cpu_allocatable,
    pools.memory_allocatable,
    pools.gpu_allocatable,
    pools.price,
    coalesce(idle.cpu_idle_hours, 0) as cpu_idle_hours,
    coalesce(idle.memory_idle_hours, 0) as memory_idle_hours,
    coalesce(idle.gpu_idle_hours, 0) as gpu_idle_hours
from pools
left join idle on pools.pool = idle.pool
order by pools.pool

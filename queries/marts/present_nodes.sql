/* The nodes of the newest day up to one: what each has and costs, for what is to run on them.
grain: cluster, node
inputs: nodes, runs, charges
params: cluster, day
units: allocatable in cores, bytes and physical GPUs; prices in currency per core-hour, GiB-hour and GPU-hour, null when
none is known
A node that changed on the day is what it was last. $cluster: '' is all.
*/
with newest as (
    select
        cluster,
        max(date) as date
    from runs
    where date <= cast($day as date)
        and $cluster in ('', cluster)
    group by cluster
),

money as (
    select
        charges.cluster,
        min(charges.currency) as currency
    from charges
    inner join newest
        on charges.cluster = newest.cluster
        and charges.date = newest.date
    group by charges.cluster
)

select
    nodes.cluster,
    nodes.date,
    nodes.node,
    nodes.gpu_model,
    nodes.labels,
    coalesce(nodes.cpu_allocatable, nodes.cpu_capacity) as cpu,
    coalesce(nodes.memory_allocatable, nodes.memory_capacity) as memory,
    coalesce(nodes.gpu_allocatable, nodes.gpu_capacity, 0) as gpu,
    nodes.cpu_price,
    nodes.memory_price,
    nodes.gpu_price,
    money.currency
from nodes
inner join newest
    on nodes.cluster = newest.cluster
    and nodes.date = newest.date
left join money on nodes.cluster = money.cluster
qualify row_number() over (partition by nodes.cluster, nodes.node order by nodes.start desc) = 1
order by nodes.cluster, nodes.node

/* The nodes of a window: from when to when each was there, what it had, kept from pods, and cost.
grain: cluster, date, node, start
inputs: nodes, node_pools, charges
params: cluster, start, until
units: *_reserved = capacity - allocatable, in cores and bytes, null when not known; hours of its life; cost in
       currency, null when a price or capacity is not known
$until is exclusive; $cluster '' is all.
*/
with money as (
    select
        cluster,
        date,
        min(currency) as currency
    from charges
    where date >= cast($start as date)
        and date < cast($until as date)
    group by cluster, date
)

select
    nodes.cluster,
    nodes.date,
    nodes.node,
    node_pools.pool,
    nodes.start,
    nodes."end",
    epoch(nodes."end" - nodes.start) / 3600 as hours,
    nodes.cpu_capacity,
    nodes.memory_capacity,
    nodes.gpu_capacity,
    nodes.cpu_capacity - nodes.cpu_allocatable as cpu_reserved,
    nodes.memory_capacity - nodes.memory_allocatable as memory_reserved,
    if(
        nodes.gpu_capacity > 0,
        nodes.cpu_cost + nodes.memory_cost + nodes.gpu_cost,
        nodes.cpu_cost + nodes.memory_cost
    ) as cost,
    money.currency
from nodes
inner join node_pools
    on nodes.cluster = node_pools.cluster
    and nodes.date = node_pools.date
    and nodes.node = node_pools.node
left join money
    on nodes.cluster = money.cluster
    and nodes.date = money.date
where nodes.date >= cast($start as date)
    and nodes.date < cast($until as date)
    and $cluster in ('', nodes.cluster)
order by nodes.cluster, nodes.date, nodes.node, nodes.start

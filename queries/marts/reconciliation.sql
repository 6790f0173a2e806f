/* Where the price of the nodes went: used + unused + unobserved + idle + system = nodes.
grain: resource
inputs: charges, node_costs
params: cluster, day
units: *_cost in currency
Nodes without a known capacity or price stand on neither side; what was charged on them is unbounded_cost.
difference is 0 on every committed day.
*/
with nodes_known as (
    select
        node,
        resource,
        total_cost
    from node_costs
    where cluster = $cluster
        and date = cast($day as date)
        and total_cost is not null
),

sides as (
    select
        charges.resource,
        min(charges.currency) as currency,
        sum(charges.cost_used) filter (where nodes_known.node is not null) as used_cost,
        sum(charges.cost_unused) filter (where nodes_known.node is not null) as unused_cost,
        sum(charges.cost_unobserved) filter (where nodes_known.node is not null) as unobserved_cost,
        sum(charges.cost) filter (where nodes_known.node is not null and kind = 'idle') as idle_cost,
        sum(charges.cost) filter (where nodes_known.node is not null and kind = 'system') as system_cost,
        sum(charges.cost) filter (where nodes_known.node is null) as unbounded_cost
    from charges
    left join nodes_known
        on charges.node = nodes_known.node
        and charges.resource = nodes_known.resource
    where charges.cluster = $cluster
        and charges.date = cast($day as date)
        and charges.kind in ('workload', 'idle', 'system')
    group by charges.resource
),

paid as (
    select
        resource,
        sum(total_cost) as node_cost
    from nodes_known
    group by resource
),

final as (
    select
        coalesce(sides.resource, paid.resource) as resource,
        sides.currency,
        coalesce(sides.used_cost, 0) as used_cost,
        coalesce(sides.unused_cost, 0) as unused_cost,
        coalesce(sides.unobserved_cost, 0) as unobserved_cost,
        coalesce(sides.idle_cost, 0) as idle_cost,
        coalesce(sides.system_cost, 0) as system_cost,
        coalesce(paid.node_cost, 0) as node_cost,
        coalesce(sides.unbounded_cost, 0) as unbounded_cost
    from sides
    full outer join paid
        on sides.resource = paid.resource
)

select
    resource,
    currency,
    cast(used_cost as decimal(18, 6)) as used_cost,
    cast(unused_cost as decimal(18, 6)) as unused_cost,
    cast(unobserved_cost as decimal(18, 6)) as unobserved_cost,
    cast(idle_cost as decimal(18, 6)) as idle_cost,
    cast(system_cost as decimal(18, 6)) as system_cost,
    cast(node_cost as decimal(18, 6)) as node_cost,
    cast(unbounded_cost as decimal(18, 6)) as unbounded_cost,
    cast(
        used_cost + unused_cost + unobserved_cost + idle_cost + system_cost - node_cost as decimal(18, 6)
    ) as difference
from final
order by case resource when 'gpu' then 0 when 'cpu' then 1 when 'memory' then 2 else 3 end, resource

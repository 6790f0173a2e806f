/* Where the money went: used + unused + unobserved + idle + system + beside = nodes, volumes, traffic and fees.
grain: resource
inputs: charges, node_costs, volumes
params: cluster, day
units: *_cost in currency
Nodes without a known capacity or price stand on neither side; what was charged on them is unbounded_cost.
paid_cost is reckoned apart from the charges for nodes and volumes; traffic and fees are no more than their charges.
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

charged as (
    select
        charges.kind,
        charges.resource,
        charges.currency,
        charges.cost,
        charges.cost_used,
        charges.cost_unused,
        charges.cost_unobserved,
        charges.kind not in ('workload', 'idle', 'system') as beside,
        beside or nodes_known.node is not null as known
    from charges
    left join nodes_known
        on charges.node = nodes_known.node
        and charges.resource = nodes_known.resource
    where charges.cluster = $cluster
        and charges.date = cast($day as date)
),

sides as (
    select
        resource,
        min(currency) as currency,
        sum(cost_used) filter (where known) as used_cost,
        sum(cost_unused) filter (where known) as unused_cost,
        sum(cost_unobserved) filter (where known) as unobserved_cost,
        sum(cost) filter (where known and kind = 'idle') as idle_cost,
        sum(cost) filter (where known and kind = 'system') as system_cost,
        sum(cost) filter (where beside) as beside_cost,
        sum(cost) filter (where not known) as unbounded_cost
    from charged
    group by resource
),

costs as (
    select resource, total_cost as cost from nodes_known
    union all
    select 'storage', cost
    from volumes
    where cluster = $cluster
        and date = cast($day as date)
    union all
    select resource, cost
    from charged
    where kind in ('network', 'fee')
),

paid as (
    select
        resource,
        sum(cost) as paid_cost
    from costs
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
        coalesce(sides.beside_cost, 0) as beside_cost,
        coalesce(paid.paid_cost, 0) as paid_cost,
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
    cast(beside_cost as decimal(18, 6)) as beside_cost,
    cast(paid_cost as decimal(18, 6)) as paid_cost,
    cast(unbounded_cost as decimal(18, 6)) as unbounded_cost,
    cast(
        used_cost + unused_cost + unobserved_cost + idle_cost + system_cost + beside_cost - paid_cost as decimal(18, 6)
    ) as difference
from final
order by
    case resource when 'gpu' then 0 when 'cpu' then 1 when 'memory' then 2 when 'storage' then 3 else 4 end,
    resource

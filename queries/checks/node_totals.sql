/* Nodes whose charges do not add up to what they cost.
grain: cluster, date, node, resource
inputs: charges, node_costs
params: none
units: currency
A node without a known capacity or price has no total to add up to.
*/
with charged as (
    select
        cluster,
        date,
        node,
        resource,
        sum(cost) as charged_cost,
        count(*) filter (where cost is null) as unpriced_charges
    from charges
    where kind in ('workload', 'idle', 'system')
    group by cluster, date, node, resource
)

select
    node_costs.cluster,
    node_costs.date,
    node_costs.node,
    node_costs.resource,
    node_costs.total_cost,
    cast(coalesce(charged.charged_cost, 0) as decimal(18, 6)) as charged_cost,
    coalesce(charged.unpriced_charges, 0) as unpriced_charges
from node_costs
left join charged
    on charged.cluster = node_costs.cluster
    and charged.date = node_costs.date
    and charged.node = node_costs.node
    and charged.resource = node_costs.resource
where node_costs.total_cost is not null
    and (
        coalesce(charged.charged_cost, 0) <> node_costs.total_cost
        or coalesce(charged.unpriced_charges, 0) > 0
    )
order by node_costs.cluster, node_costs.date, node_costs.node, node_costs.resource

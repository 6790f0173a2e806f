/* What the CPU and memory of workloads' containers cost within some days, by the pool of nodes on which they ran.
grain: namespace, workload_kind, workload, container, resource, pool
inputs: charges, node_pools, runs
params: cluster, day, days
units: cost in the currency of the last day, null when no price is known; quantities in core_hour or gib_hour
*/
with currencies as (
    select min(currency) as currency
    from charges
    where cluster = $cluster
        and date = cast($day as date)
)

select
    charges.namespace,
    charges.workload_kind,
    charges.workload,
    charges.container,
    charges.resource,
    node_pools.pool,
    currencies.currency,
    sum(charges.cost) as cost,
    sum(charges.cost_unused) as unused_cost,
    sum(charges.billed_quantity) filter (where charges.cost is not null) as billed_quantity
from charges
cross join currencies
inner join node_pools
    on charges.cluster = node_pools.cluster
    and charges.date = node_pools.date
    and charges.node = node_pools.node
semi join runs on charges.cluster = runs.cluster and charges.date = runs.date
where charges.cluster = $cluster
    and charges.date > cast($day as date) - cast($days as integer)
    and charges.date <= cast($day as date)
    and charges.kind = 'workload'
    and charges.resource in ('cpu', 'memory')
    and charges.container <> ''
    and charges.currency = currencies.currency
group by
    charges.namespace,
    charges.workload_kind,
    charges.workload,
    charges.container,
    charges.resource,
    node_pools.pool,
    currencies.currency
order by
    charges.namespace,
    charges.workload_kind,
    charges.workload,
    charges.container,
    charges.resource,
    node_pools.pool

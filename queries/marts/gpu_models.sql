/* How much of each GPU model was given to pods, how busy its devices were, and what the rest cost.
grain: gpu_model ('' where the node names none)
inputs: node_costs, charges, gpu_devices
params: cluster, day
units: hours in physical GPU hours; *_cost in currency; busy_ratio is busy / observed time of the devices
allocated_hours are what pods were billed for; busy time is the devices' own, whoever ran on them.
*/
with capacity as (
    select
        node,
        coalesce(gpu_model, '') as gpu_model,
        capacity_hours,
        total_cost
    from node_costs
    where cluster = $cluster
        and date = cast($day as date)
        and resource = 'gpu'
        and capacity_hours > 0
),

billed as (
    select
        node,
        min(currency) as currency,
        sum(billed_quantity) filter (where kind = 'workload') as allocated_hours,
        sum(cost_unused) as unused_cost,
        sum(cost) filter (where kind = 'idle') as idle_cost
    from charges
    where cluster = $cluster
        and date = cast($day as date)
        and resource = 'gpu'
    group by node
),

seen as (
    select
        node,
        count(*) as devices,
        sum(observed_hours * gpu_share) as observed_hours,
        sum(observed_hours * gpu_share * busy_mean) filter (where not isnan(busy_mean)) as busy_hours
    from gpu_devices
    where cluster = $cluster
        and date = cast($day as date)
    group by node
)

select
    capacity.gpu_model,
    min(billed.currency) as currency,
    count(*) as nodes,
    cast(coalesce(sum(seen.devices), 0) as bigint) as devices,
    round(sum(capacity.capacity_hours), 6) as capacity_hours,
    round(coalesce(sum(billed.allocated_hours), 0), 6) as allocated_hours,
    round(coalesce(sum(seen.observed_hours), 0), 6) as observed_hours,
    round(coalesce(sum(seen.busy_hours), 0), 6) as busy_hours,
    round(sum(seen.busy_hours) / nullif(sum(seen.observed_hours), 0), 9) as busy_ratio,
    cast(sum(capacity.total_cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(sum(billed.unused_cost), 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(sum(billed.idle_cost), 0) as decimal(18, 6)) as idle_cost
from capacity
left join billed
    on capacity.node = billed.node
left join seen
    on capacity.node = seen.node
group by capacity.gpu_model
order by coalesce(sum(capacity.total_cost), 0) desc, capacity.gpu_model

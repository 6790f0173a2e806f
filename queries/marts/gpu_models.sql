/* How much of each GPU model was given to pods, how busy its devices were, and what the rest cost.
grain: gpu_model ('' where the node names none)
inputs: nodes, charges, gpu_devices
params: cluster, day
units: hours in physical GPU hours; *_cost in currency; busy_ratio is busy / observed time of the devices
allocated_hours are what pods were billed for; busy time is the devices' own, whoever ran on them. What was billed on a
node that had several models in the day is shared out by their hours, its money by what they cost.
*/
with lives as (
    select
        node,
        coalesce(gpu_model, '') as gpu_model,
        gpu_capacity * epoch("end" - start) / 3600.0 as hours,
        gpu_cost
    from nodes
    where cluster = $cluster
        and date = cast($day as date)
        and gpu_capacity > 0
),

models as (
    select
        node,
        gpu_model,
        sum(hours) as capacity_hours,
        if(count(*) = count(gpu_cost), sum(gpu_cost), null) as total_cost
    from lives
    group by node, gpu_model
),

capacity as (
    select
        node,
        gpu_model,
        capacity_hours,
        total_cost,
        count(*) over (partition by node) as models,
        capacity_hours / sum(capacity_hours) over (partition by node) as share_of_hours,
        coalesce(total_cost / nullif(sum(total_cost) over (partition by node), 0), 0) as share_of_cost
    from models
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

devices as (
    select
        gpu_devices.node,
        gpu_devices.observed_hours * gpu_devices.gpu_share as observed_hours,
        gpu_devices.observed_hours * gpu_devices.gpu_share * gpu_devices.busy_mean as busy_hours,
        -- a device may be called otherwise than its node's model: only where there are several does the name decide
        if(whole.gpu_model is null, coalesce(gpu_devices.model, ''), whole.gpu_model) as gpu_model
    from gpu_devices
    left join capacity as whole
        on gpu_devices.node = whole.node
        and whole.models = 1
    where gpu_devices.cluster = $cluster
        and gpu_devices.date = cast($day as date)
),

seen as (
    select
        node,
        gpu_model,
        count(*) as devices,
        sum(observed_hours) as observed_hours,
        sum(busy_hours) filter (where not isnan(busy_hours)) as busy_hours
    from devices
    group by node, gpu_model
)

select
    capacity.gpu_model,
    min(billed.currency) as currency,
    count(*) as nodes,
    cast(coalesce(sum(seen.devices), 0) as bigint) as devices,
    round(sum(capacity.capacity_hours), 6) as capacity_hours,
    round(coalesce(sum(billed.allocated_hours * capacity.share_of_hours), 0), 6) as allocated_hours,
    round(coalesce(sum(seen.observed_hours), 0), 6) as observed_hours,
    round(coalesce(sum(seen.busy_hours), 0), 6) as busy_hours,
    round(sum(seen.busy_hours) / nullif(sum(seen.observed_hours), 0), 9) as busy_ratio,
    cast(sum(capacity.total_cost) as decimal(18, 6)) as total_cost,
    cast(
        coalesce(sum(cast(billed.unused_cost * capacity.share_of_cost as decimal(18, 6))), 0) as decimal(18, 6)
    ) as unused_cost,
    cast(
        coalesce(sum(cast(billed.idle_cost * capacity.share_of_cost as decimal(18, 6))), 0) as decimal(18, 6)
    ) as idle_cost
from capacity
left join billed
    on capacity.node = billed.node
left join seen
    on capacity.node = seen.node
    and capacity.gpu_model = seen.gpu_model
group by capacity.gpu_model
order by coalesce(sum(capacity.total_cost), 0) desc, capacity.gpu_model

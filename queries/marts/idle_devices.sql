/* The GPUs that were idle or barely busy over some days, those that cost most first.
grain: cluster, node, gpu_key
inputs: gpu_devices, charges
params: start, until, cluster
units: hours of the device; busy_mean a ratio of observed time; not_busy_cost in currency, null when no price is known.
$until is exclusive; '' means all clusters
state: idle (busy below 1 % even at the 95th percentile of each day) or barely busy (below 10 % on average).
not_busy_cost = hourly price * observed hours * (1 - mean busy ratio): inside "idle" and "unused" of idle_capacity.
*/
with currencies as (
    select
        cluster,
        min(currency) as currency
    from charges
    where date >= cast($start as date)
        and date < cast($until as date)
    group by cluster
),

devices as (
    select
        cluster,
        node,
        gpu_key,
        max(gpu_index) as gpu_index,
        max(uuid) as uuid,
        max(model) as model,
        max(mig_profile) as mig_profile,
        sum(observed_hours) as observed_hours,
        sum(allocated_hours) as allocated_hours,
        sum(busy_mean * observed_hours) / sum(observed_hours) as busy_mean,
        max(busy_p95) as busy_p95,
        max(memory_max_bytes) as memory_max_bytes,
        cast(sum(hourly_price * observed_hours * (1 - busy_mean)) as decimal(18, 6)) as not_busy_cost
    from gpu_devices
    where date >= cast($start as date)
        and date < cast($until as date)
        and ($cluster = '' or cluster = $cluster)
        and observed_hours > 0
        and not isnan(busy_mean)
    group by cluster, node, gpu_key
)

select
    devices.cluster,
    devices.node,
    devices.gpu_index,
    devices.uuid,
    devices.gpu_key,
    devices.model,
    devices.mig_profile,
    if(devices.busy_p95 < 0.01, 'idle', 'barely busy') as state,
    devices.observed_hours,
    devices.allocated_hours,
    devices.busy_mean,
    devices.memory_max_bytes,
    currencies.currency,
    devices.not_busy_cost
from devices
left join currencies on devices.cluster = currencies.cluster
where devices.busy_p95 < 0.01
    or devices.busy_mean < 0.1
order by devices.not_busy_cost desc nulls last, devices.cluster, devices.node, devices.gpu_index, devices.gpu_key

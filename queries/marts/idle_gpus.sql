/* The GPUs that were idle or barely busy while they were observed, dearest first.
grain: gpu_key
inputs: gpu_devices, charges
params: cluster, day
units: hours of the device; ratios of observed time; not_busy_cost in currency, null when no price is known
state: idle (busy below 1 % even at its 95th percentile) or barely busy (below 10 % on average).
not_busy_cost = hourly price * observed hours * (1 - mean busy ratio): money inside "unused" and "idle", not beside it.
A GPU that was never observed is not called idle.
*/
with currencies as (
    select min(currency) as currency
    from charges
    where cluster = $cluster
        and date = cast($day as date)
)

select
    gpu_devices.node,
    gpu_devices.gpu_index,
    gpu_devices.uuid,
    gpu_devices.gpu_key,
    gpu_devices.model,
    gpu_devices.mig_profile,
    if(gpu_devices.busy_p95 < 0.01, 'idle', 'barely busy') as state,
    gpu_devices.observed_hours,
    gpu_devices.allocated_hours,
    gpu_devices.busy_mean,
    gpu_devices.busy_p95,
    gpu_devices.memory_max_bytes,
    currencies.currency,
    cast(
        gpu_devices.hourly_price * gpu_devices.observed_hours * (1 - gpu_devices.busy_mean) as decimal(18, 6)
    ) as not_busy_cost
from gpu_devices
cross join currencies
where gpu_devices.cluster = $cluster
    and gpu_devices.date = cast($day as date)
    and gpu_devices.observed_hours > 0
    and (gpu_devices.busy_p95 < 0.01 or gpu_devices.busy_mean < 0.1)
order by coalesce(not_busy_cost, 0) desc, gpu_devices.node, gpu_devices.gpu_index, gpu_devices.gpu_key

/* Every stretch of observed usage of containers within some days: what the rules of others are asked with.
grain: container_key, at_ms
inputs: container_usage, runs
params: cluster, day, days
units: at_ms in epoch milliseconds, lasted_ms in milliseconds; cores and bytes, NaN when not observed
*/
select
    container_usage.container_key,
    epoch_ms(container_usage.ts) as at_ms,
    cast(round(container_usage.dt_s * 1000) as bigint) as lasted_ms,
    container_usage.cpu_cores,
    container_usage.memory_bytes
from container_usage
semi join runs on container_usage.cluster = runs.cluster and container_usage.date = runs.date
where container_usage.cluster = $cluster
    and container_usage.date > cast($day as date) - cast($days as integer)
    and container_usage.date <= cast($day as date)
    and container_usage.dt_s > 0
order by container_usage.container_key, container_usage.ts

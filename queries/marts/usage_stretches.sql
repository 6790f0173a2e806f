/* Every stretch of observed usage of a cluster's containers within some days: what rules and backtests are made of.
grain: container_key, at_ms
inputs: container_usage, containers
params: cluster, namespace, team, start, until
units: at_ms in epoch milliseconds, lasted_ms in milliseconds; cores and bytes, NaN when not observed
$until is exclusive. $namespace and $team filter; '' is all. A container that was of the team on any of the days counts.
*/
with wanted as (
    select container_key
    from containers
    where cluster = $cluster
        and date >= cast($start as date)
        and date < cast($until as date)
        and container <> ''
        and $namespace in ('', namespace)
        and $team in ('', team)
)

select
    container_usage.container_key,
    epoch_ms(container_usage.ts) as at_ms,
    cast(round(container_usage.dt_s * 1000) as integer) as lasted_ms,
    container_usage.cpu_cores,
    container_usage.memory_bytes
from container_usage
semi join wanted on container_usage.container_key = wanted.container_key
where container_usage.cluster = $cluster
    and container_usage.date >= cast($start as date)
    and container_usage.date < cast($until as date)
    and container_usage.dt_s > 0
order by container_usage.container_key, at_ms

/* What containers were observed to use, stretch by stretch.
grain: replica, ts
inputs: containers, container_usage
params: cluster, namespace, team, start, until
units: ts in UTC; dt_s in s; cpu_cores in cores and memory_bytes in bytes, NaN: not observed
$until is exclusive. $cluster, $namespace and $team filter; '' is all. replica as in requested_days.
*/
with numbered as (
    select
        cluster,
        container_key,
        any_value(namespace) as namespace,
        any_value(workload_kind) as workload_kind,
        any_value(workload) as workload,
        any_value(container) as container
    from containers
    where container <> ''
        and date >= cast($start as date)
        and date < cast($until as date)
        and $cluster in ('', cluster)
        and $namespace in ('', namespace)
        and "end" > start
    group by cluster, container_key
    having $team in ('', max_by(team, start))
),

replicas as (
    select
        cluster,
        container_key,
        row_number() over (
            order by cluster, namespace, workload_kind, workload, container, container_key
        ) - 1 as replica
    from numbered
)

select
    replicas.replica,
    container_usage.ts,
    container_usage.dt_s,
    container_usage.cpu_cores,
    container_usage.memory_bytes
from container_usage
inner join replicas
    on container_usage.cluster = replicas.cluster
    and container_usage.container_key = replicas.container_key
where container_usage.date >= cast($start as date)
    and container_usage.date < cast($until as date)
order by replicas.replica, container_usage.ts

/* What each container of a workload used of CPU and memory, hour by hour, beside what it requested.
grain: cluster, workload_kind, container, hour
inputs: containers, container_usage
params: start, until, cluster, namespace, workload
units: hour is UTC, its beginning; cpu_* in cores and memory_* in bytes, of one replica; replicas: how many were there
$until is exclusive; $cluster '' is all. A mean is over all replicas, weighted by time; a maximum is of the highest of
them; requests and limits are the highest of the hour, null where none is set. NaN: not observed. A stretch counts to
the hour in which it begins.
*/
with occupied as (
    select
        containers.cluster,
        containers.date,
        workload_kind,
        container,
        containers.container_key,
        start,
        "end",
        cpu_request,
        cpu_limit,
        memory_request,
        memory_limit
    from containers
    where containers.date >= cast($start as date)
        and containers.date < cast($until as date)
        and $cluster in ('', containers.cluster)
        and namespace = $namespace
        and workload = $workload
        and container <> ''
),

used as (
    select
        occupied.cluster,
        workload_kind,
        container,
        occupied.container_key,
        date_trunc('hour', ts) as hour,
        dt_s,
        cpu_request,
        cpu_limit,
        memory_request,
        memory_limit,
        nullif(cpu_cores, 'nan') as cpu_cores,
        nullif(memory_bytes, 'nan') as memory_bytes
    from occupied
    inner join container_usage
        on occupied.cluster = container_usage.cluster
        and occupied.date = container_usage.date
        and occupied.container_key = container_usage.container_key
    where ts >= start
        and ts < "end"
        and dt_s > 0
)

select
    cluster,
    workload_kind,
    container,
    hour,
    count(distinct container_key) as replicas,
    coalesce(
        sum(cpu_cores * dt_s) / sum(dt_s) filter (where cpu_cores is not null), 'nan'
    ) as cpu_mean,
    coalesce(max(cpu_cores), 'nan') as cpu_max,
    max(cpu_request) as cpu_request,
    max(cpu_limit) as cpu_limit,
    coalesce(
        sum(memory_bytes * dt_s) / sum(dt_s) filter (where memory_bytes is not null), 'nan'
    ) as memory_mean,
    coalesce(max(memory_bytes), 'nan') as memory_max,
    max(memory_request) as memory_request,
    max(memory_limit) as memory_limit
from used
group by cluster, workload_kind, container, hour
order by cluster, workload_kind, container, hour

/* What each pod on some nodes asks for at a time: a stretch of time in which that stays the same.
grain: cluster, date, node, namespace, pod, pod_uid, start
inputs: containers, node_pools
params: cluster, start, until, pools
units: cpu in cores, memory in bytes, gpu in physical GPUs; 0 where nothing is requested
$until is exclusive. $pools: pools of node_pools; none are all of them. A pod's request is that of its containers
together, with what init containers and overhead reserve beyond. unsized: containers without a CPU or memory request.
*/
with held as (
    select
        containers.cluster,
        containers.date,
        containers.node,
        containers.namespace,
        containers.workload_kind,
        containers.workload,
        containers.pod,
        containers.pod_uid,
        containers.container,
        containers.start,
        containers."end",
        containers.cpu_request,
        containers.memory_request,
        coalesce(containers.gpu_share, 0) as gpu
    from containers
    left join node_pools
        on containers.cluster = node_pools.cluster
        and containers.date = node_pools.date
        and containers.node = node_pools.node
    where containers.cluster = $cluster
        and containers.date >= cast($start as date)
        and containers.date < cast($until as date)
        and (
            len(cast($pools as varchar[])) = 0
            or list_contains(cast($pools as varchar[]), node_pools.pool)
        )
),

moments as (
    select distinct
        date,
        node,
        namespace,
        pod,
        pod_uid,
        unnest([start, "end"]) as moment
    from held
),

stretches as (
    select
        date,
        node,
        namespace,
        pod,
        pod_uid,
        moment as start,
        lead(moment) over (partition by date, node, namespace, pod, pod_uid order by moment) as "end"
    from moments
)

select
    held.cluster,
    held.date,
    held.node,
    held.namespace,
    held.workload_kind,
    held.workload,
    held.pod,
    held.pod_uid,
    stretches.start,
    stretches."end",
    coalesce(sum(held.cpu_request), 0) as cpu,
    coalesce(sum(held.memory_request), 0) as memory,
    sum(held.gpu) as gpu,
    count(*) filter (
        where held.container <> '' and (held.cpu_request is null or held.memory_request is null)
    ) as unsized
from stretches
inner join held
    on stretches.date = held.date
    and stretches.node = held.node
    and stretches.namespace = held.namespace
    and stretches.pod = held.pod
    and stretches.pod_uid = held.pod_uid
    and stretches.start >= held.start
    and stretches."end" <= held."end"
group by
    held.cluster,
    held.date,
    held.node,
    held.namespace,
    held.workload_kind,
    held.workload,
    held.pod,
    held.pod_uid,
    stretches.start,
    stretches."end"
order by held.date, held.node, held.namespace, held.pod, held.pod_uid, stretches.start

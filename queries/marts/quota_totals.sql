/* What the quotas of all namespaces allow together, of what the cluster's nodes can give to pods.
grain: resource (cpu, memory, gpu)
inputs: quota_advice, nodes, containers
params: cluster, day
units: cores, GiB and physical GPUs; ratios of what nodes can give, null where that is not known
allocatable: of the nodes, on average over the day. A piece of a shared GPU or a MIG instance counts as what it is of a
device. The sums of what is suggested hold the namespaces without a quota, those of what is now do not: unlimited.
*/
with nodes_day as (
    select
        epoch("end" - start) / epoch(max("end") over () - min(start) over ()) as share,
        cpu_allocatable,
        memory_allocatable,
        gpu_allocatable
    from nodes
    where cluster = $cluster
        and date = cast($day as date)
),

allocatable as (
    select
        'cpu' as resource,
        sum(share * cpu_allocatable) as allocatable
    from nodes_day
    union all
    select
        'memory',
        sum(share * memory_allocatable) / 1073741824
    from nodes_day
    union all
    select
        'gpu',
        sum(share * gpu_allocatable)
    from nodes_day
),

pieces as (
    select
        namespace,
        gpu_resource,
        sum(epoch("end" - start) * gpu_share) as devices,
        sum(epoch("end" - start) * gpu_request) as requested
    from containers
    where cluster = $cluster
        and date = cast($day as date)
        and gpu_request > 0
    group by namespace, gpu_resource
),

anywhere as (
    select
        gpu_resource,
        sum(devices) / sum(requested) as share
    from pieces
    group by gpu_resource
),

keys as (
    select
        namespace,
        case resource
            when 'requests.cpu' then 'cpu'
            when 'requests.memory' then 'memory'
            else 'gpu'
        end as resource,
        regexp_replace(replace(resource, 'requests.', ''), '[^a-zA-Z0-9_]', '_', 'g') as exposed,
        if(resource = 'requests.memory', 1.0 / 1073741824, 1.0) as unit,
        hard_now,
        suggested_hard,
        coalesce(suggested_after, suggested_hard) as suggested_after
    from quota_advice
    where cluster = $cluster
        and date = cast($day as date)
        and (
            resource in ('requests.cpu', 'requests.memory')
            or regexp_matches(resource, '^requests\.[a-z0-9.-]+/[^/]+$') and not contains(resource, 'storageclass')
        )
),

weighed as (
    select
        keys.namespace,
        keys.resource,
        keys.unit * if(keys.resource = 'gpu', coalesce(pieces.devices / pieces.requested, anywhere.share, 1), 1)
            as weight,
        keys.hard_now,
        keys.suggested_hard,
        keys.suggested_after
    from keys
    left join pieces
        on keys.namespace = pieces.namespace
        and keys.exposed = pieces.gpu_resource
    left join anywhere on keys.exposed = anywhere.gpu_resource
)

select
    weighed.resource,
    any_value(allocatable.allocatable) as allocatable,
    coalesce(sum(weighed.weight * weighed.hard_now), 0) as hard_now,
    sum(weighed.weight * weighed.suggested_hard) as suggested_hard,
    sum(weighed.weight * weighed.suggested_after) as suggested_after,
    count(distinct weighed.namespace) as namespaces,
    count(distinct if(weighed.hard_now is null, weighed.namespace, null)) as unlimited,
    coalesce(sum(weighed.weight * weighed.hard_now), 0) / any_value(nullif(allocatable.allocatable, 0)) as ratio_now,
    sum(weighed.weight * weighed.suggested_hard) / any_value(nullif(allocatable.allocatable, 0)) as ratio_suggested
from weighed
left join allocatable on weighed.resource = allocatable.resource
group by weighed.resource
order by weighed.resource

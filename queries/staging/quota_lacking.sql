/* Containers that state no request on a day, which a quota of that resource would keep out, and what would do for them.
grain: cluster, date, namespace, key
inputs: containers, profiles
params: none
units: containers_max: most of them in an hour; default_request in cores or bytes, null where none of them was observed
default_request: of the container that uses most, the 95th percentile of CPU and the maximum of memory.
*/
-- not materialized: else all days of the lake are read before the one that is asked for is picked
with lacking as not materialized (
    select
        cluster,
        date,
        namespace,
        'cpu' as resource,
        container_key,
        start,
        "end"
    from containers
    where container <> ''
        and cpu_request is null
    union all
    select
        cluster,
        date,
        namespace,
        'memory',
        container_key,
        start,
        "end"
    from containers
    where container <> ''
        and memory_request is null
),

hours as (
    select
        cluster,
        date,
        namespace,
        resource,
        container_key,
        unnest(
            generate_series(
                date_trunc('hour', start),
                date_trunc('hour', "end" - interval 1 microsecond),
                interval 1 hour
            )
        ) as hour
    from lacking
),

counted as (
    select
        cluster,
        date,
        namespace,
        resource,
        hour,
        count(distinct container_key) as containers
    from hours
    group by cluster, date, namespace, resource, hour
),

used as (
    select
        profiles.cluster,
        profiles.date,
        profiles.namespace,
        profiles.resource,
        max(if(profiles.resource = 'cpu', profiles.p95, profiles.max)) as most
    from profiles
    semi join lacking
        on profiles.cluster = lacking.cluster
        and profiles.date = lacking.date
        and profiles.resource = lacking.resource
        and profiles.container_key = lacking.container_key
    where not isnan(profiles.max)
    group by profiles.cluster, profiles.date, profiles.namespace, profiles.resource
)

select
    counted.cluster,
    counted.date,
    counted.namespace,
    'requests.' || counted.resource as key,
    max(counted.containers) as containers_max,
    any_value(used.most) as default_request
from counted
left join used
    on counted.cluster = used.cluster
    and counted.date = used.date
    and counted.namespace = used.namespace
    and counted.resource = used.resource
group by counted.cluster, counted.date, counted.namespace, counted.resource
order by counted.cluster, counted.date, counted.namespace, key

/* What containers used, hour by hour, on the days on which they began, beside the most that their like used otherwise.
grain: date, container_key, resource
inputs: containers, profiles, runs
params: cluster, dates, midnights_ms
units: start_ms in epoch milliseconds; hourly_max and most_otherwise in cores or bytes, NaN when not observed
$dates are days and $midnights_ms their first instants: who is there from then on began before. Jobs are left out, since
all of a run may be its start. most_otherwise: of the same container of the workload, by pods that began before the day
and did not restart on it; null where there is none.
*/
with days as (
    select
        cast(unnest($dates) as date) as date,
        unnest($midnights_ms) as midnight_ms
),

begun as (
    select
        containers.date,
        containers.container_key,
        containers.namespace,
        containers.workload_kind,
        containers.workload,
        containers.container,
        epoch_ms(min(containers.start)) as start_ms
    from containers
    inner join days on containers.date = days.date
    semi join runs on containers.cluster = runs.cluster and containers.date = runs.date
    where containers.cluster = $cluster
        and containers.container <> ''
        and containers.workload_kind not in ('Job', 'CronJob')
    group by
        containers.date,
        containers.container_key,
        containers.namespace,
        containers.workload_kind,
        containers.workload,
        containers.container,
        days.midnight_ms
    having epoch_ms(min(containers.start)) > days.midnight_ms
),

otherwise as (
    select
        profiles.namespace,
        profiles.workload_kind,
        profiles.workload,
        profiles.container,
        profiles.resource,
        max(profiles.max) as most
    from profiles
    semi join days on profiles.date = days.date
    semi join begun
        on profiles.namespace = begun.namespace
        and profiles.workload_kind = begun.workload_kind
        and profiles.workload = begun.workload
        and profiles.container = begun.container
    anti join begun as own
        on profiles.date = own.date
        and profiles.container_key = own.container_key
    where profiles.cluster = $cluster
        and coalesce(profiles.restarts, 0) = 0
        and not isnan(profiles.max)
    group by
        profiles.namespace,
        profiles.workload_kind,
        profiles.workload,
        profiles.container,
        profiles.resource
)

select
    begun.namespace,
    begun.workload_kind,
    begun.workload,
    begun.container,
    begun.date,
    begun.start_ms,
    profiles.resource,
    profiles.hourly_max,
    otherwise.most as most_otherwise
from begun
inner join profiles
    on begun.date = profiles.date
    and begun.container_key = profiles.container_key
left join otherwise
    on begun.namespace = otherwise.namespace
    and begun.workload_kind = otherwise.workload_kind
    and begun.workload = otherwise.workload
    and begun.container = otherwise.container
    and profiles.resource = otherwise.resource
where profiles.cluster = $cluster
    and coalesce(profiles.restarts, 0) = 0
order by begun.date, begun.container_key, profiles.resource

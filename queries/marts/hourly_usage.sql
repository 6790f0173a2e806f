/* The most CPU that containers of workloads that can be scaled to nothing used in each hour of a day.
grain: container_key
inputs: containers, profiles, runs
params: cluster, day
units: start_ms and end_ms in epoch milliseconds; hourly_max in cores, NaN when not observed
*/
with lives as (
    select
        container_key,
        epoch_ms(min(start)) as start_ms,
        epoch_ms(max("end")) as end_ms
    from containers
    where cluster = $cluster
        and date = cast($day as date)
        and container <> ''
    group by container_key
)

select
    profiles.namespace,
    profiles.workload_kind,
    profiles.workload,
    profiles.pod,
    lives.start_ms,
    lives.end_ms,
    profiles.hourly_max
from profiles
inner join lives on profiles.container_key = lives.container_key
semi join runs on profiles.cluster = runs.cluster and profiles.date = runs.date
where profiles.cluster = $cluster
    and profiles.date = cast($day as date)
    and profiles.resource = 'cpu'
    and profiles.workload_kind in ('Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController')
order by
    profiles.namespace,
    profiles.workload_kind,
    profiles.workload,
    profiles.pod,
    profiles.container_key

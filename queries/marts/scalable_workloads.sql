/* Workloads without GPUs that can be scaled to nothing, by day within some days: how they stood, and what they cost.
grain: date, namespace, workload_kind, workload
inputs: containers, profiles, charges, autoscalers, runs
params: cluster, day, days
units: cpu_request in cores of a pod, null where none is set; pod_hours of all pods; coverage of CPU is observed /
occupied time; cost of CPU and memory in the currency of the last day, null when no price is known
The days are those up to $day. autoscaled: whether a HorizontalPodAutoscaler aims at it on $day, by whatever metric.
*/
with measured as (
    select date
    from runs
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
),

occupied as (
    select
        containers.date,
        containers.namespace,
        containers.workload_kind,
        containers.workload,
        containers.pod,
        containers.pod_uid,
        containers.container_key,
        arg_max(containers.team, containers.start) as team,
        arg_max(containers.class, containers.start) as class,
        max(containers.cpu_request) as cpu_request,
        bool_or(containers.gpu_resource is not null) as has_gpu,
        sum(epoch_us(containers."end") - epoch_us(containers.start)) / 3600000000 as hours
    from containers
    semi join measured on containers.date = measured.date
    where containers.cluster = $cluster
        and containers.container <> ''
        and containers.workload_kind in ('Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController')
    group by
        containers.date,
        containers.namespace,
        containers.workload_kind,
        containers.workload,
        containers.pod,
        containers.pod_uid,
        containers.container_key
),

pods as (
    select
        occupied.date,
        occupied.namespace,
        occupied.workload_kind,
        occupied.workload,
        min(occupied.team) as team,
        min(occupied.class) as class,
        min(occupied.container_key) as container_key,
        sum(occupied.cpu_request) as cpu_request,
        bool_or(occupied.has_gpu) as has_gpu,
        max(occupied.hours) as hours,
        sum(profiles.observed_s) as observed_s,
        sum(profiles.occupied_s) as occupied_s
    from occupied
    left join profiles
        on profiles.cluster = $cluster
        and occupied.date = profiles.date
        and occupied.container_key = profiles.container_key
        and profiles.resource = 'cpu'
    group by
        occupied.date,
        occupied.namespace,
        occupied.workload_kind,
        occupied.workload,
        occupied.pod,
        occupied.pod_uid
),

workload_days as (
    select
        date,
        namespace,
        workload_kind,
        workload,
        min(team) as team,
        min(class) as class,
        arg_max(container_key, hours) as container_key,
        max(cpu_request) as cpu_request,
        sum(hours) as pod_hours,
        coalesce(sum(observed_s) / sum(occupied_s), 0) as coverage
    from pods
    group by date, namespace, workload_kind, workload
    having not bool_or(has_gpu)
),

-- of the containers that were picked alone: maps are slow to carry through sums
labelled as (
    select
        containers.date,
        containers.container_key,
        arg_max(containers.labels, containers.start) as labels
    from containers
    semi join workload_days
        on containers.date = workload_days.date
        and containers.container_key = workload_days.container_key
    where containers.cluster = $cluster
        and containers.date > cast($day as date) - cast($days as integer)
        and containers.date <= cast($day as date)
    group by containers.date, containers.container_key
),

currencies as (
    select min(currency) as currency
    from charges
    where cluster = $cluster
        and date = cast($day as date)
),

paid as (
    select
        charges.date,
        charges.namespace,
        charges.workload_kind,
        charges.workload,
        sum(charges.cost) as cost,
        sum(charges.cost_unused) as unused_cost
    from charges
    inner join currencies on charges.currency = currencies.currency
    semi join measured on charges.date = measured.date
    where charges.cluster = $cluster
        and charges.kind = 'workload'
        and charges.resource in ('cpu', 'memory')
    group by charges.date, charges.namespace, charges.workload_kind, charges.workload
    having bool_and(charges.cost is not null)
),

autoscaled as (
    select distinct
        namespace,
        workload_kind,
        workload
    from autoscalers
    where cluster = $cluster
        and date = cast($day as date)
)

select
    workload_days.date,
    workload_days.namespace,
    workload_days.workload_kind,
    workload_days.workload,
    workload_days.team,
    workload_days.class,
    workload_days.cpu_request,
    workload_days.pod_hours,
    workload_days.coverage,
    paid.cost,
    paid.unused_cost,
    currencies.currency,
    autoscaled.workload is not null as autoscaled,
    map_extract_value(labelled.labels, 'label_costlab_io_ignore') as ignore_label,
    map_extract_value(labelled.labels, 'label_costlab_io_mute_until') as mute_until_label,
    map_extract_value(labelled.labels, 'label_costlab_io_reason') as reason_label
from workload_days
cross join currencies
left join labelled
    on workload_days.date = labelled.date
    and workload_days.container_key = labelled.container_key
left join paid
    on workload_days.date = paid.date
    and workload_days.namespace = paid.namespace
    and workload_days.workload_kind = paid.workload_kind
    and workload_days.workload = paid.workload
left join autoscaled
    on workload_days.namespace = autoscaled.namespace
    and workload_days.workload_kind = autoscaled.workload_kind
    and workload_days.workload = autoscaled.workload
order by
    workload_days.namespace,
    workload_days.workload_kind,
    workload_days.workload,
    workload_days.date

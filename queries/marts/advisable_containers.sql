/* The containers of workloads that ran within some days, and how their requests stand: what advice is about.
grain: namespace, workload_kind, workload, container
inputs: containers, runs
params: cluster, day, days
units: *_request and *_limit in cores or bytes, null where none is set; hours of all replicas
The days are those up to $day. Requests, limits, team and class are as they were told last; least_*_request is the least
in those days, 0 where none was set in some of them, least_*_limit the least that was set. guaranteed: every container
of that pod has its limits as requests.
days: measured ones since the first on which it ran.
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
        containers.pod_uid,
        containers.namespace,
        containers.workload_kind,
        containers.workload,
        containers.pod,
        containers.container,
        containers.team,
        containers.class,
        containers.start,
        containers."end",
        containers.cpu_request,
        containers.memory_request,
        containers.cpu_limit,
        containers.memory_limit,
        epoch(containers."end" - containers.start) / 3600 as hours
    from containers
    semi join measured on measured.date = containers.date
    where containers.cluster = $cluster
        and containers.container <> ''
),

subjects as (
    select
        namespace,
        workload_kind,
        workload,
        container,
        min(date) as first_date,
        max("end") as last_end,
        max(date) as last_date,
        sum(hours) as occupied_hours,
        min(coalesce(cpu_request, 0)) as least_cpu_request,
        min(coalesce(memory_request, 0)) as least_memory_request,
        min(cpu_limit) as least_cpu_limit,
        min(memory_limit) as least_memory_limit,
        min(coalesce(cpu_request, -1)) < max(coalesce(cpu_request, -1)) as cpu_changed,
        min(coalesce(memory_request, -1)) < max(coalesce(memory_request, -1)) as memory_changed,
        arg_max(
            struct_pack(
                date,
                pod_uid,
                pod,
                team,
                class,
                start,
                cpu_request,
                memory_request,
                cpu_limit,
                memory_limit
            ),
            (start, pod, pod_uid)
        ) as latest
    from occupied
    group by namespace, workload_kind, workload, container
),

pods as (
    select
        occupied.date,
        occupied.pod_uid,
        occupied.namespace,
        occupied.pod,
        count(distinct occupied.container) as containers_in_pod,
        coalesce(
            bool_and(
                coalesce(occupied.cpu_request = occupied.cpu_limit, false)
                and coalesce(occupied.memory_request = occupied.memory_limit, false)
            ),
            false
        ) as guaranteed
    from occupied
    semi join subjects
        on occupied.date = subjects.latest.date
        and occupied.pod_uid = subjects.latest.pod_uid
        and occupied.namespace = subjects.namespace
        and occupied.pod = subjects.latest.pod
    group by occupied.date, occupied.pod_uid, occupied.namespace, occupied.pod
),

-- of the containers that were picked alone: maps are slow to carry through sums
labelled as (
    select
        subjects.namespace,
        subjects.workload_kind,
        subjects.workload,
        subjects.container,
        any_value(containers.labels) as labels
    from subjects
    inner join containers
        on subjects.latest.date = containers.date
        and subjects.latest.pod_uid = containers.pod_uid
        and subjects.latest.pod = containers.pod
        and subjects.latest.start = containers.start
        and subjects.namespace = containers.namespace
        and subjects.workload_kind = containers.workload_kind
        and subjects.workload = containers.workload
        and subjects.container = containers.container
    where containers.cluster = $cluster
        and containers.date > cast($day as date) - cast($days as integer)
        and containers.date <= cast($day as date)
    group by subjects.namespace, subjects.workload_kind, subjects.workload, subjects.container
)

select
    subjects.namespace,
    subjects.workload_kind,
    subjects.workload,
    subjects.container,
    subjects.latest.team,
    subjects.latest.class,
    subjects.first_date,
    subjects.last_date,
    subjects.last_end,
    (
        select count(*)
        from measured
        where measured.date >= subjects.first_date
    ) as days,
    subjects.occupied_hours,
    subjects.latest.cpu_request,
    subjects.latest.cpu_limit,
    subjects.least_cpu_request,
    subjects.least_cpu_limit,
    subjects.cpu_changed,
    subjects.latest.memory_request,
    subjects.latest.memory_limit,
    subjects.least_memory_request,
    subjects.least_memory_limit,
    subjects.memory_changed,
    pods.guaranteed,
    pods.containers_in_pod,
    map_extract_value(labelled.labels, 'label_costlab_io_ignore') as ignore_label,
    map_extract_value(labelled.labels, 'label_costlab_io_mute_until') as mute_until_label,
    map_extract_value(labelled.labels, 'label_costlab_io_reason') as reason_label
from subjects
inner join pods
    on subjects.latest.date = pods.date
    and subjects.latest.pod_uid = pods.pod_uid
    and subjects.namespace = pods.namespace
    and subjects.latest.pod = pods.pod
left join labelled
    on subjects.namespace = labelled.namespace
    and subjects.workload_kind = labelled.workload_kind
    and subjects.workload = labelled.workload
    and subjects.container = labelled.container
order by subjects.namespace, subjects.workload_kind, subjects.workload, subjects.container

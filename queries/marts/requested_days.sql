/* Containers on the days on which they occupied a node: what they requested, and at which price.
grain: replica, date
inputs: containers, charges
params: cluster, namespace, team, start, until
units: hours in h; requests and limits in cores and bytes, null: none set; prices in currency per core-hour, GiB-hour;
cost of CPU and memory in currency, null: none known
$until is exclusive. $cluster, $namespace and $team filter; '' is all. Containers are numbered from 0 in the order of
cluster, namespace, workload_kind, workload, container and container_key: replica; subject numbers the containers of
workloads. Requests are means over the time of occupancy, limits the highest.
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

pods as (
    select
        cluster,
        date,
        namespace,
        pod,
        pod_uid,
        count(distinct container) as containers_in_pod
    from containers
    where container <> ''
        and date >= cast($start as date)
        and date < cast($until as date)
        and $namespace in ('', namespace)
    group by cluster, date, namespace, pod, pod_uid
),

days as (
    select
        cluster,
        container_key,
        date,
        any_value(pod) as pod,
        any_value(pod_uid) as pod_uid,
        any_value(class) as class,
        sum(epoch("end" - start)) / 3600.0 as hours,
        sum(cpu_request * epoch("end" - start))
        / sum(epoch("end" - start)) filter (where cpu_request is not null) as cpu_request,
        sum(memory_request * epoch("end" - start))
        / sum(epoch("end" - start)) filter (where memory_request is not null) as memory_request,
        max(cpu_limit) as cpu_limit,
        max(memory_limit) as memory_limit
    from containers
    where date >= cast($start as date)
        and date < cast($until as date)
        and $namespace in ('', namespace)
        and "end" > start
    group by cluster, container_key, date
),

prices as (
    select
        cluster,
        date,
        namespace,
        pod,
        pod_uid,
        container,
        max(unit_price) filter (where resource = 'cpu') as cpu_price,
        max(unit_price) filter (where resource = 'memory') as memory_price,
        sum(cost) filter (where resource in ('cpu', 'memory')) as cost,
        min(currency) as currency
    from charges
    where kind = 'workload'
        and date >= cast($start as date)
        and date < cast($until as date)
        and $namespace in ('', namespace)
    group by cluster, date, namespace, pod, pod_uid, container
)

select
    dense_rank() over (
        order by
            numbered.cluster, numbered.namespace, numbered.workload_kind, numbered.workload, numbered.container,
            numbered.container_key
    ) - 1 as replica,
    dense_rank() over (
        order by
            numbered.cluster, numbered.namespace, numbered.workload_kind, numbered.workload, numbered.container
    ) - 1 as subject,
    numbered.cluster,
    numbered.container_key,
    numbered.namespace,
    numbered.workload_kind,
    numbered.workload,
    numbered.container,
    days.class,
    pods.containers_in_pod,
    days.date,
    days.hours,
    days.cpu_request,
    days.memory_request,
    days.cpu_limit,
    days.memory_limit,
    prices.cpu_price,
    prices.memory_price,
    prices.cost,
    prices.currency
from days
inner join numbered
    on days.cluster = numbered.cluster
    and days.container_key = numbered.container_key
inner join pods
    on days.cluster = pods.cluster
    and days.date = pods.date
    and numbered.namespace = pods.namespace
    and days.pod = pods.pod
    and days.pod_uid = pods.pod_uid
left join prices
    on days.cluster = prices.cluster
    and days.date = prices.date
    and numbered.namespace = prices.namespace
    and days.pod = prices.pod
    and days.pod_uid = prices.pod_uid
    and numbered.container = prices.container
order by replica, days.date

/* On which days containers of workloads were killed for want of memory, and at which limit.
grain: namespace, workload_kind, workload, container, date
inputs: containers
params: cluster, start, until
units: memory_limit in bytes, the highest of those that were killed, null where none was set
$until is exclusive.
*/
select
    namespace,
    workload_kind,
    workload,
    container,
    date,
    max(memory_limit) as memory_limit
from containers
where cluster = $cluster
    and date >= cast($start as date)
    and date < cast($until as date)
    and container <> ''
    and oom_kills > 0
group by namespace, workload_kind, workload, container, date
order by namespace, workload_kind, workload, container, date

/* The containers of pods within some days, by the workload's container that they are.
grain: container_key
inputs: containers
params: cluster, day, days
units: none
*/
select distinct
    container_key,
    namespace,
    workload_kind,
    workload,
    container
from containers
where cluster = $cluster
    and date > cast($day as date) - cast($days as integer)
    and date <= cast($day as date)
    and container <> ''
order by container_key, namespace, workload_kind, workload, container

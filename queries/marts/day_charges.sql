/* Every charge of the day, as the lake stores it.
grain: kind, resource, node, namespace, pod, pod_uid, container, item
inputs: charges
params: cluster, day
units: quantities in unit; money in currency
*/
select
    cluster,
    date,
    kind,
    resource,
    node,
    team,
    namespace,
    workload_kind,
    workload,
    pod,
    pod_uid,
    container,
    item,
    class,
    pipeline,
    unit,
    requested_quantity,
    used_quantity,
    billed_quantity,
    unit_price,
    cost,
    cost_used,
    cost_unused,
    cost_unobserved,
    currency,
    coverage
from charges
where cluster = $cluster
    and date = cast($day as date)
order by kind, resource, node, namespace, pod, pod_uid, container, item

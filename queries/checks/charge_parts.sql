/* Charges whose parts are not the whole: used + unused + unobserved = cost of workloads, no parts of anything else.
grain: a guilty charge
inputs: charges
params: none
units: currency
*/
select
    cluster,
    date,
    kind,
    resource,
    node,
    namespace,
    pod,
    pod_uid,
    container,
    item,
    cost,
    cost_used,
    cost_unused,
    cost_unobserved
from charges
where
    if(
        kind = 'workload',
        cost is distinct from cost_used + cost_unused + cost_unobserved,
        cost_used is not null or cost_unused is not null or cost_unobserved is not null
    )
order by cluster, date, kind, resource, node, namespace, pod, pod_uid, container, item

/* What each workload owed for each resource on each day, its volumes and traffic among them.
grain: cluster, date, team, namespace, workload_kind, workload, class, resource
inputs: charges
params: none
units: *_cost in currency; *_quantity in core_hour, gib_hour, gpu_hour or gib (column unit)
Volumes and traffic have no used, unused and unobserved cost. The workload of a volume that no pod mounts is empty.
observed_quantity is the part of billed_quantity whose usage was seen, so used_quantity / observed_quantity is how
busy it was. Sums of quantities are rounded to 10^-9: doubles added in another order differ in their last digits.
*/
select
    cluster,
    date,
    team,
    namespace,
    coalesce(workload_kind, '') as workload_kind,
    coalesce(workload, '') as workload,
    coalesce(class, '') as class,
    resource,
    min(unit) as unit,
    min(currency) as currency,
    count(distinct row(namespace, pod, pod_uid)) as pods,
    round(sum(requested_quantity), 9) as requested_quantity,
    round(coalesce(sum(used_quantity) filter (where not isnan(used_quantity)), 0), 9) as used_quantity,
    round(sum(billed_quantity), 9) as billed_quantity,
    round(sum(billed_quantity * coverage), 9) as observed_quantity,
    cast(sum(cost) as decimal(18, 6)) as total_cost,
    cast(sum(cost_used) as decimal(18, 6)) as used_cost,
    cast(sum(cost_unused) as decimal(18, 6)) as unused_cost,
    cast(sum(cost_unobserved) as decimal(18, 6)) as unobserved_cost,
    count(*) filter (where cost is null) as unpriced_charges
from charges
where kind in ('workload', 'volume', 'network')
group by all
order by cluster, date, team, namespace, workload_kind, workload, class, resource

/* What workloads reserved of a resource on the day and did not use, dearest first.
grain: team, namespace, workload_kind, workload, class, resource (only where something was unused)
inputs: workload_costs
params: cluster, day
units: *_cost in currency; quantities in unit (core_hour, gib_hour or gpu_hour); ratios of what was observed
*/
select
    team,
    namespace,
    workload_kind,
    workload,
    class,
    resource,
    unit,
    currency,
    round(requested_quantity, 6) as requested_quantity,
    round(used_quantity, 6) as used_quantity,
    total_cost,
    unused_cost,
    cast(used_cost as double) / cast(used_cost + unused_cost as double) as used_ratio,
    observed_quantity / nullif(billed_quantity, 0) as coverage
from workload_costs
where cluster = $cluster
    and date = cast($day as date)
    and unused_cost > 0
order by unused_cost desc, team, namespace, workload_kind, workload, class, resource

/* The day's workloads, dearest first.
grain: team, namespace, workload_kind, workload, class
inputs: workload_costs
params: cluster, day
units: *_cost in currency; used_ratio = used / (used + unused), of what was observed; gpu_hours billed
*/
select
    team,
    namespace,
    workload_kind,
    workload,
    class,
    min(currency) as currency,
    max(pods) as pods,
    cast(sum(total_cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(sum(used_cost), 0) as decimal(18, 6)) as used_cost,
    cast(coalesce(sum(unused_cost), 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(sum(unobserved_cost), 0) as decimal(18, 6)) as unobserved_cost,
    cast(sum(used_cost) as double) / nullif(cast(sum(used_cost) + sum(unused_cost) as double), 0) as used_ratio,
    round(coalesce(sum(billed_quantity) filter (where resource = 'gpu'), 0), 6) as gpu_hours,
    cast(sum(unpriced_charges) as bigint) as unpriced_charges
from workload_costs
where cluster = $cluster
    and date = cast($day as date)
group by team, namespace, workload_kind, workload, class
order by coalesce(sum(total_cost), 0) desc, team, namespace, workload_kind, workload, class

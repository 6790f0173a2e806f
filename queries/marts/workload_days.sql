/* What the day's dearest workloads owed for each resource on each of the last $days days.
grain: namespace, workload_kind, workload, date, resource (only where the workload owed something)
inputs: workload_costs
params: cluster, day, days, most
units: *_cost in currency; quantities in unit (core_hour, gib_hour, gpu_hour or gib)
The $most workloads that cost most on $day; volumes that no pod mounts are no workload. team and class are those of
that day and resource. Whether a date without a row is a zero or a missing day is told by daily_costs.
*/
with dearest as (
    select
        namespace,
        workload_kind,
        workload
    from workload_costs
    where cluster = $cluster
        and date = cast($day as date)
        and workload <> ''
    group by namespace, workload_kind, workload
    order by coalesce(sum(total_cost), 0) desc, namespace, workload_kind, workload
    limit cast($most as integer)
)

select
    costs.namespace,
    costs.workload_kind,
    costs.workload,
    costs.date,
    costs.resource,
    max(costs.team) as team,
    max(costs.class) as class,
    min(costs.unit) as unit,
    min(costs.currency) as currency,
    round(sum(costs.requested_quantity), 6) as requested_quantity,
    round(sum(costs.used_quantity), 6) as used_quantity,
    round(sum(costs.billed_quantity), 6) as billed_quantity,
    cast(sum(costs.total_cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(sum(costs.used_cost), 0) as decimal(18, 6)) as used_cost,
    cast(coalesce(sum(costs.unused_cost), 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(sum(costs.unobserved_cost), 0) as decimal(18, 6)) as unobserved_cost,
    cast(sum(costs.used_cost) as double)
    / nullif(cast(sum(costs.used_cost) + sum(costs.unused_cost) as double), 0) as used_ratio,
    cast(sum(costs.unpriced_charges) as bigint) as unpriced_charges
from workload_costs as costs
inner join dearest
    on costs.namespace = dearest.namespace
    and costs.workload_kind = dearest.workload_kind
    and costs.workload = dearest.workload
where costs.cluster = $cluster
    and costs.date > cast($day as date) - cast($days as integer)
    and costs.date <= cast($day as date)
group by costs.namespace, costs.workload_kind, costs.workload, costs.date, costs.resource
order by costs.namespace, costs.workload_kind, costs.workload, costs.date, costs.resource

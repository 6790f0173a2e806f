/* What the day's dearest workloads owed for each resource on each of the last $days days.
grain: namespace, workload_kind, workload, date, resource (only where the workload owed something)
inputs: workload_costs, charges
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
    charges.namespace,
    charges.workload_kind,
    charges.workload,
    charges.date,
    charges.resource,
    max(charges.team) as team,
    coalesce(max(charges.class), '') as class,
    min(charges.unit) as unit,
    min(charges.currency) as currency,
    round(sum(charges.requested_quantity), 6) as requested_quantity,
    round(
        coalesce(sum(charges.used_quantity) filter (where not isnan(charges.used_quantity)), 0), 6
    ) as used_quantity,
    round(sum(charges.billed_quantity), 6) as billed_quantity,
    cast(sum(charges.cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(sum(charges.cost_used), 0) as decimal(18, 6)) as used_cost,
    cast(coalesce(sum(charges.cost_unused), 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(sum(charges.cost_unobserved), 0) as decimal(18, 6)) as unobserved_cost,
    cast(sum(charges.cost_used) as double)
    / nullif(cast(sum(charges.cost_used) + sum(charges.cost_unused) as double), 0) as used_ratio,
    count(*) filter (where charges.cost is null) as unpriced_charges
-- no workload_costs: they would be summed for all workloads before these are picked
from charges
inner join dearest
    on charges.namespace = dearest.namespace
    and charges.workload_kind = dearest.workload_kind
    and charges.workload = dearest.workload
where charges.cluster = $cluster
    and charges.kind in ('workload', 'volume', 'network')
    and charges.date > cast($day as date) - cast($days as integer)
    and charges.date <= cast($day as date)
group by charges.namespace, charges.workload_kind, charges.workload, charges.date, charges.resource
order by charges.namespace, charges.workload_kind, charges.workload, charges.date, charges.resource
